//! What a shard refuses while memory is short: newcomers first, then what is published, then what waits for the slowest.

use std::collections::BTreeSet;

use protocol::Rejection;
use protocol::dialect::Dialect;
use protocol::http::{Head, KeepAlive, Route, Routed, route};
use protocol::ws::CloseCode;

use super::Shard;
use super::answers::Shape;
use super::calls::{Body, Call};
use super::effects::Effects;
use crate::ids::ConnId;
use crate::planted::{self, Fault};
use crate::pressure::Pressure;
use crate::session::State;

/// What a peer may leave unread while there is no memory for messages: a head, not a body.
const UNREAD_BYTES_MAX: usize = 16 * 1024;

/// How short memory is.
#[derive(Debug)]
pub(super) struct Squeeze {
    level: Pressure,
    /// The limit of that name, while there is memory for consumers.
    polling_total_bytes_max: usize,
    /// Connections that came while there was no memory for them, and have not asked for anything yet. Who asks whether the node lives
    /// is among them; each has a head at most, and as long as a head may take.
    newcomers: BTreeSet<ConnId>,
}

impl Squeeze {
    pub(super) fn new(polling_total_bytes_max: usize) -> Self {
        Self { level: Pressure::Calm, polling_total_bytes_max, newcomers: BTreeSet::new() }
    }

    /// A connection is gone.
    pub(super) fn forget(&mut self, conn: ConnId) {
        self.newcomers.remove(&conn);
    }
}

impl Shard {
    /// Memory is so short from now on. A session without a socket that would get more then ends: it has no socket that is slow.
    pub(super) fn on_pressure(&mut self, level: Pressure) {
        self.squeeze.level = level;
        self.limits.polling_total_bytes_max = match level {
            Pressure::Consumers => 0,
            Pressure::Calm | Pressure::Connections | Pressure::Publishes => {
                self.squeeze.polling_total_bytes_max
            }
        };
    }

    /// Refuses what there is no memory for.
    ///
    /// # Errors
    /// When memory is as short as that.
    pub(super) fn has_memory_for(&self, what: Pressure) -> Result<(), Rejection> {
        if self.squeeze.level < what || planted::is(Fault::PressureIgnored) {
            return Ok(());
        }
        Err(Rejection::Overloaded { limit: Pressure::LIMIT })
    }

    /// Lets a connection in, or hears what it asks for before it is refused.
    ///
    /// # Errors
    /// When there is no memory for it, nor for another that is heard.
    pub(super) fn greet(&mut self, conn: ConnId) -> Result<(), Rejection> {
        let Err(why) = self.has_memory_for(Pressure::Connections) else { return Ok(()) };
        if self.squeeze.newcomers.len() >= self.limits.newcomers_heard_max {
            return Err(why);
        }
        self.squeeze.newcomers.insert(conn);
        if let Some(slot) = self.sessions.slot(conn) {
            // As if it had begun to say something: silence is not kept either.
            slot.since_ms = self.now.monotonic_ms.max(1);
        }
        Ok(())
    }

    /// Refuses the first request of a connection for which there is no memory, unless it asks how the node is: who restarts a node that
    /// does not answer would make it worse. Says whether the connection ends so.
    pub(super) fn turn_away(
        &mut self,
        conn: ConnId,
        head: &Head<'_>,
        effects: &mut Effects,
    ) -> bool {
        if !self.squeeze.newcomers.remove(&conn) {
            return false;
        }
        let Err(why) = self.has_memory_for(Pressure::Connections) else { return false };
        let call = match route(head) {
            Routed::Found(Route::HealthLive) => Call::Live,
            Routed::Found(Route::HealthReady) => Call::Ready,
            Routed::Found(_)
            | Routed::Preflight { .. }
            | Routed::MethodNotAllowed { .. }
            | Routed::NotFound => Call::Reject(why),
        };
        let surface = self.surface(Dialect::of_path(head.path()));
        let shape = Shape { surface, method: head.method(), ..Shape::ok(KeepAlive::Close) };
        self.counters.requests += 1;
        self.perform(conn, call, Body { bytes: &mut [], shape }, effects);
        true
    }

    /// Ends a peer that is in the middle of something large while there is no memory for it. Says whether it did.
    pub(super) fn end_large(&mut self, conn: ConnId, effects: &mut Effects) -> bool {
        let Err(why) = self.has_memory_for(Pressure::Publishes) else { return false };
        let Some(slot) = self.sessions.slot(conn) else { return false };
        if slot.carry.len() <= UNREAD_BYTES_MAX {
            return false;
        }
        match &slot.state {
            State::Http(_) => {
                let unread = std::mem::take(&mut slot.carry);
                let surface = self.surface(Dialect::of_unread_head(&unread));
                let shape = Shape { surface, ..Shape::ok(KeepAlive::Close) };
                self.reject(conn, &why, shape, &mut effects.closes);
            }
            State::Socket(_) => {
                slot.carry = Vec::new();
                self.end_socket(conn, CloseCode::TryAgain, Pressure::LIMIT, effects);
            }
            State::Passing(..) | State::Arriving => self.end_passing(conn, effects),
            State::Leaving(_) | State::Ending => return false,
        }
        true
    }

    /// Ends a socket in the middle of a fragmented message, which would be kept until it is whole, and refused then.
    pub(super) fn end_fragmented(&mut self, conn: ConnId, effects: &mut Effects) {
        if self.has_memory_for(Pressure::Publishes).is_err() {
            self.end_socket(conn, CloseCode::TryAgain, Pressure::LIMIT, effects);
        }
    }
}
