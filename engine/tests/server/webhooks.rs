//! Webhooks of a real node: receivers on loopback, patterns set over REST, messages published over Cohesivity, kill -9.

use std::path::Path;

use protocol::auth::verify_hmac_sha256;
use serde_json::{Value, json};

use super::admin::{CHANNELS, COHESIVITY, call, ok, start_with};
use super::node::{Node, PATIENCE, pause, run, stentor};
use super::operate::done;
use super::receiver::{OK, Receiver, Reply, Request};
use super::tools::post;

const PUBLISH: &str = "/edge/realtime?key=coh_app_11111111111111111111";
const SECRET: &str = "a-secret-of-at-least-so-many-bytes-for-tests";
/// Receivers on loopback are called, and what they refuse is not tried again for long.
const OPEN: &str = "allow_private_targets = true\nbreaker_failures = 1000\n";

/// A node with these settings of webhooks, whose one tenant speaks Cohesivity too.
fn start(folder: &Path, webhooks: &str) -> Node {
    start_with(folder, 2, &format!("{COHESIVITY}[webhooks]\n{webhooks}"))
}

/// Registers a pattern; returns its id.
fn register(node: &Node, pattern: &str, urls: &[String]) -> String {
    let body = json!({"pattern": pattern, "webhookUrls": urls});
    ok(node, "POST", CHANNELS, Some(&body), 201)["id"].as_str().unwrap().to_owned()
}

fn publish(node: &Node, channel: &str, number: u64) {
    let answer = post(&node.url(PUBLISH), &body(channel, number));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn body(channel: &str, number: u64) -> String {
    json!({"channel": channel, "event": "said", "data": {"n": number}}).to_string()
}

/// The listed messages, once all of them have counts of webhooks.
fn counted(node: &Node, messages: usize) -> Vec<Value> {
    for _ in 0..PATIENCE.as_millis() / 50 {
        let list = call(node, "GET", "/api/realtime/messages?limit=100", None).json();
        let list = list.as_array().unwrap().clone();
        let is_counted = |it: &Value| it["whAudienceCount"].as_u64() > Some(0);
        if list.len() == messages && list.iter().all(is_counted) {
            return list;
        }
        pause(std::time::Duration::from_millis(50));
    }
    panic!("messages get no counts");
}

/// The dead letters of an endpoint, once there are so many.
fn letters(folder: &Path, url: &str, count: usize) -> Vec<Value> {
    let arguments = command(&["webhook", "letters", url, "--json"]);
    for _ in 0..PATIENCE.as_millis() / 50 {
        let list: Value = serde_json::from_str(&done(folder, &arguments)).unwrap();
        if list.as_array().unwrap().len() == count {
            return list.as_array().unwrap().clone();
        }
        pause(std::time::Duration::from_millis(50));
    }
    panic!("not {count} dead letters");
}

/// A command of the operator with the node's configuration.
fn command<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--config", "stentor.toml"]].concat()
}

fn check_signature(request: &Request) {
    let signature = request.header("x-insforge-signature").unwrap();
    let hex = signature.strip_prefix("sha256=").unwrap();
    let digits = hex.as_bytes().chunks(2).map(|it| std::str::from_utf8(it).unwrap());
    let bytes: Vec<u8> = digits.map(|it| u8::from_str_radix(it, 16).unwrap()).collect();
    assert!(verify_hmac_sha256(SECRET.as_bytes(), &request.body, &bytes));
}

