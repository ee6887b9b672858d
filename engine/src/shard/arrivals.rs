//! How a subscriber gets what it missed: from memory, or from the journal, in parts that its connection has room for.
//!
//! The home says where it starts: `Resumed` ends the past, and everything behind its position comes live by the same lane.
//! `Behind` is a part of the past, after which the edge asks for the next one; until the last it hears nothing live. So there is
//! no hole and no overlap, and nobody buffers what is published meanwhile.
//!
//! When everybody comes back at once the journal may have no room for one more question. Then the subscriber waits, and is asked for
//! again behind the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use protocol::Rejection;
use storage::Publication;

use super::Shard;
use super::effects::Effects;
use super::input::{Advance, Delivery, Joined, Joiner, ReadAsk, ReadTicket, Request};
use crate::broker::{Gap, Start};
use crate::hasher::ShardHasher;
use crate::ids::{ChannelKey, ConnId, Offset, Position, ShardId, SubscriptionId};
use crate::planted::{self, Fault};
use crate::session::{Stage, State};

/// A subscriber of a channel homed here that waits for the journal.
#[derive(Debug)]
struct Reading {
    joiner: Joiner,
    channel: Arc<ChannelKey>,
    after: Offset,
    /// Its place in `waiting`, if the journal had no room for it.
    waits: Option<u64>,
}

/// So many of those who wait are asked for when the journal has answered somebody: more than one, so that its room is used again.
const ASKED_AGAIN: usize = 2;

/// Those of a shard: of the channels homed here, and of the connections here.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Each is gone with its subscription, so they are at most as many as the node's subscriptions.
    reading: HashMap<(ShardId, SubscriptionId), Reading, ShardHasher>,
    /// Those for whom the journal had no room, in order.
    waiting: BTreeMap<u64, (ShardId, SubscriptionId)>,
    next_place: u64,
    /// Connections here that were given a part, and want the next one once they have taken it.
    thirsty: Vec<ConnId>,
}

impl Arrivals {
    pub(super) fn new(hasher: ShardHasher) -> Self {
        Self {
            reading: HashMap::with_hasher(hasher),
            waiting: BTreeMap::new(),
            next_place: 0,
            thirsty: Vec::new(),
        }
    }

    /// The subscription has ended.
    pub(super) fn forget(&mut self, edge: ShardId, subscription: SubscriptionId) {
        let reading = self.reading.remove(&(edge, subscription));
        if let Some(place) = reading.and_then(|it| it.waits) {
            self.waiting.remove(&place);
        }
    }

    /// The journal has no room for it now.
    fn wait(&mut self, key: (ShardId, SubscriptionId)) {
        if let Some(reading) = self.reading.get_mut(&key) {
            reading.waits = Some(self.next_place);
            self.waiting.insert(self.next_place, key);
            self.next_place += 1;
        }
    }

    /// The first of those who wait, as it is asked for.
    fn next_waiting(&mut self, limit: usize) -> Option<ReadAsk> {
        let (_, key) = self.waiting.pop_first()?;
        let reading = self.reading.get_mut(&key)?;
        reading.waits = None;
        Some(reading.ask(key.0, limit))
    }

    /// A connection here was given a part.
    pub(super) fn note_thirst(&mut self, conn: ConnId) {
        self.thirsty.push(conn);
    }

    /// Hands over who wants more.
    pub(super) fn say(&mut self, to: &mut Vec<ConnId>) {
        to.append(&mut self.thirsty);
    }
}

impl Reading {
    fn ask(&self, edge: ShardId, limit: usize) -> ReadAsk {
        let ticket = ReadTicket::Arrival(edge, self.joiner);
        ReadAsk { ticket, channel: Arc::clone(&self.channel), after: self.after, limit }
    }
}

impl Shard {
    /// Tells a subscriber where it starts, at once or once the journal was read.
    pub(super) fn start_behind(&mut self, edge: ShardId, advance: Advance, effects: &mut Effects) {
        let Advance { channel, joiner, after } = advance;
        let bytes_max = self.limits.recovery_bytes_max;
        let home = self.broker.channel(&channel);
        let position = home.position();
        let start = match after {
            None => Start::Fresh { position },
            Some(after) if after > position.offset => Start::Gapped { position, gap: Gap::Ahead },
            Some(after) => match home.tail_after(after) {
                Some(missed) => part(position, missed.cloned(), bytes_max),
                None => {
                    let reading = Reading { joiner, channel, after, waits: None };
                    effects.reads.push(reading.ask(edge, self.limits.recovery_messages_max));
                    self.arrivals.reading.insert((edge, joiner.subscription), reading);
                    return;
                }
            },
        };
        self.answer_start(edge, (channel, joiner), start, effects);
    }

