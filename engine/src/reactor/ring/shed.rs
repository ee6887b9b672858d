//! Giving up on the slowest consumers: while memory is short, and when what waits for all of them is too much. Who reads goes on.

use crate::ids::ConnId;
use crate::outbox::OutboxBound;

use super::conn::Phase;
use super::driver::Driver;
use super::op::Ring;

/// One in so many of those that are behind is given up at a time, and at least one.
const SHARE: usize = 8;
/// So much of what may wait for all is free once somebody was given up for it, so that not every piece looks for the slowest.
const ROOM_PART: u64 = 8;

impl<R: Ring> Driver<R> {
    /// Takes nothing more for the connections that have most waiting, and says so with [`Event::Overrun`](super::Event::Overrun).
    /// Who has less than `shed_bytes_min` waiting is not behind. Call it again once it is known that this was not enough.
    pub fn shed_slowest(&mut self) {
        let mut behind: Vec<(usize, u32)> =
            self.slow.iter().filter_map(|slot| Some((self.backlog(*slot)?, *slot))).collect();
        behind.sort_unstable_by(|one, other| other.cmp(one));
        for (_, slot) in behind.iter().take(behind.len().div_ceil(SHARE)) {
            self.give_up(*slot, OutboxBound::Memory);
        }
    }

    /// Whether so many bytes may wait beside all that do. If they are too many those are given up for whom something waits longest,
    /// and not who comes next.
    pub(super) fn make_room_for(&mut self, len: u64) -> bool {
        let most = self.settings.backlog_bytes_max as u64;
        if self.backlog_bytes() + len <= most {
            return true;
        }
        for slot in self.slowest_first() {
            if self.backlog_bytes() + len <= most - most / ROOM_PART {
                break;
            }
            self.give_up(slot, OutboxBound::TotalBytes);
        }
        self.backlog_bytes() + len <= most
    }

    /// Bytes that wait for those who are not given up.
    fn backlog_bytes(&self) -> u64 {
        self.counters.backlog_bytes.saturating_sub(self.shed_bytes)
    }

    /// Those for whom something waits: first for whom it waits longest, and of these who has most.
    fn slowest_first(&self) -> Vec<u32> {
        let waiting = self.slow.iter().filter_map(|slot| {
            let conn = self.conns.get(*slot as usize).filter(|it| it.phase == Phase::Open)?;
            let outbox = &conn.slow.as_ref()?.outbox;
            let since_ms = outbox.oldest_at().filter(|_| !outbox.is_sealed())?;
            Some((since_ms, usize::MAX - outbox.bytes(), *slot))
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(.., slot)| slot).collect()
    }

    /// Takes nothing more for a connection, whose bytes are as good as free.
    pub(super) fn give_up(&mut self, slot: u32, over: OutboxBound) {
        let slow = self.conns.get_mut(slot as usize).and_then(|it| it.slow.as_mut());
        let Some(slow) = slow else { return };
        slow.outbox.seal();
        slow.shed_bytes = slow.outbox.bytes() as u64;
        self.shed_bytes += slow.shed_bytes;
        let generation = self.generations.get(slot as usize).copied().unwrap_or_default();
        self.overrun(ConnId { slot, generation }, over);
    }

    /// What waits for a connection that is behind and still takes more.
    fn backlog(&self, slot: u32) -> Option<usize> {
        let conn = self.conns.get(slot as usize).filter(|it| it.phase == Phase::Open)?;
        let outbox = &conn.slow.as_ref()?.outbox;
        let is_behind = !outbox.is_empty() && outbox.bytes() >= self.settings.shed_bytes_min;
        (is_behind && !outbox.is_sealed()).then(|| outbox.bytes())
    }
}
