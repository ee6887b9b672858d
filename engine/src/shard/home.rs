//! This shard as the home of channels: it orders, counts and remembers. Requests come in, deliveries go out.

use std::sync::Arc;

use protocol::Rejection;
use storage::{Counted, Counts, Publication, as_much_as_is_read};

use super::Shard;
use super::batches::Whole;
use super::effects::Effects;
use super::input::{
    Advance, Delivery, HistoryAsk, Join, Keep, Leave, Move, Placing, PresenceChange, PublishMany,
    ReadAsk, ReadTicket, ReplyTo, Request,
};
use crate::broker::{
    Arrival, HomeChannel, Member, Present, Publisher, Sequenced, Settled, Stamp, Verdict, Waiter,
};
use crate::control::Came;
use crate::ids::{ChannelKey, ShardId};
use crate::planted::{self, Fault};

impl Shard {
    pub(super) fn on_request(&mut self, from: ShardId, request: Request, effects: &mut Effects) {
        match request {
            Request::Publish(publication, keep, reply) => {
                let publisher = Publisher { edge: from, waiter: Waiter::Connection(reply) };
                self.on_publish(publication, keep, publisher, effects);
            }
            Request::PublishMany(many) => self.on_publish_many(from, *many, effects),
            Request::Join(join) => self.on_join(from, *join, effects),
            Request::Advance(advance) => self.start_behind(from, *advance, effects),
            Request::Leave(leave) => self.on_leave(from, *leave, effects),
            Request::History(ask) => self.on_history(from, *ask, effects),
            Request::Peek(call, channel) => self.on_peek(from, call, &channel, effects),
            Request::Seat(call, ask) => self.on_ask(from, call, *ask, effects),
            Request::Enforce(call, what) => self.on_enforce(from, call, *what),
            Request::Mark(edge, call) => self.on_mark(edge, call, effects),
            Request::Release(tenant, sockets) => self.seats.release(tenant, sockets),
            Request::Parcel(parcel) => self.on_parcel(*parcel),
        }
    }

    fn on_publish(
        &mut self,
        publication: Arc<Publication>,
        keep: Keep,
        publisher: Publisher,
        effects: &mut Effects,
    ) {
        if keep == Keep::Persist && !self.health.storage {
            return self.refuse(publisher, Rejection::StorageUnavailable, effects);
        }
        let at_ms = self.now.wall_ms;
        let stamp = Stamp { id: self.ids.next(at_ms), at_ms };
        match self.broker.sequence(publication, keep, publisher, stamp) {
            Sequenced::Append(publication) if planted::is(Fault::AnswerBeforeCommit) => {
                effects.appends.push(Arc::clone(&publication));
                self.accept(publisher, &publication, effects);
            }
            Sequenced::Append(publication) => effects.appends.push(publication),
            Sequenced::Visible(publication) => self.show(&publication, publisher, effects),
            Sequenced::InLine => {}
            Sequenced::Refused(why) => self.refuse(publisher, why, effects),
        }
    }

    /// Either there is room in front of the journal for all of them, or none is taken. They go to it side by side, so that one
    /// sync keeps them all.
    fn on_publish_many(&mut self, from: ShardId, many: PublishMany, effects: &mut Effects) {
        let PublishMany { call, publications } = many;
        let batch = self.batches.open(from, call, publications.len());
        let kept = publications.iter().filter(|it| it.keep == Keep::Persist);
        let (count, bytes) = kept
            .fold((0, 0), |(count, bytes), it| (count + 1, bytes + it.publication.text_bytes()));
        let room = if count > 0 { self.broker.admit(count, bytes) } else { Ok(()) };
        for Placing { place, publication, keep } in publications {
            let publisher = Publisher { edge: from, waiter: Waiter::Batch(batch, place) };
            match &room {
                Ok(()) => self.on_publish(publication, keep, publisher, effects),
                Err(why) => self.refuse(publisher, why.clone(), effects),
            }
        }
    }

