//! The life of the first tenant: channels, patterns, policies, messages, keys, tokens, clients of every dialect.

use serde_json::{Value, json};

use super::super::node::Node;
use super::super::raw::{Raw, frame, open};
use super::super::server::data;
use super::keys::{Door, ONE, bare, full};

/// What the first tenant knows, and nobody else.
#[derive(Default)]
pub(super) struct Known {
    pub(super) token: String,
    pub(super) jti: String,
    pub(super) cursor: String,
    /// Of its pattern.
    pub(super) pattern_id: String,
    /// The message that it published with a key.
    message_id: String,
    /// Everything that the node made for it.
    pub(super) made: Vec<String>,
    members: usize,
}

/// Words that only the first tenant says.
pub(super) const WORDS: [&str; 6] = [
    "canary-data",
    "canary-later",
    "canary-user-of-one",
    "canary-description",
    "canary-using",
    "canary-hook",
];

/// Begins its life. Returns its sockets, which stay.
pub(super) fn live(node: &Node) -> (Known, [Raw; 4]) {
    let server = ONE.project(node);
    let made = server.post("/v1/realtime/channels", &json!({"name": "canary", "type": "private"}));
    server.post("/v1/realtime/channels", &json!({"name": "canary-two"}));
    let cursor = server.get("/v1/realtime/channel/list?limit=1")["next_cursor"].clone();
    let all = json!(["subscribe", "publish", "presence", "history"]);
    let issued = json!({"client_id": "canary-client", "channels": ["canary"], "capabilities": all});
    let issued = server.post("/v1/realtime/token", &issued);
    let sign = json!({"channels": ["private-canary"], "socket_id": "1.2", "vendor": "pusher",
                      "client_id": "canary-client"});
    let signed = server.post("/v1/realtime/auth/sign", &sign);
    let mut known = Known {
        token: text(&issued["token"]),
        jti: text(&issued["jti"]),
        cursor: text(&cursor),
        pattern_id: make_rules(node),
        message_id: publish_keyed(node),
        ..Known::default()
    };
    let others = [text(&made["channel_id"]), text(&signed["token"])];
    let own = [&known.jti, &known.token, &known.pattern_id, &known.message_id].map(String::clone);
    known.made = own.into_iter().chain(others).collect();
    let sockets =
        [open_infrai(node, &known), open_edge(node), open_plain(node), open_socketio(node)];
    known.members = members(node);
    (known, sockets)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Patterns, policies and a retention of InsForge. Gives the id of the pattern.
fn make_rules(node: &Node) -> String {
    let call = |method, path: &str, body: Value| {
        let path = format!("/api/realtime{path}");
        let answer = ONE.call(node, &full(Door::Insforge, method, &path, &body));
        assert!((200..300).contains(&answer.status), "{}", answer.body);
        answer.json()
    };
    let pattern = json!({"pattern": "canary", "description": "canary-description"});
    let made = call("POST", "/channels", pattern);
    let hook = json!({"pattern": "canary-hook:%", "webhookUrls": ["https://canary-hook.example/"]});
    call("POST", "/channels", hook);
    let policy = json!({"policyName": "canary-policy", "using": "channel != \"canary-using\""});
    let policies = json!({"subscribe": {"policies": [policy]}, "publish": {"policies": []}});
    call("PUT", "/permissions", policies);
    call("PATCH", "/config", json!({"retentionDays": 4711}));
    text(&made["id"])
}

/// The message that it published with a key: the same however often it asks.
fn publish_keyed(node: &Node) -> String {
    let body = json!({"channel": "canary", "event": "canary-event", "data": "canary-data"});
    let more = ["-H", "Idempotency-Key: canary-key", "--json", &body.to_string()];
    let answer = ONE.project(node).call("POST", "/v1/realtime/publish", &more);
    text(&data(&answer)["message_id"])
}

/// Says something on its channel.
pub(super) fn publish(node: &Node, word: &str) {
    let message = json!({"channel": "canary", "event": "e", "data": word});
    ONE.project(node).post("/v1/realtime/publish", &message);
}

fn open_infrai(node: &Node, known: &Known) -> Raw {
    let mut raw = open(node, &format!("/v1/realtime/ws?token={}", known.token));
    raw.send(frame(r#"{"type":"subscribe","channel":"canary"}"#));
    raw.read_until("\"subscribed\"");
    raw
}

fn open_edge(node: &Node) -> Raw {
    let token = ONE.edge_token(node, "canary-user");
    let mut raw = open(node, &format!("/edge/realtime?channel=canary&token={token}"));
    raw.read_until("\"subscribed\"");
    raw
}

fn open_plain(node: &Node) -> Raw {
    let mut raw = open(node, "/realtime");
    raw.send(frame(&json!({"type": "auth", "token": ONE.anon_key()}).to_string()));
    raw.send(frame(r#"{"type":"subscribe","channel":"canary"}"#));
    raw.read_until("\"subscribed\"");
    raw
}

fn open_socketio(node: &Node) -> Raw {
    let mut raw = open(node, "/socket.io/?EIO=4&transport=websocket");
    raw.send(frame(&format!("40{}", json!({"token": ONE.anon_key()}))));
    raw.read_until("40{");
    raw.send(frame(r#"420["realtime:subscribe",{"channel":"canary"}]"#));
    raw.read_until("\"ok\":true");
    raw
}

fn members(node: &Node) -> usize {
    let there = ONE.project(node).get("/v1/realtime/presence/get/canary");
    there["members"].as_array().unwrap().len()
}

/// It has what it had, and its clients heard nothing but what it said.
pub(super) fn check_unchanged(node: &Node, known: &Known, sockets: &mut [Raw]) {
    assert_eq!(publish_keyed(node), known.message_id);
    let server = ONE.project(node);
    assert_eq!(server.get("/v1/realtime/channel/get/canary")["type"], "private");
    assert_eq!(server.get("/v1/realtime/channel/get/canary-two")["type"], "public");
    assert!(known.members >= 3, "{}", known.members);
    assert_eq!(members(node), known.members);
    let history = ONE.call(node, &bare(Door::Edge, "GET", "/edge/realtime/history?channel=canary"));
    let history = history.json();
    let kept: Vec<_> =
        history["messages"].as_array().unwrap().iter().map(|it| it["data"].clone()).collect();
    assert_eq!(kept, ["canary-data", "canary-later"]);
    check_rules(node, known);
    publish(node, "canary-last");
    for socket in sockets {
        socket.read_until("canary-later");
        let heard = socket.read_until("canary-last");
        // What is left of one frame, and the next up to the word.
        let between = heard.matches("\"e\"").count();
        assert!(heard.len() < 500 && !heard.contains("two") && between <= 2, "{heard}");
    }
    let mut again = open(node, &format!("/v1/realtime/ws?token={}", known.token));
    assert!(again.read_frame().contains("canary-client"), "its token still opens");
}

fn check_rules(node: &Node, known: &Known) {
    let get = |path: &str| {
        ONE.call(node, &bare(Door::Insforge, "GET", &format!("/api/realtime{path}"))).json()
    };
    let pattern = get(&format!("/channels/{}", known.pattern_id));
    assert_eq!(
        (&pattern["description"], &pattern["enabled"]),
        (&json!("canary-description"), &json!(true))
    );
    assert_eq!(get("/channels").as_array().unwrap().len(), 2);
    assert_eq!(get("/config")["retentionDays"], 4711);
    let policies = get("/permissions")["subscribe"]["policies"].clone();
    assert_eq!(policies[0]["using"], "channel != \"canary-using\"", "{policies}");
    assert_eq!(get("/messages").as_array().unwrap().len(), 2);
}
