//! What an answer says, without what no two answers have in common.

use serde_json::{Value, json};

/// Values that are of one answer alone.
const OWN: [&str; 28] = [
    "accessToken",
    "channel_id",
    "channelId",
    "connection_id",
    "created_at",
    "created_at_ms",
    "createdAt",
    "edge_url",
    "endpoint",
    "expires_at",
    "generated_at",
    "jti",
    "joinedAt",
    "last_published_at",
    "latency_ms",
    "mac",
    "message_id",
    "message_ids",
    "messageId",
    "nonce",
    "presenceId",
    "published_at",
    "request_id",
    "sid",
    "subscriptionId",
    "timestamp",
    "token",
    "updatedAt",
];

/// The text with `*` for each of them. A packet of Socket.IO keeps the digits before its JSON.
pub(super) fn plain(text: &str) -> String {
    let (digits, rest) = text.split_at(text.find(|it: char| !it.is_ascii_digit()).unwrap_or(0));
    let Ok(mut value) = serde_json::from_str::<Value>(rest) else { return text.to_owned() };
    blur(&mut value);
    format!("{digits}{value}")
}

fn blur(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                // A number is the place in a channel, which has to be the same.
                let is_own = OWN.contains(&name.as_str()) || (name == "id" && field.is_string());
                if is_own && !field.is_null() { *field = json!("*") } else { blur(field) }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blur),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
