//! A server that calls Infrai, by way of curl.

use serde_json::{Value, json};

use super::node::Node;
use super::tools::{Answer, curl};

/// A server that has a project key.
pub(crate) struct Server<'a> {
    node: &'a Node,
    key: String,
}

impl<'a> Server<'a> {
    /// The one of a tenant, by its number in the ready file.
    pub(crate) fn of(node: &'a Node, tenant: usize) -> Self {
        Self::with(node, node.ready()["tenants"][tenant]["project_key"].as_str().unwrap())
    }

    /// The one that has this key.
    pub(crate) fn with(node: &'a Node, key: &str) -> Self {
        Self { node, key: format!("Authorization: Bearer {key}") }
    }

    /// Calls.
    pub(crate) fn call(&self, method: &str, path: &str, more: &[&str]) -> Answer {
        let url = self.node.url(path);
        let start = ["-X", method, &url, "-H", &self.key];
        curl(&[&start[..], more].concat())
    }

    /// The result of a call with a body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        data(&self.call("POST", path, &["--json", &body.to_string()]))
    }

    /// The result of a call without.
    pub(crate) fn get(&self, path: &str) -> Value {
        data(&self.call("GET", path, &[]))
    }
}

/// The result in an envelope.
pub(crate) fn data(answer: &Answer) -> Value {
    let envelope = answer.json();
    assert_eq!((answer.status, &envelope["ok"]), (200, &json!(true)), "{}", answer.body);
    assert_eq!(envelope["error"], Value::Null);
    let id = envelope["metadata"]["request_id"].as_str().unwrap();
    assert!(id.len() == 36 && id.as_bytes()[14] == b'7', "a UUIDv7: {id}");
    assert!(envelope["metadata"]["latency_ms"].is_u64());
    envelope["data"].clone()
}

/// The status and code of a refusal.
pub(crate) fn refused(answer: &Answer) -> (u16, String) {
    let envelope = answer.json();
    assert_eq!((&envelope["ok"], &envelope["data"]), (&json!(false), &Value::Null));
    (answer.status, envelope["error"]["code"].as_str().unwrap().to_owned())
}