#[test]
fn messages_of_a_pattern_arrive_in_order_signed_and_counted_beside_a_dead_receiver() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("{OPEN}attempts_max = 1\nsigning_secret = \"{SECRET}\"\n");
    let node = start(folder.path(), &settings);
    let well = Receiver::start(|_, _| OK);
    let refusing = Receiver::start(|_, _| Reply::Status(410, ""));
    // Nobody listens there any more.
    let gone = format!(
        "http://{}/hook",
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    );
    publish(&node, "chat:1", 999);
    let id = register(&node, "chat:%", &[well.url(), refusing.url(), gone.clone()]);
    register(&node, "chat:quiet:%", &[]);
    // From the answer on every message is for the receivers.
    for number in 0..20 {
        publish(&node, "chat:1", number);
        publish(&node, "chat:quiet:1", 100 + number);
        publish(&node, "other", 200 + number);
    }
    well.wait_for(20);
    assert_eq!(well.numbers(), (0..20).collect::<Vec<_>>());
    let first = &well.seen()[0];
    let body = first.json();
    let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "messageId",
        "channelId",
        "channelName",
        "event",
        "payload",
        "senderId",
        "senderType",
        "timestamp",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let said = (&body["channelId"], &body["channelName"], &body["event"], &body["payload"]);
    assert_eq!(said, (&json!(id), &json!("chat:1"), &json!("said"), &json!({"n": 0})));
    assert_eq!((&body["senderId"], &body["senderType"]), (&Value::Null, &json!("system")));
    assert_eq!(first.header("x-insforge-message-id"), body["messageId"].as_str());
    well.seen().iter().for_each(check_signature);
    // The numbers are true: one of three took each message.
    refusing.wait_for(20);
    letters(folder.path(), &gone, 20);
    let path = "/api/realtime/messages?limit=100";
    let is_counted =
        |it: &&Value| it["whAudienceCount"] == json!(3) && it["whDeliveredCount"] == json!(1);
    let mut counted = 0;
    for _ in 0..100 {
        let list = call(&node, "GET", path, None).json();
        counted = list.as_array().unwrap().iter().filter(is_counted).count();
        if counted == 20 {
            break;
        }
        pause(std::time::Duration::from_millis(50));
    }
    assert_eq!(counted, 20);
    let list = call(&node, "GET", path, None).json();
    let of_others = list.as_array().unwrap().iter().filter(|it| it["channelName"] != "chat:1");
    assert!(of_others.into_iter().all(|it| it["whAudienceCount"] == json!(0)));
    let found = done(folder.path(), &command(&["webhook", "list"]));
    assert!(found.contains(&id) && found.contains(&well.url()), "{found}");
    node.stop();
}

#[test]
fn what_finds_no_connection_is_tried_again_and_holds_back_what_is_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), &format!("{OPEN}format = \"payload\"\n"));
    let receiver = Receiver::start(|_, count| if count == 1 { Reply::Cut } else { OK });
    register(&node, "chat:%", &[receiver.url()]);
    (0..4).for_each(|number| publish(&node, "chat:1", number));
    receiver.wait_for(5);
    let numbers: Vec<_> = receiver.seen().iter().map(|it| it.json()["n"].clone()).collect();
    assert_eq!(numbers, [0, 1, 1, 2, 3]);
    let seen = receiver.seen();
    let waited = seen[2].at.duration_since(seen[1].at);
    assert!(waited >= std::time::Duration::from_secs(1), "{waited:?}");
    let counts = counted(&node, 4);
    assert!(counts.iter().all(|it| it["whDeliveredCount"] == json!(1)), "{counts:?}");
    node.stop();
}

#[test]
fn a_node_that_is_killed_loses_no_delivery() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| OK);
    let mut node = start(folder.path(), OPEN);
    register(&node, "chat:%", &[receiver.url()]);
    let mut next = 0;
    for _ in 0..6 {
        let until = next + 30;
        while next < until {
            // Two channels are on two shards, most likely.
            publish(&node, &format!("chat:{}", next % 4), next);
            next += 1;
        }
        node.kill();
        node = start(folder.path(), OPEN);
    }
    let is_all = |seen: &[Request]| (0..next).all(|it| seen.iter().any(|seen| seen.number() == it));
    receiver.wait_until(is_all);
    for channel in 0..4 {
        let mut firsts = Vec::new();
        for number in receiver.numbers().into_iter().filter(|it| it % 4 == channel) {
            if !firsts.contains(&number) {
                firsts.push(number);
            }
        }
        assert!(firsts.is_sorted(), "chat:{channel}: {firsts:?}");
    }
    node.stop();
}

