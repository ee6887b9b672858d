//! A node whose one tenant speaks InsForge: the calls of its administrators, and clients on both of its wires.

use std::path::Path;

use serde_json::{Value, json};

use super::node::Node;
use super::raw::{Raw, frame, open, request};
use super::tools::{Answer, curl};

pub(crate) const API: &str = "ik_1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const ANON: &str =
    "anon_2222222222222222222222222222222222222222222222222222222222222222";
pub(crate) const SECRET: &str = "a-secret-that-signs-the-tokens-of-its-users";
pub(crate) const CHANNELS: &str = "/api/realtime/channels";
pub(crate) const PERMISSIONS: &str = "/api/realtime/permissions";

/// Rows by which the tenant speaks Cohesivity too.
pub(crate) const COHESIVITY: &str = "[tenant.cohesivity]
application_key = \"coh_app_11111111111111111111\"
management_key = \"coh_man_11111111111111111111\"
";

/// The table of a tenant by which it speaks InsForge.
pub(crate) fn keys() -> String {
    format!(
        "[tenant.insforge]\napi_key = \"{API}\"\nanon_key = \"{ANON}\"\njwt_secret = \"{SECRET}\"\n"
    )
}

/// A node of so many shards.
pub(crate) fn start(folder: &Path, shards: u16) -> Node {
    start_with(folder, shards, "")
}

/// The same with more rows: of the tenant's table for InsForge, and whatever stands behind it.
pub(crate) fn start_with(folder: &Path, shards: u16, more: &str) -> Node {
    let keys = keys();
    let config = format!("[server]\nshards = {shards}\n[[tenant]]\nname = \"one\"\n{keys}{more}");
    std::fs::write(folder.join("stentor.toml"), config).unwrap();
    Node::start(folder, &["--config", "stentor.toml"])
}

pub(crate) fn call(node: &Node, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let (url, bearer) = (node.url(path), format!("Authorization: Bearer {API}"));
    let body = body.map(Value::to_string);
    let mut arguments = vec!["-X", method, &url, "-H", &bearer];
    if let Some(body) = &body {
        arguments.extend(["--json", body]);
    }
    curl(&arguments)
}

/// What must be answered with this status.
pub(crate) fn ok(
    node: &Node,
    method: &str,
    path: &str,
    body: Option<&Value>,
    status: u16,
) -> Value {
    let answer = call(node, method, path, body);
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    answer.json()
}

/// Makes a pattern.
pub(crate) fn create(node: &Node, pattern: &str) -> Value {
    ok(node, "POST", CHANNELS, Some(&json!({"pattern": pattern})), 201)
}

/// The bytes of a call.
pub(crate) fn asked(method: &str, path: &str, body: &str) -> String {
    request(method, path, body).replacen("\r\n", &format!("\r\nX-API-Key: {API}\r\n"), 1)
}

/// A client of the documents' wire that is in.
pub(crate) fn plain(node: &Node, token: &str) -> Raw {
    let mut raw = open(node, "/realtime");
    raw.send(frame(&json!({"type": "auth", "token": token}).to_string()));
    let answer = raw.read_frame();
    assert!(answer.starts_with("{\"type\":\"auth_success\""), "{answer}");
    raw
}

/// Says something on the documents' wire, and reads on to the end of this answer.
pub(crate) fn say(raw: &mut Raw, what: &Value, answer: &str) {
    raw.send(frame(&what.to_string()));
    while !raw.read_frame().contains(answer) {}
}

/// A WebSocket of Socket.IO on which nobody has said who they are.
pub(crate) fn stranger(node: &Node) -> Raw {
    let mut raw = open(node, "/socket.io/?EIO=4&transport=websocket");
    let first = raw.read_frame();
    assert!(first.starts_with("0{\"sid\":"), "{first}");
    raw
}

/// Asks to be let in; gives the answer.
pub(crate) fn introduce(raw: &mut Raw, auth: &Value) -> String {
    raw.send(frame(&format!("40{auth}")));
    raw.read_frame()
}

/// A client of Socket.IO that is in.
pub(crate) fn socket(node: &Node, token: &str) -> Raw {
    let mut raw = stranger(node);
    let answer = introduce(&mut raw, &json!({"token": token}));
    assert!(answer.starts_with("40{\"sid\":"), "{answer}");
    raw
}

/// Asks a client of Socket.IO into a channel; gives the answer.
pub(crate) fn subscribe(raw: &mut Raw, channel: &str) -> Value {
    raw.send(frame(&format!("427[\"realtime:subscribe\",{}]", json!({"channel": channel}))));
    loop {
        if let Some(answer) = raw.read_frame().strip_prefix("437") {
            return serde_json::from_str::<Value>(answer).unwrap()[0].take();
        }
    }
}
