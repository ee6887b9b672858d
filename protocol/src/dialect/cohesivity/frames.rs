//! The text frames that a connected client gets, each with its WebSocket header.

use crate::dialect::write::{push_field, push_number_field, push_time};
use crate::dialect::{Member, MessageView};
use crate::json::push_string;
use crate::rejection::Rejection;
use crate::ws::append_text_with;

/// Appends the first frame of a connection.
pub fn frame_connected(out: &mut Vec<u8>, channel: &str) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"action\":\"connected\",\"channel\":");
        push_string(out, channel);
        out.push(b'}');
    });
}

/// Appends the frame that says who is there.
pub fn frame_subscribed<'m>(
    out: &mut Vec<u8>,
    channel: &str,
    members: impl Iterator<Item = Member<'m>>,
) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"action\":\"subscribed\",\"channel\":");
        push_string(out, channel);
        out.extend_from_slice(b",\"presence\":[");
        for (index, member) in members.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            push_member(out, member);
        }
        out.extend_from_slice(b"]}");
    });
}

/// Appends the answer to a publish. `offset` is absent when the message is not kept.
pub fn frame_published(out: &mut Vec<u8>, channel: &str, at_ms: u64, offset: Option<u64>) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"action\":\"published\",\"event\":\"published\",\"channel\":");
        push_string(out, channel);
        push_number_field(out, "created_at_ms", at_ms);
        if let Some(offset) = offset {
            push_number_field(out, "id", offset);
        }
        out.push(b'}');
    });
}

/// Appends a publication.
pub fn frame_message(out: &mut Vec<u8>, message: &MessageView<'_>) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"action\":");
        push_string(out, message.event);
        push_field(out, "event", message.event);
        push_field(out, "channel", message.channel);
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(message.data);
        push_number_field(out, "created_at_ms", message.at_ms);
        if let Some(offset) = message.offset {
            push_number_field(out, "id", offset);
        }
        out.push(b'}');
    });
}

/// Appends that a user came.
pub fn frame_join(out: &mut Vec<u8>, channel: &str, member: Member<'_>) {
    append_text_with(out, |out| {
        push_presence(out, "join", channel, member);
        out.push(b'}');
    });
}

/// Appends that a user left.
pub fn frame_leave(out: &mut Vec<u8>, channel: &str, member: Member<'_>, last_seen_ms: u64) {
    append_text_with(out, |out| {
        push_presence(out, "leave", channel, member);
        out.extend_from_slice(b",\"last_seen\":");
        push_time(out, last_seen_ms);
        out.push(b'}');
    });
}

/// Appends that the client's last frame was refused.
pub fn frame_rejection(out: &mut Vec<u8>, rejection: &Rejection) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"error\":");
        push_string(out, &rejection_text(rejection));
        out.push(b'}');
    });
}

/// The documented texts; where the document has none, the rejection's own.
fn rejection_text(rejection: &Rejection) -> String {
    if let Rejection::UnknownAction(action) = rejection {
        return format!("Unknown action: \"{action}\". Use: publish");
    }
    if let Rejection::MissingField { field } = rejection {
        return format!("publish requires \"{field}\"");
    }
    if let Rejection::StorageFull | Rejection::StorageUnavailable = rejection {
        return format!("Failed to persist message: {rejection}");
    }
    rejection.to_string()
}

fn push_presence(out: &mut Vec<u8>, action: &'static str, channel: &str, member: Member<'_>) {
    out.extend_from_slice(b"{\"action\":");
    push_string(out, action);
    push_field(out, "channel", channel);
    out.extend_from_slice(b",\"user\":");
    push_member(out, member);
}

fn push_member(out: &mut Vec<u8>, member: Member<'_>) {
    out.extend_from_slice(b"{\"id\":");
    push_string(out, member.id);
    if let Some(name) = member.name {
        push_field(out, "name", name);
    }
    out.push(b'}');
}
