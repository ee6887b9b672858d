//! Accepting: one endless accept, straight into free slots. Without a free one it pauses, until a slot is freed or
//! the next sweep.

use crate::ids::ConnId;

use super::conn::{Conn, IDLE, Owner, Phase, QUEUED};
use super::driver::Driver;
use super::event::Event;
use super::op::{Completion, Op, Ring};
use super::tag::{Kind, Tag};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Accepting {
    Off,
    Armed,
    /// Ended for want of a slot or of memory.
    Paused,
    /// Ended for good.
    Stopped,
}

impl<R: Ring> Driver<R> {
    /// Accepts no more, and refuses at the door from now on. Connections that were accepted meanwhile still open.
    pub fn stop_accepting(&mut self) {
        if self.accepting == Accepting::Stopped {
            return;
        }
        self.accepting = Accepting::Stopped;
        self.push(Op::Cancel { tag: Tag::of(Kind::Accept).0 }, Tag::of(Kind::Quiet));
        self.push(Op::Deafen, Tag::of(Kind::Quiet));
    }

    pub(super) fn accept(&mut self) {
        match self.accepting {
            Accepting::Off | Accepting::Paused => {
                self.accepting = Accepting::Armed;
                self.push(Op::Accept, Tag::of(Kind::Accept));
            }
            Accepting::Armed | Accepting::Stopped => {}
        }
    }

    pub(super) fn resume_accepting(&mut self) {
        if self.accepting == Accepting::Paused {
            self.accept();
        }
    }

    pub(super) fn accepted(&mut self, completion: Completion) {
        if let Ok(slot) = u32::try_from(completion.result) {
            self.open(slot, Event::Opened);
            self.counters.accepts += 1;
        }
        if completion.more || self.accepting == Accepting::Stopped {
            return;
        }
        self.accepting = Accepting::Off;
        match completion.result {
            0.. => self.accept(),
            error if is_of_one_peer(-error) => self.accept(),
            _ => {
                self.counters.accept_pauses += 1;
                self.accepting = Accepting::Paused;
            }
        }
    }

    pub(super) fn open(&mut self, slot: u32, event: impl FnOnce(ConnId) -> Event) {
        let index = slot as usize;
        if self.conns.len() <= index {
            self.conns.resize_with(index + 1, Conn::free);
            self.generations.resize(index + 1, 0);
            self.marks.resize(index + 1, QUEUED);
        }
        let Some(conn) = self.conns.get_mut(index) else { return };
        assert_eq!(conn.phase, Phase::Free, "slot {slot} was accepted into twice");
        conn.phase = Phase::Open;
        conn.owner = Owner::Unaware;
        self.set_mark(slot, IDLE);
        self.counters.conns += 1;
        self.tell(event(self.id(slot)));
        self.receive(slot);
    }

    /// The core takes `Opened`; from now on the connection may end.
    pub(super) fn introduce(&mut self, conn: ConnId) {
        let Some(found) = self.conn(conn) else { return };
        found.owner = Owner::Aware;
        if found.phase == Phase::Ending {
            self.settle_later(conn.slot);
        }
    }

    pub(super) fn set_mark(&mut self, slot: u32, mark: u8) {
        if let Some(place) = self.marks.get_mut(slot as usize) {
            *place = mark;
        }
    }
}

/// Errors that say something about the connection that was to be accepted, not about us.
fn is_of_one_peer(errno: i32) -> bool {
    matches!(errno, libc::ECONNABORTED | libc::EINTR | libc::EPROTO | libc::EAGAIN)
}
