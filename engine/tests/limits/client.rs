//! A server, or a browser, over one connection that stays.

use serde_json::Value;

use super::node::Node;
use super::raw::{Raw, request};

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
    let (mut raw, mut count, mut after) = (Raw::open(node), 0, 0);
    loop {
        let key = node.key();
        let path =
            format!("/edge/realtime/history?channel={channel}&after={after}&limit=50&key={key}");
        let found = ask(&mut raw, &request("GET", &path, "")).unwrap();
        assert_eq!(found.status, 200, "{}", found.body);
        let found = found.json()["messages"].as_array().unwrap().len();
        if found == 0 {
            return count;
        }
        (count, after) = (count + found, after + found);
    }
}
