//! Giving up on the slowest consumers while memory is short.

use crate::ids::ConnId;
use crate::outbox::OutboxBound;

use super::conn::Phase;
use super::driver::Driver;
use super::op::Ring;

/// One in so many of those that are behind is given up at a time, and at least one.
const SHARE: usize = 8;

impl<R: Ring> Driver<R> {
    /// Takes nothing more for the connections that have most waiting, and says so with [`Event::Overrun`](super::Event::Overrun).
    /// Who has less than `shed_bytes_min` waiting is not behind. Call it again once it is known that this was not enough.
    pub fn shed_slowest(&mut self) {
        let mut behind: Vec<(usize, u32)> =
            self.slow.iter().filter_map(|slot| Some((self.backlog(*slot)?, *slot))).collect();
        behind.sort_unstable_by(|one, other| other.cmp(one));
        for (_, slot) in behind.iter().take(behind.len().div_ceil(SHARE)) {
            let Some(slow) = self.conns.get_mut(*slot as usize).and_then(|it| it.slow.as_mut())
            else {
                continue;
            };
            slow.outbox.seal();
            let generation = self.generations.get(*slot as usize).copied().unwrap_or_default();
            self.overrun(ConnId { slot: *slot, generation }, OutboxBound::Memory);
        }
    }

    /// What waits for a connection that is behind and still takes more.
    fn backlog(&self, slot: u32) -> Option<usize> {
        let conn = self.conns.get(slot as usize).filter(|it| it.phase == Phase::Open)?;
        let outbox = &conn.slow.as_ref()?.outbox;
        let is_behind = !outbox.is_empty() && outbox.bytes() >= self.settings.shed_bytes_min;
        (is_behind && !outbox.is_sealed()).then(|| outbox.bytes())
    }
}
