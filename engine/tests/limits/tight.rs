//! Nodes that are started with less than usual, and connections that take less.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::node::{Node, pause, stentor};
use super::raw::Raw;
use super::socket::{Room, dial};

/// A connection whose kernel takes little that nobody reads.
pub(crate) fn little(node: &Node) -> Raw {
    Raw::on(dial(node.address().port(), Room::Little).expect("a connection"))
}

/// The binary behind a line of a shell, which runs first.
pub(crate) fn behind(folder: &Path, line: &str) -> Command {
    let stentor = stentor(folder);
    let mut command = Command::new("sh");
    command.current_dir(folder).arg("-c").arg(format!("{line}; exec \"$@\"")).arg("sh");
    command.arg(stentor.get_program());
    for (name, value) in stentor.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// A node behind such a line, in a folder that outlives it.
pub(crate) fn node(folder: &Path, line: &str, arguments: &[&str]) -> Node {
    Node::launch(behind(folder, line), folder, arguments)
}

/// Bytes of a process that no file stands behind.
pub(crate) fn own_bytes(node: &Node) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/statm", node.pid())).unwrap();
    let pages: Vec<u64> = text.split(' ').map(|it| it.trim().parse().unwrap()).collect();
    (pages[1] - pages[2]) * rustix::param::page_size() as u64
}

/// How much of a time the busiest thread of a node worked, or wanted to: one that spins all of it, on any machine; one that sleeps
/// nearly nothing. `None` where the kernel does not tell.
pub(crate) fn busiest(node: &Node, time: Duration) -> Option<f64> {
    let (before, began) = (wanted_ns(node)?, Instant::now());
    pause(time);
    let (after, took) = (wanted_ns(node)?, began.elapsed());
    let shares = after.iter().map(|(thread, ns)| {
        let since = ns - before.get(thread).copied().unwrap_or_default();
        since as f64 / took.as_nanos() as f64
    });
    shares.max_by(f64::total_cmp)
}

/// For how long each thread had a processor, or waited for one.
fn wanted_ns(node: &Node) -> Option<BTreeMap<OsString, u64>> {
    let threads = fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
    let of_thread = |it: fs::DirEntry| {
        let text = fs::read_to_string(it.path().join("schedstat")).ok()?;
        let numbers = text.split_whitespace().take(2).map(|it| it.parse::<u64>().unwrap());
        Some((it.file_name(), numbers.sum()))
    };
    // One may have ended meanwhile; without any the kernel does not tell.
    let all: BTreeMap<_, _> = threads.filter_map(|it| of_thread(it.unwrap())).collect();
    (!all.is_empty()).then_some(all)
}
