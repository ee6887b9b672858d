//! Raw requests, each with the status that answers it: what two readers could understand differently is refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use proptest::prelude::*;
use protocol::Limits;
use protocol::client::write_percent_encoded;
use protocol::http::{KeepAlive, Method, Route, Routed, parse_head, route};

/// 200 stands for a head that is understood.
fn status(bytes: &[u8], limits: &Limits) -> u16 {
    match parse_head(bytes, limits) {
        Ok(Some(_)) => 200,
        Ok(None) => 0,
        Err(fault) => fault.status,
    }
}

fn check(request: &[u8], expected: u16) {
    let limits = Limits::default();
    assert_eq!(status(request, &limits), expected, "{}", request.escape_ascii());
    // The verdict on the whole is the first verdict on its beginnings.
    let early = (0..=request.len()).map(|end| status(&request[..end], &limits));
    let verdict = early.clone().find(|it| *it != 0).unwrap_or(0);
    assert_eq!(verdict, expected, "early: {}", request.escape_ascii());
}

/// A head with one line more.
fn check_line(line: &[u8], expected: u16) {
    check(&[b"POST / HTTP/1.1\r\nHost: a\r\n", line, b"\r\n\r\n"].concat(), expected);
}

fn check_target(target: &[u8], expected: u16) {
    check(&[b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat(), expected);
}

#[test]
fn lengths_of_bodies() {
    for (line, expected) in [
        ("Content-Length: 0", 200),
        ("Content-Length:5", 200),
        ("content-length: 1048576", 200),
        ("Content-Length: 0005", 200),
        ("Content-Length: 1048577", 413),
        ("Content-Length: 9999999999999999999", 413),
        ("Content-Length: 18446744073709551621", 400),
        ("Content-Length: 00000000000000000005", 400),
        ("Content-Length: +5", 400),
        ("Content-Length: -5", 400),
        ("Content-Length:  5", 400),
        ("Content-Length: 5 ", 400),
        ("Content-Length:\t5", 400),
        ("Content-Length: 5\t", 400),
        ("Content-Length: 5,5", 400),
        ("Content-Length: 5, 6", 400),
        ("Content-Length: 0x5", 400),
        ("Content-Length: 5e0", 400),
        ("Content-Length: 5.0", 400),
        ("Content-Length: 5_0", 400),
        ("Content-Length: 1 2", 400),
        ("Content-Length: \"5\"", 400),
        ("Content-Length:", 400),
        ("Content-Length: ", 400),
        ("Content-Length: ٥", 400),
        ("Content-Length : 5", 400),
        (" Content-Length: 5", 400),
        ("Content-Length\t: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: 5\r\ncontent-length: 5", 400),
        ("Content_Length: 5", 200),
    ] {
        check_line(line.as_bytes(), expected);
    }
}

#[test]
fn codings_of_bodies() {
    for (line, expected) in [
        ("Transfer-Encoding: chunked", 501),
        ("transfer-encoding: CHUNKED", 501),
        ("Transfer-Encoding: identity", 501),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: xchunked", 501),
        ("Transfer-Encoding:", 501),
        ("Transfer-Encoding:\x0bchunked", 400),
        ("Transfer-Encoding : chunked", 400),
        ("Transfer-Encoding\r\n: chunked", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        ("Content-Encoding: identity", 200),
        ("Content-Encoding: gzip", 415),
        ("Content-Encoding: gzip, identity", 415),
        ("Content-Encoding: identity\r\nContent-Encoding: gzip", 400),
        ("TE: trailers", 200),
        ("Expect: 100-continue", 200),
        ("Expect: 100-Continue\r\nContent-Length: 3", 200),
        ("Expect: 200-ok", 417),
        ("Expect: 100-continue\r\nExpect: 100-continue", 400),
    ] {
        check_line(line.as_bytes(), expected);
    }
}

#[test]
fn lines_and_bytes() {
    for (line, expected) in [
        (&b"X: a\nY: b"[..], 400),
        (b"X: a\rY: b", 400),
        (b"X: a\r\r\nY: b", 400),
        (b"X: a\r\n b", 400),
        (b"X: a\r\n\tb", 400),
        (b"X: a\0b", 400),
        (b"X: a\x01b", 400),
        (b"X: a\x7fb", 400),
        (b"X: a\x1bb", 400),
        (b"X\0: a", 400),
        (b"X", 400),
        (b": a", 400),
        (b"X Y: a", 400),
        (b"X : a", 400),
        (b"X(): a", 400),
        (b"X\xc3\xa4: a", 400),
        (b"X: \xff", 400),
        (b"X: \xc3\xa4", 200),
        (b"X:", 200),
        (b"X: a\tb", 200),
        (b"X: a: b", 200),
        (b"Authorization: Bearer a\r\nAuthorization: Bearer b", 400),
        (b"Content-Type: a\r\nContent-Type: b", 400),
        (b"Cookie: a\r\nCookie: b", 200),
    ] {
        check_line(line, expected);
    }
}

#[test]
fn request_lines() {
    let rest = b"\r\nHost: a\r\n\r\n";
    for (line, expected) in [
        (&b"GET / HTTP/1.1"[..], 200),
        (b"GET / HTTP/1.0", 200),
        (b"\r\nGET / HTTP/1.1", 200),
        (b"\r\n\r\nGET / HTTP/1.1", 400),
        (b"\nGET / HTTP/1.1", 400),
        (b" GET / HTTP/1.1", 400),
        (b"x\r\nGET / HTTP/1.1", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET /  HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET / HTTP/1.1 x", 400),
        (b"GET /", 400),
        (b"GET / ", 505),
        (b"GET HTTP/1.1", 400),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/1.10", 400),
        (b"GET / http/1.1", 505),
        (b"GET / HTTPS/1.1", 505),
        (b"get / HTTP/1.1", 501),
        (b"CONNECT / HTTP/1.1", 501),
        (b"TRACE / HTTP/1.1", 501),
        (b"GETX / HTTP/1.1", 501),
        (b"G\0T / HTTP/1.1", 400),
        (b"G(T / HTTP/1.1", 400),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"OPTIONS / HTTP/1.1", 200),
    ] {
        check(&[line, rest].concat(), expected);
    }
}

#[test]
fn targets() {
    for (target, expected) in [
        (&b"/"[..], 200),
        (b"/?", 200),
        (b"/a/b/", 200),
        (b"//a", 200),
        (b"/a;b=c,d@e:f!$&'()*+~", 200),
        (b"/%2525", 200),
        (b"/%252f", 200),
        (b"*", 400),
        (b"http://a/", 400),
        (b"HTTP://b/edge", 400),
        (b"a:80", 400),
        (b"edge", 400),
        (b"?a", 400),
        (b"/%00", 400),
        (b"/%2f", 400),
        (b"/%2F", 400),
        (b"/%2e%2e", 400),
        (b"/%2e%2e/edge", 400),
        (b"/.%2E/", 400),
        (b"/../", 400),
        (b"/./", 400),
        (b"/%5c", 400),
        (b"/\\", 400),
        (b"/%", 400),
        (b"/%4", 400),
        (b"/%zz", 400),
        (b"/%u0041", 400),
        (b"/%c0%af", 400),
        (b"/%ff", 400),
        (b"/%0a", 400),
        (b"/\xc3\xa4", 400),
        (b"/\xff", 400),
        (b"/a#b", 400),
        (b"/a\"b", 400),
        (b"/<>", 400),
        (b"/{}", 400),
        (b"/|", 400),
        (b"/?a=%", 400),
        (b"/?a=%ff", 400),
        (b"/?a#b", 400),
        (b"/?a=\xc3\xa4", 400),
        (b"/?a=<b>", 400),
        (b"/?a={b}|c", 200),
        (b"/?a=/?b", 200),
        (b"/?a=%00", 200),
    ] {
        check_target(target, expected);
    }
}

#[test]
fn hosts() {
    for (lines, expected) in [
        ("Host: a", 200),
        ("host:a.example:8080", 200),
        ("Host: 127.0.0.1:80", 200),
        ("Host: [::1]", 200),
        ("Host: [::ffff:127.0.0.1]:65535", 200),
        ("X: a", 400),
        ("Host:", 400),
        ("Host: ", 400),
        ("Host: :80", 400),
        ("Host: a:", 400),
        ("Host: a:x", 400),
        ("Host: a:+1", 400),
        ("Host: a:65536", 400),
        ("Host: a:80:80", 400),
        ("Host: a b", 400),
        ("Host: a,b", 400),
        ("Host: a/b", 400),
        ("Host: u@a", 400),
        ("Host: a%00", 400),
        ("Host: a?b", 400),
        ("Host: []", 400),
        ("Host: [::1", 400),
        ("Host: [::1]x", 400),
        ("Host: [::g]", 400),
        ("Host: ä", 400),
        ("Host: a\r\nHost: a", 400),
        ("Host: a\r\nhOST: b", 400),
    ] {
        check(format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes(), expected);
        check(format!("GET / HTTP/1.0\r\n{lines}\r\n\r\n").as_bytes(), expected);
    }
}

#[test]
fn an_upgrade_has_no_body() {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket";
    check_line(upgrade.as_bytes(), 200);
    for line in ["Content-Length: 0", "Content-Length: 5", "Transfer-Encoding: chunked"] {
        check_line(format!("{upgrade}\r\n{line}").as_bytes(), 400);
        check_line(format!("{line}\r\n{upgrade}").as_bytes(), 400);
    }
}

#[test]
fn a_head_ends_at_its_limits() {
    let head = |bytes: usize| {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(bytes - start.len() - 4)).into_bytes()
    };
    let limits = Limits::default();
    assert_eq!(status(&head(16 * 1024 - 1), &limits), 200);
    assert_eq!(status(&head(16 * 1024), &limits), 200);
    assert_eq!(status(&head(16 * 1024 + 1), &limits), 431);
    assert_eq!(status(&head(16 * 1024 + 1)[..16 * 1024 - 1], &limits), 0);
    assert_eq!(status(&[b'x'; 16 * 1024], &limits), 431);
    let lines =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: a\r\n".repeat(count - 1));
    assert_eq!(status(lines(63).as_bytes(), &limits), 200);
    assert_eq!(status(lines(64).as_bytes(), &limits), 200);
    assert_eq!(status(lines(65).as_bytes(), &limits), 431);
}

#[test]
fn a_head_says_what_it_means() {
    let request = "\r\nPOST /a%20b/c?key=1&key2=%26+%2B HTTP/1.1\r\nHost: h:1\r\n\
        authorization: bearer  a.b.c\r\nX-One: 1 \r\nx-one: 2\r\nContent-Length: 3\r\n\
        Expect: 100-continue\r\nConnection: x, Close\r\n\r\nabc";
    let head = parse_head(request.as_bytes(), &Limits::default()).unwrap().unwrap();
    assert_eq!(head.method(), Method::Post);
    assert_eq!(head.path(), "/a%20b/c");
    assert_eq!(head.segment(0).as_deref(), Some("a b"));
    assert_eq!(head.segment(2), None);
    assert_eq!(head.segments().collect::<Vec<_>>(), ["a b", "c"]);
    assert_eq!(head.query("key2").unwrap().as_deref(), Some("& +"));
    assert_eq!(head.host(), "h:1");
    assert_eq!(head.bearer(), Some("a.b.c"));
    assert_eq!(head.header("X-ONE"), Some("1"));
    assert_eq!(head.headers("x-one").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(head.content_length(), 3);
    assert_eq!(&request[head.head_bytes()..], "abc");
    assert_eq!(head.keep_alive(), KeepAlive::Close);
    assert!(head.expects_continue() && !head.wants_upgrade());
}

#[test]
fn a_connection_closes_when_it_is_old_or_told_to() {
    let keeps =
        |text: &str| parse_head(text.as_bytes(), &Limits::default()).unwrap().unwrap().keep_alive();
    assert_eq!(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), KeepAlive::Keep);
    assert_eq!(
        keeps("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"),
        KeepAlive::Close
    );
}

#[test]
fn every_call_has_its_route() {
    let routed = |line: &str| {
        let request = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
        route(&parse_head(request.as_bytes(), &Limits::default()).unwrap().unwrap())
    };
    for (line, expected) in [
        ("POST /edge/session?key=k", Route::EdgeSession),
        ("POST /edge/realtime/token", Route::RealtimeToken),
        ("GET /edge/realtime?token=t&channel=c", Route::RealtimeSocket),
        ("POST /edge/realtime", Route::RealtimePublish),
        ("GET /edge/realtime/history?channel=c", Route::RealtimeHistory),
        ("GET /health/live", Route::HealthLive),
        ("HEAD /health/ready", Route::HealthReady),
        ("GET /version", Route::Version),
    ] {
        assert_eq!(routed(line), Routed::Found(expected), "{line}");
    }
    assert_eq!(routed("GET /edge"), Routed::NotFound);
    let Routed::MethodNotAllowed { allow } = routed("DELETE /edge/session") else { panic!() };
    assert_eq!(allow.to_string(), "POST, OPTIONS");
    let Routed::Preflight { allow } = routed("OPTIONS /edge/realtime") else { panic!() };
    assert_eq!(allow.to_string(), "GET, HEAD, POST, OPTIONS");
}

proptest! {
    #[test]
    fn a_name_survives_the_path_and_the_query(name in "[^\\p{Cc}/\\\\]{1,40}") {
        prop_assume!(name != "." && name != "..");
        let mut encoded = String::new();
        write_percent_encoded(&mut encoded, &name);
        let request =
            format!("GET /channels/{encoded}/history?channel={encoded} HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = parse_head(request.as_bytes(), &Limits::default()).unwrap().unwrap();
        prop_assert_eq!(head.segment(1), Some(name.as_str().into()));
        prop_assert_eq!(head.query("channel").unwrap(), Some(name.as_str().into()));
        prop_assert_eq!(route(&head), Routed::NotFound);
    }

    #[test]
    fn a_head_in_pieces_is_the_head_of_the_whole(
        lines in prop::collection::vec("[a-zA-Z-]{1,12}: ?[ -~]{0,20}", 0..6),
        target in "/[a-z%0-9/]{0,12}",
    ) {
        let lines = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\nbody");
        let limits = Limits::default();
        let whole = status(request.as_bytes(), &limits);
        let early = (0..=request.len()).map(|end| status(&request.as_bytes()[..end], &limits));
        prop_assert_eq!(early.clone().find(|it| *it != 0), Some(whole));
    }
}
