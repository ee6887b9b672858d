//! What a shard refuses while memory is short: newcomers first, then what is published, then what waits for the slowest.

use protocol::Rejection;
use protocol::dialect::Dialect;
use protocol::http::KeepAlive;
use protocol::ws::CloseCode;

use super::Shard;
use super::answers::Shape;
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
}

impl Squeeze {
    pub(super) fn new(polling_total_bytes_max: usize) -> Self {
        Self { level: Pressure::Calm, polling_total_bytes_max }
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
