//! `/api/resources/realtime`: who may ask for the resource and give it up, and what is left of it then.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::node::{Node, TWO_TENANTS, pause};
use super::raw::{Raw, request};
use super::tools::{Answer, curl, post, token};

const MANAGER: &str = "Authorization: Bearer coh_man_11111111111111111111";

fn start(folder: &Path) -> Node {
    fs::write(folder.join("stentor.toml"), TWO_TENANTS).unwrap();
    Node::start(folder, &["--config", "stentor.toml"])
}

fn provision(node: &Node, body: &str) -> Answer {
    curl(&[&node.url("/api/resources/realtime"), "-H", MANAGER, "--json", body])
}

fn delete(node: &Node) -> Answer {
    let answer = curl(&["-X", "DELETE", &node.url("/api/resources/realtime"), "-H", MANAGER]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

fn assert_provisioned(answer: &Answer, already: bool, region: &str) {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let expected = json!({
        "success": true, "resource": "realtime", "status": "provisioned", "already_provisioned": already,
        "write_region": region, "edge_url": "/edge/realtime",
    });
    assert_eq!(answer.json(), expected);
}

fn publish(node: &Node, channel: &str, data: &str) -> Answer {
    let body = format!(r#"{{"channel":"{channel}","data":"{data}"}}"#);
    post(&node.keyed("/edge/realtime"), &body)
}

fn history(node: &Node, channel: &str) -> Answer {
    curl(&[&node.keyed(&format!("/edge/realtime/history?channel={channel}"))])
}

/// A socket on a channel.
fn open(node: &Node, channel: &str, token: &str) -> Raw {
    let mut raw = Raw::open(node);
    raw.send(format!(
        "GET /edge/realtime?channel={channel}&token={token} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ));
    raw
}

#[test]
fn every_region_and_alias_is_kept_and_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    // A tenant of the configuration has the resource; to ask for it says where.
    assert_provisioned(&provision(&node, r#"{"write_region":"eu"}"#), true, "weur");
    for (name, region) in [
        ("wnam", "wnam"),
        ("enam", "enam"),
        ("weur", "weur"),
        ("eeur", "eeur"),
        ("apac", "apac"),
        ("oc", "oc"),
        ("us-west", "wnam"),
        ("us", "enam"),
        ("eu", "weur"),
        ("eu-east", "eeur"),
        ("australia", "oc"),
    ] {
        assert_eq!(delete(&node).json()["status"], "deleted");
        let body = format!(r#"{{"write_region":"{name}"}}"#);
        assert_provisioned(&provision(&node, &body), false, region);
        assert_provisioned(&provision(&node, &body), true, region);
        assert_provisioned(&provision(&node, r#"{"write_region":"apac"}"#), true, region);
    }
    delete(&node);
    assert_eq!(delete(&node).json()["status"], "not_found");
    for wrong in [
        r#"{"write_region":"moon"}"#,
        r#"{"write_region":7}"#,
        r#"{"write_region":"US"}"#,
        "[",
        "[]",
    ] {
        let answer = provision(&node, wrong);
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
        assert_eq!(answer.json()["error"]["status"], "INVALID_ARGUMENT");
    }
    assert_eq!(publish(&node, "a", "x").status, 403, "what was refused changed nothing");
    let url = node.url("/api/resources/realtime");
    assert_provisioned(&curl(&["-X", "POST", &url, "-H", MANAGER]), false, "apac");
    node.stop();
}

#[test]
fn only_the_management_key_in_its_place_manages() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let url = node.url("/api/resources/realtime");
    let session = curl(&["-X", "POST", &node.keyed("/edge/session")]).json();
    let session = session["token"].as_str().unwrap();
    for method in ["POST", "DELETE"] {
        for key in [
            "coh_man_33333333333333333333",
            "coh_man_1111111111111111111",
            "coh_app_11111111111111111111",
            session,
            "x",
        ] {
            let answer = curl(&["-X", method, &url, "-H", &format!("Authorization: Bearer {key}")]);
            assert_eq!(answer.status, 401, "{method} {key}: {}", answer.body);
            assert_eq!(answer.json()["error"]["status"], "UNAUTHENTICATED");
        }
        for key in ["coh_man_11111111111111111111", "coh_app_11111111111111111111"] {
            let answer = curl(&["-X", method, &format!("{url}?key={key}")]);
            assert_eq!(answer.status, 401, "{method} ?key={key}: {}", answer.body);
        }
        assert_eq!(curl(&["-X", method, &url]).status, 401);
    }
    assert_eq!(publish(&node, "a", "x").status, 200, "nobody deleted anything");
    node.stop();
}

#[test]
fn what_is_deleted_is_gone_at_once_and_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let channels = ["a", "b", "c", "d", "e", "f"];
    let client = token(&node, "ada");
    let session = curl(&["-X", "POST", &node.keyed("/edge/session")]).json();
    let bearer = format!("Authorization: Bearer {}", session["token"].as_str().unwrap());
    let mut last = 0;
    for channel in channels {
        publish(&node, channel, "old");
        last = publish(&node, channel, "old").json()["id"].as_u64().unwrap();
    }
    let mut sockets: Vec<Raw> = channels.iter().map(|it| open(&node, it, &client)).collect();
    for socket in &mut sockets {
        socket.read_until("\"presence\":");
    }
    // One connection that has made a call before, and is known.
    let mut known = Raw::open(&node);
    let read = format!(
        "GET /edge/realtime/history?channel=a&key={} HTTP/1.1\r\nHost: a\r\n\r\n",
        node.key()
    );
    known.send(&read);
    known.read_until("\"messages\":");
    assert_eq!(
        delete(&node).json(),
        json!({"success": true, "resource": "realtime", "status": "deleted"})
    );
    // The answer is not older than what it says: everything is refused, and nothing comes any more.
    assert_not_served(&node, &client);
    known.send(&read);
    known.read_until("HTTP/1.1 403 ");
    let answer = curl(&[
        &node.url("/edge/realtime"),
        "-H",
        &bearer,
        "--json",
        r#"{"channel":"a","data":1}"#,
    ]);
    assert_eq!(answer.status, 403, "{}", answer.body);
    for mut socket in sockets {
        assert!(socket.try_read_until("resource deleted").is_some(), "a socket was not told");
    }
    let other = node.url("/edge/realtime?key=coh_app_22222222222222222222");
    assert_eq!(
        post(&other, r#"{"channel":"a","data":1}"#).status,
        200,
        "another tenant has its own"
    );
    node.kill();
    let node = start(folder.path());
    assert_not_served(&node, &client);
    begins_anew(&node, &channels, (&client, last));
    node.kill();
    let node = start(folder.path());
    assert_provisioned(&provision(&node, "{}"), true, "oc");
    assert_eq!(history(&node, "a").json()["messages"].as_array().unwrap().len(), 1);
    node.stop();
}

/// Who asks again is served again, with channels that are empty and ids that are new.
fn begins_anew(node: &Node, channels: &[&str], (client, last): (&str, u64)) {
    assert_provisioned(&provision(node, r#"{"write_region":"oc"}"#), false, "oc");
    for channel in channels {
        assert_eq!(history(node, channel).json(), json!({"messages": []}), "{channel}");
        let id = publish(node, channel, "new").json()["id"].as_u64().unwrap();
        assert!(id > last, "{channel}: {id} was used before {last}");
    }
    let query = r#"{"query":"SELECT data FROM realtime_messages"}"#;
    let rows = post(&node.keyed("/edge/database"), query).json()["rows"].clone();
    assert_eq!(rows, json!(vec![json!({"data": "\"new\""}); channels.len()]));
    // A token from before opens sockets again: it is the tenant's, and has not expired.
    open(node, "a", client).read_until("\"action\":\"subscribed\"");
}

#[test]
fn nothing_that_was_on_its_way_outlives_the_resource() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    for round in 0..10 {
        let mut publishers = Vec::new();
        for number in 0..6 {
            let mut raw = Raw::open(&node);
            let body = format!(r#"{{"channel":"r{round}-{number}","data":"old"}}"#);
            let publish = request("POST", &format!("/edge/realtime?key={}", node.key()), &body);
            let text = publish.repeat(16);
            publishers.push(thread::spawn(move || while publishes(&mut raw, &text) {}));
        }
        pause(Duration::from_millis(20));
        delete(&node);
        publishers.into_iter().for_each(|it| it.join().unwrap());
        assert_provisioned(&provision(&node, "{}"), false, "apac");
        let query = r#"{"query":"SELECT * FROM realtime_messages"}"#;
        let left = post(&node.keyed("/edge/database"), query);
        assert_eq!(left.json(), json!({"rows": []}), "round {round}");
    }
    node.stop();
}

/// Sends sixteen requests; whether all of them were served.
fn publishes(raw: &mut Raw, text: &str) -> bool {
    raw.send(text);
    let heads: Vec<_> = (0..16).map(|_| raw.read_until("\r\n\r\n")).collect();
    heads.iter().all(|it| it.contains(" 200 OK"))
}

/// Every call of the edge says that the resource is not there.
fn assert_not_served(node: &Node, client: &str) {
    let keyed = |path: &str| node.keyed(path);
    let query = r#"{"query":"SELECT 1"}"#;
    for answer in [
        curl(&["-X", "POST", &keyed("/edge/session")]),
        post(&keyed("/edge/realtime/token"), r#"{"user_id":"a"}"#),
        publish(node, "a", "late"),
        history(node, "a"),
        post(&keyed("/edge/database"), query),
        curl(&[&keyed("/edge/realtimekit/presets")]),
    ] {
        assert_eq!(answer.status, 403, "{}", answer.body);
        let error = &answer.json()["error"];
        assert_eq!((&error["code"], &error["status"]), (&json!(403), &json!("PERMISSION_DENIED")));
        assert_eq!(error["message"], "Service not provisioned");
    }
    open(node, "a", client).read_until("HTTP/1.1 403 ");
}
