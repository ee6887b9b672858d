//! The text frames that a connected client gets, each with its WebSocket header.

use crate::dialect::{Member, MessageView};
use crate::rejection::Rejection;

/// Appends the first frame of a connection.
pub fn frame_connected(out: &mut Vec<u8>, channel: &str) {
    let _ = (out, channel);
}

/// Appends the frame that says who is there.
pub fn frame_subscribed<'m>(
    out: &mut Vec<u8>,
    channel: &str,
    members: impl Iterator<Item = Member<'m>>,
) {
    let _ = (out, channel, members.count());
}

/// Appends the answer to a publish. `offset` is absent when the message is not kept.
pub fn frame_published(out: &mut Vec<u8>, channel: &str, at_ms: u64, offset: Option<u64>) {
    let _ = (out, channel, at_ms, offset);
}

/// Appends a publication.
pub fn frame_message(out: &mut Vec<u8>, message: &MessageView<'_>) {
    let _ = (out, message);
}

/// Appends that a user came.
pub fn frame_join(out: &mut Vec<u8>, channel: &str, member: Member<'_>) {
    let _ = (out, channel, member);
}

/// Appends that a user left.
pub fn frame_leave(out: &mut Vec<u8>, channel: &str, member: Member<'_>, last_seen_ms: u64) {
    let _ = (out, channel, member, last_seen_ms);
}

/// Appends that the client's last frame was refused.
pub fn frame_rejection(out: &mut Vec<u8>, rejection: &Rejection) {
    let _ = (out, rejection);
}
