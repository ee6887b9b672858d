//! kill -9 at random moments: what was acknowledged is in history, once and in order, and ids go on.

use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use super::node::{Node, pause, tell};
use super::pages::each_kept;
use super::raw::{Raw, request};
use super::tools::curl;
use super::trust::{figures, rounds};

const ROUNDS: u64 = 10;
const ROUNDS_TRUST: u64 = 1_000;
const PUBLISHERS: u64 = 3;

/// What one publisher was told: the id and the data of each acknowledged message.
type Acknowledged = Vec<(u64, u64)>;

/// One channel, by its publisher's number, and what must be in it.
#[derive(Default)]
struct Expected {
    acknowledged: Acknowledged,
    /// The data of the next message; never used twice.
    next: u64,
    /// The last id that was seen.
    last_id: u64,
}

#[test]
fn acknowledged_messages_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let seed = u64::from(std::process::id());
    tell(&format!("seed {seed}"));
    let mut chance = seed;
    let mut channels: Vec<Expected> = (0..PUBLISHERS).map(|_| Expected::default()).collect();
    let rounds = rounds(ROUNDS, ROUNDS_TRUST);
    for _ in 0..rounds {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        round(folder.path(), Duration::from_millis(20 + (chance >> 33) % 120), &mut channels);
    }
    let node = Node::start(folder.path(), &["--shards", "2"]);
    for (publisher, expected) in (0..).zip(&mut channels) {
        check(&node, publisher, 0, expected);
    }
    node.stop();
    let acknowledged: usize = channels.iter().map(|it| it.acknowledged.len()).sum();
    assert!(acknowledged > 100, "only {acknowledged} messages were acknowledged");
    let told = format!(r#""rounds":{rounds},"acknowledged":{acknowledged},"acknowledged_lost":0"#);
    figures("kill -9 of a node", &told);
}

fn round(folder: &Path, life: Duration, channels: &mut [Expected]) {
    let node = Node::start(folder, &["--shards", "2"]);
    for (publisher, expected) in (0..).zip(channels.iter_mut()) {
        check(&node, publisher, expected.last_id, expected);
    }
    let publishers = begin(&node, channels);
    pause(life);
    node.kill();
    for (publisher, expected) in publishers.into_iter().zip(channels) {
        let (acknowledged, next) = publisher.join().unwrap();
        expected.acknowledged.extend(acknowledged);
        expected.next = next;
    }
}

/// A publisher for each channel.
fn begin(node: &Node, channels: &[Expected]) -> Vec<JoinHandle<(Acknowledged, u64)>> {
    let begin_one = |(publisher, expected): (u64, &Expected)| {
        let (raw, next) = (Raw::open(node), expected.next);
        let target = format!("/edge/realtime?key={}", node.key());
        thread::spawn(move || publish(raw, &target, publisher, next))
    };
    (0..).zip(channels).map(begin_one).collect()
}

/// Publishes four at a time until the node is gone.
fn publish(mut raw: Raw, target: &str, publisher: u64, mut next: u64) -> (Acknowledged, u64) {
    const AT_ONCE: u64 = 4;
    let mut acknowledged = Vec::new();
    loop {
        let bodies = (next..next + AT_ONCE).map(|data| {
            request("POST", target, &format!(r#"{{"channel":"crash:{publisher}","data":{data}}}"#))
        });
        let sent = raw.try_send(bodies.collect::<String>());
        for data in next..next + AT_ONCE {
            let Some(answer) = raw.try_read_until("}").filter(|_| sent) else {
                return (acknowledged, next + AT_ONCE);
            };
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            let body: Value = serde_json::from_str(body).unwrap();
            acknowledged.push((body["id"].as_u64().unwrap_or_else(|| panic!("{answer}")), data));
        }
        next += AT_ONCE;
    }
}

/// Reads the history after an id: ids are dense, data grows, and everything acknowledged is there.
fn check(node: &Node, publisher: u64, after: u64, expected: &mut Expected) {
    let mut found: Vec<(u64, u64)> = Vec::new();
    let mut last_id = after;
    let ask = |path: &str| curl(&[&node.keyed(path)]).json();
    each_kept(&format!("crash:{publisher}"), after, ask, |id, message| {
        let data = message["data"].as_u64().unwrap();
        assert_eq!(id, last_id + 1, "ids follow each other");
        assert!(found.last().is_none_or(|(_, last)| *last < data), "order: {found:?} {data}");
        found.push((id, data));
        last_id = id;
    });
    for it in expected.acknowledged.iter().filter(|(id, _)| *id > after) {
        assert!(found.binary_search(it).is_ok(), "{it:?} was acknowledged and is lost");
    }
    expected.last_id = last_id;
}
