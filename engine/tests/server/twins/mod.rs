//! A tenant makes every call of both dialects that another one makes, with the same names, ids and keys. It is answered exactly
//! as on a node where the other one never did anything.

use std::fs;

use serde_json::{Value, json};

use super::node::Node;
use super::raw::{Raw, frame, open};
use super::server::{Server, data};
use super::tools::{Answer, curl};

const ONE: Keys = Keys { digit: '1' };
const TWO: Keys = Keys { digit: '2' };

/// The keys of a tenant.
#[derive(Clone, Copy)]
struct Keys {
    digit: char,
}

impl Keys {
    fn of(self, prefix: &str) -> String {
        format!("{prefix}{}", self.digit.to_string().repeat(20))
    }

    /// Its part of the configuration. Its signing secret is the same on every node.
    fn config(self, name: &str) -> String {
        let secret = self.digit.to_string().repeat(64);
        format!(
            "[[tenant]]\nname = \"{name}\"\nsigning_secret = \"{secret}\"\n\
             [tenant.cohesivity]\napplication_key = \"{}\"\nmanagement_key = \"{}\"\n\
             [tenant.infrai]\nproject_key = \"{}\"\n\
             [tenant.pusher]\napp_id = \"{name}\"\nkey = \"{name}\"\nsecret = \"{secret}\"\n",
            self.of("coh_app_"),
            self.of("coh_man_"),
            self.of("ifr_pk_proj_"),
        )
    }

    fn project(self, node: &Node) -> Server<'_> {
        Server::with(node, &self.of("ifr_pk_proj_"))
    }

    /// A call of a server that speaks Cohesivity.
    fn edge(self, node: &Node, method: &str, path: &str, body: Option<&str>) -> Answer {
        let join = if path.contains('?') { '&' } else { '?' };
        let url = node.url(&format!("{path}{join}key={}", self.of("coh_app_")));
        let body = body.map_or_else(Vec::new, |it| vec!["--json", it]);
        curl(&[&["-X", method, &url][..], &body].concat())
    }

    fn manage(self, node: &Node, method: &str, body: &str) -> Answer {
        let bearer = format!("Authorization: Bearer {}", self.of("coh_man_"));
        let url = node.url("/api/resources/realtime");
        curl(&["-X", method, &url, "-H", &bearer, "--json", body])
    }
}

/// What the first tenant knows, and nobody else.
#[derive(Default)]
struct Known {
    token: String,
    jti: String,
    cursor: String,
    /// Ids that the node gave it.
    ids: Vec<String>,
}

