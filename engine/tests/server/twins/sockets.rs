//! The WebSockets of the second tenant, on the channel of the first one's name: what each of them hears.

use serde_json::json;

use super::super::node::Node;
use super::super::raw::{Raw, frame, open};
use super::keys::TWO;

/// The paths of the sockets that are opened here.
pub(super) const PATHS: [&str; 4] =
    ["/v1/realtime/ws", "/edge/realtime", "/realtime", "/socket.io/"];

/// A socket, and what it heard.
struct Heard {
    raw: Raw,
    frames: Vec<String>,
}

impl Heard {
    fn of(node: &Node, target: &str) -> Self {
        Self { raw: open(node, target), frames: Vec::new() }
    }

    fn say(&mut self, text: &str) {
        self.raw.send(frame(text));
    }

    /// Listens until each of these was heard.
    fn until(&mut self, words: &[&str]) {
        while !words.iter().all(|word| self.frames.iter().any(|it| it.contains(word))) {
            self.frames.push(self.raw.read_frame());
        }
    }

    /// Answers and messages come in either order.
    fn sorted(mut self) -> Vec<String> {
        self.frames.sort();
        self.frames
    }
}

/// What all of them hear. Meanwhile the first tenant does something, while all listen.
pub(super) fn hear(node: &Node, others: impl FnOnce()) -> Vec<String> {
    let (mut infrai, mut edge) = (open_infrai(node), open_edge(node));
    let (mut plain, mut socketio) = (open_plain(node), open_socketio(node));
    others();
    infrai.say(r#"{"type":"subscribe","channel":"canary-two"}"#);
    infrai.say(r#"{"type":"publish","channel":"canary-two","event":"e","data":1,"persist":false}"#);
    infrai.until(&["\"published\",", "\"message\","]);
    infrai.say(r#"{"type":"ping"}"#);
    infrai.until(&["\"pong\""]);
    edge.say(r#"{"action":"nothing"}"#);
    edge.until(&["Unknown action"]);
    // There is no pattern for it yet.
    plain.say(r#"{"type":"publish","channel":"canary","event":"e","payload":{"a":1}}"#);
    plain.say(r#"{"type":"ping"}"#);
    plain.until(&["\"pong\""]);
    let publish = r#"42["realtime:publish",{"channel":"canary","event":"e","payload":{"a":1}}]"#;
    socketio.say(publish);
    socketio.until(&["realtime:error"]);
    [infrai, edge, plain, socketio].into_iter().flat_map(Heard::sorted).collect()
}

fn open_infrai(node: &Node) -> Heard {
    let all = json!(["subscribe", "publish", "presence", "history"]);
    let issued = json!({"client_id": "canary-client", "capabilities": all});
    let issued = TWO.project(node).post("/v1/realtime/token", &issued);
    let mut heard =
        Heard::of(node, &format!("/v1/realtime/ws?token={}", issued["token"].as_str().unwrap()));
    heard.say(r#"{"type":"subscribe","channel":"canary","after":0}"#);
    heard.until(&["\"subscribed\""]);
    heard
}

fn open_edge(node: &Node) -> Heard {
    let token = TWO.edge_token(node, "canary-user");
    let mut heard = Heard::of(node, &format!("/edge/realtime?channel=canary&token={token}"));
    heard.until(&["\"subscribed\""]);
    heard
}

fn open_plain(node: &Node) -> Heard {
    let mut heard = Heard::of(node, "/realtime");
    heard.say(&json!({"type": "auth", "token": TWO.anon_key()}).to_string());
    heard.until(&["auth_success"]);
    heard.say(r#"{"type":"subscribe","channel":"canary"}"#);
    heard.until(&["not accessible"]);
    heard
}

fn open_socketio(node: &Node) -> Heard {
    let mut heard = Heard::of(node, "/socket.io/?EIO=4&transport=websocket");
    heard.say(&format!("40{}", json!({"token": TWO.anon_key()})));
    heard.until(&["40{"]);
    heard.say(r#"420["realtime:subscribe",{"channel":"canary"}]"#);
    heard.until(&["REALTIME_UNAUTHORIZED"]);
    heard
}
