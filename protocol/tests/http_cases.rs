//! Raw requests, each with the status that answers it: what two readers could understand differently is refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

#[path = "requests/mod.rs"]
mod requests;

use std::collections::HashSet;

use proptest::prelude::*;
use protocol::Limits;
use protocol::client::write_percent_encoded;
use protocol::http::{KeepAlive, Method, Route, Routed, parse_head, route};
use requests::Case;

/// 200 stands for a head that is understood.
fn status(bytes: &[u8], limits: &Limits) -> u16 {
    match parse_head(bytes, limits) {
        Ok(Some(_)) => 200,
        Ok(None) => 0,
        Err(fault) => fault.status,
    }
}

fn check(request: &[u8], expected: u16) {
    let wrong = verdicts(request).into_iter().find(|it| *it != expected);
    assert_eq!(wrong, None, "not {expected}: {}", request.escape_ascii());
}

/// The verdict on a request, and the first verdict on its beginnings, which has to be the same.
fn verdicts(request: &[u8]) -> [u16; 2] {
    let limits = Limits::default();
    let mut early = (0..=request.len()).map(|end| status(&request[..end], &limits));
    [status(request, &limits), early.find(|it| *it != 0).unwrap_or(0)]
}

/// A head with one line more.
fn check_line(line: &[u8], expected: u16) {
    check(&[b"POST / HTTP/1.1\r\nHost: a\r\n", line, b"\r\n\r\n"].concat(), expected);
}

#[test]
fn every_request_of_the_table_is_understood_or_refused() {
    let cases = requests::cases();
    let distinct: HashSet<_> = cases.iter().map(|it| &it.bytes).collect();
    assert!(distinct.len() >= 300, "only {} requests", distinct.len());
    let is_wrong =
        |it: &&Case| verdicts(&it.bytes) != [it.heads[0]; 2] || heads_of(&it.bytes) != it.heads;
    let tell = |Case { bytes, heads }: &Case| {
        let (early, found) = (verdicts(bytes), heads_of(bytes));
        format!("{}\n  {early:?} {found:?}, not {heads:?}\n", bytes.escape_ascii())
    };
    let wrong: String = cases.iter().filter(is_wrong).map(tell).collect();
    assert!(wrong.is_empty(), "{wrong}");
}

/// The verdict on each request in the bytes, as far as they are read.
fn heads_of(bytes: &[u8]) -> Vec<u16> {
    let (limits, mut rest, mut heads) = (Limits::default(), bytes, Vec::new());
    while !rest.is_empty() {
        heads.push(status(rest, &limits));
        let Ok(Some(head)) = parse_head(rest, &limits) else { break };
        if head.keep_alive() == KeepAlive::Close {
            break;
        }
        let end = head.head_bytes() + head.content_length();
        rest = rest.get(end..).unwrap_or_default();
    }
    heads
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
    // The most that the setting allows.
    let limits = Limits { headers_max: 256, ..limits };
    assert_eq!(status(lines(256).as_bytes(), &limits), 200);
    assert_eq!(status(lines(257).as_bytes(), &limits), 431);
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
fn only_a_client_that_knows_interim_answers_is_told_to_go_on() {
    let expects = |version: &str, length: usize| {
        let text = format!(
            "POST / {version}\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        );
        parse_head(text.as_bytes(), &Limits::default()).unwrap().unwrap().expects_continue()
    };
    assert!(expects("HTTP/1.1", 2));
    assert!(!expects("HTTP/1.1", 0) && !expects("HTTP/1.0", 2));
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
