//! Few descriptors, and none.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::client::{ask, kept, publish, version};
use super::node::{Node, PATIENCE, pause, run};
use super::raw::{Raw, request};
use super::tight::{behind, busiest, node};
use super::trust::{figures, skipped};

const LIMIT: &str = "RLIMIT_NOFILE";

#[test]
fn a_node_that_has_too_few_descriptors_says_how_many_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = behind(folder.path(), "ulimit -n 64");
    let (status, _, said) = run(command.args(["serve", "--shards", "2"]));
    assert_eq!(status.code(), Some(77), "{said}");
    for part in ["descriptors 64: a node of 2 shards needs 128", "LimitNOFILE"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// With as few as it says that it needs, it does all that it is for.
#[test]
fn a_node_with_the_least_descriptors_serves() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), "ulimit -n 128", &["--shards", "2"]);
    let mut raw = Raw::open(&node);
    for count in 0..4 {
        let done = publish(&mut raw, node.key(), "least", 1_000).unwrap();
        assert_eq!(done.status, 200, "{}", done.body);
        assert_eq!(kept(&node, "least"), count + 1);
    }
    node.stop();
}

/// The table of connections has 256 slots, of which 64 are for those that are being refused.
const SLOTS: usize = 256;
const ROOM: usize = 192;
/// For how long it is looked at, and the share of that in which a thread that spins wants a processor at least: it wants one always.
const LOOK: Duration = Duration::from_secs(1);
const SPINS: f64 = 0.7;

#[test]
fn a_node_that_is_full_refuses_by_name_sleeps_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), "ulimit -n 256", &["--shards", "1", "--reactor", "standalone"]);
    let mut inside: Vec<Raw> = (0..ROOM).map(|_| Raw::open(&node)).collect();
    for raw in &mut inside {
        assert_eq!(version(raw).unwrap().status, 200);
    }
    for _ in 0..8 {
        let refused = super::client::answer(&mut Raw::open(&node)).unwrap();
        assert!(refused.wants(LIMIT), "{} {}", refused.head, refused.body);
    }
    // More come than there are slots; those that the kernel does not end wait.
    let crowd: Vec<Raw> = (0..2 * SLOTS).map(|_| Raw::open(&node)).collect();
    let share = busiest(&node, LOOK);
    assert!(share.is_none_or(|it| it < SPINS), "a full node spins: {share:?}");
    if share.is_none() {
        skipped(
            "sleep of a full node",
            "it needs a kernel that keeps /proc/PID/task/TID/schedstat",
        );
    }
    // Whoever is inside is served, and nothing of it is lost.
    let mut acked = 0;
    for raw in &mut inside {
        let done = publish(raw, node.key(), "full", 100).unwrap();
        assert_eq!(done.status, 200, "{}", done.body);
        acked += 1;
    }
    drop(crowd);
    drop(inside);
    wait_until_served(&node);
    assert_eq!(kept(&node, "full"), acked);
    let busiest = share.map_or(String::new(), |it| format!(r#","busiest_thread":{it:.3}"#));
    figures(
        "descriptors",
        &format!(
            r#""limit":{SLOTS},"served":{ROOM},"refused_by_name":8,"crowd":{}{busiest},"acknowledged":{acked},"acknowledged_lost":0"#,
            2 * SLOTS
        ),
    );
    node.stop();
}

/// Until somebody who comes is served.
pub(crate) fn wait_until_served(node: &Node) {
    let began = Instant::now();
    while version(&mut Raw::open(node)).is_none_or(|it| it.status != 200) {
        assert!(began.elapsed() < PATIENCE, "nobody is served any more");
        pause(Duration::from_millis(20));
    }
}

/// Sets how many descriptors a running node may have; returns what it was.
fn allow(node: &Node, soft: u64) -> u64 {
    let pid = Pid::from_raw(node.pid()).unwrap();
    let limit = |current| Rlimit { current: Some(current), maximum: Some(HARD) };
    let before = prlimit(Some(pid), Resource::Nofile, limit(soft)).unwrap();
    before.current.unwrap()
}

const HARD: u64 = 1_024;

/// The lowest number that is no descriptor of a node: with that for its limit, it gets none.
fn first_free(node: &Node) -> u64 {
    let all = std::fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap();
    let numbers = all.map(|it| it.unwrap().file_name().into_string().unwrap().parse());
    let used: BTreeSet<u64> = numbers.map(Result::unwrap).collect();
    (0..).find(|it| !used.contains(it)).unwrap()
}

const MESSAGE_BYTES: usize = 60_000;
/// Some segments of 4 MiB.
const MESSAGES: usize = 700;

#[test]
fn a_journal_whose_node_has_no_descriptor_left_refuses_by_name_and_goes_on_when_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--shards", "1", "--storage-segment-bytes", "4194304"];
    let line = format!("ulimit -n {HARD}");
    let node = node(folder.path(), &line, &arguments);
    let mut raw = Raw::open(&node);
    let mut acked = 0;
    let mut until_refused = |raw: &mut Raw, most: usize| {
        (0..most).find_map(|_| {
            let done = publish(raw, node.key(), "none", MESSAGE_BYTES).unwrap();
            acked += usize::from(done.status == 200);
            (done.status != 200).then_some(done)
        })
    };
    assert!(until_refused(&mut raw, 10).is_none());
    let usual = allow(&node, first_free(&node));
    let refused = until_refused(&mut raw, MESSAGES).expect("its descriptors last for ever");
    assert!(refused.wants(LIMIT), "{} {}", refused.head, refused.body);
    assert!(until_refused(&mut raw, 1).is_some_and(|it| it.wants(LIMIT)));
    // What is not kept goes on, and so do connections: they take none.
    let key = node.key();
    let passing = r#"{"channel":"live","data":1,"persist":false}"#;
    let passed = ask(&mut raw, &request("POST", &format!("/edge/realtime?key={key}"), passing));
    assert_eq!(passed.unwrap().status, 200);
    assert_eq!(version(&mut Raw::open(&node)).unwrap().status, 200);
    allow(&node, usual);
    let began = Instant::now();
    while until_refused(&mut raw, 1).is_some() {
        assert!(began.elapsed() < PATIENCE, "it does not go on");
    }
    assert!(until_refused(&mut raw, 150).is_none());
    assert_eq!(kept(&node, "none"), acked);
    node.kill();
    let node = super::tight::node(folder.path(), &line, &arguments);
    assert_eq!(kept(&node, "none"), acked, "of a journal that was killed");
    figures(
        "journal without descriptors",
        &format!(r#""acknowledged":{acked},"acknowledged_lost":0"#),
    );
    node.stop();
}
