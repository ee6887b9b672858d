//! How a node ends, and why it does not begin.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::node::{Node, run, stentor};
use super::raw::{Raw, request};
use super::tools::javascript;

fn refuses_to_start(folder: &Path, arguments: &[&str], code: i32, message: &str) {
    let (status, _, error) = run(stentor(folder).arg("serve").args(arguments));
    assert_eq!(status.code(), Some(code), "{error}");
    assert!(error.contains(message), "{error}");
}

#[test]
fn clients_hear_that_the_node_goes_away() {
    let mut node = Node::ephemeral();
    javascript(&node, "goodbye.mjs");
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn requests_that_were_read_are_answered_before_the_end() {
    let mut node = Node::with(&["--shards", "2"]);
    let target = format!("/edge/realtime?key={}", node.key());
    let batch: String = (0..16)
        .map(|n| request("POST", &target, &format!(r#"{{"channel":"c{n}","data":{n}}}"#)))
        .collect();
    let mut raw = Raw::open(&node);
    raw.send(batch);
    let first = raw.read_until("\r\n");
    node.signal(Signal::TERM);
    let answers = first + &raw.read_to_end();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 16, "{answers}");
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn a_request_that_comes_too_late_is_sent_elsewhere() {
    let mut node = Node::ephemeral();
    let (mut raw, body) = half_a_request(&node);
    node.signal(Signal::TERM);
    node.wait_for_log("node stops");
    raw.send(body);
    let answer = raw.read_to_end();
    let is_told = answer.starts_with("HTTP/1.1 503 ") && answer.contains("Connection: close");
    assert!(is_told || answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn a_second_signal_does_not_wait() {
    let mut node = Node::with(&[
        "--ephemeral",
        "--drain-deadline-ms",
        "600000",
        "--limits-body-timeout-ms",
        "600000",
    ]);
    let (_raw, _) = half_a_request(&node);
    node.signal(Signal::TERM);
    node.wait_for_log("node stops");
    node.signal(Signal::TERM);
    assert_eq!(node.wait().code(), Some(0));
}

/// A request that the node has seen and still waits for; and the rest of it.
fn half_a_request(node: &Node) -> (Raw, &'static str) {
    let body = r#"{"channel":"late","data":1}"#;
    let key = node.key();
    let mut raw = Raw::open(node);
    raw.send(format!(
        "POST /edge/realtime?key={key} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n{}",
        body.len(),
        &body[..5],
    ));
    assert_eq!(raw.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    (raw, &body[5..])
}

#[test]
fn a_port_that_is_taken_ends_with_69() {
    let node = Node::ephemeral();
    let folder = tempfile::tempdir().unwrap();
    let address = node.address().to_string();
    let message = format!("listen on {address}: Address already in use");
    refuses_to_start(folder.path(), &["--ephemeral", "--listen", &address], 69, &message);
    node.stop();
}

#[test]
fn an_unknown_key_ends_with_78_and_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str, message: &str| {
        fs::write(folder.path().join("wrong.toml"), text).unwrap();
        refuses_to_start(folder.path(), &["--config", "wrong.toml"], 78, message);
    };
    check("[server]\nlisten = \"127.0.0.1:0\"\nshard = 1\n", "`shards`");
    check("[sever]\n", "`server`");
    check(
        "[[tenant]]\nname = \"a\"\n[tenant.cohesivity]\naplication_key = \"x\"\n",
        "`application_key`",
    );
    assert!(!folder.path().join("stentor-data").exists(), "nothing was written");
}

#[test]
fn a_data_directory_keeps_its_number_of_shards() {
    let folder = tempfile::tempdir().unwrap();
    Node::start(folder.path(), &["--shards", "2"]).stop();
    let message = "the data directory was made for 2 shards, not for 1: start with `--shards 2` or `--shards 0`";
    refuses_to_start(folder.path(), &["--shards", "1", "--listen", "127.0.0.1:0"], 78, message);
    Node::start(folder.path(), &["--shards", "0"]).stop();
}

#[test]
fn a_data_directory_serves_one_node_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), &["--shards", "1"]);
    let arguments = ["--shards", "1", "--listen", "127.0.0.1:0"];
    refuses_to_start(folder.path(), &arguments, 74, "is held by another process");
    node.stop();
}
