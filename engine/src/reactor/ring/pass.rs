//! A connection goes to another core: its descriptor moves from this ring's table to the other's, within the kernel. The peer
//! notices nothing. Before that everything queued for it is sent, and its receive is ended, so that no byte arrives here
//! behind those that the core was given.

use crate::ids::ConnId;

use super::conn::{Owner, Phase, Reading};
use super::driver::Driver;
use super::event::Event;
use super::op::{Op, Ring, RingFd};
use super::tag::{Kind, NUMBER_MAX, Tag};

/// A connection on its way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    to: RingFd,
    number: u64,
    /// The kernel was asked to move it.
    pub(super) is_under_way: bool,
}

impl<R: Ring> Driver<R> {
    /// Passes a connection to another core, which hears of it with [`Event::Arrived`] and this number. What it sent until
    /// then still comes as [`Event::Received`]; then [`Event::Passed`] ends it here. [`Event::Stayed`] comes instead when the
    /// other core has no room. Nothing may be sent to it meanwhile. Does nothing for a connection that is
    /// closed, gone, or over its limit: [`Event::Overrun`] tells of that.
    pub fn pass(&mut self, conn: ConnId, to: RingFd, number: u64) {
        debug_assert!(number <= NUMBER_MAX, "a number of {number} does not fit");
        let Some(found) = self.conn(conn) else { return };
        let is_over = found.slow.as_ref().is_some_and(|slow| slow.outbox.is_sealed());
        if found.phase != Phase::Open || found.owner == Owner::Done || is_over {
            return;
        }
        found.phase = Phase::Passing;
        if let Some(slow) = self.slow(conn.slot) {
            slow.passing = Some(Passing { to, number, is_under_way: false });
        }
        self.settle_later(conn.slot);
    }

    /// Does what is still to be done before it can go.
    pub(super) fn go_on_passing(&mut self, slot: u32) {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        let Some(slow) = conn.slow.as_mut() else { return };
        if slow.flight.is_some() {
            return;
        }
        if slow.outbox.is_sealed() {
            // Something that it was to get is dropped already: it cannot go on as if nothing had happened.
            return self.cut(slot);
        }
        if !slow.outbox.is_empty() {
            return self.drain(slot);
        }
        match conn.reading {
            Reading::Armed => {
                conn.reading = Reading::Cancelling;
                return self.cancel(Kind::Receive, slot);
            }
            Reading::Cancelling => return,
            Reading::Paused | Reading::Starved => conn.reading = Reading::Off,
            Reading::Off | Reading::Ended => {}
        }
        let Some(passing) = slow.passing.as_mut().filter(|it| !it.is_under_way) else { return };
        if conn.held > 0 {
            return;
        }
        passing.is_under_way = true;
        let tag = Tag::of(Kind::Arrive).numbered(passing.number);
        let op = Op::Pass { slot, target: passing.to, tag: tag.0 };
        let tag = self.tag(Kind::Pass, slot);
        self.push(op, tag);
    }

    /// The other ring has it, or has no room.
    pub(super) fn passed(&mut self, tag: Tag, result: i32) {
        let Some(conn) = self.known(tag) else { return };
        let Some(found) = self.conns.get_mut(conn.index()) else { return };
        let Some(slow) = found.slow.as_mut() else { return };
        slow.passing = None;
        if result >= 0 {
            self.counters.passes += 1;
            return self.free(conn.slot, |conn, _| Event::Passed(conn));
        }
        let has_ended = found.reading == Reading::Ended;
        let is_wanted = found.owner != Owner::Done;
        found.phase = if is_wanted { Phase::Open } else { Phase::Ending };
        self.settle_later(conn.slot);
        if is_wanted {
            if !has_ended {
                self.receive(conn.slot);
            }
            self.tell(Event::Stayed(conn));
        }
    }

    /// A connection of another core came into a slot here.
    pub(super) fn arrived(&mut self, tag: Tag, result: i32) {
        if let Ok(slot) = u32::try_from(result) {
            let number = tag.number();
            self.open(slot, |conn| Event::Arrived(conn, number));
            self.counters.arrivals += 1;
        }
    }
}
