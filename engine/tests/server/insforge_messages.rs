//! `/api/realtime/messages` on a real node: lists, statistics and deletions, beside publishers, over restarts and kill -9.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::admin::{ANON, API, COHESIVITY, asked, call, start_with};
use super::node::{Node, PATIENCE, pause};
use super::raw::Raw;
use super::tools::{Answer, curl, post};

const PUBLISH: &str = "/edge/realtime?key=coh_app_11111111111111111111";

/// A node whose only tenant speaks Cohesivity and InsForge.
fn start(folder: &Path) -> Node {
    start_with(folder, 2, COHESIVITY)
}

fn api(node: &Node, method: &str, path: &str) -> Answer {
    call(node, method, &format!("/api/realtime{path}"), None)
}

fn get(node: &Node, path: &str) -> Value {
    let answer = api(node, "GET", path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

fn publish(node: &Node, channel: &str, event: &str, data: &Value) {
    publish_at(&node.url(PUBLISH), channel, event, data);
}

fn publish_at(url: &str, channel: &str, event: &str, data: &Value) {
    let body = json!({"channel": channel, "event": event, "data": data}).to_string();
    let answer = post(url, &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Channel and number of each message.
fn names(list: &Value) -> Vec<String> {
    let name = |it: &Value| format!("{}.{}", it["channelName"].as_str().unwrap(), it["payload"]);
    list.as_array().unwrap().iter().map(name).collect()
}

fn check_three_rooms(node: &Node) {
    let all = get(node, "/messages");
    assert_eq!(names(&all)[..4], ["c.5", "b.5", "a.5", "c.4"]);
    assert_eq!(all.as_array().unwrap().len(), 15);
    assert_eq!(names(&get(node, "/messages?limit=2&offset=4")), ["b.4", "a.4"]);
    assert_eq!(names(&get(node, "/messages?offset=14")), ["a.1"]);
    assert_eq!(names(&get(node, "/messages?offset=15")), [""; 0]);
    assert_eq!(names(&get(node, "/messages?eventName=rare")), ["c.3", "b.3", "a.3"]);
    assert_eq!(names(&get(node, "/messages?eventName=never")), [""; 0]);
    let stats = get(node, "/messages/stats");
    let expected = json!({
        "totalMessages": 15,
        "whDeliveryRate": 0,
        "topEvents": [{"eventName": "said", "count": 12}, {"eventName": "rare", "count": 3}],
        "retentionDays": null,
    });
    assert_eq!(stats, expected);
    let since = all[7]["createdAt"].as_str().unwrap();
    let later = all.as_array().unwrap().iter().filter(|it| it["createdAt"].as_str() >= Some(since));
    let stats = get(node, &format!("/messages/stats?since={since}"));
    assert_eq!(stats["totalMessages"], later.count());
}

#[test]
fn messages_are_listed_and_counted_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    for n in 1..=5 {
        for channel in ["a", "b", "c"] {
            publish(&node, channel, if n == 3 { "rare" } else { "said" }, &json!(n));
        }
    }
    let newest = &get(&node, "/messages?limit=1")[0];
    let keys: Vec<_> = newest.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "id",
        "eventName",
        "channelId",
        "channelName",
        "payload",
        "senderType",
        "senderId",
        "wsAudienceCount",
        "whAudienceCount",
        "whDeliveredCount",
        "createdAt",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!((&newest["senderType"], &newest["senderId"]), (&json!("system"), &Value::Null));
    assert_eq!(newest["channelId"], Value::Null);
    check_three_rooms(&node);
    // There is no such pattern.
    let none = "channelId=7f1f8f0e-38a5-4c0e-9a69-0c7f4f9a1d11";
    assert_eq!(get(&node, &format!("/messages?{none}")), json!([]));
    assert_eq!(get(&node, &format!("/messages/stats?{none}"))["totalMessages"], 0);
    node.stop();
    let node = start(folder.path());
    check_three_rooms(&node);
    node.kill();
    let node = start(folder.path());
    check_three_rooms(&node);
    node.stop();
}

#[test]
fn only_administrators_ask_and_only_for_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    for path in ["/messages", "/messages/stats"] {
        let url = node.url(&format!("/api/realtime{path}"));
        let check = |header: &str, status: u16, message: &str| {
            let answer = curl(&[&url, "-H", header]);
            assert_eq!((answer.status, &answer.json()["message"]), (status, &json!(message)));
        };
        check("X-Nothing: 1", 401, "No admin token provided");
        check(&format!("Authorization: Bearer {ANON}"), 401, "Invalid token");
        check("X-API-Key: ik_0", 401, "Invalid API key");
    }
    for query in [
        "/messages?limit=0",
        "/messages?limit=1001",
        "/messages?offset=-1",
        "/messages?channelId=7",
    ] {
        let answer = api(&node, "GET", query);
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("INVALID_INPUT")));
    }
    assert_eq!(api(&node, "GET", "/messages/stats?since=yesterday").status, 400);
    let answer = curl(&["-X", "DELETE", &node.url("/api/realtime/messages")]);
    assert_eq!(answer.status, 401);
    node.stop();
}

