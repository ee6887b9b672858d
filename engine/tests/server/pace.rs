//! How fast one connection may go: each has buckets of its own, and is told in its dialect when they are empty.

use std::time::Duration;

use serde_json::{Value, json};

use super::node::{Node, pause};
use super::raw::{Raw, open, request};
use super::tools::{curl, token};

/// The answers to so many requests: status, head and body of each.
fn answers(raw: &mut Raw, count: usize) -> Vec<(u16, String, Value)> {
    let mut all = Vec::new();
    for _ in 0..count {
        let head = raw.read_until("\r\n\r\n");
        let length = head.split("Content-Length: ").nth(1).unwrap();
        let length = length.split('\r').next().unwrap().parse().unwrap();
        let body = raw.read_exactly(length);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        all.push((status, head, serde_json::from_str(&body).unwrap()));
    }
    all
}

/// Those that were admitted come first, `burst` of them and at most `drip` more.
fn assert_cut(
    answers: &[(u16, String, Value)],
    burst: usize,
    drip: usize,
) -> &(u16, String, Value) {
    let admitted = answers.iter().filter(|it| it.0 == 200).count();
    assert!((burst..=burst + drip).contains(&admitted), "{admitted} of {}", answers.len());
    assert!(answers[..burst].iter().all(|it| it.0 == 200));
    let refused = answers.iter().find(|it| it.0 != 200).unwrap();
    assert_eq!(refused.0, 429, "{}", refused.2);
    assert!(refused.1.contains("Retry-After: 1\r\n"), "{}", refused.1);
    refused
}

#[test]
fn a_connection_that_asks_too_fast_waits_and_others_do_not() {
    let limits =
        ["--limits-connection-requests-per-s", "5", "--limits-connection-requests-burst", "12"];
    let node = Node::with(&[&["--ephemeral", "--shards", "2"][..], &limits].concat());
    let read = format!("/edge/realtime/history?channel=a&key={}", node.key());
    let read = request("GET", &read, "");
    let mut raw = Raw::open(&node);
    raw.send(read.repeat(16));
    let all = answers(&mut raw, 16);
    let (_, _, body) = assert_cut(&all, 12, 2);
    assert_eq!(body["window_kind"], "second");
    assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
    let message = "Rate limit reached: connection_requests_per_s. Retry in 1 s";
    assert_eq!(body["error"]["message"], message);
    let mut other = Raw::open(&node);
    other.send(read.repeat(12));
    assert!(answers(&mut other, 12).iter().all(|it| it.0 == 200), "another connection");
    pause(Duration::from_millis(1_050));
    raw.send(&read);
    assert_eq!(answers(&mut raw, 1)[0].0, 200, "Retry-After says when");
    // Infrai's requests are the same requests, refused in its own shape.
    let list = format!(
        "GET /v1/realtime/channels HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
        node.ready()["tenants"][0]["project_key"].as_str().unwrap()
    );
    let mut infrai = Raw::open(&node);
    infrai.send(list.repeat(16));
    let all = answers(&mut infrai, 16);
    let (_, _, body) = assert_cut(&all, 12, 2);
    let error = &body["error"];
    assert_eq!((&error["code"], &error["retryable"]), (&json!("RATE_LIMITED"), &json!(true)));
    let details = json!({"window_kind": "second", "retry_after_seconds": 1});
    assert_eq!(error["details"], details);
    node.stop();
}

#[test]
fn a_connection_that_publishes_too_fast_or_too_much_is_refused_and_nothing_of_it_is_kept() {
    let limits =
        ["--limits-connection-publishes-per-s", "4", "--limits-connection-bytes-per-s", "900"];
    let node = Node::with(&[&["--ephemeral", "--shards", "2"][..], &limits].concat());
    let publish = |channel: &str, data: &str| {
        let body = format!(r#"{{"channel":"{channel}","data":"{data}"}}"#);
        request("POST", &format!("/edge/realtime?key={}", node.key()), &body)
    };
    let kept = |channel: &str| {
        let answer = curl(&[&node.keyed(&format!("/edge/realtime/history?channel={channel}"))]);
        answer.json()["messages"].as_array().unwrap().len()
    };
    let mut raw = Raw::open(&node);
    raw.send(publish("a", "x").repeat(10));
    let all = answers(&mut raw, 10);
    let (_, _, body) = assert_cut(&all, 4, 2);
    assert!(body["error"]["message"].as_str().unwrap().contains("connection_publishes_per_s"));
    assert_eq!(kept("a"), all.iter().filter(|it| it.0 == 200).count());
    let mut raw = Raw::open(&node);
    raw.send(publish("b", &"x".repeat(400)).repeat(3));
    let all = answers(&mut raw, 3);
    let (_, _, body) = assert_cut(&all, 2, 0);
    assert!(body["error"]["message"].as_str().unwrap().contains("connection_bytes_per_s"));
    assert_eq!(kept("b"), 2);
    // A batch is taken whole or not at all.
    let message = json!({"channel": "c", "event": "e", "data": 1});
    let batch = json!({"messages": vec![message; 5]}).to_string();
    let mut raw = Raw::open(&node);
    let key = node.ready()["tenants"][0]["project_key"].as_str().unwrap();
    let head = format!(
        "POST /v1/realtime/publish/batch HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
    );
    let one = format!("{head}Content-Length: {}\r\n\r\n{batch}", batch.len());
    raw.send(one.repeat(2));
    let all = answers(&mut raw, 2);
    assert_eq!((all[0].0, all[1].0), (200, 429), "more than a burst waits until it is paid");
    assert_eq!(kept("c"), 5);
    node.stop();
}

/// A masked text frame.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

fn socket(node: &Node, path: &str) -> Raw {
    let mut raw = Raw::open(node);
    raw.send(format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ));
    raw.read_until("\r\n\r\n");
    raw
}

