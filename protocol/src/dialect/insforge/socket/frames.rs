//! The events and answers that a client gets, each with its WebSocket header. None holds anything of one connection, but answers.

use crate::command::FrameId;
use crate::dialect::MessageView;
use crate::dialect::insforge::ROOM_PREFIX;
use crate::dialect::insforge::error_code::{ErrorCode, error_code};
use crate::dialect::insforge::present::{Present, push_present};
use crate::dialect::insforge::sender::{ERROR_EVENT, Sender, is_reserved_event};
use crate::dialect::insforge::splice::push_spread;
use crate::dialect::write::{push_array, push_field, push_name, push_time_field};
use crate::json::push_string;
use crate::socketio::{acknowledgement_frame, event_frame};
use crate::uuid_text::push_uuid;

use super::commands::RefusedCommand;

/// What a message is called whose own name a client would take for the server's: other dialects know no reserved names.
const RENAMED: &str = "message";

/// Why somebody is not let into a channel.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SubscribeError {
    /// No enabled pattern matches it, or no policy grants it.
    Unauthorized,
    /// It went wrong.
    Internal,
}

/// Why a message is not published.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PublishError {
    /// Its sender does not hear the channel.
    NotSubscribed,
    /// No enabled pattern matches the channel, or no policy grants it.
    Unauthorized,
    /// It went wrong.
    Internal,
}

/// Appends that a client now hears a channel, and who is there, itself included.
pub fn frame_subscribed<'m>(
    out: &mut Vec<u8>,
    id: FrameId<'_>,
    channel: &str,
    members: impl Iterator<Item = Present<'m>>,
) {
    acknowledgement_frame(out, id, |out| {
        out.extend_from_slice(b"{\"ok\":true");
        push_field(out, "channel", channel);
        out.extend_from_slice(b",\"presence\":{\"members\":");
        push_array(out, members, push_present);
        out.extend_from_slice(b"}}");
    });
}

/// Appends that a client is not let into a channel.
pub fn frame_subscribe_refused(
    out: &mut Vec<u8>,
    id: FrameId<'_>,
    channel: &str,
    error: SubscribeError,
) {
    let (code, message) = match error {
        SubscribeError::Unauthorized => {
            (ErrorCode::RealtimeUnauthorized, "Not authorized to subscribe to this channel")
        }
        SubscribeError::Internal => (ErrorCode::InternalError, "Failed to subscribe to channel"),
    };
    refused_answer(out, id, channel, (code, message));
}

/// Appends that a message was not published.
pub fn frame_error(out: &mut Vec<u8>, channel: &str, error: PublishError) {
    let (code, message) = match error {
        PublishError::NotSubscribed => (
            ErrorCode::RealtimeNotSubscribed,
            "Must subscribe to channel before publishing messages",
        ),
        PublishError::Unauthorized => {
            (ErrorCode::RealtimeUnauthorized, "Not authorized to publish to this channel")
        }
        PublishError::Internal => (ErrorCode::InternalError, "Failed to publish message"),
    };
    error_event(out, channel, (code, message));
}

/// Appends the answer to a command that was not understood, or that no error of the reference server fits: to a subscribe
/// that awaits one its answer, to any other the event of errors.
pub fn frame_refused(out: &mut Vec<u8>, refused: &RefusedCommand) {
    let channel = refused.channel.as_deref().unwrap_or_default();
    let (code, message) = (error_code(&refused.why), refused.why.to_string());
    match &refused.id {
        Some(id) => refused_answer(out, id.id(), channel, (code, &message)),
        None => error_event(out, channel, (code, &message)),
    }
}

/// Appends a publication: its payload, and beside it `meta`.
pub fn frame_message(out: &mut Vec<u8>, message: &MessageView<'_>) {
    let name = if is_reserved_event(message.event) { RENAMED } else { message.event };
    event_frame(out, name, |out| {
        push_spread(out, message.data, "meta", |out| push_meta(out, message));
    });
}

fn push_meta(out: &mut Vec<u8>, message: &MessageView<'_>) {
    let sender = Sender::of(message.sender);
    out.extend_from_slice(b"{\"channel\":");
    let start = out.len();
    push_string(out, message.channel);
    // Behind the quote that the name begins with.
    out.splice(start + 1..start + 1, ROOM_PREFIX.bytes());
    push_field(out, "senderType", sender.kind);
    if let Some(id) = sender.id {
        push_field(out, "senderId", id);
    }
    push_end_of_meta(out, message.id, message.at_ms);
}

fn push_end_of_meta(out: &mut Vec<u8>, message_id: u128, at_ms: u64) {
    push_name(out, "messageId");
    push_uuid(out, message_id);
    push_time_field(out, "timestamp", at_ms);
    out.push(b'}');
}

/// Appends that somebody came, for everyone else.
pub fn frame_join(
    out: &mut Vec<u8>,
    channel: &str,
    member: Present<'_>,
    message_id: u128,
    at_ms: u64,
) {
    presence_event(out, "presence:join", (channel, member), message_id, at_ms);
}

/// Appends that somebody left.
pub fn frame_leave(
    out: &mut Vec<u8>,
    channel: &str,
    member: Present<'_>,
    message_id: u128,
    at_ms: u64,
) {
    presence_event(out, "presence:leave", (channel, member), message_id, at_ms);
}

/// Here the channel's name stands alone, without [`ROOM_PREFIX`]: clients look it up as it is.
fn presence_event(
    out: &mut Vec<u8>,
    name: &'static str,
    (channel, member): (&str, Present<'_>),
    message_id: u128,
    at_ms: u64,
) {
    event_frame(out, name, |out| {
        out.extend_from_slice(b"{\"member\":");
        push_present(out, member);
        out.extend_from_slice(b",\"meta\":{\"channel\":");
        push_string(out, channel);
        push_field(out, "senderType", "system");
        push_end_of_meta(out, message_id, at_ms);
        out.push(b'}');
    });
}

/// Appends that the server shuts down.
pub fn frame_shutdown(out: &mut Vec<u8>, message_id: u128, at_ms: u64) {
    event_frame(out, "notification", |out| {
        out.extend_from_slice(b"{\"level\":\"warning\",\"title\":\"Server Shutdown\"");
        push_field(out, "message", "Server is shutting down");
        out.extend_from_slice(b",\"meta\":{\"senderType\":\"system\"");
        push_end_of_meta(out, message_id, at_ms);
        out.push(b'}');
    });
}

fn refused_answer(
    out: &mut Vec<u8>,
    id: FrameId<'_>,
    channel: &str,
    (code, message): (ErrorCode, &str),
) {
    acknowledgement_frame(out, id, |out| {
        out.extend_from_slice(b"{\"ok\":false");
        push_field(out, "channel", channel);
        out.extend_from_slice(b",\"error\":{\"code\":");
        push_string(out, code.name());
        push_field(out, "message", message);
        out.extend_from_slice(b"}}");
    });
}

fn error_event(out: &mut Vec<u8>, channel: &str, (code, message): (ErrorCode, &str)) {
    event_frame(out, ERROR_EVENT, |out| {
        out.extend_from_slice(b"{\"channel\":");
        push_string(out, channel);
        push_field(out, "code", code.name());
        push_field(out, "message", message);
        out.push(b'}');
    });
}