#[test]
fn receivers_that_are_taken_away_get_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), OPEN);
    let (before, after) = (Receiver::start(|_, _| OK), Receiver::start(|_, _| OK));
    let id = register(&node, "chat:%", &[before.url()]);
    publish(&node, "chat:1", 0);
    before.wait_for(1);
    let one = format!("{CHANNELS}/{id}");
    let change = |urls: &[String]| {
        let answer = call(&node, "PUT", &one, Some(&json!({"webhookUrls": urls})));
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    change(&[after.url()]);
    (1..4).for_each(|number| publish(&node, "chat:1", number));
    after.wait_for(3);
    assert_eq!((before.numbers(), after.numbers()), (vec![0], vec![1, 2, 3]));
    assert_eq!(call(&node, "DELETE", &one, None).status, 200);
    publish(&node, "chat:1", 4);
    register(&node, "chat:*", &[before.url()]);
    publish(&node, "chat:1", 5);
    before.wait_for(2);
    assert_eq!((before.numbers(), after.numbers()), (vec![0, 5], vec![1, 2, 3]));
    node.stop();
}

#[test]
fn private_targets_are_refused_unless_they_are_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "");
    let receiver = Receiver::start(|_, _| OK);
    register(&node, "chat:%", &[receiver.url()]);
    publish(&node, "chat:1", 0);
    let letters = letters(folder.path(), &receiver.url(), 1);
    assert_eq!(letters[0]["reason"], "target not allowed");
    assert!(receiver.seen().is_empty());
    node.stop();
}

#[test]
fn an_operator_sees_dead_letters_and_has_them_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), OPEN);
    let receiver = Receiver::start(|_, _| Reply::Status(404, ""));
    let url = receiver.url();
    register(&node, "chat:%", std::slice::from_ref(&url));
    (0..3).for_each(|number| publish(&node, "chat:1", number));
    let dead = letters(folder.path(), &url, 3);
    let said = (&dead[1]["reason"], &dead[1]["message"]["channel"], &dead[1]["message"]["event"]);
    assert_eq!(said, (&json!("answered 404"), &json!("chat:1"), &json!("said")));
    receiver.behave(|_, _| OK);
    let number = dead[1]["letter"].to_string();
    done(folder.path(), &command(&["webhook", "replay", &url, &number]));
    receiver.wait_for(4);
    letters(folder.path(), &url, 2);
    let out = done(folder.path(), &command(&["webhook", "replay", &url, "--all"]));
    assert!(out.starts_with("2 dead letters"), "{out}");
    receiver.wait_for(6);
    assert_eq!(receiver.numbers(), [0, 1, 2, 1, 0, 2]);
    letters(folder.path(), &url, 0);
    let refused = |arguments: &[&str], message: &str| {
        let (status, _, error) = run(stentor(folder.path()).args(command(arguments)));
        assert!(status.code() == Some(64) && error.contains(message), "{error}");
    };
    refused(&["webhook", "replay", &url, "77"], "no such dead letter");
    refused(&["webhook", "letters", "https://b.example/"], "has no webhook https://b.example/");
    receiver.behave(|_, _| Reply::Status(404, ""));
    publish(&node, "chat:1", 9);
    letters(folder.path(), &url, 1);
    node.stop();
    // What a stopped node left is there to be seen.
    letters(folder.path(), &url, 1);
    let table = done(folder.path(), &command(&["webhook", "list"]));
    assert!(table.lines().count() == 2 && table.contains(&url), "{table}");
    refused(&["webhook", "replay", &url, "--all"], "deliveries need a server that runs");
}
