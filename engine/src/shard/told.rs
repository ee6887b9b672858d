//! What clients on WebSockets are told of what they asked for, and of who comes and goes: one arm a dialect.

use std::sync::Arc;

use protocol::dialect::{Dialect, cohesivity, infrai as infrai_frames};
use protocol::{KeptId, Rejection};
use storage::Publication;

use super::edge::{encode_joined, shown, view};
use super::input::{Joined, Move, PresenceChange};
use super::{infrai, insforge};
use crate::hub::Audience;
use crate::ids::ChannelKey;

/// Why a client listens to a channel no more, though it did not ask for that.
#[derive(Clone, Copy, Debug)]
pub(super) enum Left {
    /// The channel was deleted.
    Deleted,
    /// Its server had it disconnected.
    Disconnected,
}

/// Appends the answers to the frames that asked for a subscription, and what it missed. Who was told before that more of it
/// follows is told of its end.
pub(super) fn tell_joined(
    out: &mut Vec<u8>,
    joined: &Joined,
    (frames, is_told): (&[Option<KeptId>], bool),
    audience: Audience,
) {
    match audience.dialect() {
        Dialect::Cohesivity => encode_joined(out, joined),
        Dialect::Infrai => infrai::encode_joined(out, joined, (frames, is_told), audience),
        Dialect::Insforge => insforge::encode_joined(out, joined, frames),
        Dialect::InsforgePlain => insforge::encode_plain_joined(out, joined, frames),
    }
}

/// Appends that a home took no subscription, once for each frame that asked for it. Cohesivity has no frame that says so.
pub(super) fn tell_not_joined(
    out: &mut Vec<u8>,
    dialect: Dialect,
    (channel, frames): (&ChannelKey, &[Option<KeptId>]),
    why: &Rejection,
) {
    match dialect {
        Dialect::Cohesivity => {}
        Dialect::Infrai => infrai::encode_not_joined(out, channel, frames, why),
        Dialect::Insforge => insforge::encode_not_joined(out, channel, frames, why),
        Dialect::InsforgePlain => insforge::encode_plain_rejection(out, why, frames.len()),
    }
}

/// Appends the answer to a publish. `asked` is the frame that it answers, where the dialect's frames have names.
pub(super) fn tell_published(
    out: &mut Vec<u8>,
    dialect: Dialect,
    result: Result<&Publication, &Rejection>,
    asked: Option<(Arc<ChannelKey>, Option<KeptId>)>,
) {
    match (dialect, result, asked) {
        (Dialect::Cohesivity, Ok(publication), _) => {
            let view = view(publication);
            cohesivity::frame_published(out, view.channel, view.at_ms, view.offset);
        }
        (Dialect::Cohesivity, Err(why), _) => cohesivity::frame_rejection(out, why),
        (Dialect::Infrai, result, Some((channel, id))) => {
            infrai::encode_answer(out, result, (&channel, id));
        }
        // What is published comes back as a message; only a failure is answered.
        (Dialect::Insforge, Ok(_), _) => {}
        (Dialect::Insforge, Err(why), Some((channel, _))) => {
            insforge::encode_publish_refused(out, &channel, why);
        }
        (Dialect::InsforgePlain, Ok(publication), _) => {
            insforge::encode_plain_published(out, publication);
        }
        (Dialect::InsforgePlain, Err(why), _) => insforge::encode_plain_rejection(out, why, 1),
        // An answer without its question: the client left meanwhile.
        (Dialect::Infrai, _, None) | (Dialect::Insforge, Err(_), None) => {}
    }
}

/// Appends that a client listens to a channel no more. Its frames that asked for it are answered too.
pub(super) fn tell_left(
    out: &mut Vec<u8>,
    dialect: Dialect,
    (channel, frames): (&ChannelKey, &[Option<KeptId>]),
    told: Left,
) {
    match dialect {
        Dialect::Cohesivity => {}
        Dialect::Infrai => infrai::encode_left(out, channel, told, frames),
        Dialect::Insforge => {
            insforge::encode_not_joined(out, channel, frames, &Rejection::ChannelNotFound);
            insforge::encode_left(out, channel, told);
        }
        Dialect::InsforgePlain => insforge::encode_plain_left(out, channel),
    }
}

/// Appends who came or went.
pub(super) fn tell_presence(out: &mut Vec<u8>, dialect: Dialect, change: &PresenceChange) {
    let channel = change.channel.name();
    let member = shown(&change.present.member);
    match (dialect, change.change) {
        (Dialect::Cohesivity, Move::Join) => cohesivity::frame_join(out, channel, member),
        (Dialect::Cohesivity, Move::Leave) => {
            cohesivity::frame_leave(out, channel, member, change.at_ms);
        }
        (Dialect::Infrai, Move::Join) => infrai_frames::frame_join(out, channel, member),
        (Dialect::Infrai, Move::Leave) => infrai_frames::frame_leave(out, channel, member),
        // No client of these knows that somebody says something else of itself.
        (Dialect::Cohesivity | Dialect::Infrai | Dialect::Insforge, Move::Update) => {}
        (Dialect::Insforge, Move::Join | Move::Leave) => insforge::encode_presence(out, change),
        (Dialect::InsforgePlain, _) => insforge::encode_plain_presence(out, change),
    }
}
