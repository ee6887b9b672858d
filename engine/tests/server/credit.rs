//! What calls of Infrai cost: every answer says it, a tenant's credit bounds it to the last millionth, and neither a failed call nor
//! a retry is paid for.

use std::fs;
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use super::node::Node;
use super::raw::Raw;
use super::tools::{Answer, curl};

const KEY: &str = "ifr_pk_proj_1111111111111111";
const COSTS: &str = "[costs]\ntoken_issue = 100\npublish = 10\nchannel_create = 50\n";

/// A node whose one tenant has so much credit.
fn start(folder: &Path, credit: Option<u64>) -> Node {
    start_with(folder, credit, "shards = 2\n")
}

/// The same on a server of these settings.
fn start_with(folder: &Path, credit: Option<u64>, settings: &str) -> Node {
    let credit = credit.map(|it| format!("credit_micro_usd = {it}\n")).unwrap_or_default();
    let text = format!(
        "[server]\n{settings}{COSTS}[[tenant]]\nname = \"demo\"\n{credit}[tenant.infrai]\nproject_key = \"{KEY}\"\n\
         [tenant.cohesivity]\napplication_key = \"coh_app_11111111111111111111\"\n\
         management_key = \"coh_man_11111111111111111111\"\n"
    );
    fs::write(folder.join("stentor.toml"), text).unwrap();
    Node::start(folder, &["--config", "stentor.toml"])
}

fn call(node: &Node, path: &str, body: &Value) -> Answer {
    let url = node.url(&format!("/v1/realtime/{path}"));
    curl(&[&url, "-H", &format!("Authorization: Bearer {KEY}"), "--json", &body.to_string()])
}

/// What an answer says that it cost, in millionths.
fn cost(answer: &Answer) -> u64 {
    let usd = answer.json()["metadata"]["cost_usd"].as_f64().unwrap();
    // A few millionths are exact enough in a double.
    (usd * 1e6).round().to_string().parse().unwrap()
}

fn message(key: Option<&str>) -> Value {
    let mut message = json!({"channel": "a", "event": "e", "data": 1});
    if let Some(key) = key {
        message["idempotency_key"] = json!(key);
    }
    message
}

fn batch(count: usize, key: &str) -> Value {
    json!({"messages": vec![message(None); count], "idempotency_key": key})
}

/// How many messages there are.
fn kept(node: &Node) -> u64 {
    let query = r#"{"query":"SELECT count(*) AS n FROM realtime_messages"}"#;
    let rows = curl(&[&node.keyed("/edge/database"), "--json", query]).json();
    rows["rows"][0]["n"].as_u64().unwrap()
}

#[test]
fn what_calls_cost_is_told_before_they_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), None);
    let listed = curl(&[&node.url("/v1/discovery")]).json();
    let listed = listed["data"]["capabilities"].as_array().unwrap();
    let billing = |id: &str| listed.iter().find(|it| it["id"] == id).unwrap()["billing"].clone();
    assert_eq!(billing("realtime.publish"), json!({"unit": "call", "cost_usd": 0.000_01}));
    assert_eq!(billing("realtime.publish.batch"), json!({"unit": "message", "cost_usd": 0.000_01}));
    assert_eq!(billing("realtime.token.issue"), json!({"unit": "call", "cost_usd": 0.000_1}));
    let described = curl(&[&node.url("/v1/discovery/realtime.channel.create")]).json();
    assert_eq!(described["data"]["billing"]["cost_usd"], json!(0.000_05));
}

fn assert_broke(answer: &Answer) {
    assert_eq!(answer.status, 402, "{}", answer.body);
    let error = &answer.json()["error"];
    assert_eq!(
        (&error["code"], &error["retryable"]),
        (&json!("INSUFFICIENT_CREDIT"), &json!(false))
    );
    assert!(error["hint"].as_str().unwrap().contains("raise credit_micro_usd"), "{error}");
    assert_eq!(cost(answer), 0);
}

#[test]
fn every_answer_says_what_its_call_cost() {
    let folder = tempfile::tempdir().unwrap();
    for credit in [None, Some(1_000_000)] {
        let node = start(folder.path(), credit);
        let token = |body: Value| call(&node, "token/issue", &body);
        assert_eq!(cost(&token(json!({"client_id": "a"}))), 100);
        assert_eq!(cost(&token(json!({"client_id": 7}))), 0, "what is refused");
        let key = format!("k-{credit:?}");
        let issued = token(json!({"client_id": "a", "idempotency_key": key}));
        let again = token(json!({"client_id": "a", "idempotency_key": key}));
        assert_eq!((cost(&issued), cost(&again)), (100, 0), "a retry is not paid for");
        assert_eq!(issued.json()["data"], again.json()["data"]);
        for keyed in [None, Some(key.as_str())] {
            let answer = call(&node, "publish", &message(keyed));
            assert_eq!((answer.status, cost(&answer)), (200, 10), "{}", answer.body);
        }
        assert_eq!(cost(&call(&node, "publish", &message(None))), 10, "to a channel that is known");
        assert_eq!(cost(&call(&node, "publish", &message(Some(&key)))), 0);
        assert_eq!(cost(&call(&node, "publish/batch", &batch(7, &key))), 70);
        assert_eq!(cost(&call(&node, "publish/batch", &batch(7, &key))), 0);
        assert_eq!(cost(&call(&node, "channel/create", &json!({"name": "b"}))), 50);
        let conflict = call(&node, "channel/create", &json!({"name": "b", "type": "private"}));
        assert_eq!((conflict.status, cost(&conflict)), (409, 0), "what failed costs nothing");
        let bearer = format!("Authorization: Bearer {KEY}");
        assert_eq!(cost(&curl(&[&node.url("/v1/realtime/channel/list"), "-H", &bearer])), 0);
        node.stop();
    }
}

