//! A node that goes away, well or not, and what its clients make of it.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::super::node::Node;
use super::super::tools::{javascript, javascript_of};

/// A port that stays free while the node is away: the kernel gives none of these to those who do not ask for one.
fn quiet_port() -> String {
    const BELOW_THOSE_OF_THE_KERNEL: std::ops::Range<u32> = 20_000..32_000;
    // Each process, and each test in it, begins elsewhere.
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id() * 7 + CALLS.fetch_add(1, Ordering::Relaxed);
    let range = BELOW_THOSE_OF_THE_KERNEL;
    let count = range.end - range.start;
    (0..count)
        .map(|n| format!("127.0.0.1:{}", range.start + (start + n) % count))
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a free port")
}

/// Runs a script whose node is killed in the middle, and starts it again.
pub(super) fn through_a_crash(folder: &Path, script: &'static str, more: &[&str]) {
    let port = quiet_port();
    let arguments = [&["--listen", &port, "--shards", "2"], more].concat();
    let mut node = Node::start(folder, &arguments);
    let ready = node.ready().clone();
    let script = thread::spawn(move || javascript_of(&ready, script));
    let Some(killed) = node.wait_for_script(|| script.is_finished()) else {
        script.join().unwrap();
        panic!("the script ended, and the node lives");
    };
    assert_eq!(killed.code(), None, "the script killed it");
    let node = Node::start(folder, &arguments);
    script.join().unwrap();
    node.stop();
}

#[test]
fn clients_come_back_to_their_channels_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    through_a_crash(folder.path(), "insforge/again.mjs", &[]);
}

#[test]
fn clients_are_told_that_the_node_stops() {
    let mut node = Node::ephemeral();
    javascript(&node, "insforge/goodbye.mjs");
    assert_eq!(node.wait().code(), Some(0));
}
