//! A server, or a browser, over one connection that stays.

use serde_json::Value;

use super::node::Node;
use super::raw::{Raw, request, upgrade};

/// What a request was answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Whether it refuses for want of this, and says when to come back.
    pub(crate) fn wants(&self, limit: &str) -> bool {
        self.status == 503 && self.head.contains("Retry-After: ") && self.body.contains(limit)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }
}

/// The next answer; `None` when the connection ends before.
pub(crate) fn answer(raw: &mut Raw) -> Option<Answer> {
    let head = raw.try_read_until("\r\n\r\n")?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.split("Content-Length: ").nth(1).and_then(|it| it.split('\r').next());
    let body = length.map_or(String::new(), |it| raw.read_exactly(it.parse().unwrap()));
    Some(Answer { status, head, body })
}

/// Asks over a connection; `None` when it is over.
pub(crate) fn ask(raw: &mut Raw, text: &str) -> Option<Answer> {
    raw.try_send(text).then(|| answer(raw)).flatten()
}

/// Asks for the version, which needs nothing.
pub(crate) fn version(raw: &mut Raw) -> Option<Answer> {
    ask(raw, &request("GET", "/version", ""))
}

/// Publishes so many bytes to a channel.
pub(crate) fn publish(raw: &mut Raw, key: &str, channel: &str, bytes: usize) -> Option<Answer> {
    let data = "x".repeat(bytes);
    let body = format!(r#"{{"channel":"{channel}","data":"{data}"}}"#);
    ask(raw, &request("POST", &format!("/edge/realtime?key={key}"), &body))
}

/// How many messages a channel has.
pub(crate) fn kept(node: &Node, channel: &str) -> usize {
    let count = super::kept::kept(node.address().port(), node.key(), channel);
    usize::try_from(count).unwrap()
}

/// A token of somebody who may listen.
pub(crate) fn token(node: &Node) -> String {
    let path = format!("/edge/realtime/token?key={}", node.key());
    let found = ask(&mut Raw::open(node), &request("POST", &path, r#"{"user_id":"ada"}"#));
    found.unwrap().json()["token"].as_str().unwrap().to_owned()
}

/// Has a connection listen to a channel. Gives what it was answered.
pub(crate) fn listen(raw: &mut Raw, channel: &str, token: &str) -> Option<Answer> {
    raw.try_send(upgrade(&format!("/edge/realtime?channel={channel}&token={token}")));
    answer(raw)
}

/// Waits for so many messages of a channel, with what else it is told.
pub(crate) fn hear(raw: &mut Raw, messages: usize) {
    let mut heard = 0;
    while heard < messages {
        heard += usize::from(raw.read_frame().contains(r#""data":"x"#));
    }
}