#[test]
fn a_socket_that_goes_too_fast_is_told_in_frames_and_stays() {
    let limits =
        ["--limits-connection-requests-per-s", "6", "--limits-connection-publishes-per-s", "3"];
    let node = Node::with(&[&["--ephemeral", "--shards", "2"][..], &limits].concat());
    let mut raw = socket(&node, &format!("/edge/realtime?channel=a&token={}", token(&node, "ada")));
    raw.read_until("\"presence\":[{\"id\":\"ada\"}]}");
    raw.send(frame(r#"{"action":"publish","data":1}"#).repeat(4));
    raw.read_until("{\"error\":\"Rate limit reached: connection_publishes_per_s. Retry in 1 s\"}");
    // The upgrade was a request, too: one more is left.
    raw.send(frame("nonsense").repeat(3));
    raw.read_until("Invalid JSON");
    raw.read_until("connection_requests_per_s");
    pause(Duration::from_millis(1_050));
    raw.send(frame(r#"{"action":"publish","data":"later"}"#));
    raw.read_until("\"action\":\"published\"");
    node.stop();
    infrai_socket();
}

fn infrai_socket() {
    let limits =
        ["--limits-connection-requests-per-s", "6", "--limits-connection-publishes-per-s", "2"];
    let node = Node::with(&[&["--ephemeral", "--shards", "2"][..], &limits].concat());
    let key = node.ready()["tenants"][0]["project_key"].as_str().unwrap();
    let bearer = format!("Authorization: Bearer {key}");
    let body = r#"{"client_id":"ada","capabilities":["subscribe","publish"]}"#;
    let issued = curl(&[&node.url("/v1/realtime/token/issue"), "-H", &bearer, "--json", body]);
    let issued = issued.json()["data"]["token"].as_str().unwrap().to_owned();
    let mut raw = socket(&node, &format!("/v1/realtime/ws?token={issued}"));
    let publish = |id: u32| {
        frame(&format!(r#"{{"id":{id},"type":"publish","channel":"a","event":"e","data":{id}}}"#))
    };
    (1..=3).for_each(|id| raw.send(publish(id)));
    let told = raw.read_until("connection_publishes_per_s");
    assert!(told.contains("\"type\":\"error\",\"id\":3,\"channel\":\"a\""), "{told}");
    assert!(told.contains("RATE_LIMITED"), "{told}");
    for id in 4..=6 {
        raw.send(frame(&format!(r#"{{"id":{id},"type":"ping"}}"#)));
    }
    let told = raw.read_until("connection_requests_per_s");
    assert!(told.contains("\"type\":\"error\",\"id\":6"), "{told}");
    pause(Duration::from_millis(1_050));
    raw.send(publish(7));
    raw.read_until("\"channel\":\"a\",\"id\":7}");
    node.stop();
}

/// To say who one is, to leave and to ask for a pong are frames as others.
#[test]
fn every_frame_of_insforge_counts() {
    let limits =
        ["--limits-connection-requests-per-s", "1", "--limits-connection-requests-burst", "4"];
    let node = Node::with(&[&["--ephemeral", "--shards", "2"][..], &limits].concat());
    let key = node.ready()["tenants"][0]["anon_key"].clone();
    let limited = "Rate limit reached: connection_requests_per_s";
    let check = |raw: &mut Raw, said: &str, done: &str, most: usize| {
        raw.send(frame(said).repeat(9));
        let heard: Vec<_> = (0..9).map(|_| raw.read_frame()).collect();
        let count = heard.iter().filter(|it| it.contains(done)).count();
        assert!((1..=most).contains(&count), "{heard:?}");
        assert_eq!(heard.iter().filter(|it| it.contains(limited)).count(), 9 - count, "{heard:?}");
    };
    // The handshake is one as well, and a slow host admits a few more meanwhile.
    let mut plain = open(&node, "/realtime");
    plain.send(frame(&json!({"type": "auth", "token": key}).to_string()));
    assert!(plain.read_frame().contains("auth_success"));
    check(&mut plain, r#"{"type":"ping"}"#, "\"pong\"", 5);
    let mut stranger = open(&node, "/realtime");
    check(&mut stranger, r#"{"type":"auth","token":"x"}"#, "Invalid token", 6);
    let mut socket = open(&node, "/socket.io/?EIO=4&transport=websocket");
    assert!(socket.read_frame().starts_with('0'));
    check(&mut socket, "40{}", "No authentication provided", 6);
    node.stop();
}
