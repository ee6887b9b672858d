//! Connections whose requests concern sessions of other shards: they go there and back, and their peers notice nothing.

use std::sync::mpsc;
use std::thread;

use protocol::engineio::Sid;

use super::node::{Node, PATIENCE};
use super::raw::{Raw, request};

/// A request for a session of a shard that nobody has.
fn poll(shard: u8) -> String {
    let mut bytes = [9; 15];
    bytes[..2].copy_from_slice(&[0, shard]);
    let sid = Sid::from_random(bytes);
    request("GET", &format!("/socket.io/?EIO=4&transport=polling&sid={}", sid.as_str()), "")
}

/// The statuses of so many answers.
fn statuses(raw: &mut Raw, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        let head = raw.read_until("\r\n\r\n");
        statuses.push(head[9..12].parse().unwrap());
        let length = head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        raw.read_exactly(length.parse().unwrap());
    }
    statuses
}

#[test]
fn a_connection_goes_from_shard_to_shard_with_what_it_has_said() {
    for reactor in ["glommio", "standalone"] {
        let node = Node::with(&["--ephemeral", "--shards", "2", "--reactor", reactor]);
        let version = request("GET", "/version", "");
        for _ in 0..20 {
            let mut raw = Raw::open(&node);
            raw.send([version.clone(), poll(0), poll(1), version.clone(), poll(0)].concat());
            raw.send([poll(1), version.clone()].concat());
            let nobody = statuses(&mut raw, 7);
            assert_eq!(nobody, [200, 400, 400, 200, 400, 400, 200]);
            // One after the other, and in pieces.
            for shard in [0, 1, 1, 0] {
                let text = poll(shard);
                let (first, rest) = text.split_at(30);
                raw.send(first);
                raw.send(rest);
                assert_eq!(statuses(&mut raw, 1), [400]);
            }
            raw.send(version.clone());
            raw.finish();
            assert_eq!(statuses(&mut raw, 1), [200]);
            assert_eq!(raw.read_to_end(), "");
        }
        node.stop();
    }
}

#[test]
fn a_shard_without_room_refuses_what_is_passed_to_it() {
    // Room for one connection a shard.
    let node = Node::with(&["--ephemeral", "--shards", "2", "--limits-connections-max", "1"]);
    let mut first = Raw::open(&node);
    first.send(poll(0));
    assert_eq!(statuses(&mut first, 1), [400]);
    // The kernel chooses the shard. Whom it gives to the full one is refused; the first that is served is with the other.
    let (answered, second) = mpsc::channel();
    for _ in 0..16 {
        let mut raw = Raw::open(&node);
        let answered = answered.clone();
        thread::spawn(move || {
            raw.try_send(request("GET", "/version", ""));
            if raw.try_read_until("}").is_some_and(|it| it.starts_with("HTTP/1.1 200")) {
                let _ = answered.send(raw); // another one was first
            }
        });
    }
    let mut second = second.recv_timeout(PATIENCE).unwrap();
    second.send(poll(0));
    let answer = second.read_to_end();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("connections_max"), "{answer}");
    // Whoever is there goes on.
    first.send(poll(0));
    assert_eq!(statuses(&mut first, 1), [400]);
    node.stop();
}
