//! Floors: the least that each kind of work can cost on this machine. They know no sessions, no channels and no journal,
//! and what they leave out is what Stentor's own figures are compared for.

#![expect(clippy::rc_buffer, reason = "the memory of a frame is written again")]

mod buffers;
pub(crate) mod epoll;
pub(crate) mod http;
pub(crate) mod ring;
pub(crate) mod send;
pub(crate) mod server;

use std::io;
use std::rc::Rc;

/// What runs on a loop. Bytes come in one by one; everything goes out in `flush`, once a turn.
pub(crate) trait Service {
    /// A connection was accepted.
    fn opened(&mut self, slot: u32);
    /// Bytes came. Returns whether the connection stays.
    fn received(&mut self, slot: u32, bytes: &mut [u8]) -> bool;
    /// The connection is gone.
    fn closed(&mut self, slot: u32);
    /// Sends what the turn has made: at most one send to each connection.
    fn flush(&mut self, outlet: &mut impl Outlet);
}

/// Where a turn sends.
pub(crate) trait Outlet {
    /// Makes a frame that this turn's sends may name.
    fn frame(&mut self, bytes: Rc<Vec<u8>>) -> usize;
    /// Sends a frame, now or behind what waits.
    fn send(&mut self, slot: u32, frame: usize) -> io::Result<()>;
}

/// A part of a frame that waits.
struct Part {
    frame: Rc<Vec<u8>>,
    start: usize,
    end: usize,
}
