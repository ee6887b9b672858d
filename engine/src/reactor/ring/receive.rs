//! Receiving: one endless receive a connection, into buffers that all connections share. It ends for many reasons
//! (no buffer, a full completion queue, a kernel that wants to breathe), so whatever ends is armed again.

use crate::ids::ConnId;

use super::conn::{Owner, Phase, Reading};
use super::driver::Driver;
use super::event::{Event, Received, Store};
use super::op::{Completion, Op, Ring};
use super::tag::{Kind, Tag};

/// What all connections together may have copied out. Beyond that they hold buffers, and others wait for them.
const SPILL_BYTES_MAX: u64 = 16 * 1024 * 1024;

impl<R: Ring> Driver<R> {
    /// Takes a receive buffer back.
    pub fn give_back(&mut self, received: Received) {
        let Received { conn, store, len } = received;
        match store {
            Store::Buffer(buffer) => {
                self.ring.give_back(buffer);
                self.counters.buffers_lent -= 1;
            }
            Store::Spilled(_) => self.counters.bytes_spilled -= u64::from(len),
        }
        let resume_at = u32::from(self.settings.held_max / 2);
        let Some(found) = self.conn(conn) else { return };
        found.held -= 1;
        match (found.phase, found.reading) {
            (Phase::Ending | Phase::Passing, _) if found.held == 0 => self.settle_later(conn.slot),
            (_, Reading::Paused) if found.held <= resume_at => self.receive(conn.slot),
            (_, _) => {}
        }
    }

    /// Whether the core has closed the connection and wants to hear only its end.
    pub(super) fn is_done(&mut self, conn: ConnId) -> bool {
        self.conn(conn).is_none_or(|found| found.owner == Owner::Done)
    }

    /// Arms the receive of a slot that has none.
    pub(super) fn receive(&mut self, slot: u32) {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        conn.reading = Reading::Armed;
        let tag = self.tag(Kind::Receive, slot);
        self.push(Op::Receive { slot }, tag);
    }

    /// Arms what ended for want of buffers, as far as there are buffers again: first come, first served.
    pub(super) fn feed_starved(&mut self) {
        let mut free = u64::from(self.ring.buffers()).saturating_sub(self.counters.buffers_lent);
        while free > 0 {
            let Some(slot) = self.starved.pop_front() else { return };
            let reading = self.conns.get(slot as usize).map(|conn| conn.reading);
            if reading == Some(Reading::Starved) {
                self.receive(slot);
                free -= 1;
            }
        }
    }

    pub(super) fn received(&mut self, tag: Tag, completion: Completion) {
        let Some(conn) = self.known(tag) else {
            if let Some(buffer) = completion.buffer {
                self.ring.give_back(buffer);
            }
            return;
        };
        self.take_bytes(conn, completion);
        if completion.more {
            return self.mind_the_share(conn.slot);
        }
        match completion.result {
            1.. => self.receive_again(conn.slot),
            0 => self.peer_ended(conn),
            error => match -error {
                libc::ENOBUFS => {
                    self.counters.buffers_lacking += 1;
                    self.set_reading(conn.slot, Reading::Starved);
                    self.starved.push_back(conn.slot);
                    self.settle_if_leaving(conn.slot);
                }
                libc::ECANCELED | libc::EAGAIN | libc::EINTR => self.receive_again(conn.slot),
                errno => {
                    self.set_reading(conn.slot, Reading::Off);
                    self.fail(conn.slot, errno);
                }
            },
        }
    }

