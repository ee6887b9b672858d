//! The calls of Infrai as curl makes them, in both styles of their paths, and what holds across kill -9 and across tenants.

use serde_json::{Value, json};

use super::node::Node;
use super::raw::Raw;
use super::server::{Server, data, refused};
use super::tools::{curl, javascript, post, python};

/// The paths of one style: create, list, get, delete, presence; and of a token.
type Paths = [String; 6];

fn paths(style: &str) -> Paths {
    let channel = format!("room%3A{style}%20%C3%A4");
    let all = match style {
        "new" => [
            "/channel/create",
            "/channel/list",
            "/channel/get/CHANNEL",
            "/channel/delete/CHANNEL",
            "/presence/get/CHANNEL",
            "/token/issue",
        ],
        _ => [
            "/channels",
            "/channels",
            "/channels/CHANNEL",
            "/channels/CHANNEL",
            "/channels/CHANNEL/presence",
            "/token",
        ],
    };
    all.map(|it| format!("/v1/realtime{}", it.replace("CHANNEL", &channel)))
}

#[test]
fn a_channel_lives_in_both_styles_of_paths() {
    let node = Node::ephemeral();
    let server = Server::of(&node, 0);
    for style in ["new", "old"] {
        let [create, list, get, delete, presence, token] = paths(style);
        let name = format!("room:{style} ä");
        let made = server.post(&create, &json!({"name": name, "type": "private"}));
        let again = server.post(&create, &json!({"channel": name}));
        assert_eq!(made["channel_id"], again["channel_id"], "made once");
        let other = json!({"name": name, "type": "public"}).to_string();
        assert_eq!(refused(&server.call("POST", &create, &["--json", &other])).0, 409);
        let issued = server.post(&token, &json!({"user_id": "ada", "channels": [name]}));
        let endpoint = format!("ws://{}/v1/realtime/ws", node.address());
        assert_eq!((&issued["client_id"], &issued["endpoint"]), (&json!("ada"), &json!(endpoint)));
        let message = json!({"channel": name, "event": "e", "data": {"n": 1}});
        assert!(server.post("/v1/realtime/publish", &message)["message_id"].is_string());
        let found = server.get(&get);
        let about = (&found["name"], &found["type"], &found["member_count"]);
        assert_eq!(about, (&json!(name), &json!("private"), &json!(0)));
        assert_eq!(server.get(&presence), json!({"members": []}));
        let listed = server.get(&list)["channels"].as_array().unwrap().clone();
        assert!(listed.iter().any(|it| it["name"] == name.as_str()));
        let gone = data(&server.call("DELETE", &delete, &[]));
        assert_eq!(gone, json!({"channel": name, "deleted": true, "status": "deleted"}));
        assert_eq!(data(&server.call("DELETE", &delete, &[]))["status"], "not_found");
        let missing = refused(&server.call("GET", &get, &[]));
        assert_eq!(missing, (404, "CHANNEL_NOT_FOUND".to_owned()));
    }
    node.stop();
}

#[test]
fn the_other_calls_answer() {
    let node = Node::ephemeral();
    let server = Server::of(&node, 0);
    let channel = |it: i32| format!("b{}", it % 2);
    let messages = (0..5).map(|it| json!({"channel": channel(it), "event": "e", "data": it}));
    let batch = json!({"messages": messages.collect::<Vec<_>>()});
    assert_eq!(server.post("/v1/realtime/publish/batch", &batch)["published"], 5);
    let issued = server.post("/v1/realtime/token/issue", &json!({"client_id": "bob"}));
    let revoked = json!({"token_or_jti": issued["token"]});
    assert_eq!(server.post("/v1/realtime/token/revoke", &revoked), json!({"revoked": true}));
    let disconnected = server.post("/v1/realtime/user/disconnect", &json!({"client_id": "bob"}));
    assert_eq!(disconnected, json!({"disconnected": 0}));
    assert_eq!(server.get("/v1/realtime/event/types")["types"].as_array().unwrap().len(), 7);
    let sign = json!({"client_id": "ada", "channels": ["private-a"], "socket_id": "1.2"});
    let sign = server.call("POST", "/v1/realtime/auth/sign", &["--json", &sign.to_string()]);
    assert_eq!(refused(&sign), (422, "VENDOR_NOT_CONFIGURED".to_owned()));
    let discovery = data(&curl(&[&node.url("/v1/discovery")]));
    assert_eq!(discovery["capabilities"].as_array().unwrap().len(), 12);
    let described = data(&curl(&[&node.url("/v1/discovery/realtime.publish")]));
    assert_eq!(described["path"], "/v1/realtime/publish");
    let nobody = post(&node.url("/v1/realtime/publish"), "{}");
    assert_eq!(refused(&nobody), (401, "UNAUTHORIZED".to_owned()));
    node.stop();
}

