//! Answers that are longer than an outbox.

use std::collections::BTreeSet;
use std::time::Duration;

use super::client::{answer, publish, version};
use super::node::{Node, pause};
use super::raw::{Raw, request};
use super::tight::little;

const LIMIT: &str = "long_answers_bytes_max";
const MESSAGE_BYTES: usize = 60_000;
/// As many as make more than a page, which ends with the message that reaches a MiB.
const MESSAGES: usize = 20;
const IN_A_PAGE: usize = 18;

/// A node whose connections may have less waiting than a page, and its long answers so many bytes.
fn node(bound: &str) -> Node {
    let outbox = ["--limits-outbox-bytes-max", "65536"];
    let bound = ["--limits-long-answers-bytes-max", bound];
    let node = Node::with(&[&["--shards", "1"][..], &outbox, &bound].concat());
    let mut raw = Raw::open(&node);
    for _ in 0..MESSAGES {
        assert_eq!(publish(&mut raw, node.key(), "long", MESSAGE_BYTES).unwrap().status, 200);
    }
    node
}

fn page(node: &Node) -> String {
    let key = node.key();
    request("GET", &format!("/edge/realtime/history?channel=long&limit=100&key={key}"), "")
}

/// The next answer is that page.
fn check_page(raw: &mut Raw) {
    let page = answer(raw).unwrap();
    assert_eq!(page.status, 200, "{} {}", page.head, page.body);
    let page = page.json();
    let messages = page["messages"].as_array().unwrap();
    let ids: BTreeSet<_> = messages.iter().filter_map(|it| it["id"].as_u64()).collect();
    assert_eq!((messages.len(), ids.len()), (IN_A_PAGE, IN_A_PAGE));
    for it in messages {
        assert_eq!(it["data"].as_str().unwrap().len(), MESSAGE_BYTES);
    }
}

#[test]
fn a_page_larger_than_an_outbox_reaches_who_reads_slowly_and_what_is_behind_it_too() {
    let node = node("4194304");
    let mut raw = little(&node);
    raw.send(page(&node));
    raw.send(request("GET", "/version", ""));
    raw.send(page(&node).replace("Host: a", "Host: a\r\nConnection: close"));
    pause(Duration::from_millis(300));
    check_page(&mut raw);
    assert_eq!(answer(&mut raw).unwrap().status, 200);
    check_page(&mut raw);
    assert_eq!(raw.read_to_end(), "", "it was to close");
    node.stop();
}

#[test]
fn what_all_such_answers_take_is_bounded_and_comes_back() {
    let node = node("1048576");
    let mut first = little(&node);
    first.send(page(&node));
    pause(Duration::from_millis(300));
    let mut other = Raw::open(&node);
    other.send(page(&node));
    let refused = answer(&mut other).unwrap();
    assert!(refused.wants(LIMIT), "{} {}", refused.head, refused.body);
    assert_eq!(version(&mut other).unwrap().status, 200);
    check_page(&mut first);
    // Who went away without reading gives it back too.
    first.send(page(&node));
    pause(Duration::from_millis(300));
    drop(first);
    pause(Duration::from_millis(300));
    other.send(page(&node));
    check_page(&mut other);
    node.stop();
}
