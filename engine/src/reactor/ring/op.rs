//! The few ring operations that the driver uses, as a trait, so that a made-up kernel can stand in for the real one.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// Another core's ring, as a target for a doorbell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RingFd(pub RawFd);

/// An operation whose memory, if any, belongs to the ring itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Op {
    /// Accept on the listener, again and again, each connection into a free slot.
    Accept,
    /// Receive on a slot, again and again, each time into a provided buffer.
    Receive {
        /// The connection's slot.
        slot: u32,
    },
    /// Send no more on a slot.
    ShutdownWrite {
        /// The connection's slot.
        slot: u32,
    },
    /// Cancel the operation that was queued with this tag. Completes only when there is none.
    Cancel {
        /// The tag of the operation to cancel.
        tag: u64,
    },
    /// Put a slot's descriptor into another ring's table as well, and post a completion with this tag and the slot into it.
    Pass {
        /// The connection's slot.
        slot: u32,
        /// The ring that gets it.
        target: RingFd,
        /// The tag that its owner sees.
        tag: u64,
    },
    /// Once a slot is freed, drop what the kernel still has to send on it, and reset the connection. Otherwise the kernel keeps that, and
    /// asks a peer that does not read for room, for minutes. Linux before 6.7 knows no such operation: there it stays so.
    Reset {
        /// The connection's slot.
        slot: u32,
    },
    /// Free a slot.
    Close {
        /// The connection's slot.
        slot: u32,
    },
    /// Refuse connections at the listener from now on.
    Deafen,
    /// Tell whenever the ring's own wake-up descriptor is written.
    Listen,
    /// Complete once the ring's own interval is over.
    Interval,
    /// Post a completion with this tag into another ring.
    Ring {
        /// The ring to wake.
        target: RingFd,
        /// The tag that its owner sees.
        tag: u64,
    },
}

/// What a send reads from.
#[derive(Clone, Copy, Debug)]
pub enum Data {
    /// One run of bytes.
    Bytes {
        /// Where it starts.
        at: *const u8,
        /// How long it is.
        len: u32,
    },
    /// A header that points to several.
    Message(*const libc::msghdr),
}

/// How a send ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It ends within the `enter` that submits it, and completes only when not everything was taken.
    Inline,
    /// It waits for room until everything is taken, and always completes.
    Armed,
}

/// A send, which reads memory of the caller.
#[derive(Clone, Copy, Debug)]
pub struct SendOp {
    /// The connection's slot.
    pub slot: u32,
    /// What to send.
    pub data: Data,
    /// How it ends.
    pub mode: Mode,
}

/// One answer of the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Completion {
    /// The tag that the operation was queued with.
    pub tag: u64,
    /// A count, a slot, or a negated errno.
    pub result: i32,
    /// Whether the operation goes on.
    pub more: bool,
    /// The provided buffer that was filled.
    pub buffer: Option<u16>,
}

/// How long to wait for something to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// Not at all.
    Poll,
    /// At most so long.
    For(Duration),
    /// At most until the ring's interval is over, which began with the first such wait since the last one was. Where something happens
    /// a thousand times a second, the kernel's timer is set once for many waits.
    Interval,
}

/// The submission queue is full: `enter`, then try again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Full;

/// A kernel's ring with its listener, its table of connections and its pool of receive buffers.
pub trait Ring {
    /// Queues an operation.
    ///
    /// # Errors
    ///
    /// When the submission queue is full.
    fn push(&mut self, op: Op, tag: u64) -> Result<(), Full>;

    /// Queues a send.
    ///
    /// # Errors
    ///
    /// When the submission queue is full.
    ///
    /// # Safety
    ///
    /// All memory that `send.data` leads to stays valid and unchanged: for `Mode::Inline` until the queue was
    /// submitted as a whole, for `Mode::Armed` until the completion was taken.
    #[expect(unsafe_code, reason = "the caller vouches for memory that the kernel reads")]
    unsafe fn push_send(&mut self, send: SendOp, tag: u64) -> Result<(), Full>;

    /// Submits everything queued, and waits for a completion as it is told.
    ///
    /// # Errors
    ///
    /// `EBUSY`, `EAGAIN` and `EINTR` mean that some of it may still be queued; others do not come from a sound ring.
    fn enter(&mut self, wait: Wait) -> io::Result<()>;

    /// Operations queued and not yet submitted.
    fn queued(&mut self) -> usize;

    /// Whether the kernel put something off that the next `enter` without a wait has it run, or some of it.
    fn has_deferred(&mut self) -> bool;

    /// Takes the oldest completion.
    fn complete(&mut self) -> Option<Completion>;

    /// Whether the kernel holds completions back because the queue was full. `enter` brings them.
    fn is_overflown(&mut self) -> bool;

    /// The first `len` bytes of a provided buffer that a completion named and that was not given back yet.
    fn buffer(&mut self, id: u16, len: usize) -> &mut [u8];

    /// Lets the kernel fill the buffer again.
    fn give_back(&mut self, id: u16);

    /// How many buffers were provided at the start.
    fn buffers(&self) -> u16;

    /// How many connections the table holds at most.
    fn slots(&self) -> u32;
}
