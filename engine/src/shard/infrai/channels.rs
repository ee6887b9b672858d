//! What calls only look up: registered channels at the seat, who is there at the channel's home.

use std::sync::Arc;

use protocol::Rejection;
use protocol::dialect::infrai::{self, ChannelView};

use super::super::Shard;
use super::super::answers::Reply;
use super::super::edge::shown;
use super::super::effects::Effects;
use super::super::input::Request;
use super::super::steps::{self, seat_answer};
use super::Work;
use super::deeds::seen;
use crate::control::{Came, Peek, Registered, SeatAnswer, SeatOp};
use crate::ids::{CallId, ChannelKey, ShardId};

/// What is looked up, and how far that is.
#[derive(Debug)]
pub(in crate::shard) enum Looking {
    /// One channel: the seat knows it, its home who is there.
    Find(Arc<ChannelKey>),
    /// The home says who is there.
    Found(Arc<ChannelKey>, Registered),
    /// Who is on a channel.
    Presence(Arc<ChannelKey>),
    /// A page of the channels behind a name.
    List(Option<Box<str>>, u32),
}

impl Shard {
    pub(super) fn look_up(&mut self, call: CallId, looking: Looking, effects: &mut Effects) {
        match &looking {
            Looking::Find(channel) => {
                let op = SeatOp::FindChannel(channel.name().into());
                let then = steps::Work::Infrai(Work::Looking(looking));
                self.ask_seat(call, op, then, effects);
            }
            Looking::List(after, limit) => {
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                let op = SeatOp::ListChannels { after: after.clone(), limit };
                let then = steps::Work::Infrai(Work::Looking(looking));
                self.ask_seat(call, op, then, effects);
            }
            Looking::Found(channel, _) | Looking::Presence(channel) => {
                let channel = Arc::clone(channel);
                let home = self.home(&channel);
                self.calls.wait(call, 1, steps::Work::Infrai(Work::Looking(looking)));
                self.send(home, Request::Peek(call, channel), effects);
            }
        }
    }

    pub(super) fn go_on_looking(
        &mut self,
        call: CallId,
        looking: Looking,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        let result = match looking {
            Looking::Find(channel) => match seat_answer(came) {
                Ok(SeatAnswer::Channel(found)) => {
                    return self.look_up(call, Looking::Found(channel, found), effects);
                }
                Ok(_) => Err(Rejection::Internal),
                Err(why) => Err(why),
            },
            Looking::Found(channel, found) => peeked(came).map(|peek| {
                let view = ChannelView {
                    member_count: Some(peek.member_count),
                    last_published_at_ms: peek.last_at_ms,
                    ..seen(channel.name(), found)
                };
                Reply::data(|out| infrai::data_channel(out, &view))
            }),
            Looking::Presence(_) => peeked(came).map(|peek| {
                let members = peek.present.iter().map(|it| shown(&it.member));
                Reply::data(|out| infrai::data_presence(out, members))
            }),
            Looking::List(..) => match seat_answer(came) {
                Ok(SeatAnswer::Channels(page)) => {
                    let next = page.channels.last().filter(|_| page.has_more);
                    let next = next.map(|(name, _)| &**name);
                    let channels = page.channels.iter().map(|(name, it)| seen(name, *it));
                    Ok(Reply::data(|out| infrai::data_channel_list(out, channels, next)))
                }
                Ok(_) => Err(Rejection::Internal),
                Err(why) => Err(why),
            },
        };
        self.finish(call, result, effects);
    }

    /// The home of a channel says what it sees of it.
    pub(in crate::shard) fn on_peek(
        &mut self,
        edge: ShardId,
        call: CallId,
        channel: &Arc<ChannelKey>,
        effects: &mut Effects,
    ) {
        let peek = self.broker.peek(channel, self.limits.presence_members_max);
        self.tell_call(edge, call, Came::Peeked(peek), effects);
    }
}

fn peeked(came: Vec<Came>) -> Result<Peek, Rejection> {
    match came.into_iter().next() {
        Some(Came::Peeked(peek)) => Ok(peek),
        Some(_) | None => Err(Rejection::Internal),
    }
}