#[test]
fn pages_of_channels_follow_each_other() {
    let node = Node::ephemeral();
    let server = Server::of(&node, 0);
    for number in 0..7 {
        server.post("/v1/realtime/channels", &json!({"name": format!("c{number}")}));
    }
    let mut seen = Vec::new();
    let mut path = "/v1/realtime/channel/list?limit=3".to_owned();
    loop {
        let page = server.get(&path);
        let names = page["channels"].as_array().unwrap().iter();
        seen.extend(names.map(|it| it["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/realtime/channel/list?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, ["c0", "c1", "c2", "c3", "c4", "c5", "c6"]);
    node.stop();
}

#[test]
fn a_retry_with_its_key_after_kill_9_finds_the_one_message() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--shards", "2"];
    let mut first = Vec::new();
    let body = |it: usize| json!({"channel": "orders", "event": "e", "data": it}).to_string();
    let publish = |node: &Node, it: usize| {
        let key = format!("Idempotency-Key: order-{it}");
        let more = ["-H", &key, "--json", &body(it)];
        data(&Server::of(node, 0).call("POST", "/v1/realtime/publish", &more))
    };
    for round in 0..3 {
        let node = Node::start(folder.path(), &flags);
        for it in 0..=round * 4 {
            let told = publish(&node, it)["message_id"].clone();
            match first.get(it) {
                Some(known) => assert_eq!(*known, told, "message {it} in round {round}"),
                None => first.push(told),
            }
        }
        node.kill();
    }
    let node = Node::start(folder.path(), &flags);
    let server = Server::of(&node, 0);
    let more = ["-H", "Idempotency-Key: order-0", "--json", &body(1)];
    let other = server.call("POST", "/v1/realtime/publish", &more);
    assert_eq!(refused(&other), (409, "IDEMPOTENCY_CONFLICT".to_owned()));
    let history = curl(&[&node.keyed("/edge/realtime/history?channel=orders")]).json();
    let kept: Vec<_> =
        history["messages"].as_array().unwrap().iter().map(|it| it["data"].clone()).collect();
    let expected: Vec<_> = (0..first.len()).map(|it| json!(it)).collect();
    assert_eq!(kept, expected, "each message once, in order");
    node.stop();
}

#[test]
fn a_retry_says_that_it_was_answered_from_what_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let message = json!({"channel": "c", "event": "e", "data": 1});
    let calls = [
        ("POST", "/v1/realtime/publish", message.clone()),
        ("POST", "/v1/realtime/publish/batch", json!({"messages": [message, message]})),
        ("POST", "/v1/realtime/token/issue", json!({"client_id": "u"})),
        ("POST", "/v1/realtime/channel/create", json!({"name": "made"})),
        ("POST", "/v1/realtime/user/disconnect", json!({"client_id": "u"})),
        ("DELETE", "/v1/realtime/channel/delete/made", json!({})),
    ];
    let ask = |node: &Node| -> Vec<(Value, Value)> {
        let ask = |(method, path, body): &(&str, &str, Value)| {
            let more = ["-H", "Idempotency-Key: k", "--json", &body.to_string()];
            let answer = Server::of(node, 0).call(method, path, &more);
            (data(&answer), answer.json()["metadata"]["cache_hit"].clone())
        };
        calls.iter().map(ask).collect()
    };
    let node = Node::start(folder.path(), &["--shards", "2"]);
    let first = ask(&node);
    assert!(first.iter().all(|it| it.1 == json!(false)), "{first:?}");
    let kept: Vec<_> = first.into_iter().map(|it| (it.0, json!(true))).collect();
    assert_eq!(ask(&node), kept);
    let plain = Server::of(&node, 0).call("GET", "/v1/realtime/channel/list", &[]);
    assert_eq!(plain.json()["metadata"]["cache_hit"], false);
    node.kill();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    assert_eq!(ask(&node), kept, "also after a kill");
    node.stop();
}

#[test]
fn when_something_was_last_published_is_known_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let last = |node: &Node, channel: &str| {
        let found = Server::of(node, 0).get(&format!("/v1/realtime/channel/get/{channel}"));
        found["last_published_at"].clone()
    };
    let node = Node::start(folder.path(), &["--shards", "2"]);
    let server = Server::of(&node, 0);
    let publish = |channel: &str| {
        let message = json!({"channel": channel, "event": "e", "data": 1});
        server.post("/v1/realtime/publish", &message)["published_at"].clone()
    };
    server.post("/v1/realtime/channels", &json!({"name": "silent"}));
    let times = ["a", "b", "c", "gone"].map(|it| (it, publish(it)));
    data(&server.call("DELETE", "/v1/realtime/channel/delete/gone", &[]));
    server.post("/v1/realtime/channels", &json!({"name": "gone"}));
    let check = |node: &Node, when: &str| {
        for (channel, at) in &times[..3] {
            assert_eq!(last(node, channel), *at, "{channel} {when}");
        }
        for channel in ["silent", "gone"] {
            assert_eq!(last(node, channel), Value::Null, "{channel} {when}");
        }
    };
    check(&node, "at once");
    // What nobody uses is not kept in memory for long.
    super::node::pause(std::time::Duration::from_millis(300));
    check(&node, "later");
    node.kill();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    check(&node, "after a kill");
    node.stop();
}

#[test]
fn a_revoked_token_opens_no_socket_on_any_shard() {
    let node = Node::ephemeral();
    let server = Server::of(&node, 0);
    let issued = server.post("/v1/realtime/token/issue", &json!({"client_id": "ada"}));
    let token = issued["token"].as_str().unwrap();
    let upgrade = format!(
        "GET /v1/realtime/ws?token={token} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let status = || {
        let mut raw = Raw::open(&node);
        raw.send(&upgrade);
        raw.read_until("\r\n").split(' ').nth(1).unwrap().to_owned()
    };
    assert!((0..16).all(|_| status() == "101"));
    server.post("/v1/realtime/token/revoke", &json!({"token_or_jti": issued["jti"]}));
    assert!((0..16).all(|_| status() == "401"), "the answer is not older than what it says");
    node.stop();
}

#[test]
fn node_ws_speaks_infrai_and_meets_cohesivity() {
    let node = Node::ephemeral();
    javascript(&node, "infrai.mjs");
    node.stop();
}

#[test]
fn what_a_client_missed_comes_from_the_journal_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let mut flags = vec!["--shards", "2", "--limits-tail-messages-max", "3"];
    flags.extend(["--limits-recovery-messages-max", "50"]);
    let node = Node::start(folder.path(), &flags);
    let server = Server::of(&node, 0);
    let publish = |messages: Vec<Value>| {
        server.post("/v1/realtime/publish/batch", &json!({"messages": messages}));
    };
    let numbers: Vec<_> = (1..=730).collect();
    for some in numbers.chunks(73) {
        let message = |n: &i32| json!({"channel": "past", "event": "e", "data": {"n": n}});
        publish(some.iter().map(message).collect());
    }
    for _ in 0..60 {
        publish(vec![json!({"channel": "large", "event": "e", "data": "x".repeat(60_000)})]);
    }
    node.kill();
    let node = Node::start(folder.path(), &flags);
    javascript(&node, "past.mjs");
    node.stop();
}

#[test]
fn python_websockets_speaks_it_too() {
    let node = Node::ephemeral();
    python(&node, "infrai.py");
    node.stop();
}
