//! Bad input at every HTTP door gets its documented answer, and the node goes on. (Bad frames are in `socket.mjs`.)

use super::node::Node;
use super::raw::{Raw, exchange, request};
use super::tools::{Answer, curl, post, token};

/// The answer is the error envelope with this status and message.
fn assert_refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{message}: {}", answer.body);
    let body = answer.json();
    let error = &body["error"];
    assert_eq!(error["code"], status);
    assert!(error["status"].as_str().is_some_and(|it| !it.is_empty()));
    let found = error["message"].as_str().unwrap();
    assert!(found.contains(message), "{found:?} does not say {message:?}");
}

fn assert_serves(node: &Node) {
    assert_eq!(curl(&[&node.url("/health/ready")]).status, 200);
    let body = r#"{"channel":"still","data":"here"}"#;
    assert_eq!(post(&node.keyed("/edge/realtime"), body).status, 200);
}

#[test]
fn paths_and_methods_that_are_not_there_are_named() {
    let node = Node::ephemeral();
    assert_refused(&curl(&[&node.url("/nowhere")]), 404, "Not found");
    assert_refused(&curl(&[&node.url("/edge/realtime/")]), 404, "Not found");
    let answer = curl(&["-X", "DELETE", &node.keyed("/edge/realtime")]);
    assert_refused(&answer, 405, "Method not allowed. Use: GET, HEAD, POST, OPTIONS");
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    let answer = curl(&[&node.keyed("/edge/session")]);
    assert_refused(&answer, 405, "Use: POST, OPTIONS");
    let answer = curl(&[&node.url("/edge/realtime")]);
    assert_refused(&answer, 426, "WebSocket upgrade required");
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    let url = format!("{}?channel=a&token={}", node.url("/edge/realtime"), token(&node, "ada"));
    let upgrade = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket"];
    let old =
        ["-H", "Sec-WebSocket-Version: 8", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
    let answer = curl(&[&[url.as_str()], &upgrade[..], &old[..]].concat());
    assert_refused(&answer, 426, "WebSocket upgrade required");
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    assert_serves(&node);
    node.stop();
}

#[test]
fn a_credential_is_right_and_in_its_place_or_refused() {
    let node = Node::ephemeral();
    let body = r#"{"channel":"a","data":1}"#;
    let url = node.url("/edge/realtime");
    assert_refused(&post(&url, body), 401, "Authentication required");
    let with = |header: &str| curl(&[&url, "-H", header, "--json", body]);
    assert_refused(
        &with(&format!("Authorization: Bearer {}", node.key())),
        401,
        "Invalid or expired",
    );
    assert_refused(&with(&format!("X-Api-Key: {}", node.key())), 401, "Authentication required");
    assert_refused(&with("Authorization: Basic YTpi"), 401, "Authentication required");
    let unsigned = "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.eyJ0aWQiOiJkZXYiLCJ0eXAiOiJlZGdlIiwiZXhwIjo5OTk5OTk5OTk5fQ.";
    assert_refused(&with(&format!("Authorization: Bearer {unsigned}")), 401, "Invalid or expired");
    let client_token = token(&node, "ada");
    assert_refused(
        &with(&format!("Authorization: Bearer {client_token}")),
        401,
        "Invalid or expired",
    );
    let wrong = format!("{url}?key=coh_app_00000000000000000000");
    assert_refused(&post(&wrong, body), 401, "Invalid or expired");
    let twice = format!("{url}?key={0}&key={0}", node.key());
    assert_refused(&post(&twice, body), 400, "\"key\" came more than once");
    assert_refused(
        &curl(&["-X", "POST", &node.url("/edge/session")]),
        401,
        "Authentication required",
    );
    let history = node.url("/edge/realtime/history?channel=a");
    assert_refused(&curl(&[&history]), 401, "Authentication required");
    assert_serves(&node);
    node.stop();
}

#[test]
fn a_token_that_has_expired_opens_nothing() {
    // What the node signs lives a minute at least; the same token made offline can be short.
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), &["--shards", "1"]);
    let mut issue = super::node::stentor(folder.path());
    let (_, token, _) =
        super::node::run(issue.args(["token", "issue", "--user", "a", "--ttl", "1"]));
    let url = format!("{}?channel=a&token={}", node.url("/edge/realtime"), token.trim());
    let upgrade = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H"];
    let version =
        ["Sec-WebSocket-Version: 13", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
    super::node::pause(std::time::Duration::from_millis(2_100));
    let answer = curl(&[&[url.as_str()], &upgrade[..], &version[..]].concat());
    assert_refused(&answer, 401, "Invalid or expired credential");
    node.stop();
}

