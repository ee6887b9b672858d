//! What clients on WebSockets listen to: how a subscription begins, and how it ends.

use std::sync::Arc;

use protocol::ws::{self, CloseCode};
use protocol::{KeptId, Rejection};

use super::Shard;
use super::effects::{Effects, Ending};
use super::input::{Join, Joined, Joiner, Leave, Request};
use super::told;
use crate::broker::{Member, Start};
use crate::hub::{Audience, Many, Seat};
use crate::ids::{ChannelKey, ConnId, Offset, SubscriptionId};
use crate::planted::{self, Fault};
use crate::session::{SocketSession, Stage, State, Subscription};

/// How a client wants to listen.
pub(super) struct Wanted {
    pub audience: Audience,
    /// The last offset that it has seen.
    pub after: Option<Offset>,
    /// Its frame that asks.
    pub frame: Frame,
    /// As whom it is shown to others, if it is.
    pub shown: Option<Arc<Member>>,
}

/// The frame of a client that asks to listen.
pub(super) enum Frame {
    /// It is answered, and is called so.
    Awaited(Option<KeptId>),
    /// Nobody awaits an answer: the client listens already, and is to be shown as somebody else.
    Unawaited,
}

impl Shard {
    /// Has a client listen to a channel. What it hears of it already goes on meanwhile: the home counts the new subscription in
    /// before it counts the old one out.
    ///
    /// # Errors
    /// When the client listens to as many channels as it may.
    pub(super) fn subscribe(
        &mut self,
        conn: ConnId,
        channel: &Arc<ChannelKey>,
        wanted: Wanted,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let Wanted { audience, after, frame, shown: member } = wanted;
        let id = SubscriptionId(self.next_subscription);
        let max = self.limits.subscriptions_per_connection_max;
        self.forget_refused(conn, max, effects);
        let Some(socket) = self.socket(conn) else { return Ok(()) };
        let count = socket.subscriptions.list().len();
        let old = match socket.subscriptions.of_mut(channel) {
            Some(known) => {
                match &mut known.stage {
                    stage @ Stage::Refused => *stage = Stage::Joining,
                    // What comes next is what is asked for now.
                    Stage::Behind { next, .. } => *next = None,
                    Stage::Joining | Stage::Live(_) => {}
                }
                known.audience = audience;
                let before = std::mem::replace(&mut known.shown, member.clone());
                Some((std::mem::replace(&mut known.id, id), before))
            }
            None if count >= max => {
                let limit = "subscriptions_per_connection_max";
                return Err(Rejection::Overloaded { limit });
            }
            None => {
                let stage = Stage::Joining;
                let channel = Arc::clone(channel);
                let shown = member.clone();
                socket.subscriptions.add(Subscription { channel, id, stage, audience, shown });
                None
            }
        };
        if let Some(asks) = socket.asks() {
            if let Some((old, _)) = old {
                asks.rejoin(old, id);
            }
            if let Frame::Awaited(frame) = frame {
                asks.wait_for_join(id, frame);
            }
        }
        self.next_subscription += 1;
        let joiner = Joiner { conn, subscription: id };
        let join = Join { channel: Arc::clone(channel), joiner, member, after };
        self.request(channel, Request::Join(Box::new(join)), effects);
        if let Some((subscription, member)) = old {
            let leave = Leave { channel: Arc::clone(channel), subscription, member };
            self.request(channel, Request::Leave(Box::new(leave)), effects);
        }
        Ok(())
    }

    /// Makes room for one more subscription, if what its homes did not take is in the way.
    fn forget_refused(&mut self, conn: ConnId, max: usize, effects: &mut Effects) {
        let Some(socket) = self.socket(conn) else { return };
        let all = socket.subscriptions.list();
        let refused = all.iter().find(|it| it.stage == Stage::Refused && all.len() >= max);
        if let Some(channel) = refused.map(|it| Arc::clone(&it.channel)) {
            self.unsubscribe(conn, &channel, effects);
        }
    }

    /// Ends a client's subscription to a channel. Returns its frames that asked for it and were not answered; `None` when it
    /// had none.
    pub(super) fn unsubscribe(
        &mut self,
        conn: ConnId,
        channel: &ChannelKey,
        effects: &mut Effects,
    ) -> Option<Vec<Option<KeptId>>> {
        let socket = self.socket(conn)?;
        let gone = socket.subscriptions.remove(channel)?;
        let is_many = socket.groups().nth(1).is_some();
        let frames = socket.asks().map(|asks| asks.joined(gone.id)).unwrap_or_default();
        if let Some(client) = socket.insforge() {
            client.forget_filter(channel);
        }
        if let Some(seat) = gone.seat() {
            self.turn.settle(&self.hub, conn, seat.group);
            self.turn.set_many(conn, if is_many { Many::Yes } else { Many::No });
            self.vacate(seat);
        }
        let Subscription { channel, id: subscription, shown: member, .. } = gone;
        let leave = Leave { channel: Arc::clone(&channel), subscription, member };
        self.request(&channel, Request::Leave(Box::new(leave)), effects);
        Some(frames)
    }

    /// Ends all subscriptions of a client that is no more.
    pub(super) fn unsubscribe_all(
        &mut self,
        conn: ConnId,
        socket: &SocketSession,
        effects: &mut Effects,
    ) {
        self.turn.set_many(conn, Many::No);
        for Subscription { channel, id, stage, shown, .. } in socket.subscriptions.list() {
            match stage {
                Stage::Live(seat) | Stage::Behind { seat, .. } => self.vacate(*seat),
                Stage::Joining | Stage::Refused => {}
            }
            let member = shown.clone();
            let leave = Leave { channel: Arc::clone(channel), subscription: *id, member };
            self.request(channel, Request::Leave(Box::new(leave)), effects);
        }
        if socket.is_counted {
            self.give_socket_back(socket.tenant, effects);
        }
    }

