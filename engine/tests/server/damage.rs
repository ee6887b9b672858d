//! Bytes flipped under a stopped node: what can be read is served, those who listen are told, and nobody else notices.

use std::fs;
use std::path::{Path, PathBuf};

use super::node::Node;
use super::raw::{Raw, request};
use super::tools::{curl, javascript};

/// Enough for several segments of the smallest size, so that the first ones are sealed and have their index beside them.
const MESSAGES: usize = 200;
const AT_ONCE: usize = 10;
const DAMAGED: [usize; 3] = [4, 5, 40];

#[test]
fn damaged_history_costs_its_channel_an_epoch_and_no_other_anything() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    for channel in ["damaged", "whole"] {
        fill(&node, channel);
    }
    node.stop();
    for number in DAMAGED {
        flip(folder.path(), format!("\"damaged {number} ").as_bytes());
    }
    let node = start(folder.path());
    javascript(&node, "damage.mjs");
    let log = node.stop_and_read();
    assert!(log.contains("history is damaged"), "{log}");
    // After the next start it is no news: nobody is sent away again.
    let node = start(folder.path());
    for after in [0, 30] {
        let url = format!("/edge/realtime/history?channel=damaged&after={after}&limit=100");
        let page = curl(&[&node.keyed(&url)]).json();
        let ids = page["messages"].as_array().unwrap().iter().map(|it| it["id"].as_u64().unwrap());
        let readable = (after + 1..).filter(|it| ![4, 5, 40].contains(it));
        assert!(ids.clone().count() > 10 && ids.zip(readable).all(|(id, next)| id == next));
    }
    let log = node.stop_and_read();
    assert!(!log.contains("history is damaged"), "{log}");
}

fn start(folder: &Path) -> Node {
    Node::start(folder, &["--shards", "2", "--storage-segment-bytes", "4194304"])
}

/// Publishes messages that are told apart by their first words.
fn fill(node: &Node, channel: &str) {
    let mut raw = Raw::open(node);
    let target = format!("/edge/realtime?key={}", node.key());
    let rest = "x".repeat(50_000);
    for first in (1..=MESSAGES).step_by(AT_ONCE) {
        let bodies = (first..first + AT_ONCE).map(|number| {
            let body = format!(r#"{{"channel":"{channel}","data":"{channel} {number} {rest}"}}"#);
            request("POST", &target, &body)
        });
        raw.send(bodies.collect::<String>());
        for _ in 0..AT_ONCE {
            let answer = raw.read_until("}");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
    }
}

/// Changes a byte of the one stored message that begins so.
fn flip(folder: &Path, text: &[u8]) {
    let mut found = 0;
    for path in segments(folder) {
        let mut bytes = fs::read(&path).unwrap();
        let places: Vec<_> = places_of(&bytes, text).collect();
        for at in &places {
            bytes[at + text.len()] ^= 1;
        }
        found += places.len();
        if !places.is_empty() {
            assert!(path.with_extension("idx").exists(), "the damage is in a sealed segment");
            fs::write(&path, bytes).unwrap();
        }
    }
    assert_eq!(found, 1, "{}", String::from_utf8_lossy(text));
}

fn places_of<'a>(bytes: &'a [u8], text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| **byte == text[0]);
    starts.map(|it| it.0).filter(move |at| bytes[*at..].starts_with(text))
}

/// The segment files under a folder.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(segments(&path));
        } else if path.extension().is_some_and(|it| it == "log") {
            found.push(path);
        }
    }
    found
}