#[test]
fn bodies_and_queries_say_what_is_wrong_with_them() {
    let node = Node::ephemeral();
    let publish = |body: &str, status, message: &str| {
        assert_refused(&post(&node.keyed("/edge/realtime"), body), status, message);
    };
    publish("", 400, "Invalid JSON");
    publish("{", 400, "Invalid JSON");
    publish("[1]", 400, "Invalid JSON");
    publish(r#"{"data":1}"#, 400, "\"channel\" is required");
    publish(r#"{"channel":"a"}"#, 400, "\"data\" is required");
    publish(r#"{"channel":7,"data":1}"#, 400, "\"channel\" must be a string");
    publish(r#"{"channel":"a","data":1,"persist":"yes"}"#, 400, "\"persist\" must be a boolean");
    publish(r#"{"channel":"a","data":1,"event":{}}"#, 400, "\"event\" must be a string");
    publish(r#"{"channel":"","data":1}"#, 400, "\"channel\" must not be empty");
    publish(
        r#"{"channel":"a\u0000","data":1}"#,
        400,
        "\"channel\" has a control character at byte 1",
    );
    publish(r#"{"channel":"a","channel":"b","data":1}"#, 400, "\"channel\" came more than once");
    let long = format!(r#"{{"channel":"{}","data":1}}"#, "n".repeat(201));
    publish(&long, 400, "\"channel\" is over its limit: 201 of 200 bytes");
    let deep = format!(r#"{{"channel":"a","data":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    publish(&deep, 400, "JSON nests deeper than 32 levels");
    let ask = |query: &str, message: &str| {
        let url = node.keyed(&format!("/edge/realtime/history{query}"));
        assert_refused(&curl(&[&url]), 400, message);
    };
    ask("?after=0", "\"channel\" is required");
    ask("?channel=a&after=x", "\"after\" must be a number");
    ask("?channel=a&limit=0", "\"limit\" must be from 1 to 100");
    ask("?channel=a&channel=b", "\"channel\" came more than once");
    ask("?channel=a%00", "control character");
    let mint = |body: &str, message: &str| {
        assert_refused(&post(&node.keyed("/edge/realtime/token"), body), 400, message);
    };
    mint("{}", "\"user_id\" is required");
    mint(r#"{"user_id":true}"#, "\"user_id\" must be a string or an integer");
    mint(r#"{"user_id":"a","ttl":59}"#, "\"ttl\" must be from 60 to 3600");
    mint(r#"{"user_id":"a","ttl":"60"}"#, "\"ttl\" must be an integer");
    assert_serves(&node);
    node.stop();
}

#[test]
fn what_is_too_large_is_refused_unread() {
    let node = Node::ephemeral();
    let data = |bytes: usize| format!(r#"{{"channel":"a","data":"{}"}}"#, "x".repeat(bytes - 2));
    let publish = |body: String| {
        let mut raw = Raw::open(&node);
        raw.send(request("POST", &format!("/edge/realtime?key={}", node.key()), &body));
        raw.read_until("\r\n")
    };
    assert_eq!(publish(data(65_536)), "HTTP/1.1 200 OK\r\n");
    assert_eq!(publish(data(65_537)), "HTTP/1.1 413 Content Too Large\r\n");
    let head = "POST /edge/realtime HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n";
    let mut raw = Raw::open(&node);
    raw.send(head);
    let answer = raw.read_to_end();
    assert!(
        answer.starts_with("HTTP/1.1 413 ") && answer.contains("Connection: close"),
        "{answer}"
    );
    assert!(answer.contains("body_bytes_max"), "{answer}");
    let answer = exchange(&node, format!("GET /{} HTTP/1.1\r\n", "a".repeat(20_000)));
    assert!(answer.starts_with("HTTP/1.1 431 ") && answer.contains("head_bytes_max"), "{answer}");
    let lines = "X-A: b\r\n".repeat(65);
    let answer = exchange(&node, format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 431 ") && answer.contains("headers_max"), "{answer}");
    assert_serves(&node);
    node.stop();
}

#[test]
fn requests_that_readers_could_take_two_ways_end_their_connection() {
    let node = Node::ephemeral();
    let target = format!("/edge/realtime?key={}", node.key());
    let check = |head: &str, rest: &[u8], status: u16| {
        let mut bytes = format!("POST {target} HTTP/1.1\r\nHost: a\r\n{head}\r\n").into_bytes();
        bytes.extend_from_slice(rest);
        let answer = exchange(&node, &bytes);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head:?}: {answer}");
        assert!(answer.contains("Connection: close"), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "one answer: {answer}");
    };
    check("Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", 501);
    check("Content-Length: 2\r\nContent-Length: 2\r\n", b"{}", 400);
    check("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"{}", 400);
    check("Content-Length: +2\r\n", b"{}", 400);
    check("Content-Length: 2, 2\r\n", b"{}", 400);
    check("Host: b\r\nContent-Length: 2\r\n", b"{}", 400);
    check(" folded: 1\r\n", b"", 400);
    check("X: a\0b\r\n", b"", 400);
    check("Content-Encoding: gzip\r\nContent-Length: 2\r\n", b"{}", 415);
    check("Expect: magic\r\nContent-Length: 2\r\n", b"{}", 417);
    let whole = |bytes: &[u8], status: &str| {
        let answer = exchange(&node, bytes);
        assert!(answer.starts_with(status), "{bytes:?}: {answer}");
    };
    whole(b"GET /version HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
    whole(b"GET /version HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400 ");
    whole(b"GET /version HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 ");
    whole(b"BREW /version HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501 ");
    whole(b"GET http://a/version HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
    whole(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "HTTP/1.1 400 ");
    assert_serves(&node);
    node.stop();
}

#[test]
fn bodies_that_are_not_utf_8_or_never_arrive_are_refused() {
    let node = Node::with(&[
        "--ephemeral",
        "--limits-body-timeout-ms",
        "300",
        "--limits-head-timeout-ms",
        "300",
    ]);
    let head = |length: usize| {
        let key = node.key();
        format!(
            "POST /edge/realtime?key={key} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let body = b"{\"channel\":\"a\",\"data\":\"\xff\xfe\"}";
    let mut raw = Raw::open(&node);
    raw.send(head(body.len()));
    raw.send(body);
    assert!(raw.read_until("}}").contains("Invalid JSON"));
    let mut raw = Raw::open(&node);
    raw.send(head(30) + r#"{"channel":"#);
    let answer = raw.read_to_end();
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.contains("Connection: close"),
        "{answer}"
    );
    let mut raw = Raw::open(&node);
    raw.send("GET /version HTT");
    assert!(raw.read_to_end().starts_with("HTTP/1.1 408 "));
    assert_eq!(exchange(&node, head(30) + r#"{"channel":"#), "", "who hangs up hears nothing");
    assert_serves(&node);
    node.stop();
}
