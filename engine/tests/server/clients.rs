//! One test for each client that speaks for itself: its script says what it does.

use super::node::Node;
use super::tools::{javascript, python};

#[test]
fn node_ws_lives_a_whole_life_on_a_channel() {
    let node = Node::ephemeral();
    javascript(&node, "socket.mjs");
    node.stop();
}

#[test]
fn python_websockets_does_too() {
    let node = Node::ephemeral();
    python(&node, "members.py");
    node.stop();
}

#[test]
fn a_page_in_chromium_joins_sees_sends_and_receives() {
    let mut node = Node::ephemeral();
    javascript(&node, "browser.mjs");
    assert_eq!(node.wait().code(), Some(0));
}