    pub(super) fn on_committed(&mut self, count: usize, effects: &mut Effects) {
        self.settle(count, Verdict::Durable, effects);
    }

    pub(super) fn on_refused(&mut self, count: usize, why: &Rejection, effects: &mut Effects) {
        if *why == Rejection::StorageUnavailable {
            self.health.storage = false;
        }
        self.settle(count, Verdict::Refused(why), effects);
    }

    /// The past of a channel has a hole that its epoch did not have: the next one begins. Whoever listens is told and reads
    /// again; other channels go on (invariant 3).
    pub(super) fn on_damaged(&mut self, channel: &Arc<ChannelKey>, effects: &mut Effects) {
        let Some(epoch) = self.broker.begin_next_epoch(channel) else { return };
        effects.epochs.push((Arc::clone(channel), epoch));
        if !planted::is(Fault::DamageUntold) {
            self.tell_interested(channel, effects, |_| Delivery::EpochChanged(Arc::clone(channel)));
        }
    }

    fn settle(&mut self, count: usize, verdict: Verdict<'_>, effects: &mut Effects) {
        self.appends_answered += count as u64;
        self.orders.wake(self.appends_answered);
        let mut answers = count;
        while let Some(settled) = self.broker.settle(&mut answers, verdict) {
            match settled {
                Settled::Visible(publication, publisher) => {
                    self.show(&publication, publisher, effects);
                }
                Settled::Refused(publisher, why) => self.refuse(publisher, why, effects),
            }
        }
    }

    /// Sends a visible publication once to every shard that wants it, and its publisher the answer.
    fn show(
        &mut self,
        publication: &Arc<Publication>,
        publisher: Publisher,
        effects: &mut Effects,
    ) {
        self.counters.published += 1;
        self.count_audience(publication, effects);
        self.tell_interested(publication.channel(), effects, |_| {
            Delivery::Publication(Arc::clone(publication))
        });
        self.accept(publisher, publication, effects);
    }

    /// Has it kept with a message how many sockets it goes to, where lists of messages say so: for tenants with patterns.
    fn count_audience(&self, publication: &Publication, effects: &mut Effects) {
        let (channel, epoch) = (publication.channel(), publication.epoch());
        if self.rules.of(channel.tenant()).is_none_or(|it| it.pattern_count() == 0) {
            return;
        }
        let ws_audience = self.broker.known(channel).map_or(0, HomeChannel::subscribers);
        if let Some(offset) = publication.offset().filter(|_| ws_audience > 0) {
            let counts = Counts { ws_audience, ..Counts::default() };
            let channel = Arc::clone(channel);
            effects.counted.push(Counted { channel, epoch, offset, counts });
        }
    }

    fn accept(
        &mut self,
        publisher: Publisher,
        publication: &Arc<Publication>,
        effects: &mut Effects,
    ) {
        match publisher.waiter {
            Waiter::Connection(reply) => {
                let accepted = Delivery::Accepted(reply, Arc::clone(publication));
                self.deliver(publisher.edge, accepted, effects);
            }
            Waiter::Batch(batch, place) => {
                let whole = self.batches.note(batch, place, Ok(publication));
                self.answer_batch(whole, effects);
            }
        }
    }

    fn answer_batch(&mut self, whole: Option<Whole>, effects: &mut Effects) {
        if let Some(Whole { edge, call, published }) = whole {
            self.tell_call(edge, call, Came::Published(published), effects);
        }
    }

    fn refuse(&mut self, publisher: Publisher, why: Rejection, effects: &mut Effects) {
        self.counters.refused += 1;
        match publisher.waiter {
            Waiter::Connection(reply) => {
                self.deliver(publisher.edge, Delivery::Refused(reply, why), effects);
            }
            Waiter::Batch(batch, place) => {
                let whole = self.batches.note(batch, place, Err(why));
                self.answer_batch(whole, effects);
            }
        }
    }

