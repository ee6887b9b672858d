//! Giving up on the slowest consumers: while memory is short, and when what waits for all of them is too much. Who reads goes on.

use std::cmp::Reverse;

use crate::ids::ConnId;
use crate::outbox::OutboxBound;

use super::conn::Phase;
use super::driver::Driver;
use super::event::Event;
use super::op::Ring;
use super::tag::Kind;

/// One in so many of those that are behind is given up at a time, and at least one.
const SHARE: usize = 8;
/// With less than one in so many bytes of what it may have waiting a connection is not behind when memory is short: who reads has as
/// much now and then, and to close it would free less than its return takes.
const BEHIND_PART: usize = 32;
/// So much of what may wait for all is free once somebody was given up for it, so that not every piece looks for the slowest.
const ROOM_PART: u64 = 8;

impl<R: Ring> Driver<R> {
    /// Takes nothing more for the connections that have most waiting, and says so with [`Event::Overrun`].
    /// Who has little waiting is not behind. Call it again once it is known that this was not enough.
    pub fn shed_slowest(&mut self) {
        let mut behind: Vec<(usize, u32)> =
            self.slow.iter().filter_map(|slot| Some((self.backlog(*slot)?, *slot))).collect();
        behind.sort_unstable_by(|one, other| other.cmp(one));
        for (_, slot) in behind.iter().take(behind.len().div_ceil(SHARE)) {
            self.give_up(self.id(*slot), OutboxBound::Memory);
        }
    }

    /// Whether so many bytes may wait beside all that do. If they are too many those are given up for whom something waits longest,
    /// and not who comes next.
    pub(super) fn make_room_for(&mut self, len: u64) -> bool {
        let most = self.settings.backlog_bytes_max as u64;
        if self.backlog_bytes() + len <= most {
            return true;
        }
        if self.is_full {
            return false;
        }
        let slowest = self.slowest_first();
        let all: u64 = slowest.iter().map(|it| it.1).sum();
        // Where others hold too much for a part of it to become free, nobody is given up beyond what is needed.
        let part = most - most / ROOM_PART;
        let rest = self.backlog_bytes().saturating_sub(all) + len;
        if rest > most {
            return false;
        }
        let goal = if rest <= part { part } else { most };
        for (slot, _) in slowest {
            if self.backlog_bytes() + len <= goal {
                break;
            }
            self.give_up(self.id(slot), OutboxBound::TotalBytes);
        }
        self.is_full = self.backlog_bytes() + len > most;
        !self.is_full
    }

    /// Bytes that wait for those who are not given up.
    fn backlog_bytes(&self) -> u64 {
        self.counters.backlog_bytes.saturating_sub(self.counters.shed_bytes)
    }

    /// Those for whom something waits, and how much: first for whom it waits longest, and of these who has most.
    fn slowest_first(&self) -> Vec<(u32, u64)> {
        let waiting = self.slow.iter().filter_map(|slot| {
            let conn = self.conns.get(*slot as usize).filter(|it| it.phase == Phase::Open)?;
            let outbox = &conn.slow.as_ref()?.outbox;
            let since_ms = outbox.oldest_at().filter(|_| !outbox.is_sealed())?;
            Some((since_ms, Reverse(outbox.bytes() as u64), *slot))
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.sort_unstable();
        waiting.into_iter().map(|(_, Reverse(bytes), slot)| (slot, bytes)).collect()
    }

    /// Takes nothing more for an open connection, and tells the core. What was not begun is dropped before the core hears of that; as
    /// long as a send in flight reads from it, it counts as free.
    pub(super) fn give_up(&mut self, conn: ConnId, over: OutboxBound) {
        let found = self.conn(conn).filter(|it| it.phase == Phase::Open);
        let Some(slow) = found.and_then(|it| it.slow.as_mut()) else { return };
        slow.outbox.seal();
        slow.over = Some(over);
        slow.is_cut = true;
        slow.is_cancelling = slow.flight.is_some();
        let stop = slow.is_cancelling;
        self.counters.shed_bytes += slow.outbox.bytes() as u64;
        self.counters.overruns += 1;
        self.cut_short(conn.slot);
        if stop {
            self.cancel(Kind::Armed, conn.slot);
        }
        self.tell(Event::Overrun(conn));
    }

    /// Drops what was not begun for a connection that was given up, once no send reads from it. What is left counts again.
    pub(super) fn cut_short(&mut self, slot: u32) {
        let slow = self.conns.get_mut(slot as usize).and_then(|it| it.slow.as_mut());
        let Some(slow) = slow.filter(|it| it.is_cut && it.flight.is_none()) else { return };
        slow.is_cut = false;
        self.counters.shed_bytes -= slow.outbox.bytes() as u64;
        self.counters.backlog_bytes -= slow.outbox.drop_unbegun() as u64;
    }

    /// What waits for a connection that is behind and still takes more.
    fn backlog(&self, slot: u32) -> Option<usize> {
        let conn = self.conns.get(slot as usize).filter(|it| it.phase == Phase::Open)?;
        let outbox = &conn.slow.as_ref()?.outbox;
        let least = self.settings.outbox.bytes_max / BEHIND_PART;
        let is_behind = !outbox.is_empty() && outbox.bytes() >= least;
        (is_behind && !outbox.is_sealed()).then(|| outbox.bytes())
    }
}