    /// Takes a seat out of the fan-out, and tells whoever sits there now.
    pub(super) fn vacate(&mut self, seat: Seat) {
        if let Some((moved, seat)) = self.hub.leave(seat)
            && let Some(neighbour) = self.socket(moved)
            && let Some(subscription) = neighbour.subscriptions.in_group(seat.group)
            && !planted::is(Fault::StaleSeat)
        {
            subscription.move_to(seat);
        }
    }

    /// The home counted us before it answered, and the lane is FIFO: everything after the position is still to come
    /// (invariant 3). An answer to a subscription that has ended finds nobody.
    pub(super) fn on_joined(&mut self, joined: &Joined, closes: &mut Vec<(ConnId, Ending)>) {
        let Joiner { conn, subscription: id } = joined.joiner;
        let Some(socket) = self.sessions.socket(conn) else { return };
        let id = match socket.subscriptions.of(&joined.channel) {
            Some(current) if current.id == id || planted::is(Fault::LateJoined) => current.id,
            Some(_) | None => return,
        };
        let Some(current) = socket.subscriptions.by_id(id) else { return };
        let (audience, stage) = (current.audience, current.stage);
        let frames = socket.asks().map(|asks| asks.joined(id)).unwrap_or_default();
        let is_told = frames.is_empty() && matches!(stage, Stage::Behind { .. });
        if is_told && matches!(joined.start, Start::Gapped { .. }) {
            return self.send_away(conn, closes);
        }
        self.turn.write(&self.hub, conn, socket.groups(), |out| {
            told::tell_joined(out, joined, (&frames, is_told), audience);
        });
        self.settle_in(conn, (id, audience), joined);
    }

    /// Gives a subscription its place in the fan-out: that of those who are behind, or that of those who are live. Until then it hears
    /// what it heard before.
    fn settle_in(
        &mut self,
        conn: ConnId,
        (id, audience): (SubscriptionId, Audience),
        joined: &Joined,
    ) {
        let next = match &joined.start {
            Start::Behind { missed, .. } => missed.last().and_then(|it| it.offset()),
            Start::Fresh { .. } | Start::Resumed { .. } | Start::Gapped { .. } => None,
        };
        if next.is_some() {
            self.arrivals.note_thirst(conn);
        }
        let subscription = self.sessions.socket(conn).and_then(|it| it.subscriptions.by_id(id));
        let Some(subscription) = subscription else { return };
        let left = match (&mut subscription.stage, next) {
            (Stage::Live(seat), None) if self.hub.audience(seat.group) == audience => return,
            (Stage::Behind { next: known, .. }, Some(_)) => return *known = next,
            (Stage::Live(seat) | Stage::Behind { seat, .. }, _) => Some(*seat),
            (Stage::Joining | Stage::Refused, _) => None,
        };
        subscription.stage = Stage::Joining;
        if let Some(seat) = left {
            self.turn.settle(&self.hub, conn, seat.group);
            self.vacate(seat);
        }
        let audience = if next.is_some() { audience.behind() } else { audience };
        let seat = self.hub.enter(&joined.channel, audience, conn);
        if !planted::is(Fault::NoCut) {
            self.turn.cut(&self.hub, conn, seat.group);
        }
        let Some(socket) = self.socket(conn) else { return };
        if let Some(subscription) = socket.subscriptions.by_id(id) {
            subscription.stage = match next {
                Some(_) => Stage::Behind { seat, next },
                None => Stage::Live(seat),
            };
        }
        if socket.groups().nth(1).is_some() {
            self.turn.set_many(conn, Many::Yes);
        }
    }

    /// The client hears why, and may come back. It leaves like everyone else once it is gone; its home knows.
    pub(super) fn on_not_joined(
        &mut self,
        joiner: Joiner,
        why: &Rejection,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let Joiner { conn, subscription } = joiner;
        let Some(slot) = self.sessions.slot(conn) else { return };
        let State::Socket(socket) = &mut slot.state else { return };
        let Some(refused) = socket.subscriptions.by_id(subscription) else { return };
        refused.stage = Stage::Refused;
        let channel = Arc::clone(&refused.channel);
        let dialect = socket.dialect();
        if let Some(asks) = socket.asks() {
            let frames = asks.joined(subscription);
            self.turn.write(&self.hub, conn, socket.groups(), |out| {
                told::tell_not_joined(out, dialect, (&channel, &frames), why);
            });
            return;
        }
        if let State::Socket(socket) = std::mem::replace(&mut slot.state, State::Ending) {
            slot.state = State::Leaving(socket);
        }
        self.turn.write(&self.hub, conn, std::iter::empty(), |out| {
            ws::append_close(out, CloseCode::TryAgain, &why.to_string());
        });
        super::close(conn, Ending::Flush, closes);
    }

    /// Writes a frame to a client alone.
    pub(super) fn write_to(&mut self, conn: ConnId, encode: impl FnOnce(&mut Vec<u8>)) {
        let Some(socket) = self.sessions.socket(conn) else { return };
        self.turn.write(&self.hub, conn, socket.groups(), encode);
    }

    pub(super) fn socket(&mut self, conn: ConnId) -> Option<&mut SocketSession> {
        self.sessions.socket(conn)
    }
}