    fn on_join(&mut self, from: ShardId, join: Join, effects: &mut Effects) {
        let Join { channel, joiner, member, after } = join;
        if !self.broker.has_room_for(&channel) {
            self.turned_away.insert((from, joiner.subscription));
            let why = Rejection::Overloaded { limit: "channels_max" };
            return self.deliver(from, Delivery::NotJoined(joiner, why), effects);
        }
        if let Some(member) = &member
            && let now_ms = self.now.wall_ms
            && let Some((present, arrival)) =
                self.broker.channel(&channel).presence.join(member, now_ms)
        {
            let change = match arrival {
                Arrival::First => Move::Join,
                Arrival::Again => Move::Update,
            };
            // The others hear of it before the joiner is live, so the joiner does not hear of itself.
            self.tell_presence(&channel, &present, change, effects);
        }
        self.broker.channel(&channel).count_in(from);
        self.start_behind(from, Advance { channel, joiner, after }, effects);
    }

    fn on_leave(&mut self, from: ShardId, leave: Leave, effects: &mut Effects) {
        let Leave { channel, subscription, member } = leave;
        if self.turned_away.remove(&(from, subscription)) {
            return;
        }
        self.arrivals.forget(from, subscription);
        self.broker.channel(&channel).count_out(from);
        if let Some(member) = member {
            self.on_member_left(&channel, &member, effects);
        }
        self.broker.note_vacancy(&channel);
    }

    fn on_member_left(
        &mut self,
        channel: &Arc<ChannelKey>,
        member: &Arc<Member>,
        effects: &mut Effects,
    ) {
        if let Some(shown) = self.broker.channel(channel).presence.leave(&member.id) {
            self.tell_presence(channel, &shown, Move::Leave, effects);
        }
    }

    fn tell_presence(
        &mut self,
        channel: &Arc<ChannelKey>,
        present: &Present,
        change: Move,
        effects: &mut Effects,
    ) {
        let at_ms = self.now.wall_ms;
        let id = self.ids.next(at_ms);
        self.tell_interested(channel, effects, |_| {
            Delivery::Presence(Box::new(PresenceChange {
                channel: Arc::clone(channel),
                present: present.clone(),
                change,
                at_ms,
                id,
            }))
        });
    }

    fn tell_interested(
        &mut self,
        channel: &Arc<ChannelKey>,
        effects: &mut Effects,
        delivery: impl Fn(ShardId) -> Delivery,
    ) {
        let mut place = 0;
        while let Some(shard) = self.broker.known(channel).and_then(|it| it.interested(place)) {
            self.deliver(shard, delivery(shard), effects);
            place += 1;
        }
    }

    fn on_history(&mut self, from: ShardId, ask: HistoryAsk, effects: &mut Effects) {
        let HistoryAsk { after, limit, reply, .. } = ask;
        let position = self.broker.position(&ask.channel).offset;
        let tail = self.broker.known(&ask.channel).and_then(|home| {
            let tail = home.tail_after(after.min(position))?;
            let page = as_much_as_is_read(tail.take(limit), |it| it.text_bytes());
            Some(page.cloned().collect::<Vec<_>>())
        });
        match tail {
            Some(publications) => self.answer_history(from, reply, publications, effects),
            None if after >= position => self.answer_history(from, reply, Vec::new(), effects),
            None => {
                let HistoryAsk { channel, after, limit, reply } = ask;
                let ticket = ReadTicket::History(from, reply);
                effects.reads.push(ReadAsk { ticket, channel, after, limit });
            }
        }
    }

    fn answer_history(
        &mut self,
        from: ShardId,
        reply: ReplyTo,
        publications: Vec<Arc<Publication>>,
        effects: &mut Effects,
    ) {
        self.deliver(from, Delivery::History(reply, publications), effects);
    }
}
