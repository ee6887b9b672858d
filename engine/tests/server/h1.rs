//! What any server of HTTP/1.1 is asked: requests in pieces, forms that are seldom seen, and what has to be refused.

use std::time::Duration;

use super::node::{Node, pause};
use super::raw::{Raw, request};
use super::trust::figures;

/// What it is about, what is sent piece by piece, and the status of each answer before the connection ends.
type Row = (&'static str, &'static [&'static str], &'static [u16]);

const ROWS: [Row; 33] = [
    ("a method in pieces", &["GE", "T /version HTTP/1.1\r\nHost: a\r\n\r\n"], &[200]),
    ("a target in pieces", &["GET /ver", "sion HTTP/1.1\r\nHost: a\r\n\r\n"], &[200]),
    ("a target and its end", &["GET /version", " HTTP/1.1\r\nHost: a\r\n\r\n"], &[200]),
    ("a version in pieces", &["GET /version HTT", "P/1.", "1\r\nHost: a\r\n\r\n"], &[200]),
    ("the end of a request line", &["GET /version HTTP/1.1\r", "\nHost: a\r\n\r\n"], &[200]),
    ("a name in pieces", &["GET /version HTTP/1.1\r\nHo", "st: a\r\n\r\n"], &[200]),
    ("a colon", &["GET /version HTTP/1.1\r\nHost", ":", " a\r\n\r\n"], &[200]),
    ("a value in pieces", &["GET /version HTTP/1.1\r\nHost: a.ex", "ample\r\n\r\n"], &[200]),
    ("the end of a value", &["GET /version HTTP/1.1\r\nHost: a\r", "\n\r\n"], &[200]),
    ("an end in halves", &["GET /version HTTP/1.1\r\nHost: a\r\n", "\r\n"], &[200]),
    ("an end in quarters", &["GET /version HTTP/1.1\r\nHost: a\r\n\r", "\n"], &[200]),
    (
        "a body in pieces",
        &["POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", "{", "\"\"", "}"],
        &[405],
    ),
    (
        "a body behind its head",
        &["POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"],
        &[405],
    ),
    (
        "the next request in pieces",
        &["GET /version HTTP/1.1\r\nHost: a\r\n\r\nGET /ver", "sion HTTP/1.1\r\nHost: a\r\n\r\n"],
        &[200, 200],
    ),
    (
        "two requests at once",
        &["GET /version HTTP/1.1\r\nHost: a\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\n\r\n"],
        &[200, 200],
    ),
    ("a request that is not whole", &["GET /version HTTP/1.1\r\nHost: a\r\n"], &[]),
    ("seldom forms", &["GET /version HTTP/1.1\r\nhoSt:\ta \r\nX-Empty:\r\nx:y\r\n\r\n"], &[200]),
    ("an older version", &["GET /version HTTP/1.0\r\nHost: a\r\n\r\n"], &[200]),
    (
        "whoever waits to be asked",
        &[
            "POST /version HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
            "{}",
        ],
        &[100, 405],
    ),
    (
        "an older client that waits to be asked",
        &[
            "POST /version HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
            "{}",
        ],
        &[405],
    ),
    ("no version", &["GET /version\r\nHost: a\r\n\r\n"], &[400]),
    ("a version that is none", &["GET /version HTTP/9.9\r\nHost: a\r\n\r\n"], &[505]),
    ("junk before a request", &["\r\n\r\n!GET /version HTTP/1.1\r\nHost: a\r\n\r\n"], &[400]),
    ("lines that end otherwise", &["GET /version HTTP/1.1\nHost: a\n\n"], &[400]),
    ("no host", &["GET /version HTTP/1.1\r\n\r\n"], &[400]),
    ("two hosts", &["GET /version HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"], &[400]),
    ("a name that is none", &["GET /version HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n"], &[400]),
    ("a control character", &["GET /version HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"], &[400]),
    (
        "a negative length",
        &["POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello"],
        &[400],
    ),
    (
        "a length that runs over",
        &["POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: -18446744073709551616\r\n\r\n"],
        &[400],
    ),
    (
        "a length that is no number",
        &["POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: five\r\n\r\nhello"],
        &[400],
    ),
    (
        "a length and chunks",
        &[
            "POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ],
        &[400],
    ),
    (
        "chunks",
        &[
            "POST /version HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ],
        &[501],
    ),
];

#[test]
fn a_server_of_http_is_asked_thirty_three_things() {
    let node = Node::ephemeral();
    for (what, pieces, expected) in ROWS {
        let mut raw = Raw::open(&node);
        for (number, piece) in pieces.iter().enumerate() {
            if number > 0 {
                // So that the pieces are received one by one.
                pause(Duration::from_millis(5));
            }
            raw.send(piece);
        }
        raw.finish();
        let read = raw.read_to_end();
        let starts = read.match_indices("HTTP/1.1 ");
        let statuses: Vec<u16> =
            starts.map(|(at, it)| read[at + it.len()..][..3].parse().unwrap()).collect();
        assert_eq!(statuses, expected, "{what}: {read}");
    }
    node.stop();
    figures("cases of HTTP/1.1", &format!(r#""cases":{0},"passed":{0}"#, ROWS.len()));
}

#[test]
fn whoever_waits_to_be_asked_behind_another_request_is_asked() {
    let node = Node::with(&["--shards", "1"]);
    let body = r#"{"channel":"a","data":1}"#;
    let target = format!("/edge/realtime?key={}", node.key());
    // The journal answers the first one later, when the second has been seen.
    let first = request("POST", &target, body);
    let second = first.replace("Host: a", "Host: a\r\nExpect: 100-continue").replace(body, "");
    let mut raw = Raw::open(&node);
    raw.send(format!("{first}{second}"));
    assert!(raw.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 OK"));
    let asked = raw.read_until("\r\n\r\n");
    assert!(asked.ends_with("HTTP/1.1 100 Continue\r\n\r\n"), "{asked}");
    raw.send(body);
    assert!(raw.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 OK"));
    node.stop();
}
