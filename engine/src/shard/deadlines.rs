//! When to look at a connection again: a wheel of ticks. An entry that comes too early is harmless; the connection knows its
//! own deadline.

use crate::ids::ConnId;

/// Milliseconds of one tick.
const TICK_MS: u64 = 100;
const TICKS: usize = 1024;

/// The wheel. What lies further ahead than it reaches is looked at once a round.
#[derive(Debug)]
pub(super) struct Deadlines {
    slots: Vec<Vec<ConnId>>,
    /// The first tick that was not looked at.
    next_tick: u64,
}

impl Deadlines {
    /// A wheel that begins at `now_ms`.
    #[must_use]
    pub(super) fn new(now_ms: u64) -> Self {
        Self { slots: vec![Vec::new(); TICKS], next_tick: now_ms / TICK_MS }
    }

    /// Has the connection looked at once `at_ms` has passed.
    pub(super) fn set(&mut self, conn: ConnId, at_ms: u64) {
        let last = self.next_tick + TICKS as u64 - 1;
        let tick = (at_ms / TICK_MS + 1).clamp(self.next_tick, last);
        self.slot(tick).push(conn);
    }

    /// Moves everyone to `due` whose time has come.
    pub(super) fn advance(&mut self, now_ms: u64, due: &mut Vec<ConnId>) {
        let tick_now = now_ms / TICK_MS;
        // A clock that jumps over a whole round makes everyone due once.
        let first = self.next_tick.max((tick_now + 1).saturating_sub(TICKS as u64));
        for tick in first..=tick_now {
            due.append(&mut std::mem::take(self.slot(tick)));
        }
        self.next_tick = self.next_tick.max(tick_now + 1);
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a remainder of TICKS is a place in a wheel of TICKS"
    )]
    fn slot(&mut self, tick: u64) -> &mut Vec<ConnId> {
        let place = usize::try_from(tick % TICKS as u64).unwrap_or_default();
        &mut self.slots[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: ConnId = ConnId { slot: 1, generation: 0 };

    fn first_due(set_at: u64, at_ms: u64) -> u64 {
        let mut wheel = Deadlines::new(set_at);
        wheel.set(CONN, at_ms);
        let mut due = Vec::new();
        for now in (set_at..).step_by(50) {
            wheel.advance(now, &mut due);
            if !due.is_empty() {
                return now;
            }
        }
        unreachable!()
    }

    #[test]
    fn a_deadline_is_seen_after_it_has_passed_and_within_two_ticks() {
        for (set_at, at_ms) in [(0, 0), (0, 99), (0, 100), (1_234, 5_000), (1_234, 100_000)] {
            let seen = first_due(set_at, at_ms);
            assert!(seen >= at_ms && seen <= at_ms + 2 * TICK_MS, "{set_at} {at_ms}: {seen}");
        }
    }

    #[test]
    fn what_is_further_than_a_round_is_looked_at_once_a_round() {
        assert!(first_due(0, 1_000_000) <= TICKS as u64 * TICK_MS);
    }

    #[test]
    fn a_jump_of_the_clock_forgets_nobody() {
        let mut wheel = Deadlines::new(0);
        wheel.set(CONN, 5_000);
        let mut due = Vec::new();
        wheel.advance(10_000_000, &mut due);
        assert_eq!(due, [CONN]);
    }
}
