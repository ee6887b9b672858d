//! What the calls answer: each function appends the `data` of one envelope.

use super::query::cursor_behind;
use crate::dialect::write::{
    push_array, push_field, push_name, push_number_field, push_time_field,
};
use crate::dialect::{Member, MessageView};
use crate::json::{push_string, push_u64};
use crate::permit::{Capabilities, Capability, ChannelType};
use crate::uuid_text::push_uuid;

/// Who carries the messages: this node itself.
pub const VENDOR: &str = "stentor";

/// Every kind of event that a client may hear of.
pub const EVENT_TYPES: [&str; 7] = [
    "message.published",
    "member.joined",
    "member.left",
    "channel.created",
    "channel.deleted",
    "token.revoked",
    "client.disconnected",
];

/// A token that was issued.
#[derive(Clone, Copy, Debug)]
pub struct IssuedToken<'a, C> {
    /// The token.
    pub token: &'a str,
    /// Its id.
    pub jti: u128,
    /// Whose it is.
    pub client_id: &'a str,
    /// The channels as they were asked for; `None`: every public channel.
    pub channels: Option<C>,
    /// What may be done there.
    pub capabilities: Capabilities,
    /// When it ends, in milliseconds since 1970.
    pub expires_at_ms: u64,
    /// The URL of the client's WebSocket.
    pub endpoint: &'a str,
}

/// Appends the answer of `realtime.token.issue`. `channels` is null for every public channel.
pub fn data_token<'c, C>(out: &mut Vec<u8>, issued: IssuedToken<'_, C>)
where
    C: IntoIterator<Item = &'c str>,
{
    out.extend_from_slice(b"{\"token\":");
    push_string(out, issued.token);
    push_name(out, "jti");
    push_uuid(out, issued.jti);
    push_field(out, "client_id", issued.client_id);
    push_name(out, "channels");
    match issued.channels {
        Some(channels) => push_array(out, channels.into_iter(), push_string),
        None => out.extend_from_slice(b"null"),
    }
    push_name(out, "capabilities");
    push_array(out, issued.capabilities.iter().map(Capability::name), push_string);
    push_time_field(out, "expires_at", issued.expires_at_ms);
    push_field(out, "endpoint", issued.endpoint);
    out.push(b'}');
}

/// Appends the answer of `realtime.token.revoke`.
pub fn data_revoked(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"revoked\":true}");
}

/// A channel as its tenant sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChannelView<'a> {
    /// Its UUID.
    pub id: u128,
    /// Its name.
    pub name: &'a str,
    /// Its type.
    pub channel_type: ChannelType,
    /// When it was made, in milliseconds since 1970.
    pub created_at_ms: u64,
    /// How many members are there, where that was asked.
    pub member_count: Option<u64>,
    /// When something was last published in it.
    pub last_published_at_ms: Option<u64>,
}

/// Appends the answer of `realtime.channel.create` and `realtime.channel.get`.
pub fn data_channel(out: &mut Vec<u8>, channel: &ChannelView<'_>) {
    out.extend_from_slice(b"{\"channel_id\":");
    push_uuid(out, channel.id);
    push_field(out, "name", channel.name);
    push_field(out, "type", channel.channel_type.name());
    push_field(out, "vendor", VENDOR);
    push_time_field(out, "created_at", channel.created_at_ms);
    if let Some(count) = channel.member_count {
        push_number_field(out, "member_count", count);
    }
    if let Some(at_ms) = channel.last_published_at_ms {
        push_time_field(out, "last_published_at", at_ms);
    }
    out.push(b'}');
}

/// Appends the answer of `realtime.channel.list`. `next` is the last name of a page that is not the last.
pub fn data_channel_list<'c>(
    out: &mut Vec<u8>,
    channels: impl Iterator<Item = ChannelView<'c>>,
    next: Option<&str>,
) {
    out.extend_from_slice(b"{\"channels\":");
    push_array(out, channels, |out, channel| data_channel(out, &channel));
    if let Some(name) = next {
        push_field(out, "next_cursor", &cursor_behind(name));
    }
    out.push(b'}');
}

/// Whether there was a channel to delete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deleted {
    /// It is gone, and its subscribers are told.
    Deleted,
    /// There was none.
    NotFound,
}

/// Appends the answer of `realtime.channel.delete`.
pub fn data_channel_deleted(out: &mut Vec<u8>, channel: &str, deleted: Deleted) {
    out.extend_from_slice(b"{\"channel\":");
    push_string(out, channel);
    out.extend_from_slice(match deleted {
        Deleted::Deleted => b",\"deleted\":true,\"status\":\"deleted\"}",
        Deleted::NotFound => b",\"deleted\":false,\"status\":\"not_found\"}",
    });
}

/// Appends the answer of `realtime.publish`. `message.data` is not in it.
pub fn data_published(out: &mut Vec<u8>, message: &MessageView<'_>) {
    out.extend_from_slice(b"{\"message_id\":");
    push_uuid(out, message.id);
    push_field(out, "status", "published");
    push_field(out, "channel", message.channel);
    push_time_field(out, "published_at", message.at_ms);
    out.push(b'}');
}

/// Appends the answer of `realtime.publish.batch`.
pub fn data_published_batch(out: &mut Vec<u8>, ids: impl ExactSizeIterator<Item = u128>) {
    out.extend_from_slice(b"{\"published\":");
    push_u64(out, ids.len() as u64);
    push_name(out, "message_ids");
    push_array(out, ids, push_uuid);
    out.push(b'}');
}

/// Appends the answer of `realtime.presence.get`.
pub fn data_presence<'m>(out: &mut Vec<u8>, members: impl Iterator<Item = Member<'m>>) {
    out.extend_from_slice(b"{\"members\":");
    push_array(out, members, push_member);
    out.push(b'}');
}

/// Appends a member.
pub(super) fn push_member(out: &mut Vec<u8>, member: Member<'_>) {
    out.extend_from_slice(b"{\"client_id\":");
    push_string(out, member.id);
    if let Some(user_id) = member.user_id {
        push_field(out, "user_id", user_id);
    }
    out.push(b'}');
}

/// Appends the answer of `realtime.user.disconnect`: how many connections were closed.
pub fn data_disconnected(out: &mut Vec<u8>, connections: u64) {
    out.extend_from_slice(b"{\"disconnected\":");
    push_u64(out, connections);
    out.push(b'}');
}

/// Appends the answer of `realtime.event.types`.
pub fn data_event_types(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"types\":");
    push_array(out, EVENT_TYPES.iter().copied(), push_string);
    out.push(b'}');
}

/// One field of a vendor's signature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignedValue<'a> {
    /// A text.
    Text(&'a str),
    /// A JSON text that goes out as it is.
    Json(&'a [u8]),
}

/// Appends the answer of `realtime.auth.sign`.
pub fn data_signed(out: &mut Vec<u8>, vendor: &str, fields: &[(&'static str, SignedValue<'_>)]) {
    out.extend_from_slice(b"{\"vendor\":");
    push_string(out, vendor);
    for (name, value) in fields {
        push_name(out, name);
        match value {
            SignedValue::Text(text) => push_string(out, text),
            SignedValue::Json(json) => out.extend_from_slice(json),
        }
    }
    out.push(b'}');
}