/// Eight connections at once send each so many requests. Returns the statuses and costs of all.
fn storm(node: &Node, path: &str, body: &str, each: usize) -> Vec<(String, String)> {
    let request = format!(
        "POST /v1/realtime/{path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let raws: Vec<Raw> = (0..8).map(|_| Raw::open(node)).collect();
    thread::scope(|scope| {
        let mut clients = Vec::new();
        for mut raw in raws {
            let text = request.repeat(each);
            clients.push(scope.spawn(move || {
                raw.send(text);
                raw.finish();
                raw.read_to_end()
            }));
        }
        let all: Vec<String> = clients.into_iter().map(|it| it.join().unwrap()).collect();
        let answers = all.iter().flat_map(|it| it.split("HTTP/1.1 ").skip(1));
        let answers = answers.map(|it| {
            let cost = it.split("\"cost_usd\":").nth(1).unwrap().split(',').next().unwrap();
            (it[..3].to_owned(), cost.to_owned())
        });
        answers.collect()
    })
}

#[test]
fn credit_lasts_for_exactly_what_it_pays_for_also_across_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), Some(1_005));
    let body = message(None).to_string();
    let answers = storm(&node, "publish", &body, 10);
    assert_eq!(answers.iter().filter(|it| *it == &("200".into(), "0.00001".into())).count(), 80);
    node.kill();
    let node = start(folder.path(), Some(1_005));
    let answers = storm(&node, "publish", &body, 5);
    let paid = answers.iter().filter(|it| *it == &("200".into(), "0.00001".into())).count();
    let broke = answers.iter().filter(|it| *it == &("402".into(), "0".into())).count();
    assert_eq!((paid, broke), (20, 20), "{answers:?}");
    assert_eq!(kept(&node), 100, "what was not paid for is not there");
    assert_broke(&call(&node, "publish", &message(None)));
    assert_broke(&call(&node, "publish", &message(Some("later"))));
    assert_broke(&call(&node, "publish/batch", &batch(2, "later")));
    assert_broke(&call(&node, "token/issue", &json!({"client_id": "a"})));
    let revoke =
        call(&node, "token/revoke", &json!({"jti": "01900000-0000-7000-8000-000000000000"}));
    assert_eq!(revoke.status, 200, "what costs nothing goes on: {}", revoke.body);
    node.kill();
    // Whoever raises it goes on from what was used; a key that was refused is free.
    let node = start(folder.path(), Some(1_025));
    assert_eq!(cost(&call(&node, "publish/batch", &batch(2, "later"))), 20);
    assert_broke(&call(&node, "publish", &message(None)));
    assert_eq!(cost(&call(&node, "publish/batch", &batch(2, "later"))), 0, "a retry of it");
    node.stop();
}

/// A masked text frame.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

/// A client that may listen and publish.
fn connect(node: &Node) -> Raw {
    let asked = json!({"client_id": "ada", "capabilities": ["subscribe", "publish"]});
    let token = call(node, "token/issue", &asked).json()["data"]["token"].clone();
    let mut raw = Raw::open(node);
    raw.send(format!(
        "GET /v1/realtime/ws?token={} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        token.as_str().unwrap()
    ));
    raw.read_until("\"connected\"");
    raw
}

#[test]
fn a_client_without_credit_is_told_in_a_frame_and_listens_on() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), Some(120));
    let mut raw = connect(&node);
    raw.send(frame(r#"{"id":0,"type":"subscribe","channel":"a"}"#));
    raw.read_until("\"type\":\"subscribed\"");
    for id in 1..=3 {
        raw.send(frame(&format!(
            r#"{{"id":{id},"type":"publish","channel":"a","event":"e","data":{id}}}"#
        )));
    }
    // A refusal needs no disk: it may come first.
    let mut told = raw.read_until("INSUFFICIENT_CREDIT");
    assert!(told.contains("\"id\":3"), "{told}");
    while told.matches("\"type\":\"published\"").count() < 2 {
        told.push_str(&raw.read_until("\"type\":\"published\""));
    }
    // Cohesivity's calls cost nothing, and its messages still come.
    let body = r#"{"channel":"a","data":"free"}"#;
    assert_eq!(curl(&[&node.keyed("/edge/realtime"), "--json", body]).status, 200);
    raw.read_until("\"free\"");
    node.stop();
}

#[test]
fn a_frame_that_publishes_nothing_is_not_paid_for() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "shards = 1\n[limits]\nchannels_max = 1\n";
    // A token, and one message.
    let node = start_with(folder.path(), Some(110), settings);
    let mut raw = connect(&node);
    raw.send(frame(r#"{"id":0,"type":"subscribe","channel":"a"}"#));
    raw.read_until("\"type\":\"subscribed\"");
    for id in 1..=3 {
        raw.send(frame(r#"{"type":"publish","channel":"b","event":"e","data":1}"#));
        let refused = raw.read_until("channels_max");
        assert!(!refused.contains("INSUFFICIENT_CREDIT"), "{id}: {refused}");
    }
    raw.send(frame(r#"{"id":4,"type":"publish","channel":"a","event":"e","data":4}"#));
    raw.read_until("\"type\":\"published\"");
    raw.send(frame(r#"{"id":5,"type":"publish","channel":"a","event":"e","data":5}"#));
    raw.read_until("INSUFFICIENT_CREDIT");
    node.stop();
}
