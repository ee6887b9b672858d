//! Little memory: newcomers are refused first, then messages and what is large, then the slowest are closed.

use std::time::{Duration, Instant};

use super::client::{Answer, answer, ask, hear, listen, publish, token, version};
use super::descriptors::wait_until_served;
use super::node::{Node, PATIENCE, pause};
use super::raw::{Raw, request};
use super::tight::{little, own_bytes};
use super::trust::figures;

const LIMIT: &str = "memory_bytes_max";
const MIB: u64 = 1 << 20;

/// A node that keeps everything in memory, and may have so many bytes more than it begins with. Gives its bound too.
fn node_with(room_bytes: u64, more: &[&str]) -> (Node, u64) {
    let arguments = ["--ephemeral", "--shards", "1"];
    let first = Node::with(&arguments);
    assert_eq!(version(&mut Raw::open(&first)).unwrap().status, 200);
    let bound = own_bytes(&first) + room_bytes;
    first.stop();
    let limit = ["--limits-memory-bytes-max", &bound.to_string()];
    (Node::with(&[&arguments[..], &limit, more].concat()), bound)
}

/// Where there is little left to the bound, the node is given time to look between two messages.
const NEAR: u64 = 6 * MIB;
const LOOK: Duration = Duration::from_millis(10);
const MESSAGE_BYTES: usize = 60_000;
/// What waits for a slow consumer: nobody else is over any limit.
const WAITING: usize = 5;

/// Each level comes before the next: newcomers are refused while messages are taken, and messages before anyone is closed.
#[test]
fn newcomers_are_refused_first_then_messages_and_who_is_there_is_served() {
    let (node, bound) = node_with(32 * MIB, &["--limits-outbox-age-ms-max", "3600000"]);
    let (mut raw, mut inside, mut slow) = (Raw::open(&node), Raw::open(&node), little(&node));
    assert_eq!(version(&mut inside).unwrap().status, 200);
    assert_eq!(listen(&mut slow, "slow", &token(&node)).unwrap().status, 101);
    for _ in 0..WAITING {
        assert_eq!(publish(&mut raw, node.key(), "slow", MESSAGE_BYTES).unwrap().status, 200);
    }
    // The journal is in memory: every message stays there.
    let (mut acked, mut acked_to_newcomers) = (0, None);
    let refused = (0..2_000).find_map(|_| {
        if own_bytes(&node) + NEAR > bound {
            pause(LOOK);
        }
        let is_refused = answer_of_newcomer(&node).is_some_and(|it| it.wants(LIMIT));
        if is_refused && acked_to_newcomers.is_none() {
            acked_to_newcomers = Some(acked);
        }
        let done = publish(&mut raw, node.key(), "fill", MESSAGE_BYTES).unwrap();
        acked += usize::from(done.status == 200);
        (done.status != 200).then_some(done)
    });
    let refused = refused.expect("it takes messages without end");
    assert!(refused.wants(LIMIT), "{} {}", refused.head, refused.body);
    let before = acked_to_newcomers.expect("messages are refused, and newcomers are not");
    assert!(before < acked, "newcomers and messages are refused at once: after {acked}");
    assert!(answer_of_newcomer(&node).unwrap().wants(LIMIT));
    // Nobody who is there is closed, the slowest included.
    hear(&mut slow, WAITING);
    assert_eq!(version(&mut inside).unwrap().status, 200, "who is there is served");
    let probe = |path| ask(&mut Raw::open(&node), &request("GET", path, "")).unwrap();
    assert_eq!(probe("/health/live").status, 200, "who would restart it would make it worse");
    let ready = probe("/health/ready");
    assert!(ready.status == 503 && ready.body.contains("memory_short"), "{}", ready.body);
    let path = format!("/edge/realtime/history?channel=fill&after=0&limit=1&key={}", node.key());
    let found = ask(&mut inside, &request("GET", &path, "")).unwrap();
    assert_eq!(found.json()["messages"].as_array().unwrap().len(), 1);
    figures(
        "memory bound",
        &format!(r#""room_mib":32,"acknowledged":{acked},"newcomers_refused_after":{before}"#),
    );
    let log = node.stop_and_read();
    let first = |it: &str| log.find(it).unwrap_or(usize::MAX);
    let newcomers = first("memory: new connections are refused");
    let messages = first("memory: messages are refused too");
    assert!(newcomers < messages && messages < first("memory: slow consumers are closed"), "{log}");
}

#[test]
fn a_node_says_when_it_begins_that_its_bound_is_never_reached_in_full() {
    let bound = (1_u64 << 50).to_string();
    let node = Node::with(&["--ephemeral", "--limits-memory-bytes-max", &bound]);
    assert_eq!(version(&mut Raw::open(&node)).unwrap().status, 200);
    let log = node.stop_and_read();
    assert!(log.contains("set memory_bytes_max to "), "{log}");
}

/// What one who comes is told.
fn answer_of_newcomer(node: &Node) -> Option<Answer> {
    version(&mut Raw::open(node))
}

/// Bodies that do not end: nothing bounds their sum but the memory of the node.
const BODY_BYTES: usize = 1_000_000;
const PART_BYTES: usize = 900_000;
const BODIES: usize = 160;

#[test]
fn large_bodies_are_cut_while_memory_is_short_and_then_all_is_well_again() {
    const ROOM: u64 = 32 * MIB;
    let (node, _) = node_with(ROOM, &["--limits-body-timeout-ms", "3000"]);
    let before = own_bytes(&node);
    let head = format!(
        "POST /edge/realtime?key={} HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY_BYTES}\r\n\r\n",
        node.key()
    );
    let part = [head.into_bytes(), vec![b'x'; PART_BYTES]].concat();
    // All are accepted before memory is short.
    let mut hogs: Vec<Raw> = (0..BODIES).map(|_| Raw::open(&node)).collect();
    hogs.iter_mut().for_each(|it| assert_eq!(version(it).unwrap().status, 200));
    let mut most = 0;
    for hog in &mut hogs {
        hog.try_send(&part);
        most = most.max(own_bytes(&node));
    }
    // Which of them are cut depends on when it was seen; the others are cut by their time, or without a word.
    let answers: Vec<Answer> = hogs.iter_mut().filter_map(answer).collect();
    let cut = answers.iter().filter(|it| it.wants(LIMIT)).count();
    assert!(cut > 0, "none of {} was cut for want of memory", answers.len());
    let is_named = |it: &Answer| it.wants(LIMIT) || it.body.contains("body_timeout_ms");
    assert!(answers.iter().all(is_named), "somebody was cut for something else");
    let all = (BODIES * PART_BYTES) as u64;
    assert!(most < before + 2 * ROOM + 16 * MIB, "{most} of {before} and {all}");
    drop(hogs);
    wait_until_served(&node);
    let began = Instant::now();
    let mut raw = Raw::open(&node);
    while publish(&mut raw, node.key(), "well", 10).is_none_or(|it| it.status != 200) {
        assert!(began.elapsed() < PATIENCE, "messages are refused for ever");
        pause(Duration::from_millis(50));
        raw = Raw::open(&node);
    }
    figures(
        "large bodies",
        &format!(
            r#""sent_mib":{},"room_mib":{},"grown_mib":{}"#,
            all / MIB,
            ROOM / MIB,
            most.saturating_sub(before) / MIB
        ),
    );
    node.stop();
}
