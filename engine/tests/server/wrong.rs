//! Every wrong value of every call and frame, sent to a running node: each is answered as the table says, and nothing changes.

use protocol::auth::insforge::sign_user;
use protocol::dialect::insforge::CALLS;
use serde_json::{Value, json};

use super::admin::{self, ANON, API, SECRET, introduce, plain, socket, stranger};
use super::node::Node;
use super::raw::{Raw, frame, open};
use super::server::Server;
use super::tools::{curl, post, token};

#[path = "../../../protocol/tests/wrong/table/mod.rs"]
mod table;

use table::{Call, Caller, Outcome};

/// A keep-alive connection, opened again where the node closes it.
struct Connection<'a> {
    node: &'a Node,
    raw: Option<Raw>,
}

impl Connection<'_> {
    /// Sends a request; gives the status and the body.
    fn ask(&mut self, request: &str) -> (u16, Value) {
        let raw = self.raw.get_or_insert_with(|| Raw::open(self.node));
        raw.send(request);
        let head = raw.read_until("\r\n\r\n");
        let value = |name: &str| {
            let line = head.lines().find(|it| it.to_lowercase().starts_with(name))?;
            Some(line[name.len()..].trim().to_owned())
        };
        let length: usize = value("content-length:").unwrap().parse().unwrap();
        let body = raw.read_exactly(length);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if value("connection:").is_some_and(|it| it == "close") {
            self.raw = None;
        }
        (status, serde_json::from_str(&body).unwrap())
    }
}

fn key<'a>(node: &'a Node, of: &str) -> &'a str {
    node.ready()["tenants"][0][of].as_str().unwrap()
}

fn request(node: &Node, call: &Call) -> String {
    let Call { caller, method, target, header, body, .. } = call;
    let (mut target, mut lines) = (target.clone(), String::new());
    match caller {
        Caller::Project => {
            lines = format!("Authorization: Bearer {}\r\n", key(node, "project_key"));
        }
        Caller::Management => {
            lines = format!("Authorization: Bearer {}\r\n", key(node, "management_key"));
        }
        Caller::Administrator => lines = format!("X-API-Key: {API}\r\n"),
        Caller::Application => {
            let join = if target.contains('?') { '&' } else { '?' };
            target.push_str(&format!("{join}key={}", key(node, "application_key")));
        }
    }
    if let Some(header) = header {
        lines.push_str(&format!("{header}\r\n"));
    }
    if let Some(body) = body {
        lines.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let body = body.as_deref().unwrap_or_default();
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}")
}

/// What a refusal says: status, code and message.
fn told(call: &Call, (status, answer): (u16, Value)) -> String {
    let error = &answer["error"];
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    if call.target.starts_with("/v1/") {
        assert_eq!((&answer["ok"], &answer["data"]), (&json!(false), &Value::Null), "{answer}");
        let id = answer["metadata"]["request_id"].as_str().unwrap();
        assert_eq!(id.len(), 36, "{answer}");
        return format!("{status} {} {}", text("code"), text("message"));
    }
    assert_eq!(error["code"], status, "{answer}");
    format!("{status} {} {}", text("status"), text("message"))
}

/// Everything that calls and frames could have changed.
fn state(node: &Node) -> Vec<Value> {
    let server = Server::of(node, 0);
    let mut seen = vec![
        server.get("/v1/realtime/channel/list?limit=200"),
        server.get("/v1/realtime/channel/get/kept"),
        server.get("/v1/realtime/presence/get/kept"),
        server.get("/v1/realtime/channels/never/presence"),
    ];
    for channel in ["kept", "never"] {
        let url = node.keyed(&format!("/edge/realtime/history?channel={channel}"));
        seen.push(curl(&[&url]).json());
    }
    let count = r#"{"query":"SELECT count(*) AS n FROM realtime_messages"}"#;
    seen.push(post(&node.keyed("/edge/database"), count).json());
    let manage = format!("Authorization: Bearer {}", key(node, "management_key"));
    let url = node.url("/api/resources/realtime");
    seen.push(curl(&[&url, "-X", "POST", "-H", &manage]).json()["write_region"].clone());
    seen
}