/// Publishes until it is told to end. Says how many were taken.
fn publish_on(url: &str, channel: &str, is_over: &AtomicBool) -> u64 {
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        publish_at(url, channel, "new", &json!(1000 + count));
        count += 1;
    }
    count
}

/// A page of history, as another dialect sees it.
fn history(node: &Node, channel: &str) -> Vec<u64> {
    const KEY: &str = "coh_app_11111111111111111111";
    let path = format!("/edge/realtime/history?channel={channel}&limit=100&key={KEY}");
    let answer = curl(&[&node.url(&path)]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let messages = answer.json()["messages"].clone();
    messages.as_array().unwrap().iter().map(|it| it["data"].as_u64().unwrap()).collect()
}

#[test]
fn what_is_there_goes_while_others_publish_and_every_message_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let mut before = 0;
    for n in 0..20 {
        for channel in ["a", "b", "c", "d"] {
            publish(&node, channel, "old", &json!(n));
            before += 1;
        }
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let publishers = ["a", "d"].map(|channel| {
        let (url, is_over) = (node.url(PUBLISH), Arc::clone(&is_over));
        thread::spawn(move || publish_on(&url, channel, &is_over))
    });
    let mut deleted = 0;
    for _ in 0..3 {
        let answer = api(&node, "DELETE", "/messages");
        assert_eq!(answer.status, 200, "{}", answer.body);
        deleted += answer.json()["deleted"].as_u64().unwrap();
        assert_eq!(get(&node, "/messages?eventName=old"), json!([]));
        for channel in ["a", "b", "c", "d"] {
            let left = history(&node, channel);
            assert!(left.iter().all(|it| *it >= 1000), "{channel} still has {left:?}");
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let during: u64 = publishers.into_iter().map(|it| it.join().unwrap()).sum();
    let left = get(&node, "/messages/stats")["totalMessages"].as_u64().unwrap();
    assert_eq!(deleted + left, before + during);
    publish(&node, "b", "new", &json!(7));
    node.kill();
    let node = start(folder.path());
    assert_eq!(get(&node, "/messages/stats")["totalMessages"], left + 1);
    assert_eq!(get(&node, "/messages?eventName=old"), json!([]));
    assert_eq!(history(&node, "b"), [7]);
    let gone = api(&node, "DELETE", "/messages").json();
    assert_eq!(gone, json!({"deleted": left + 1}));
    assert_eq!(api(&node, "DELETE", "/messages").json(), json!({"deleted": 0}));
    node.stop();
}

#[test]
fn a_long_list_of_large_messages_comes_in_parts_and_nobody_has_to_take_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let text = "x".repeat(60_000);
    for n in 0..60 {
        publish(&node, &format!("c{}", n % 3), "large", &json!({"n": n, "text": text}));
    }
    let answer = api(&node, "GET", "/messages");
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let list = answer.json();
    let numbers: Vec<_> =
        list.as_array().unwrap().iter().map(|it| it["payload"]["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..60).rev().collect::<Vec<_>>());
    let old = curl(&[
        "--http1.0",
        &node.url("/api/realtime/messages?limit=30"),
        "-H",
        &format!("X-API-Key: {API}"),
    ]);
    assert_eq!(old.json().as_array().unwrap().len(), 30);
    // Those that leave in the middle keep nothing from the others. They may all be on one shard, which has room for ten lists.
    let leave = |_| {
        let mut raw = Raw::open(&node);
        raw.send(asked("GET", "/api/realtime/messages", ""));
        let head = raw.read_until("\r\n\r\n");
        (raw, head)
    };
    let left: Vec<_> = (0..8).map(leave).collect();
    for (_, head) in &left {
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
    assert_eq!(get(&node, "/messages?limit=1")[0]["payload"]["n"], 59);
    drop(left);
    // What they took is free again, or those after them would be refused for ever.
    for _ in 0..3 {
        drop((0..8).map(leave).collect::<Vec<_>>());
    }
    let stats = (0..PATIENCE.as_millis() / 10).find_map(|_| {
        pause(Duration::from_millis(10));
        let answer = api(&node, "GET", "/messages/stats");
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!(stats.expect("nobody else asks for anything")["totalMessages"], 60);
    node.stop();
}