    /// Queues the bytes for the core, or gives the buffer straight back when nobody wants them.
    fn take_bytes(&mut self, conn: ConnId, completion: Completion) {
        let Some(buffer) = completion.buffer else { return };
        let len = u32::try_from(completion.result).unwrap_or(0);
        let found = self.conns.get_mut(conn.index());
        let wanted = found.filter(|found| len > 0 && found.owner != Owner::Done);
        let Some(found) = wanted else { return self.ring.give_back(buffer) };
        let has_share = found.held < u32::from(self.settings.held_max);
        found.held += 1;
        found.receptions = found.receptions.saturating_add(1);
        let has_come = found.has_come();
        self.counters.bytes_received += u64::from(len);
        // Who waits in a crowd that comes leaves half of the buffers to the others.
        let is_scarce = self.counters.buffers_lent >= u64::from(self.ring.buffers()) / 2;
        let store = self.store(buffer, len, has_share && (has_come || !is_scarce));
        self.tell(Event::Received(Received { conn, store, len }));
    }

    /// Leaves the bytes where they are, or copies them out when the connection has its share of buffers already: the
    /// kernel may fill all of them for one connection before it sees that we cancel.
    fn store(&mut self, buffer: u16, len: u32, has_share: bool) -> Store {
        let spilled = self.counters.bytes_spilled + u64::from(len);
        if has_share || spilled > SPILL_BYTES_MAX {
            self.counters.buffers_lent += 1;
            return Store::Buffer(buffer);
        }
        self.counters.bytes_spilled = spilled;
        let copy = Box::from(&*self.ring.buffer(buffer, len as usize));
        self.ring.give_back(buffer);
        Store::Spilled(copy)
    }

    /// A connection that holds its share of buffers is read no further until the core has caught up.
    fn mind_the_share(&mut self, slot: u32) {
        let held_max = u32::from(self.settings.held_max);
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        if conn.held >= held_max && conn.reading == Reading::Armed {
            conn.reading = Reading::Cancelling;
            self.counters.receive_pauses += 1;
            self.cancel(Kind::Receive, slot);
        }
    }

    fn receive_again(&mut self, slot: u32) {
        let held_max = u32::from(self.settings.held_max);
        let resume_at = held_max / 2;
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        let was_cancelling = conn.reading == Reading::Cancelling;
        let bound = if was_cancelling { resume_at + 1 } else { held_max };
        match conn.phase {
            Phase::Free | Phase::Left => {}
            Phase::Ending | Phase::Passing => {
                conn.reading = Reading::Off;
                self.settle_later(slot);
            }
            Phase::Open | Phase::Flushing | Phase::Lingering if conn.held >= bound => {
                conn.reading = Reading::Paused;
            }
            Phase::Open | Phase::Flushing | Phase::Lingering => self.receive(slot),
        }
    }

    fn peer_ended(&mut self, conn: ConnId) {
        let phase = self.conns.get(conn.index()).map(|found| found.phase);
        // Of one that is passed, the end is read once more where it goes on.
        let is_passing = phase == Some(Phase::Passing);
        self.set_reading(conn.slot, if is_passing { Reading::Off } else { Reading::Ended });
        match phase {
            Some(Phase::Open) => self.tell(Event::PeerClosed(conn)),
            Some(Phase::Flushing | Phase::Lingering | Phase::Passing | Phase::Ending) => {
                self.settle_later(conn.slot);
            }
            Some(Phase::Free | Phase::Left) | None => {}
        }
    }

    fn set_reading(&mut self, slot: u32, reading: Reading) {
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            conn.reading = reading;
        }
    }

    fn settle_if_leaving(&mut self, slot: u32) {
        let phase = self.conns.get(slot as usize).map(|conn| conn.phase);
        if matches!(phase, Some(Phase::Ending | Phase::Passing)) {
            self.settle_later(slot);
        }
    }

    pub(super) fn tag(&self, kind: Kind, slot: u32) -> Tag {
        Tag::conn(kind, self.id(slot))
    }

    /// Asks the kernel to end an operation of this connection; it completes all the same.
    pub(super) fn cancel(&mut self, kind: Kind, slot: u32) {
        let target = self.tag(kind, slot);
        self.push(Op::Cancel { tag: target.0 }, Tag::of(Kind::Quiet));
    }
}
