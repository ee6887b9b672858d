//! The text frames that a connected client gets, each with its WebSocket header.

use super::data::push_member;
use super::error_code::error_code;
use crate::command::FrameId;
use crate::dialect::write::{
    push_array, push_field, push_name, push_number_field, push_time_field,
};
use crate::dialect::{Member, MessageView};
use crate::json::push_string;
use crate::rejection::Rejection;
use crate::uuid_text::push_uuid;
use crate::ws::append_text_with;

/// How a subscription begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begin {
    /// It asked for nothing older.
    Fresh,
    /// Everything behind the offset that it asked for follows.
    Resumed,
    /// That follows in parts; behind the last there is a [`frame_recovered`], and nothing live before it.
    Behind,
    /// It is not there, for this reason.
    Gapped(&'static str),
}

/// The answer to a subscribe.
#[derive(Clone, Copy, Debug)]
pub struct Subscribed<'a, M> {
    /// To which channel.
    pub channel: &'a str,
    /// What the client calls its frame.
    pub id: Option<FrameId<'a>>,
    /// Who is there; `None` for a client that may not see it.
    pub members: Option<M>,
    /// The offset of the channel's last publication.
    pub position: u64,
    /// How it begins.
    pub begin: Begin,
}

/// Appends the first frame of a connection.
pub fn frame_connected(
    out: &mut Vec<u8>,
    connection_id: u128,
    client_id: &str,
    expires_at_ms: u64,
) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"connected\",\"connection_id\":");
        push_uuid(out, connection_id);
        push_field(out, "client_id", client_id);
        push_time_field(out, "expires_at", expires_at_ms);
        out.push(b'}');
    });
}

/// Appends the answer to a subscribe. `recovered` says whether nothing is missing behind the offset that was asked for.
pub fn frame_subscribed<'m, M>(out: &mut Vec<u8>, subscribed: Subscribed<'_, M>)
where
    M: Iterator<Item = Member<'m>>,
{
    append_text_with(out, |out| {
        push_channel(out, "subscribed", subscribed.channel);
        push_id(out, subscribed.id);
        if let Some(members) = subscribed.members {
            push_name(out, "members");
            push_array(out, members, push_member);
        }
        push_number_field(out, "position", subscribed.position);
        match subscribed.begin {
            Begin::Fresh => {}
            Begin::Resumed => out.extend_from_slice(b",\"recovered\":true"),
            Begin::Behind => out.extend_from_slice(b",\"recovered\":true,\"recovering\":true"),
            Begin::Gapped(reason) => {
                out.extend_from_slice(b",\"recovered\":false");
                push_field(out, "reason", reason);
            }
        }
        out.push(b'}');
    });
}

/// Appends that everything up to `position` was sent that a client had missed: what follows is live.
pub fn frame_recovered(out: &mut Vec<u8>, channel: &str, position: u64) {
    append_text_with(out, |out| {
        push_channel(out, "recovered", channel);
        push_number_field(out, "position", position);
        out.push(b'}');
    });
}

/// Appends the answer to an unsubscribe.
pub fn frame_unsubscribed(out: &mut Vec<u8>, channel: &str, id: Option<FrameId<'_>>) {
    append_text_with(out, |out| {
        push_channel(out, "unsubscribed", channel);
        push_id(out, id);
        out.push(b'}');
    });
}

/// Appends the answer to a publish.
pub fn frame_published(
    out: &mut Vec<u8>,
    message_id: u128,
    channel: &str,
    id: Option<FrameId<'_>>,
) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"published\",\"message_id\":");
        push_uuid(out, message_id);
        push_field(out, "channel", channel);
        push_id(out, id);
        out.push(b'}');
    });
}

/// Appends a publication. One that is kept has its `offset`, for `after`.
pub fn frame_message(out: &mut Vec<u8>, message: &MessageView<'_>) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"message\",\"message_id\":");
        push_uuid(out, message.id);
        push_field(out, "channel", message.channel);
        push_field(out, "event", message.event);
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(message.data);
        if let Some(sender) = message.sender {
            push_field(out, "client_id", sender);
        }
        push_time_field(out, "published_at", message.at_ms);
        if let Some(offset) = message.offset {
            push_number_field(out, "offset", offset);
        }
        out.push(b'}');
    });
}

/// Appends that a client came.
pub fn frame_join(out: &mut Vec<u8>, channel: &str, member: Member<'_>) {
    append_presence(out, "join", channel, member);
}

/// Appends that a client left.
pub fn frame_leave(out: &mut Vec<u8>, channel: &str, member: Member<'_>) {
    append_presence(out, "leave", channel, member);
}

/// Appends that a channel was deleted.
pub fn frame_channel_deleted(out: &mut Vec<u8>, channel: &str) {
    append_text_with(out, |out| {
        push_channel(out, "channel_deleted", channel);
        out.push(b'}');
    });
}

/// Appends the answer to a ping.
pub fn frame_pong(out: &mut Vec<u8>, id: Option<FrameId<'_>>) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"pong\"");
        push_id(out, id);
        out.push(b'}');
    });
}

/// Appends that a frame was refused.
pub fn frame_rejection(
    out: &mut Vec<u8>,
    rejection: &Rejection,
    id: Option<FrameId<'_>>,
    channel: Option<&str>,
) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"error\"");
        push_id(out, id);
        if let Some(channel) = channel {
            push_field(out, "channel", channel);
        }
        out.extend_from_slice(b",\"error\":{\"code\":");
        push_string(out, error_code(rejection).name());
        push_field(out, "message", &rejection_text(rejection));
        out.extend_from_slice(b"}}");
    });
}

fn rejection_text(rejection: &Rejection) -> String {
    if let Rejection::UnknownAction(unknown) = rejection {
        return format!("Unknown type: \"{unknown}\". Use: subscribe, unsubscribe, publish, ping");
    }
    rejection.to_string()
}

fn append_presence(out: &mut Vec<u8>, action: &'static str, channel: &str, member: Member<'_>) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"presence\",\"action\":");
        push_string(out, action);
        push_field(out, "channel", channel);
        push_name(out, "member");
        push_member(out, member);
        out.push(b'}');
    });
}

/// Appends `{"type":"kind","channel":"name"`.
fn push_channel(out: &mut Vec<u8>, kind: &'static str, channel: &str) {
    out.extend_from_slice(b"{\"type\":");
    push_string(out, kind);
    push_field(out, "channel", channel);
}

fn push_id(out: &mut Vec<u8>, id: Option<FrameId<'_>>) {
    if let Some(id) = id {
        push_name(out, "id");
        out.extend_from_slice(id.as_json().as_bytes());
    }
}
