//! What clients that speak Infrai are told, beside what everyone on a channel is.

use protocol::dialect::infrai::{self, Begin, Subscribed};
use protocol::{KeptId, Rejection};
use storage::Publication;

use super::super::edge::{shown, view};
use super::super::input::Joined;
use super::super::told::Left;
use crate::broker::{Gap, Start};
use crate::hub::Audience;
use crate::ids::ChannelKey;

/// Appends the answer to a publish, or that it was refused.
pub(in crate::shard) fn encode_answer(
    out: &mut Vec<u8>,
    result: Result<&Publication, &Rejection>,
    (channel, id): (&ChannelKey, Option<KeptId>),
) {
    let id = id.as_ref().map(KeptId::id);
    match result {
        Ok(publication) => infrai::frame_published(out, publication.id().0, channel.name(), id),
        Err(why) => infrai::frame_rejection(out, why, id, Some(channel.name())),
    }
}

/// Appends the answers to the frames that asked for a subscription, and what it missed. Who was told before that more of it
/// follows is told of its end.
pub(in crate::shard) fn encode_joined(
    out: &mut Vec<u8>,
    joined: &Joined,
    (ids, is_told): (&[Option<KeptId>], bool),
    audience: Audience,
) {
    let (position, begin) = match &joined.start {
        Start::Fresh { position } => (position, Begin::Fresh),
        Start::Resumed { position, .. } => (position, Begin::Resumed),
        Start::Behind { position, .. } => (position, Begin::Behind),
        Start::Gapped { position, gap } => (position, Begin::Gapped(name(*gap))),
    };
    for id in ids {
        let members = joined.present.iter().map(|it| shown(&it.member));
        let subscribed = Subscribed {
            channel: joined.channel.name(),
            id: id.as_ref().map(KeptId::id),
            members: audience.sees_members().then_some(members),
            position: position.offset.0,
            begin,
        };
        infrai::frame_subscribed(out, subscribed);
    }
    if let Start::Resumed { missed, .. } | Start::Behind { missed, .. } = &joined.start {
        for publication in missed {
            infrai::frame_message(out, &view(publication));
        }
    }
    if is_told && begin != Begin::Behind {
        infrai::frame_recovered(out, joined.channel.name(), position.offset.0);
    }
}

fn name(gap: Gap) -> &'static str {
    match gap {
        Gap::NotRetained => "not_retained",
        Gap::Unreadable => "unreadable",
        Gap::Ahead => "ahead",
    }
}

/// Appends that a subscription was refused, once for each frame that asked for it.
pub(in crate::shard) fn encode_not_joined(
    out: &mut Vec<u8>,
    channel: &ChannelKey,
    ids: &[Option<KeptId>],
    why: &Rejection,
) {
    for id in ids {
        let id = id.as_ref().map(KeptId::id);
        infrai::frame_rejection(out, why, id, Some(channel.name()));
    }
}

/// Appends that a client listens to a channel no more. Its frames that asked for it are answered too.
pub(in crate::shard) fn encode_left(
    out: &mut Vec<u8>,
    channel: &ChannelKey,
    told: Left,
    ids: &[Option<KeptId>],
) {
    match told {
        Left::Deleted => {
            infrai::frame_channel_deleted(out, channel.name());
            encode_not_joined(out, channel, ids, &Rejection::ChannelNotFound);
        }
        Left::Disconnected => {
            infrai::frame_unsubscribed(out, channel.name(), None);
            encode_not_joined(out, channel, ids, &Rejection::Forbidden);
        }
    }
}