/// Publishes with keys, as every time before.
fn keyed(node: &Node) -> Vec<Value> {
    let server = Server::of(node, 0);
    let publish = |it: u32| {
        let body = json!({"channel": "kept", "event": "e", "data": it}).to_string();
        let header = format!("Idempotency-Key: key-{it}");
        let more = ["-H", &header, "--json", &body];
        super::server::data(&server.call("POST", "/v1/realtime/publish", &more))
    };
    (1..=3).map(publish).collect()
}

#[test]
fn every_wrong_call_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    let published = keyed(&node);
    let before = state(&node);
    let mut connection = Connection { node: &node, raw: None };
    let calls: Vec<_> =
        table::infrai_calls().into_iter().chain(table::cohesivity_calls()).collect();
    assert!(calls.len() > 1_000, "only {} calls", calls.len());
    let mut wrong = Vec::new();
    for call in &calls {
        let told = told(call, connection.ask(&request(&node, call)));
        if told != call.expected {
            let body: String = call.body.iter().flat_map(|it| it.chars().take(120)).collect();
            let Call { method, target, expected, .. } = call;
            wrong.push(format!("{method} {target} {body}\n  {told}\n  {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(state(&node), before);
    assert_eq!(keyed(&node), published, "the keys know what they knew");
    assert_eq!(state(&node), before);
    node.stop();
}

#[test]
fn every_wrong_frame_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    let published = keyed(&node);
    let before = state(&node);
    let server = Server::of(&node, 0);
    let all = json!(["subscribe", "publish", "history"]);
    let issued = json!({"client_id": "ada", "capabilities": all});
    let issued = server.post("/v1/realtime/token/issue", &issued);
    let mut raw =
        open(&node, &format!("/v1/realtime/ws?token={}", issued["token"].as_str().unwrap()));
    raw.read_frame();
    for (text, expected) in table::infrai_frames() {
        raw.send(frame(&text));
        let told: Value = serde_json::from_str(&raw.read_frame()).unwrap();
        let error = &told["error"];
        let told =
            format!("{} {}", error["code"].as_str().unwrap(), error["message"].as_str().unwrap());
        assert_eq!(told, expected, "{}", text.chars().take(200).collect::<String>());
    }
    let mut raw =
        open(&node, &format!("/edge/realtime?channel=kept&token={}", token(&node, "ada")));
    raw.read_frame();
    raw.read_frame();
    for (text, expected) in table::cohesivity_frames() {
        raw.send(frame(&text));
        let told: Value = serde_json::from_str(&raw.read_frame()).unwrap();
        assert_eq!(
            told,
            json!({"error": expected}),
            "{}",
            text.chars().take(200).collect::<String>()
        );
    }
    drop(raw);
    let mut after = state(&node);
    for _ in 0..100 {
        if after == before {
            break;
        }
        super::node::pause(std::time::Duration::from_millis(20));
        after = state(&node);
    }
    assert_eq!(after, before);
    assert_eq!(keyed(&node), published, "the keys know what they knew");
    node.stop();
}

/// What InsForge says of a call.
fn told_by_insforge(call: &Call, (status, answer): (u16, Value)) -> String {
    let text = |field: &str| answer[field].as_str().unwrap_or_default();
    if call.target.starts_with("/socket.io/") {
        return format!("{status} {} {}", answer["code"], text("message"));
    }
    assert_eq!(answer["statusCode"], status, "{answer}");
    format!("{status} {} {}", text("error"), text("message"))
}

/// Everything that calls and frames of InsForge could have changed.
fn rules(node: &Node) -> Vec<Value> {
    let paths = ["channels", "config", "permissions", "messages", "messages/stats"];
    paths.map(|it| admin::ok(node, "GET", &format!("/api/realtime/{it}"), None, 200)).into()
}

#[test]
fn every_wrong_call_of_insforge_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = admin::start(folder.path(), 2);
    admin::create(&node, "kept:%");
    admin::say(&mut plain(&node, API), &kept(), "\"published\"");
    let before = rules(&node);
    let mut connection = Connection { node: &node, raw: None };
    let calls = table::insforge_calls();
    assert!(calls.len() > 500, "only {} calls", calls.len());
    let mut wrong = Vec::new();
    for call in &calls {
        let told = told_by_insforge(call, connection.ask(&request(&node, call)));
        if told != call.expected {
            let body: String = call.body.iter().flat_map(|it| it.chars().take(120)).collect();
            let Call { method, target, expected, .. } = call;
            wrong.push(format!("{method} {target} {body}\n  {told}\n  {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(rules(&node), before);
    node.stop();
}

#[test]
fn nobody_but_an_administrator_gets_through_to_any_call_of_insforge() {
    let folder = tempfile::tempdir().unwrap();
    let node = admin::start(folder.path(), 2);
    admin::create(&node, "kept:%");
    let before = rules(&node);
    let user = |claims: Value| format!("Bearer {}", sign_user(&claims.to_string(), SECRET));
    let (missing, key) = (
        "AUTH_INVALID_CREDENTIALS No admin token provided",
        "AUTH_INVALID_API_KEY Invalid API key",
    );
    let token = "AUTH_UNAUTHORIZED Invalid token";
    let offers = [
        ("X-Nothing: x".to_owned(), format!("401 {missing}")),
        ("Authorization: Basic eDp5".to_owned(), format!("401 {missing}")),
        ("X-API-Key: ik_0".to_owned(), format!("401 {key}")),
        (format!("X-API-Key: {ANON}"), format!("401 {key}")),
        ("Authorization: Bearer ik_0".to_owned(), format!("401 {key}")),
        (format!("Authorization: Bearer {ANON}"), format!("401 {token}")),
        ("Authorization: Bearer a.b.c".to_owned(), format!("401 {token}")),
        (
            format!("Authorization: {}", user(json!({"sub": "ada", "exp": 1}))),
            format!("401 {token}"),
        ),
        (
            format!("Authorization: {}", user(json!({"role": "project_admin"}))),
            format!("401 {token} subject"),
        ),
        (
            format!("Authorization: {}", user(json!({"sub": "ada"}))),
            "403 AUTH_UNAUTHORIZED Admin access required".to_owned(),
        ),
    ];
    let open = ["/socket.io/", "/realtime", "/.well-known/jwks.json", "/api/.well-known/jwks.json"];
    let mut connection = Connection { node: &node, raw: None };
    let closed = CALLS.iter().filter(|(_, path, _)| !open.contains(path));
    assert_eq!(closed.clone().count(), 14);
    for (method, path, _) in closed {
        let method = format!("{method:?}").to_uppercase();
        let path = path.replace("{id}", "018e6658-27a7-7abc-8def-0123456789ab");
        for (header, expected) in &offers {
            let lines = format!("Host: a\r\n{header}\r\nContent-Length: 2\r\n");
            let (status, told) =
                connection.ask(&format!("{method} {path} HTTP/1.1\r\n{lines}\r\n{{}}"));
            let text = |field: &str| told[field].as_str().unwrap();
            let told = format!("{status} {} {}", text("error"), text("message"));
            assert_eq!(told, *expected, "{method} {path} {header}");
        }
    }
    assert_eq!(rules(&node), before);
    node.stop();
}

fn kept() -> Value {
    json!({"type": "publish", "channel": "kept:1", "event": "e", "payload": {"n": 1}})
}

#[test]
fn every_wrong_frame_of_insforge_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let node = admin::start(folder.path(), 2);
    // Whatever a frame names is there: only what is wrong with it keeps it out.
    admin::create(&node, "never");
    let before = rules(&node);
    let mut raw = plain(&node, API);
    for (text, expected) in table::insforge_plain_frames() {
        raw.send(frame(&text));
        let told: Value = serde_json::from_str(&raw.read_frame()).unwrap();
        let expected = json!({"type": "error", "message": expected});
        assert_eq!(told, expected, "{}", text.chars().take(200).collect::<String>());
    }
    let mut raw = socket(&node, API);
    for (text, expected) in table::insforge_packets() {
        raw.send(frame(&text));
        match expected {
            Outcome::Told(expected) => {
                let start = || text.chars().take(200).collect::<String>();
                assert_eq!(raw.read_frame(), expected, "{}", start());
            }
            Outcome::Closed(expected) => {
                raw.read_until(expected);
                raw = socket(&node, ANON);
            }
        }
    }
    let mut raw = stranger(&node);
    for (auth, expected) in table::insforge_credentials() {
        raw.send(frame(&format!("40{auth}")));
        assert_eq!(raw.read_frame(), format!("44{}", json!({"message": expected})), "{auth}");
    }
    // Whoever was refused may ask again.
    assert!(introduce(&mut raw, &json!({"token": ANON})).starts_with("40{\"sid\":"));
    drop(raw);
    assert_eq!(rules(&node), before);
    node.stop();
}
