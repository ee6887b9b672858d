//! What the driver remembers of one connection. An idle one costs a `Conn`, a generation and a mark; all that a slow
//! or closing one needs beyond that is boxed.

use crate::frame::Frame;
use crate::outbox::{Outbox, OutboxBound};

use super::event::Why;
use super::line::Place;
use super::message::Message;
use super::pass::Passing;

/// The mark of a connection whose bytes go through its outbox, or nowhere.
pub(super) const QUEUED: u8 = u8::MAX;
/// The mark of a connection that was not sent to lately.
pub(super) const IDLE: u8 = 0;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// The slot has no connection.
    Free,
    Open,
    /// The core closed it; what is queued goes out first.
    Flushing,
    /// The peer was told that nothing follows; what it still sends is discarded.
    Lingering,
    /// It goes to another core once nothing of it is left here.
    Passing,
    /// Waits until no operation and no lent buffer refers to it.
    Ending,
    /// Nothing refers to it. It stands in the driver's list of those that are let go.
    Left,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reading {
    /// Not armed, and not to be.
    Off,
    Armed,
    /// Armed, with a request to end it on the way.
    Cancelling,
    /// Not armed until the core gives buffers back: this connection holds too many.
    Paused,
    /// Not armed until there are buffers at all.
    Starved,
    /// The peer sends no more.
    Ended,
}

/// What the core knows of the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Owner {
    /// `Opened` is not taken yet.
    Unaware,
    Aware,
    /// It has closed it and wants to hear only the end.
    Done,
}

pub(super) struct Conn {
    pub(super) slow: Option<Box<Slow>>,
    pub(super) why: Why,
    /// Receive buffers that the core holds of it, or will.
    pub(super) held: u32,
    pub(super) phase: Phase,
    pub(super) reading: Reading,
    pub(super) owner: Owner,
    /// Stands in the driver's list of slow ones. Belongs to the slot, not to the connection.
    pub(super) is_listed: bool,
    /// Stands in the driver's list of those to settle. Belongs to the slot, not to the connection.
    pub(super) is_settling: bool,
    /// How often something was received of it, as far as that matters.
    pub(super) receptions: u8,
    pub(super) place: Place,
}

impl Conn {
    pub(super) fn free() -> Self {
        Self {
            slow: None,
            why: Why::Ours,
            held: 0,
            phase: Phase::Free,
            reading: Reading::Off,
            owner: Owner::Unaware,
            is_listed: false,
            is_settling: false,
            receptions: 0,
            place: Place::default(),
        }
    }

    /// Whether the kernel is asked to move it to another ring.
    pub(super) fn is_under_way(&self) -> bool {
        let passing = self.slow.as_ref().and_then(|slow| slow.passing);
        passing.is_some_and(|it| it.is_under_way)
    }

    /// Whether an operation of the kernel has to do with its rare state.
    pub(super) fn is_written(&self) -> bool {
        let slow = self.slow.as_ref();
        slow.is_some_and(|it| it.flight.is_some() || it.is_shutting) || self.is_under_way()
    }

    /// Whether the kernel may still touch the slot on behalf of this connection, or the core its buffers.
    pub(super) fn is_referred_to(&self) -> bool {
        let is_read = matches!(self.reading, Reading::Armed | Reading::Cancelling);
        is_read || self.is_written() || self.held > 0 || self.owner == Owner::Unaware
    }
}

/// The rare state of a connection that is slow or closing.
#[derive(Default)]
pub(super) struct Slow {
    pub(super) outbox: Outbox,
    /// What it was over, once it is sealed for that.
    pub(super) over: Option<OutboxBound>,
    /// The one send in flight, with what it reads from.
    pub(super) flight: Option<Box<Message>>,
    /// What to send after everything else.
    pub(super) last: Option<Frame>,
    pub(super) deadline_ms: Option<u64>,
    pub(super) ending: Ending,
    /// The send in flight is being cancelled.
    pub(super) is_cancelling: bool,
    /// It was given up: what was not begun is dropped once the send in flight has ended.
    pub(super) is_cut: bool,
    /// A shutdown is in flight.
    pub(super) is_shutting: bool,
    /// Where it goes, in [`Phase::Passing`].
    pub(super) passing: Option<Passing>,
}

/// What follows when a closing connection has flushed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Ending {
    #[default]
    Close,
    Linger,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_costs_less_than_a_hundred_bytes() {
        let dense = size_of::<u32>() + size_of::<u8>();
        assert!(size_of::<Conn>() + dense <= 48, "{}", size_of::<Conn>());
    }
}
