//! One test for each script: it says what its clients do.

use std::fs;

use super::super::node::Node;
use super::super::tools::{javascript, python};

fn check(arguments: &[&str], run: impl Fn(&Node)) {
    let node = Node::with(&[&["--ephemeral", "--shards", "2"], arguments].concat());
    run(&node);
    node.stop();
}

#[test]
fn the_sdk_lives_a_whole_life_on_a_channel() {
    check(&[], |node| javascript(node, "insforge/sdk.mjs"));
}

#[test]
fn credentials_open_or_the_client_is_told_why_not() {
    check(&[], |node| javascript(node, "insforge/doors.mjs"));
}

#[test]
fn members_are_told_of_each_other_and_not_of_themselves() {
    check(&[], |node| javascript(node, "insforge/presence.mjs"));
}

#[test]
fn patterns_and_policies_take_effect_once_they_are_answered() {
    check(&[], |node| javascript(node, "insforge/policies.mjs"));
}

#[test]
fn all_dialects_meet_on_a_channel() {
    check(&[], |node| javascript(node, "insforge/meeting.mjs"));
}

#[test]
fn node_ws_speaks_as_the_documents_say() {
    check(&[], |node| javascript(node, "insforge/plain.mjs"));
}

#[test]
fn python_websockets_does_too() {
    check(&[], |node| python(node, "insforge/plain.py"));
}

#[test]
fn socketio_lives_on_each_of_its_transports_and_moves_between_them() {
    check(&[], |node| javascript(node, "insforge/transports.mjs"));
}

#[test]
fn python_socketio_lives_a_whole_life_on_a_channel() {
    check(&[], |node| python(node, "insforge/channel.py"));
}

#[test]
fn who_does_not_say_who_it_is_is_sent_away() {
    let deadlines =
        ["--limits-introduction-timeout-ms", "1500", "--limits-connect-timeout-ms", "1500"];
    check(&deadlines, |node| javascript(node, "insforge/deadline.mjs"));
}

/// A tenant whose keys are made of this digit.
fn tenant(name: &str, digit: &str) -> String {
    let digits = digit.repeat(64);
    format!(
        "[[tenant]]\nname = \"{name}\"\n[tenant.insforge]\napi_key = \"ik_{digits}\"\n\
         anon_key = \"anon_{digits}\"\njwt_secret = \"{digits}\"\nhosts = [\"{name}.example\"]\n"
    )
}

#[test]
fn two_tenants_have_nothing_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let config = tenant("one", "1") + &tenant("two", "2");
    fs::write(folder.path().join("stentor.toml"), config).unwrap();
    let node = Node::start(folder.path(), &["--config", "stentor.toml", "--shards", "2"]);
    javascript(&node, "insforge/tenants.mjs");
    node.stop();
}
