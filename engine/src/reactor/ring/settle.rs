//! Closing, and everything else that has to wait until the completions of a turn are all in: arming what an outbox
//! holds, telling the peer, freeing slots. A slot is freed only when nothing refers to it any more.

use crate::ids::ConnId;
use crate::outbox::OutboxBound;

use super::conn::{Conn, Ending, Owner, Phase, QUEUED, Reading};
use super::driver::Driver;
use super::event::{Event, How, Why};
use super::message::Kept;
use super::op::{Op, Ring};
use super::tag::{Kind, Tag};

impl<R: Ring> Driver<R> {
    /// Closes a connection; `Closed` follows. Repeating it changes nothing.
    pub fn close(&mut self, conn: ConnId, how: How) {
        let deadline_ms = self.now_ms + self.settings.grace_ms;
        let Some(found) = self.conn(conn) else { return };
        if std::mem::replace(&mut found.owner, Owner::Done) == Owner::Done {
            return;
        }
        if found.phase == Phase::Passing && !found.is_under_way() {
            return self.cut(conn.slot);
        }
        if found.phase == Phase::Open {
            self.set_mark(conn.slot, QUEUED);
            let (last, ending) = match how {
                How::Now => return self.cut(conn.slot),
                How::Graceful(last) => (last, Ending::Close),
                How::Linger(last) => (last, Ending::Linger),
            };
            let Some(slow) = self.slow(conn.slot) else { return };
            slow.last = last;
            slow.ending = ending;
            slow.deadline_ms = Some(deadline_ms);
            let is_overrun = slow.outbox.is_sealed();
            self.set_phase(conn.slot, Phase::Flushing);
            if is_overrun {
                self.set_why(conn.slot, Why::Cut);
            }
        }
        self.settle_later(conn.slot);
    }

    pub(super) fn cut(&mut self, slot: u32) {
        let waits = self.conns.get(slot as usize).is_some_and(|conn| conn.slow.is_some());
        self.set_phase(slot, Phase::Ending);
        if waits {
            self.set_why(slot, Why::Cut);
        }
        self.settle_later(slot);
    }

    /// Looks at limits that pass with time. The turns that follow see to those who are over one. Call it about once a second.
    pub fn sweep(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        let is_line_empty = self.overdue.is_empty();
        let mut slots = std::mem::take(&mut self.slow);
        slots.retain(|&slot| {
            let Some(conn) = self.conns.get_mut(slot as usize) else { return false };
            if conn.slow.is_none() {
                conn.is_listed = false;
                return false;
            }
            // Whoever stands in line has a turn; who does not yet is found again.
            if is_line_empty && self.is_overdue(slot) {
                self.overdue.push_back(slot);
            }
            true
        });
        self.slow = slots;
        self.forget_slowest();
        self.resume_accepting();
    }

