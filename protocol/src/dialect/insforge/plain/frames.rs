//! The text frames that a client gets, each with its WebSocket header.

use crate::auth::insforge::BadCredential;
use crate::dialect::MessageView;
use crate::dialect::insforge::present::Present;
use crate::dialect::insforge::sender::Sender;
use crate::dialect::insforge::splice::push_spread;
use crate::dialect::write::{push_field, push_name, push_time_field};
use crate::json::push_string;
use crate::rejection::Rejection;
use crate::uuid_text::push_uuid;
use crate::ws::{append_text, append_text_with};

/// What the documents answer in one text, whatever led to it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PlainError {
    /// Who it is was not said, or was wrong.
    Credential(BadCredential),
    /// It asks for something before it said who it is.
    NotAuthenticated,
    /// No enabled pattern matches the channel, or no policy lets it in.
    NotAccessible,
    /// No policy lets it publish.
    NotPublishable,
}

/// What happened to a member of a channel.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PresenceChange {
    /// It came.
    Join,
    /// It left.
    Leave,
    /// It says something else of itself.
    Update,
}

impl PresenceChange {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Update => "update",
        }
    }
}

/// Appends that the client is known, and who it is.
pub fn frame_authenticated(out: &mut Vec<u8>, user_id: &str) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"auth_success\"");
        push_field(out, "userId", user_id);
        out.push(b'}');
    });
}

/// Appends that the client now hears a channel.
pub fn frame_subscribed(out: &mut Vec<u8>, channel: &str, subscription_id: &str) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"subscribed\"");
        push_field(out, "channel", channel);
        push_field(out, "subscriptionId", subscription_id);
        out.push(b'}');
    });
}

/// Appends that the client hears it no more.
pub fn frame_unsubscribed(out: &mut Vec<u8>, channel: &str) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"unsubscribed\"");
        push_field(out, "channel", channel);
        out.push(b'}');
    });
}

/// Appends that a message is published.
pub fn frame_published(out: &mut Vec<u8>, message_id: u128, channel: &str, event: &str) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"published\",\"messageId\":");
        push_uuid(out, message_id);
        push_field(out, "channel", channel);
        push_field(out, "event", event);
        out.push(b'}');
    });
}

/// Appends a publication, with its payload byte for byte.
pub fn frame_message(out: &mut Vec<u8>, message: &MessageView<'_>) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"message\",\"messageId\":");
        push_uuid(out, message.id);
        push_field(out, "channel", message.channel);
        push_field(out, "event", message.event);
        push_name(out, "payload");
        out.extend_from_slice(message.data);
        if let Some(id) = Sender::of(message.sender).id {
            push_field(out, "senderId", id);
        }
        push_time_field(out, "timestamp", message.at_ms);
        out.push(b'}');
    });
}

/// Appends what happened to a member, with what it says of itself: an object.
pub fn frame_presence(
    out: &mut Vec<u8>,
    channel: &str,
    change: PresenceChange,
    member: Present<'_>,
    state: &[u8],
) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"presence\"");
        push_field(out, "channel", channel);
        out.extend_from_slice(b",\"event\":{\"type\":");
        push_string(out, change.name());
        push_name(out, "presence");
        push_spread(out, state, "presenceId", |out| push_string(out, member.id));
        out.extend_from_slice(b"}}");
    });
}

/// Appends the answer to a ping.
pub fn frame_pong(out: &mut Vec<u8>) {
    append_text(out, b"{\"type\":\"pong\"}");
}

/// Appends an error of the documents.
pub fn frame_error(out: &mut Vec<u8>, error: PlainError) {
    let credential;
    error_frame(
        out,
        match error {
            PlainError::Credential(cause) => {
                credential = cause.to_string();
                &credential
            }
            PlainError::NotAuthenticated => "Not authenticated",
            PlainError::NotAccessible => "Channel not found or not accessible",
            PlainError::NotPublishable => "Not authorized to publish to this channel",
        },
    );
}

/// Appends that a frame was refused. The connection stays open.
pub fn frame_rejection(out: &mut Vec<u8>, rejection: &Rejection) {
    if let Rejection::UnknownAction(unknown) = rejection {
        error_frame(out, &format!("Unknown message type: \"{unknown}\""));
    } else {
        error_frame(out, &rejection.to_string());
    }
}

fn error_frame(out: &mut Vec<u8>, message: &str) {
    append_text_with(out, |out| {
        out.extend_from_slice(b"{\"type\":\"error\"");
        push_field(out, "message", message);
        out.push(b'}');
    });
}
