//! Connections that go from one shard to another: the next request of theirs concerns something that lives there.
//!
//! A connection is passed when no answer is outstanding on it, and with its request wholly unread, so the shard that gets it reads
//! what its peer said as if it had accepted it. Who has it is named by the request alone: nobody passes a request on that was passed
//! to it. The socket moves within the kernel, the unread bytes by lane; either may come first.

use hashbrown::HashMap;
use protocol::Rejection;
use protocol::dialect::Dialect;
use protocol::engineio::{self, Ask};
use protocol::http::{Head, KeepAlive};

use super::Shard;
use super::answers::Shape;
use super::effects::{Effects, Ending, Pass};
use super::input::{Parcel, Request};
use super::requests::Progress;
use crate::hasher::ShardHasher;
use crate::ids::{ConnId, PassId, ShardId};
use crate::planted::{self, Fault};
use crate::session::{HttpSession, State};

/// Connections between two shards.
#[derive(Debug)]
pub(super) struct Passes {
    next: u64,
    /// What came of connections whose sockets have not: each was moved before, so they are at most as many as the ring has slots.
    parcels: HashMap<PassId, Parcel, ShardHasher>,
    /// Connections here that came without their unread bytes.
    arrived: HashMap<PassId, ConnId, ShardHasher>,
}

impl Passes {
    pub(super) fn new(hasher: ShardHasher) -> Self {
        let arrived = HashMap::with_hasher(hasher.clone());
        Self { next: 0, parcels: HashMap::with_hasher(hasher), arrived }
    }
}

impl Shard {
    /// The shard that a request concerns, if it is another one.
    pub(super) fn elsewhere(&self, head: &Head<'_>) -> Option<ShardId> {
        if head.path() != engineio::PATH || self.health.draining {
            return None;
        }
        let Ok(Ask::Session { sid, .. }) = engineio::decode_ask(head) else { return None };
        let [high, low, ..] = sid.bytes();
        let shard = ShardId(u16::from_be_bytes([high, low]));
        (shard != self.id && shard.0 < self.shard_count).then_some(shard)
    }

    /// Passes a connection on with its request unread, once every earlier one is answered.
    pub(super) fn pass(&mut self, conn: ConnId, to: ShardId, effects: &mut Effects) -> Progress {
        let Some(slot) = self.sessions.slot(conn) else { return Progress::Wait };
        match &slot.state {
            State::Http(http) if http.tickets.is_empty() => {}
            State::Http(_)
            | State::Socket(_)
            | State::Leaving(_)
            | State::Passing(..)
            | State::Arriving
            | State::Ending => return Progress::Wait,
        }
        let number = PassId::new(self.id, self.passes.next);
        self.passes.next += 1;
        slot.state = State::Passing(to, number);
        effects.passes.push(Pass { conn, to, number });
        Progress::Wait
    }

    /// Those of `passes` that are due now. Whoever still waits for a share of earlier turns goes behind that: nothing is sent to a
    /// connection on its way.
    pub fn due_passes<'a>(&'a self, passes: &'a mut Vec<Pass>) -> impl Iterator<Item = Pass> + 'a {
        passes.extract_if(.., |it| !self.turn.is_owed(it.conn))
    }

    /// The connection is another shard's: what was not read of it follows.
    pub(super) fn on_passed(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        let (unread, buckets) = (std::mem::take(&mut slot.carry), slot.buckets.take());
        let Some(State::Passing(to, number)) = self.sessions.close(conn) else { return };
        let parcel = Parcel { number, unread, buckets };
        self.send(to, Request::Parcel(Box::new(parcel)), effects);
    }

    /// The other shard had no room for it.
    pub(super) fn on_stayed(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        let State::Passing(..) = slot.state else { return };
        slot.state = State::Http(Box::<HttpSession>::default());
        let unread = std::mem::take(&mut slot.carry);
        let surface = self.surface(Dialect::of_unread_head(&unread));
        let why = Rejection::Overloaded { limit: "connections_max" };
        let shape = Shape { surface, ..Shape::ok(KeepAlive::Close) };
        self.reject(conn, &why, shape, &mut effects.closes);
    }

    /// A connection came from another shard.
    pub(super) fn on_arrived(&mut self, conn: ConnId, number: PassId, effects: &mut Effects) {
        let full = self.open(conn, State::Arriving);
        if let Some(slot) = self.sessions.slot(conn) {
            slot.since_ms = self.now.monotonic_ms.max(1);
        }
        if let Err(why) = full {
            self.refuse_conn(conn, &why, effects);
        }
        match self.passes.parcels.remove(&number) {
            Some(parcel) => self.unpack(conn, parcel),
            None => _ = self.passes.arrived.insert(number, conn),
        }
        self.watch(conn);
    }

    /// What another shard had not read of a connection. It is read with the next [`Input::Resume`](super::input::Input::Resume).
    pub(super) fn on_parcel(&mut self, parcel: Parcel) {
        match self.passes.arrived.remove(&parcel.number) {
            Some(conn) => self.unpack(conn, parcel),
            None => _ = self.passes.parcels.insert(parcel.number, parcel),
        }
    }

    fn unpack(&mut self, conn: ConnId, parcel: Parcel) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        let State::Arriving = slot.state else { return };
        let Parcel { unread, buckets, .. } = parcel;
        let since = std::mem::replace(&mut slot.carry, unread);
        if !planted::is(Fault::PassedBytesLost) {
            slot.carry.extend_from_slice(&since);
        }
        slot.buckets = buckets;
        slot.state = State::Http(Box::<HttpSession>::default());
        self.resumable.push(conn);
    }

    /// Ends a connection that sends on and on while it is between two shards.
    pub(super) fn end_passing(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        slot.carry = Vec::new();
        slot.state = State::Ending;
        super::close(conn, Ending::Now, &mut effects.closes);
    }
}
