//! The table of raw requests, sent to a running node: each is answered as the table says, and none changes the answer to another.

#[path = "../../../protocol/tests/requests/mod.rs"]
mod requests;

use protocol::Limits;
use protocol::http::{KeepAlive, Method, parse_head};

use super::node::Node;
use super::raw::Raw;
use super::trust::figures;
pub(crate) use requests::{Case, cases};

const BEFORE: &str = "GET /version HTTP/1.1\r\nHost: a\r\n\r\n";

/// What a case sends, with the end of a last body that is not all there.
pub(crate) struct Sent {
    pub(crate) bytes: Vec<u8>,
    /// Of the requests that are understood.
    methods: Vec<Method>,
    /// Whether the last of these ends the connection.
    closes: bool,
}

impl Sent {
    pub(crate) fn of(case: &Case) -> Self {
        let mut sent = Self { bytes: case.bytes.clone(), methods: Vec::new(), closes: false };
        let mut at = 0;
        while at < sent.bytes.len() && !sent.closes {
            let Ok(Some(head)) = parse_head(&sent.bytes[at..], &Limits::default()) else { break };
            sent.methods.push(head.method());
            sent.closes = head.keep_alive() == KeepAlive::Close;
            at += head.head_bytes() + head.content_length();
            sent.bytes.resize(sent.bytes.len().max(at), b'x');
        }
        sent
    }
}

/// One answer of a connection.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// Cuts what came into answers; of interim ones nothing is kept.
fn answers(mut rest: &str, methods: &[Method]) -> Vec<Answer> {
    let mut found: Vec<Answer> = Vec::new();
    while !rest.is_empty() {
        let (head, behind) = rest.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{rest}"));
        let status = head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap();
        let length = head.lines().find_map(|it| it.strip_prefix("Content-Length: "));
        let has_none = status < 200 || methods.get(found.len()) == Some(&Method::Head);
        let length = length.filter(|_| !has_none).map_or(0, |it| it.parse().unwrap());
        let (body, behind) = behind.split_at(length);
        rest = behind;
        if status >= 200 {
            found.push(Answer { status, head: head.to_owned(), body: body.to_owned() });
        }
    }
    found
}

fn check(node: &Node, number: usize, case: &Case) {
    let Sent { bytes, methods, closes } = Sent::of(case);
    let marker = format!("/api/realtime/marker-{number}");
    let mut raw = Raw::open(node);
    raw.send(BEFORE);
    raw.send(&bytes);
    // Where the node has closed already it may not take this.
    raw.try_send(format!("GET {marker} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    let methods = [&[Method::Get], &methods[..]].concat();
    let read = raw.read_to_end();
    let answers = answers(&read, &methods);
    let told = || format!("{}\n{read}", case.bytes.escape_ascii());
    let is_refused = case.heads.last() != Some(&200);
    let has_marker = !is_refused && !closes;
    let expected = 1 + case.heads.len() + usize::from(has_marker);
    assert_eq!(answers.len(), expected, "{}", told());
    assert!(answers[0].status == 200 && answers[0].body.contains("stentor"), "{}", told());
    for (answer, head) in answers[1..].iter().zip(&case.heads) {
        let fits =
            if *head == 200 { (200..500).contains(&answer.status) } else { answer.status == *head };
        assert!(fits, "not {head}: {}", told());
    }
    let last = answers.last().unwrap();
    assert!(last.head.contains("Connection: close"), "{}", told());
    assert_eq!(last.body.contains(&marker), has_marker, "{}", told());
    assert!(!read.contains("/hidden"), "{}", told());
}

#[test]
fn every_request_of_the_table_is_answered_alone() {
    let node = Node::ephemeral();
    let cases = cases();
    for (number, case) in cases.iter().enumerate() {
        check(&node, number, case);
    }
    node.stop();
    let refused = cases.iter().filter(|it| it.heads.last() != Some(&200)).count();
    let told = format!(r#""cases":{},"refused":{refused}"#, cases.len());
    figures("raw requests over a socket", &told);
}
