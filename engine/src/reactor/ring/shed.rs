//! Giving up on the slowest consumers: while memory is short, and when what waits for all of them is too much. Who reads goes on.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
/// While so much of what may wait for all is free nobody has to know who is slowest.
const FREE_PART: usize = 8;

/// Since when something waits for a connection, how much of it would be free, and its slot. The greatest is the slowest: of those who
/// wait equally long who has most.
type Rank = (Reverse<u64>, u64, u32);

/// Who may be given up to make room. Whoever began to wait since they were looked for is not among them, and waits for less long.
#[derive(Debug, Default)]
pub(super) struct Slowest {
    ranks: BinaryHeap<Rank>,
    /// All that would be free.
    bytes: u64,
    /// When they were looked for.
    found_ms: u64,
    /// They were looked for in this turn.
    is_fresh: bool,
}

impl Slowest {
    /// A turn begins.
    pub(super) fn begin_turn(&mut self) {
        self.is_fresh = false;
    }

    fn pop(&mut self) -> Option<Rank> {
        let rank = self.ranks.pop()?;
        self.bytes -= rank.1;
        Some(rank)
    }

    fn push(&mut self, rank: Rank) {
        self.bytes += rank.1;
        self.ranks.push(rank);
    }
}

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
    /// and not who comes next: as few as it takes, since to give up on a crowd takes a while.
    pub(super) fn make_room_for(&mut self, len: u64) -> bool {
        while !self.is_room_for(len) {
            // Where others hold too much nobody is given up for nothing.
            let rest = self.counters.kept_bytes().saturating_sub(self.slowest.bytes);
            let may_do = rest + len <= self.settings.backlog_bytes_max as u64;
            match may_do.then(|| self.pop_slowest()).flatten() {
                Some(slot) => self.give_up(self.id(slot), OutboxBound::TotalBytes),
                None if self.slowest.is_fresh => return false,
                None => self.rank(),
            }
        }
        true
    }

    /// Forgets who was slowest once nobody has to make room any more.
    pub(super) fn forget_slowest(&mut self) {
        if self.is_room_for((self.settings.backlog_bytes_max / FREE_PART) as u64) {
            self.slowest = Slowest::default();
        }
    }

    fn is_room_for(&self, len: u64) -> bool {
        self.counters.kept_bytes() + len <= self.settings.backlog_bytes_max as u64
    }

    /// Looks for those for whom something waits.
    fn rank(&mut self) {
        self.counters.rankings += 1;
        let ranks: BinaryHeap<_> = self.slow.iter().filter_map(|slot| self.waits(*slot)).collect();
        let bytes = ranks.iter().map(|it| it.1).sum();
        self.slowest = Slowest { ranks, bytes, found_ms: self.now_ms, is_fresh: true };
    }

    /// Takes out the one for whom something waits longest. Who was sent something since they were looked for stands further behind.
    fn pop_slowest(&mut self) -> Option<u32> {
        loop {
            let found = self.slowest.pop()?;
            let Some(now) = self.waits(found.2) else { continue };
            if now.0 == found.0 {
                return Some(found.2);
            }
            if now.0.0 < self.slowest.found_ms {
                self.slowest.push(now);
            }
        }
    }

    /// Since when something waits for an open connection; but not if it has only the rest of what was begun, which would not be free.
    fn waits(&self, slot: u32) -> Option<Rank> {
        let conn = self.conns.get(slot as usize).filter(|it| it.phase == Phase::Open)?;
        let outbox = &conn.slow.as_ref()?.outbox;
        let since_ms = outbox.oldest_at().filter(|_| !outbox.is_sealed())?;
        let bytes = outbox.unbegun_bytes() as u64;
        (bytes > 0).then_some((Reverse(since_ms), bytes, slot))
    }

    /// Takes nothing more for an open connection, and tells the core, once. What was not begun is dropped before the core hears of that; as
    /// long as a send in flight reads from it, it counts as free.
    pub(super) fn give_up(&mut self, conn: ConnId, over: OutboxBound) {
        let found = self.conn(conn).filter(|it| it.phase == Phase::Open);
        let slow = found.and_then(|it| it.slow.as_mut()).filter(|it| it.over.is_none());
        let Some(slow) = slow else { return };
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