    fn is_overdue(&self, slot: u32) -> bool {
        let Some(conn) = self.conns.get(slot as usize) else { return false };
        let Some(slow) = conn.slow.as_ref() else { return false };
        match conn.phase {
            Phase::Open | Phase::Passing => {
                let age_ms_max = self.settings.outbox.age_ms_max;
                slow.outbox.is_stale(self.now_ms, age_ms_max) && !slow.outbox.is_sealed()
            }
            Phase::Flushing | Phase::Lingering => {
                slow.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= self.now_ms)
            }
            Phase::Free | Phase::Ending | Phase::Left => false,
        }
    }

    /// Sees to some of those who were overdue, and still are.
    fn see_to_overdue(&mut self) {
        for _ in 0..self.settings.comings_per_turn_max {
            let Some(slot) = self.overdue.pop_front() else { return };
            let phase = self.conns.get(slot as usize).map(|conn| conn.phase);
            match phase.filter(|_| self.is_overdue(slot)) {
                Some(Phase::Open) => self.give_up(self.id(slot), OutboxBound::Age),
                Some(Phase::Passing) => self.cut(slot),
                Some(Phase::Flushing | Phase::Lingering) => self.settle_later(slot),
                Some(Phase::Free | Phase::Ending | Phase::Left) | None => {}
            }
        }
    }

    /// The socket failed: nothing can be sent or received any more.
    pub(super) fn fail(&mut self, slot: u32, errno: i32) {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        match conn.phase {
            Phase::Open | Phase::Flushing | Phase::Passing => {
                conn.why = Why::Failed(errno);
                conn.phase = Phase::Ending;
            }
            // Everything was sent; that the peer then resets is one way to end.
            Phase::Lingering => conn.phase = Phase::Ending,
            Phase::Free | Phase::Ending | Phase::Left => {}
        }
        self.set_mark(slot, QUEUED);
        self.settle_later(slot);
    }

    pub(super) fn shut(&mut self, tag: Tag) {
        let Some(conn) = self.known(tag) else { return };
        let found = self.conns.get_mut(conn.index());
        if let Some(slow) = found.and_then(|found| found.slow.as_mut()) {
            slow.is_shutting = false;
        }
        self.settle_later(conn.slot);
    }

    pub(super) fn settle_later(&mut self, slot: u32) {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        if !std::mem::replace(&mut conn.is_settling, true) {
            self.settling.push(slot);
        }
    }

    /// All completions of this turn's sends were seen: their memory is free, and what waited for that goes on.
    pub(super) fn end_turn(&mut self) {
        let mut turn = std::mem::take(&mut self.turn);
        for kept in turn.drain(..) {
            match kept {
                Kept::Frame(_) => {}
                Kept::Message(message) => self.shelve(message),
            }
        }
        self.turn = turn;
        self.mark = if self.mark == QUEUED - 1 { 1 } else { self.mark + 1 };
        self.see_to_overdue();
        let mut slots = std::mem::take(&mut self.settling);
        for slot in slots.drain(..) {
            if let Some(conn) = self.conns.get_mut(slot as usize) {
                conn.is_settling = false;
            }
            self.settle(slot);
        }
        // What was listed meanwhile waits for the next turn.
        slots.append(&mut self.settling);
        self.settling = slots;
        // A crowd that goes at once is let go bit by bit.
        for _ in 0..self.settings.comings_per_turn_max {
            let Some(slot) = self.left.pop_front() else { return };
            self.free(slot, Event::Closed);
        }
    }

    fn settle(&mut self, slot: u32) {
        match self.conns.get(slot as usize).map(|conn| conn.phase) {
            Some(Phase::Open) => self.drain(slot),
            Some(Phase::Flushing) => self.flush(slot),
            Some(Phase::Lingering) => self.linger_on(slot),
            Some(Phase::Passing) => self.go_on_passing(slot),
            Some(Phase::Ending) => self.end(slot),
            Some(Phase::Free | Phase::Left) | None => {}
        }
    }

    fn flush(&mut self, slot: u32) {
        let now_ms = self.now_ms;
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        let Some(slow) = conn.slow.as_mut() else { return };
        if slow.deadline_ms.is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            self.counters.closes_forced += 1;
            self.set_why(slot, Why::Forced);
            self.set_phase(slot, Phase::Ending);
            return self.end(slot);
        }
        if slow.flight.is_some() {
            return;
        }
        if let Some(last) = slow.last.take() {
            self.counters.backlog_bytes += last.len() as u64;
            slow.outbox.push_last(last.whole(), now_ms);
        }
        match (slow.outbox.bytes(), slow.ending) {
            (1.., _) => self.drain(slot),
            (0, Ending::Close) => {
                self.set_phase(slot, Phase::Ending);
                self.end(slot);
            }
            (0, Ending::Linger) => self.shut_write(slot),
        }
    }

    fn shut_write(&mut self, slot: u32) {
        let deadline_ms = self.now_ms + self.settings.linger_ms;
        if let Some(slow) = self.slow(slot) {
            slow.is_shutting = true;
            slow.deadline_ms = Some(deadline_ms);
        }
        self.set_phase(slot, Phase::Lingering);
        let tag = self.tag(Kind::Shutdown, slot);
        self.push(Op::ShutdownWrite { slot }, tag);
    }

    fn linger_on(&mut self, slot: u32) {
        let now_ms = self.now_ms;
        let Some(conn) = self.conns.get(slot as usize) else { return };
        let deadline_ms = conn.slow.as_ref().and_then(|slow| slow.deadline_ms);
        let is_due = deadline_ms.is_none_or(|deadline_ms| deadline_ms <= now_ms);
        if is_due || conn.reading == Reading::Ended {
            self.set_phase(slot, Phase::Ending);
            self.end(slot);
        }
    }

    /// Cancels what is in flight; with the last completion, or the last buffer given back, the slot may be freed. Nothing is sent any
    /// more, so that what waits is dropped as soon as nothing reads from it.
    fn end(&mut self, slot: u32) {
        self.drop_slow(slot);
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        let stop_reading = conn.reading == Reading::Armed;
        if stop_reading {
            conn.reading = Reading::Cancelling;
        }
        let slow = conn.slow.as_mut().filter(|slow| slow.flight.is_some() && !slow.is_cancelling);
        let stop_sending = slow.map(|slow| slow.is_cancelling = true).is_some();
        if !conn.is_referred_to() {
            // Nobody arms it again meanwhile.
            conn.reading = Reading::Off;
            conn.phase = Phase::Left;
            self.left.push_back(slot);
            return;
        }
        if stop_reading {
            self.cancel(Kind::Receive, slot);
        }
        if stop_sending {
            self.cancel(Kind::Armed, slot);
        }
    }

    /// Drops the rare state, unless an operation has to do with it.
    fn drop_slow(&mut self, slot: u32) {
        let conn = self.conns.get_mut(slot as usize).filter(|it| !it.is_written());
        if let Some(slow) = conn.and_then(|it| it.slow.take()) {
            let bytes = slow.outbox.bytes() as u64;
            self.counters.backlog_bytes -= bytes;
            self.counters.shed_bytes -= if slow.is_cut { bytes } else { 0 };
        }
    }

    /// From here on the slot may be accepted into again: the kernel runs the close before it can reuse it.
    pub(super) fn free(&mut self, slot: u32, event: impl FnOnce(ConnId, Why) -> Event) {
        self.drop_slow(slot);
        let index = slot as usize;
        let Some(conn) = self.conns.get_mut(index) else { return };
        let old = std::mem::replace(conn, Conn::free());
        conn.is_listed = old.is_listed;
        conn.is_settling = old.is_settling;
        conn.place = old.place;
        self.counters.closes += 1;
        self.counters.conns -= 1;
        self.set_mark(slot, QUEUED);
        let conn = self.id(slot);
        if let Some(generation) = self.generations.get_mut(index) {
            *generation = generation.wrapping_add(1);
        }
        self.tell(event(conn, old.why));
        if old.why == Why::Forced {
            self.push(Op::Reset { slot }, Tag::of(Kind::Quiet));
        }
        self.push(Op::Close { slot }, Tag::of(Kind::Quiet));
        self.resume_accepting();
    }

    fn set_phase(&mut self, slot: u32, phase: Phase) {
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            conn.phase = phase;
        }
    }

    fn set_why(&mut self, slot: u32, why: Why) {
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            conn.why = why;
        }
    }
}
