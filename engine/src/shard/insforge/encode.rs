//! What clients that speak InsForge are told, on both of its wires.

use protocol::dialect::insforge::plain::{self, PlainError};
use protocol::dialect::insforge::socket::{self, PublishError, RefusedCommand, SubscribeError};
use protocol::dialect::insforge::{Present, PresentKind};
use protocol::{KeptId, Rejection};
use storage::Publication;

use super::super::input::{Joined, Move, PresenceChange};
use super::super::told::Left;
use crate::broker;
use crate::ids::ChannelKey;

/// Appends the answers to the frames that asked for a subscription. A frame without an id awaits none.
pub(in crate::shard) fn encode_joined(
    out: &mut Vec<u8>,
    joined: &Joined,
    frames: &[Option<KeptId>],
) {
    for id in frames.iter().flatten() {
        let members = joined.present.iter().map(present);
        socket::frame_subscribed(out, id.id(), joined.channel.name(), members);
    }
}

/// Appends that a subscription was refused, to the frames that await an answer.
pub(in crate::shard) fn encode_not_joined(
    out: &mut Vec<u8>,
    channel: &ChannelKey,
    frames: &[Option<KeptId>],
    why: &Rejection,
) {
    for id in frames.iter().flatten() {
        refuse_subscribe(out, id, channel.name(), why);
    }
}

fn refuse_subscribe(out: &mut Vec<u8>, id: &KeptId, channel: &str, why: &Rejection) {
    let is_denied = matches!(why, Rejection::Forbidden | Rejection::ChannelNotFound);
    if is_denied || *why == Rejection::Internal {
        let denied = SubscribeError::Unauthorized;
        let error = if is_denied { denied } else { SubscribeError::Internal };
        return socket::frame_subscribe_refused(out, id.id(), channel, error);
    }
    let (id, channel) = (Some(id.clone()), Some(channel.into()));
    socket::frame_refused(out, &RefusedCommand { id, channel, why: why.clone() });
}

/// Appends that a message was not published.
pub(in crate::shard) fn encode_publish_refused(
    out: &mut Vec<u8>,
    channel: &ChannelKey,
    why: &Rejection,
) {
    if *why == Rejection::Forbidden {
        socket::frame_error(out, channel.name(), PublishError::Unauthorized);
    } else if *why == Rejection::Internal {
        socket::frame_error(out, channel.name(), PublishError::Internal);
    } else {
        let channel = Some(channel.name().into());
        socket::frame_refused(out, &RefusedCommand { id: None, channel, why: why.clone() });
    }
}

/// Appends that a client hears a channel no more, though it did not ask for that. Nothing of its SDK is for that but the event of
/// errors: else it would wait for messages that never come.
pub(in crate::shard) fn encode_left(out: &mut Vec<u8>, channel: &ChannelKey, left: Left) {
    let why = match left {
        Left::Deleted => Rejection::ChannelNotFound,
        Left::Disconnected => Rejection::Forbidden,
    };
    let channel = Some(channel.name().into());
    socket::frame_refused(out, &RefusedCommand { id: None, channel, why });
}

/// Appends who came or went.
pub(in crate::shard) fn encode_presence(out: &mut Vec<u8>, change: &PresenceChange) {
    let channel = change.channel.name();
    let (member, id) = (present(&change.present), change.id.0);
    match change.change {
        Move::Join => socket::frame_join(out, channel, member, id, change.at_ms),
        Move::Leave => socket::frame_leave(out, channel, member, id, change.at_ms),
        Move::Update => {}
    }
}

/// Appends that a client of the documents' wire hears a channel, once for each frame that asked.
pub(in crate::shard) fn encode_plain_joined(
    out: &mut Vec<u8>,
    joined: &Joined,
    frames: &[Option<KeptId>],
) {
    let id = format!("sub_{}", joined.joiner.subscription.0);
    for _ in frames {
        plain::frame_subscribed(out, joined.channel.name(), &id);
    }
}

/// Appends that a client of the documents' wire hears a channel no more.
pub(in crate::shard) fn encode_plain_left(out: &mut Vec<u8>, channel: &ChannelKey) {
    plain::frame_unsubscribed(out, channel.name());
}

/// Appends that a message is published.
pub(in crate::shard) fn encode_plain_published(out: &mut Vec<u8>, publication: &Publication) {
    let channel = publication.channel().name();
    plain::frame_published(out, publication.id().0, channel, publication.event());
}

/// Appends that so many frames were refused.
pub(in crate::shard) fn encode_plain_rejection(out: &mut Vec<u8>, why: &Rejection, count: usize) {
    for _ in 0..count {
        if *why == Rejection::ChannelNotFound {
            plain::frame_error(out, PlainError::NotAccessible);
        } else if *why == Rejection::Forbidden {
            plain::frame_error(out, PlainError::NotPublishable);
        } else {
            plain::frame_rejection(out, why);
        }
    }
}

/// Appends who came or went.
pub(in crate::shard) fn encode_plain_presence(out: &mut Vec<u8>, change: &PresenceChange) {
    let what = match change.change {
        Move::Join => plain::PresenceChange::Join,
        Move::Update => plain::PresenceChange::Update,
        Move::Leave => plain::PresenceChange::Leave,
    };
    let state = change.present.member.state.as_deref().unwrap_or(b"{}");
    plain::frame_presence(out, change.channel.name(), what, present(&change.present), state);
}

fn present(present: &broker::Present) -> Present<'_> {
    let member = &present.member;
    Present {
        kind: if member.is_anonymous { PresentKind::Anonymous } else { PresentKind::User },
        id: &member.id,
        joined_at_ms: present.joined_at_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TenantId;

    #[test]
    fn who_is_put_out_of_a_channel_hears_which_and_why() {
        let check = |left: Left, expected: &str| {
            let mut out = Vec::new();
            encode_left(&mut out, &ChannelKey::new(TenantId(0), "a:b"), left);
            let text = String::from_utf8_lossy(&out);
            assert!(text.contains(expected), "{text}");
        };
        let said =
            |code| format!("42[\"realtime:error\",{{\"channel\":\"a:b\",\"code\":\"{code}\"");
        check(Left::Deleted, &said("REALTIME_CHANNEL_NOT_FOUND"));
        check(Left::Disconnected, &said("FORBIDDEN"));
    }
}
