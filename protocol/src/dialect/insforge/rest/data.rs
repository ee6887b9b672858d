//! The bodies of calls that succeed.

use std::io::Write;

use crate::dialect::insforge::sender::Sender;
use crate::dialect::write::{
    push_array, push_field, push_name, push_number_field, push_time_field,
};
use crate::json::{push_string, push_u64};
use crate::uuid_text::push_uuid;

/// A channel as administrators see it.
#[derive(Clone, Copy, Debug)]
pub struct ChannelRow<'a> {
    /// Its id.
    pub id: u128,
    /// Which names it is for, as it was written.
    pub pattern: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// Who is told of its messages.
    pub webhook_urls: Option<&'a [Box<str>]>,
    /// Whether anyone may use it.
    pub enabled: bool,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// When it was last changed.
    pub updated_at_ms: u64,
}

/// A message as administrators see it.
#[derive(Clone, Copy, Debug)]
pub struct MessageRow<'a> {
    /// Its id.
    pub id: u128,
    /// What it is called.
    pub event: &'a str,
    /// The channel whose pattern let it in; `None` once that is deleted.
    pub channel_id: Option<u128>,
    /// Where it was published.
    pub channel: &'a str,
    /// What was published, byte for byte.
    pub payload: &'a [u8],
    /// Who published it; `None` for a server.
    pub sender: Option<&'a str>,
    /// Sockets that it went to.
    pub ws_audience: u64,
    /// Webhooks that it went to.
    pub wh_audience: u64,
    /// Webhooks that took it.
    pub wh_delivered: u64,
    /// When it was published, in milliseconds since 1970.
    pub created_at_ms: u64,
}

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub struct Stats<E> {
    /// Messages.
    pub messages: u64,
    /// Calls to webhooks that were due.
    pub wh_audience: u64,
    /// Those that succeeded.
    pub wh_delivered: u64,
    /// The names that came most often, and how often: at most ten, the most frequent first.
    pub top_events: E,
    /// Days that messages are kept for.
    pub retention_days: Option<u32>,
}

/// Writes a list piece by piece, into as many buffers as it takes.
#[derive(Debug)]
pub struct ListWriter {
    is_empty: bool,
}

impl ListWriter {
    /// Appends the start of a list.
    #[must_use]
    pub fn begin(out: &mut Vec<u8>) -> Self {
        out.push(b'[');
        Self { is_empty: true }
    }

    /// Appends one item.
    pub fn item(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if !std::mem::take(&mut self.is_empty) {
            out.push(b',');
        }
        write(out);
    }

    /// Appends the end.
    pub fn end(self, out: &mut Vec<u8>) {
        out.push(b']');
    }
}

/// Appends a channel.
pub fn body_channel(out: &mut Vec<u8>, channel: &ChannelRow<'_>) {
    out.extend_from_slice(b"{\"id\":");
    push_uuid(out, channel.id);
    push_field(out, "pattern", channel.pattern);
    push_name(out, "description");
    push_optional(out, channel.description, push_string);
    push_name(out, "webhookUrls");
    push_optional(out, channel.webhook_urls, |out, urls| {
        push_array(out, urls.iter(), |out, url| push_string(out, url));
    });
    push_name(out, "enabled");
    out.extend_from_slice(if channel.enabled { b"true" } else { b"false" });
    push_time_field(out, "createdAt", channel.created_at_ms);
    push_time_field(out, "updatedAt", channel.updated_at_ms);
    out.push(b'}');
}

/// Appends that a channel is gone.
pub fn body_channel_deleted(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"message\":\"Channel deleted\"}");
}

/// Appends a message.
pub fn body_message(out: &mut Vec<u8>, message: &MessageRow<'_>) {
    let sender = Sender::of(message.sender);
    out.extend_from_slice(b"{\"id\":");
    push_uuid(out, message.id);
    push_field(out, "eventName", message.event);
    push_name(out, "channelId");
    push_optional(out, message.channel_id, push_uuid);
    push_field(out, "channelName", message.channel);
    push_name(out, "payload");
    out.extend_from_slice(message.payload);
    push_field(out, "senderType", sender.kind);
    push_name(out, "senderId");
    push_optional(out, sender.id, push_string);
    push_number_field(out, "wsAudienceCount", message.ws_audience);
    push_number_field(out, "whAudienceCount", message.wh_audience);
    push_number_field(out, "whDeliveredCount", message.wh_delivered);
    push_time_field(out, "createdAt", message.created_at_ms);
    out.push(b'}');
}

/// Appends how many messages were deleted.
pub fn body_messages_deleted(out: &mut Vec<u8>, count: u64) {
    out.extend_from_slice(b"{\"deleted\":");
    push_u64(out, count);
    out.push(b'}');
}

/// Appends what was counted.
pub fn body_stats<'e>(out: &mut Vec<u8>, stats: Stats<impl Iterator<Item = (&'e str, u64)>>) {
    out.extend_from_slice(b"{\"totalMessages\":");
    push_u64(out, stats.messages);
    push_name(out, "whDeliveryRate");
    push_rate(out, stats.wh_delivered, stats.wh_audience);
    push_name(out, "topEvents");
    push_array(out, stats.top_events, |out, (name, count)| {
        out.extend_from_slice(b"{\"eventName\":");
        push_string(out, name);
        push_number_field(out, "count", count);
        out.push(b'}');
    });
    push_name(out, "retentionDays");
    push_optional(out, stats.retention_days, |out, days| push_u64(out, u64::from(days)));
    out.push(b'}');
}

/// Appends how long messages are kept.
pub fn body_config(out: &mut Vec<u8>, retention_days: Option<u32>) {
    out.extend_from_slice(b"{\"retentionDays\":");
    push_optional(out, retention_days, |out, days| push_u64(out, u64::from(days)));
    out.push(b'}');
}

/// Appends that it was changed how long messages are kept.
pub fn body_config_updated(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"message\":\"Retention config updated successfully\"}");
}

/// Appends the key of browsers.
pub fn body_anon_key(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b"{\"anonKey\":");
    push_string(out, key);
    out.push(b'}');
}

/// Appends the same as the older call has it.
pub fn body_anon_token(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b"{\"accessToken\":");
    push_string(out, key);
    let message =
        "Anon key retrieved successfully (deprecated route, use GET /api/metadata/anon-key)";
    push_field(out, "message", message);
    out.push(b'}');
}

fn push_optional<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => write(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

/// Appends a quotient as JavaScript writes it: the shortest text that reads as the same number.
fn push_rate(out: &mut Vec<u8>, part: u64, whole: u64) {
    let rate = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let written = write!(out, "{rate}");
    debug_assert!(written.is_ok(), "a buffer takes everything");
}
