//! How fast one connection may go, beside all of its tenant's together: token buckets on the shard that owns it.

use protocol::Rejection;

use super::Shard;
use crate::control::{Pace, Paced, Whose};
use crate::ids::ConnId;
use crate::pressure::Pressure;

impl Shard {
    /// Counts a request, or a frame, of a connection.
    ///
    /// # Errors
    /// When it goes too fast.
    pub(super) fn pace_request(&mut self, conn: ConnId) -> Result<(), Rejection> {
        self.pace(conn, &Pace::of(Paced::Requests, 1))
    }

    /// Counts what a connection publishes: so many messages, with so many bytes of data.
    ///
    /// # Errors
    /// When it goes too fast, or memory is short: then none of them is counted.
    pub(super) fn pace_publishes(
        &mut self,
        conn: ConnId,
        count: usize,
        bytes: usize,
    ) -> Result<(), Rejection> {
        self.has_memory_for(Pressure::Publishes)?;
        let narrow = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let pace = Pace::of(Paced::Publishes, narrow(count)).and(Paced::Bytes, narrow(bytes));
        self.pace(conn, &pace)
    }

    /// A connection has buckets from its first request on, and only where a limit is set: idle ones take no memory for them.
    fn pace(&mut self, conn: ConnId, pace: &Pace) -> Result<(), Rejection> {
        let rates = &self.limits.connection_rates;
        if !rates.is_set() {
            return Ok(());
        }
        let Some(slot) = self.sessions.slot(conn) else { return Ok(()) };
        let buckets = slot.buckets.get_or_insert_default();
        let taken = buckets.take(rates, pace, self.now.monotonic_ms);
        taken.map_err(|it| Whose::Connection.refusal(it))
    }
}