    /// The journal was read for a subscriber, who may have left meanwhile.
    pub(super) fn on_past_read(
        &mut self,
        (edge, joiner): (ShardId, Joiner),
        result: Result<Vec<Arc<Publication>>, Rejection>,
        effects: &mut Effects,
    ) {
        let key = (edge, joiner.subscription);
        if is_busy(&result) {
            return self.arrivals.wait(key);
        }
        let Some(Reading { channel, after, .. }) = self.arrivals.reading.remove(&key) else {
            return;
        };
        let bytes_max = self.limits.recovery_bytes_max;
        let home = self.broker.channel(&channel);
        let position = home.position();
        let start = match result {
            Err(_) => Start::Gapped { position, gap: Gap::Unreadable },
            Ok(found) => {
                let found = unbroken(found, after, position.offset);
                match found.last().and_then(|it| it.offset()) {
                    None => Start::Gapped { position, gap: Gap::NotRetained },
                    Some(last) => match home.tail_after(last) {
                        Some(rest) => {
                            part(position, found.into_iter().chain(rest.cloned()), bytes_max)
                        }
                        None => match part(position, found.into_iter(), bytes_max) {
                            Start::Resumed { position, missed } => {
                                Start::Behind { position, missed }
                            }
                            other @ (Start::Fresh { .. }
                            | Start::Behind { .. }
                            | Start::Gapped { .. }) => other,
                        },
                    },
                }
            }
        };
        self.answer_start(edge, (channel, joiner), start, effects);
    }

    /// The journal has answered somebody, or time has passed: there may be room for those who wait.
    pub(super) fn ask_again(&mut self, effects: &mut Effects) {
        let limit = self.limits.recovery_messages_max;
        for _ in 0..ASKED_AGAIN {
            let Some(ask) = self.arrivals.next_waiting(limit) else { return };
            effects.reads.push(ask);
        }
    }

    fn answer_start(
        &mut self,
        edge: ShardId,
        (channel, joiner): (Arc<ChannelKey>, Joiner),
        start: Start,
        effects: &mut Effects,
    ) {
        let listed_max = self.limits.presence_members_max;
        let present = self.broker.channel(&channel).presence.snapshot(listed_max);
        let joined = Joined { channel, joiner, start, present };
        self.deliver(edge, Delivery::Joined(Box::new(joined)), effects);
    }

    /// A connection has taken most of what waited for it: who of its subscriptions is behind asks for the next part.
    pub(super) fn on_drained(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        let socket = match &mut slot.state {
            State::Socket(socket) => socket,
            State::Http(http) => {
                let Some(call) = http.tickets.streaming() else { return };
                return self.go_on_streaming(call, &mut effects.closes);
            }
            State::Leaving(_) | State::Passing(..) | State::Arriving | State::Ending => return,
        };
        let mut asks = Vec::new();
        for it in socket.subscriptions.list_mut() {
            let Stage::Behind { next, .. } = &mut it.stage else { continue };
            if let Some(after) = next.take() {
                let joiner = Joiner { conn, subscription: it.id };
                asks.push(Advance { channel: Arc::clone(&it.channel), joiner, after: Some(after) });
            }
        }
        for it in asks {
            let channel = Arc::clone(&it.channel);
            self.request(&channel, Request::Advance(Box::new(it)), effects);
        }
    }
}

/// Whether the journal had no room for the question, and is to be asked again.
pub(super) fn is_busy<T>(result: &Result<T, Rejection>) -> bool {
    matches!(result, Err(Rejection::Overloaded { .. }))
}

/// What follows `after` without a hole, as far as it is visible: what is not will come live.
fn unbroken(found: Vec<Arc<Publication>>, after: Offset, visible: Offset) -> Vec<Arc<Publication>> {
    let mut expected = after;
    let is_next = |it: &Arc<Publication>| {
        expected = expected.next();
        it.offset() == Some(expected) && expected <= visible
    };
    found.into_iter().take_while(is_next).collect()
}

/// As much of the past as a connection has room for, but at least a message: its end, or a part before it.
fn part(
    position: Position,
    missed: impl Iterator<Item = Arc<Publication>>,
    bytes_max: usize,
) -> Start {
    let (mut bytes, mut taken) = (0, Vec::new());
    let mut missed = missed.skip(usize::from(planted::is(Fault::HistoryGap)));
    for publication in missed.by_ref() {
        bytes += publication.text_bytes();
        if bytes > bytes_max && !taken.is_empty() {
            return Start::Behind { position, missed: taken };
        }
        taken.push(publication);
    }
    Start::Resumed { position, missed: taken }
}