/// The first tenant has a life: channels, messages, keys, tokens, clients. Returns its sockets, which stay.
fn live(node: &Node) -> (Known, [Raw; 2]) {
    let server = ONE.project(node);
    let made = server.post("/v1/realtime/channels", &json!({"name": "canary", "type": "private"}));
    server.post("/v1/realtime/channels", &json!({"name": "canary-two"}));
    let cursor = server.get("/v1/realtime/channel/list?limit=1")["next_cursor"].clone();
    let all = json!(["subscribe", "publish", "presence", "history"]);
    let issued = json!({"client_id": "canary-client", "channels": ["canary"], "capabilities": all});
    let issued = server.post("/v1/realtime/token", &issued);
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let known = Known {
        token: text(&issued["token"]),
        jti: text(&issued["jti"]),
        cursor: text(&cursor),
        ids: vec![text(&made["channel_id"]), text(&issued["jti"]), publish_keyed(node)],
    };
    let mut infrai = open(node, &format!("/v1/realtime/ws?token={}", known.token));
    infrai.read_frame();
    infrai.send(frame(r#"{"type":"subscribe","channel":"canary"}"#));
    assert!(infrai.read_frame().contains("canary-client"));
    let user = r#"{"user_id":"canary-user","name":"canary-name"}"#;
    let token = ONE.edge(node, "POST", "/edge/realtime/token", Some(user)).json();
    let target =
        format!("/edge/realtime?channel=canary&token={}", token["token"].as_str().unwrap());
    let mut edge = open(node, &target);
    edge.read_frame();
    assert!(edge.read_frame().contains("canary-user"));
    assert!(infrai.read_frame().contains("\"action\":\"join\""));
    (known, [infrai, edge])
}

/// The message that the first tenant published with a key: the same however often it asks.
fn publish_keyed(node: &Node) -> String {
    let body = json!({"channel": "canary", "event": "canary-event", "data": "canary-data"});
    let more = ["-H", "Idempotency-Key: canary-key", "--json", &body.to_string()];
    let answer = ONE.project(node).call("POST", "/v1/realtime/publish", &more);
    data(&answer)["message_id"].as_str().unwrap().to_owned()
}

/// Every call of Infrai that the second tenant makes, with what the first one knows.
fn infrai_calls(known: &Known) -> Vec<(&'static str, String, Option<Value>)> {
    let Known { token, jti, cursor, .. } = known;
    let message = json!({"channel": "canary", "event": "e", "data": 1});
    let get = |path: &str| ("GET", format!("/v1/realtime{path}"), None);
    let delete = |path: &str| ("DELETE", format!("/v1/realtime{path}"), None);
    let post = |path: &str, body: Value| ("POST", format!("/v1/realtime{path}"), Some(body));
    let sign =
        json!({"client_id": "canary-client", "channels": ["private-canary"], "socket_id": "1.2"});
    vec![
        get("/channel/get/canary"),
        get("/channels/canary"),
        get("/channel/list"),
        get("/channels"),
        get(&format!("/channel/list?cursor={cursor}")),
        get("/presence/get/canary"),
        get("/channels/canary/presence"),
        delete("/channel/delete/canary"),
        delete("/channels/canary-two"),
        post("/token/revoke", json!({"token_or_jti": token})),
        post("/token/revoke", json!({"token_or_jti": jti})),
        post("/user/disconnect", json!({"client_id": "canary-client"})),
        post("/user/disconnect", json!({"client_id": "canary-user"})),
        post("/user/disconnect", json!({"client_id": "canary-client", "channel": "canary"})),
        post(
            "/publish",
            json!({"channel": "canary", "event": "e", "data": 1, "idempotency_key": "canary-key"}),
        ),
        post(
            "/publish",
            json!({"channel": "canary", "event": "canary-event", "data": "of the twin"}),
        ),
        post(
            "/publish/batch",
            json!({"messages": [message, message], "idempotency_key": "canary-key"}),
        ),
        get("/channel/get/canary"),
        post("/channel/create", json!({"name": "canary", "type": "public"})),
        post("/channels", json!({"name": "canary", "type": "private"})),
        post("/token/issue", json!({"client_id": "canary-client", "channels": ["canary"]})),
        post("/token", json!({"client_id": "canary-client"})),
        post("/auth/sign", sign),
        get("/event/types"),
        get("/presence/get/canary"),
        get("/channel/list"),
    ]
}

/// The same of Cohesivity; the last ones leave the tenant without its resource.
fn edge_calls(node: &Node) -> Vec<Answer> {
    let query = |text: &str| json!({"query": text}).to_string();
    let all = query("SELECT * FROM realtime_messages ORDER BY channel, id");
    let count = query("SELECT count(*) AS n FROM realtime_messages WHERE channel = 'canary'");
    let message = r#"{"channel":"canary","event":"e","data":"two"}"#;
    let call = |method: &str, path: &str, body: Option<&str>| TWO.edge(node, method, path, body);
    vec![
        call("POST", "/edge/session", None),
        call("POST", "/edge/realtime/token", Some(r#"{"user_id":"canary-user"}"#)),
        call("GET", "/edge/realtime/history?channel=canary", None),
        call("GET", "/edge/realtime/history?channel=canary&after=1", None),
        call("POST", "/edge/database", Some(&all)),
        call("POST", "/edge/realtime", Some(message)),
        call("GET", "/edge/realtime/history?channel=canary", None),
        call("POST", "/edge/database", Some(&count)),
        call("POST", "/edge/database", Some(&all)),
        call("GET", "/edge/realtimekit/meetings", None),
        TWO.manage(node, "POST", r#"{"write_region":"weur"}"#),
        TWO.manage(node, "DELETE", "{}"),
        call("GET", "/edge/realtime/history?channel=canary", None),
        call("POST", "/edge/realtime", Some(message)),
        TWO.manage(node, "DELETE", "{}"),
        TWO.manage(node, "POST", r#"{"write_region":"apac"}"#),
        call("POST", "/edge/database", Some(&all)),
    ]
}

/// The frames that a client of the second tenant gets, on the channel of the first one's name.
fn frames(node: &Node, others: impl FnOnce()) -> Vec<String> {
    let all = json!(["subscribe", "publish", "presence", "history"]);
    let issued = json!({"client_id": "canary-client", "capabilities": all});
    let issued = TWO.project(node).post("/v1/realtime/token", &issued);
    let mut raw =
        open(node, &format!("/v1/realtime/ws?token={}", issued["token"].as_str().unwrap()));
    let mut got = vec![raw.read_frame()];
    raw.send(frame(r#"{"type":"subscribe","channel":"canary","after":0}"#));
    got.push(raw.read_frame());
    others();
    raw.send(frame(r#"{"type":"subscribe","channel":"canary-two"}"#));
    raw.send(frame(
        r#"{"type":"publish","channel":"canary-two","event":"e","data":1,"persist":false}"#,
    ));
    let is_there = |got: &[String], what: &str| got.iter().any(|it| it.contains(what));
    while !is_there(&got, "\"published\",") || !is_there(&got, "\"message\",") {
        got.push(raw.read_frame());
    }
    raw.send(frame(r#"{"type":"ping"}"#));
    while !is_there(&got, "\"pong\"") {
        got.push(raw.read_frame());
    }
    // The answer to a publish and the message itself come in either order.
    got.sort();
    got
}

/// What an answer says, without what no two answers have in common.
fn plain(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    blur(&mut value);
    value.to_string()
}

fn blur(value: &mut Value) {
    const OWN: [&str; 15] = [
        "request_id",
        "latency_ms",
        "message_id",
        "message_ids",
        "channel_id",
        "connection_id",
        "jti",
        "token",
        "endpoint",
        "edge_url",
        "created_at",
        "created_at_ms",
        "published_at",
        "last_published_at",
        "expires_at",
    ];
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if OWN.contains(&name.as_str()) { *field = json!("*") } else { blur(field) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blur),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Everything that the second tenant hears.
fn hear(node: &Node, known: &Known, others: impl FnOnce()) -> Vec<String> {
    let server = TWO.project(node);
    let mut heard: Vec<String> = frames(node, others);
    for (method, path, body) in infrai_calls(known) {
        let body = body.map(|it| it.to_string());
        let more = body.as_deref().map_or_else(Vec::new, |it| vec!["--json", it]);
        let answer = server.call(method, &path, &more);
        let body = answer.body;
        heard.push(format!("{method} {path} {} {}", answer.status, plain(&body)));
        heard.push(body);
    }
    for answer in edge_calls(node) {
        heard.push(format!("{} {}", answer.status, plain(&answer.body)));
        heard.push(answer.body);
    }
    heard
}

fn start() -> (Node, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = ONE.config("one") + &TWO.config("two");
    fs::write(folder.path().join("stentor.toml"), config).unwrap();
    (Node::start(folder.path(), &["--config", "stentor.toml", "--shards", "2"]), folder)
}

#[test]
fn every_call_of_one_tenant_shows_another_nothing() {
    let (node, _folder) = start();
    let (known, mut sockets) = live(&node);
    let heard = hear(&node, &known, || {
        let message = json!({"channel": "canary", "event": "e", "data": "canary-later"});
        ONE.project(&node).post("/v1/realtime/publish", &message);
    });
    let words = ["canary-data", "canary-later", "canary-name"].map(str::to_owned);
    for secret in known.ids.iter().chain(&words) {
        let told = heard.iter().find(|it| it.contains(secret));
        assert_eq!(told, None, "{secret} is the other's");
    }
    // The same calls on a node where the first tenant is silent.
    let (silent, _folder) = start();
    let alone = hear(&silent, &known, || ());
    assert_eq!(heard.len(), alone.len());
    for (one, other) in heard.iter().zip(&alone) {
        assert_eq!(plain(one), plain(other), "it is not the same that the other lives there");
    }
    silent.stop();
    check_unchanged(&node, &known, &mut sockets);
    node.stop();
}

/// The first tenant has what it had.
fn check_unchanged(node: &Node, known: &Known, sockets: &mut [Raw]) {
    assert_eq!(publish_keyed(node), known.ids[2]);
    let server = ONE.project(node);
    assert_eq!(server.get("/v1/realtime/channel/get/canary")["type"], "private");
    assert_eq!(server.get("/v1/realtime/channel/get/canary-two")["type"], "public");
    let members = server.get("/v1/realtime/presence/get/canary")["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 2, "{members}");
    let history = ONE.edge(node, "GET", "/edge/realtime/history?channel=canary", None);
    let kept: Vec<_> = history.json()["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["data"].clone())
        .collect();
    assert_eq!(kept, ["canary-data", "canary-later"]);
    for socket in sockets {
        assert!(socket.read_frame().contains("canary-later"), "its clients are still there");
    }
    let mut again = open(node, &format!("/v1/realtime/ws?token={}", known.token));
    assert!(again.read_frame().contains("canary-client"), "its token still opens");
}
