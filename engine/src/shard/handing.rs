//! The end of a turn: what it made for connections is handed out, and who is to end, ends.

use super::Shard;
use super::effects::{Ending, Outlet};
use super::mailing::Mail;
use crate::ids::ConnId;

impl Shard {
    /// Hands out what the turn made for connections. `at_us` is monotonic, in microseconds, and later than the last.
    pub fn flush(&mut self, at_us: u64, outlet: &mut impl Outlet) {
        let Self { hub, turn, polls, limits, .. } = self;
        turn.flush(hub, at_us, &mut Mail { outlet, polls, limits });
        polls.end_turn();
        self.wake_movers();
    }

    /// What the last turn had the kernel do took so many microseconds: its sends to channels, and whatever else it sent or closed. While
    /// more are left, a turn makes as many sends to channels as take `turn_us`.
    pub fn sends_took(&mut self, us: u64) {
        self.turn.adapt(us, self.limits.turn_us);
    }

    /// How long a turn should take inputs, in microseconds.
    #[must_use]
    pub fn turn_us(&self) -> u64 {
        self.limits.turn_us
    }

    /// Whether something is left for the next turn: flush again before waiting.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.turn.is_behind()
    }

    /// Until when flushing again gives nobody anything unless something comes: a time as `flush` is told it.
    #[must_use]
    pub fn rests_until_us(&self) -> Option<u64> {
        self.turn.rests_until_us()
    }

    /// Whether more may be taken: not too much waits for its fan-out.
    #[must_use]
    pub fn may_fan_out(&self) -> bool {
        self.turn.has_room(&self.hub, &self.limits)
    }

    /// Those of `closes` that are due now. Whoever still gets something of a large fan-out, and is to get what is queued before it
    /// ends, ends behind that.
    pub fn due_closes<'a>(
        &'a self,
        closes: &'a mut Vec<(ConnId, Ending)>,
    ) -> impl Iterator<Item = (ConnId, Ending)> + 'a {
        closes.extract_if(.., |(conn, ending)| !(ending.is_last() && self.turn.is_owed(*conn)))
    }
}
