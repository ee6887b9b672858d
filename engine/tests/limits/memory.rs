//! Little memory: newcomers are refused first, then messages and what is large, then the slowest are closed.

use std::time::{Duration, Instant};

use super::client::{answer, ask, publish, version};
use super::descriptors::wait_until_served;
use super::node::{Node, PATIENCE, pause};
use super::raw::{Raw, request};
use super::tight::own_bytes;
use super::trust::figures;

const LIMIT: &str = "memory_bytes_max";
const MIB: u64 = 1 << 20;

/// A node that keeps everything in memory, and may have so many bytes more than it begins with.
fn node_with(room_bytes: u64) -> Node {
    let arguments = ["--ephemeral", "--shards", "1"];
    let first = Node::with(&arguments);
    assert_eq!(version(&mut Raw::open(&first)).unwrap().status, 200);
    let bound = (own_bytes(&first) + room_bytes).to_string();
    first.stop();
    Node::with(&[&arguments[..], &["--limits-memory-bytes-max", &bound]].concat())
}

#[test]
fn messages_are_refused_once_newcomers_are_and_who_is_there_is_served() {
    let node = node_with(32 * MIB);
    let mut raw = Raw::open(&node);
    let mut inside = Raw::open(&node);
    assert_eq!(version(&mut inside).unwrap().status, 200);
    let (mut acked, mut began_to_refuse) = (0, None);
    // The journal is in memory: every message stays there.
    let refused = (0..2_000).find_map(|_| {
        let done = publish(&mut raw, node.key(), "fill", 60_000).unwrap();
        if done.status != 200 {
            return Some(done);
        }
        acked += 1;
        if began_to_refuse.is_none() && answer_of_newcomer(&node).is_some_and(|it| it.wants(LIMIT))
        {
            began_to_refuse = Some(acked);
        }
        None
    });
    let refused = refused.expect("it takes messages without end");
    assert!(refused.wants(LIMIT), "{} {}", refused.head, refused.body);
    assert!(began_to_refuse.is_some_and(|it| it <= acked), "{began_to_refuse:?} of {acked}");
    assert!(answer_of_newcomer(&node).unwrap().wants(LIMIT));
    assert_eq!(version(&mut inside).unwrap().status, 200, "who is there is served");
    let probe = |path| ask(&mut Raw::open(&node), &request("GET", path, "")).unwrap();
    assert_eq!(probe("/health/live").status, 200, "who would restart it would make it worse");
    let ready = probe("/health/ready");
    assert!(ready.status == 503 && ready.body.contains("memory_short"), "{}", ready.body);
    let path = format!("/edge/realtime/history?channel=fill&after=0&limit=5&key={}", node.key());
    let found = ask(&mut inside, &request("GET", &path, "")).unwrap();
    assert_eq!(found.json()["messages"].as_array().unwrap().len(), 5);
    figures(
        "memory bound",
        &format!(
            r#""room_mib":32,"acknowledged":{acked},"newcomers_refused_after":{}"#,
            began_to_refuse.unwrap()
        ),
    );
    node.stop();
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
fn answer_of_newcomer(node: &Node) -> Option<super::client::Answer> {
    version(&mut Raw::open(node))
}

/// Bodies that do not end: nothing bounds their sum but the memory of the node.
const BODY_BYTES: usize = 1_000_000;
const PART_BYTES: usize = 900_000;
const BODIES: usize = 160;

#[test]
fn large_bodies_are_cut_while_memory_is_short_and_then_all_is_well_again() {
    const ROOM: u64 = 32 * MIB;
    let node = node_with(ROOM);
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
    let refused = answer(&mut hogs[BODIES - 1]).expect("the last body is not cut");
    assert!(refused.wants(LIMIT), "{} {}", refused.head, refused.body);
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
