//! Several requests over one connection, of which some hide in the body of another, or want to be taken for its end.

use super::Case;

/// What no answer may ever be for: it is hidden in another request.
const HIDDEN: &str = "GET /api/realtime/hidden HTTP/1.1\r\nHost: a\r\n\r\n";

const GOOD: &str = "GET /version HTTP/1.1\r\nHost: a\r\n\r\n";

/// A request with a body of this length, whatever follows.
fn sized(method: &str, length: usize, body: &str) -> String {
    format!("{method} /version HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn whole(method: &str, body: &str) -> String {
    sized(method, body.len(), body)
}

/// A POST with these header lines before its body.
fn with(lines: &str, body: &str) -> String {
    format!("POST /version HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{body}")
}

fn upgrade(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

pub(super) fn cases() -> impl Iterator<Item = Case> {
    let all = in_bodies().into_iter().chain(in_codings()).chain(behind_others());
    all.map(|(text, heads)| Case { bytes: text.into_bytes(), heads })
}

/// A body is what its length says, whatever it looks like.
fn in_bodies() -> Vec<(String, Vec<u16>)> {
    let understood = || vec![200];
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let mut cases: Vec<_> =
        methods.into_iter().map(|method| (whole(method, HIDDEN), understood())).collect();
    for body in [
        "\r\n\r\n",
        "\n\n",
        "\0\0\0\0",
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        cases.push((whole("POST", body), understood()));
        cases.push((whole("POST", &format!("{body}{HIDDEN}")), understood()));
        cases.push((whole("POST", body) + GOOD, vec![200, 200]));
    }
    cases.extend([
        // One byte too many is the start of the next request, one too few its end.
        (sized("POST", 3, "abcd") + GOOD, vec![200, 501]),
        (sized("POST", 4, "abc") + GOOD, vec![200, 501]),
        (sized("POST", 3, "abc\n") + GOOD, vec![200, 400]),
        (sized("POST", 3, "abc\r\n") + GOOD, vec![200, 200]),
        (sized("POST", 3, "abc\r\n\r\n") + GOOD, vec![200, 400]),
        (sized("POST", 3, "abc ") + GOOD, vec![200, 400]),
        (sized("POST", 0, "") + GOOD, vec![200, 200]),
        (sized("GET", 0, "") + GOOD + GOOD, vec![200, 200, 200]),
        (with("Expect: 100-continue\r\nContent-Length: 2", "{}") + GOOD, vec![200, 200]),
        (with("Expect: 100-continue\r\nContent-Length: 0", "") + GOOD, vec![200, 200]),
        (with("X-Content-Length: 40", "") + GOOD, vec![200, 200]),
        (with("Content_Length: 40", "") + GOOD, vec![200, 200]),
    ]);
    cases
}

/// Two lengths, or one that others read otherwise: the rest of the connection is not read.
fn in_codings() -> Vec<(String, Vec<u16>)> {
    let hidden = format!("0\r\n\r\n{HIDDEN}");
    let length = hidden.len();
    let refused = |lines: &str, status| (with(lines, &hidden), vec![status]);
    vec![
        refused("Transfer-Encoding: chunked", 501),
        refused("Transfer-Encoding: xchunked", 501),
        refused(&format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"), 400),
        refused(&format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"), 400),
        refused("Content-Length: 4\r\nTransfer-Encoding: chunked", 400),
        refused("Content-Length: 0\r\nTransfer-Encoding: identity", 400),
        refused(&format!("Content-Length: 0\r\nContent-Length: {length}"), 400),
        refused(&format!("Content-Length: {length}\r\nContent-Length: 0"), 400),
        refused(&format!("Content-Length: 0, {length}"), 400),
        refused(&format!("Content-Length: +{length}"), 400),
        refused(&format!("Content-Length : {length}"), 400),
        refused(&format!(" Content-Length: {length}"), 400),
        refused(&format!("Content-Length:\r\n {length}"), 400),
        refused("Transfer-Encoding:\r\n chunked", 400),
        refused("Transfer-Encoding : chunked", 400),
        refused("X: y\nTransfer-Encoding: chunked", 400),
        refused(&format!("X: y\r\r\nContent-Length: {length}"), 400),
        refused("Content-Length: 0x5", 400),
        refused("Content-Encoding: gzip\r\nContent-Length: 5", 415),
        refused("Content-Length: 99999999", 413),
    ]
}

/// What stands behind a request that is answered, and is read for itself or not at all.
fn behind_others() -> Vec<(String, Vec<u16>)> {
    let after = |bytes: &str, status| (format!("{GOOD}{bytes}"), vec![200, status]);
    let mut cases = vec![
        after(GOOD, 200),
        after(&format!("\r\n{GOOD}"), 200),
        after(&format!("\r\n\r\n{GOOD}"), 400),
        after(&format!("\n{GOOD}"), 400),
        after(&format!(" {GOOD}"), 400),
        after(&format!("\0{GOOD}"), 400),
        after(&GOOD.replace("\r\n", "\n"), 400),
        after(&GOOD.replace("Host: a", "Host: a\r\nHost: b"), 400),
        after(&GOOD.replace("Host: a\r\n", ""), 400),
        after(&GOOD.replace("Host: a", "Host: a\r\n folded: b"), 400),
        after(&GOOD.replace("/version", "http://a/version"), 400),
        after(&GOOD.replace("/version", "/%2e%2e/version"), 400),
        after(&GOOD.replace("HTTP/1.1", "HTTP/9.9"), 505),
        after(&GOOD.replace("GET", "BREW"), 501),
        after("\x16\x03\x01\x02\r\n\r\n", 400),
        after("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        after(&format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{HIDDEN}"), 400),
        after(&with("Transfer-Encoding: chunked", HIDDEN), 501),
        // Whoever says that it is the last one, it is.
        (GOOD.replace("Host: a", "Host: a\r\nConnection: close") + HIDDEN, vec![200]),
        (GOOD.replace("HTTP/1.1", "HTTP/1.0") + HIDDEN, vec![200]),
        // An upgrade that is refused changes nothing, and frames are no requests.
        (upgrade("/api/realtime/nowhere") + GOOD, vec![200, 200]),
        (upgrade("/edge/realtime") + GOOD, vec![200, 200]),
        (upgrade("/api/realtime/nowhere") + "\u{1}\u{5}hello\r\n\r\n", vec![200, 400]),
        (upgrade("/version") + GOOD, vec![200, 200]),
        (upgrade("/version").replace("GET", "POST") + GOOD, vec![200, 200]),
    ];
    cases.push((GOOD.repeat(40), vec![200; 40]));
    cases
}
