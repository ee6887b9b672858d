//! What a driver tells its core.

use crate::frame::Frame;
use crate::ids::ConnId;

/// One thing that happened. For one connection: `Opened` or `Arrived` first, `Closed` or `Passed` last,
/// each exactly once.
#[derive(Debug)]
pub enum Event {
    /// A connection was accepted and is being read.
    Opened(ConnId),
    /// Bytes came. The buffer is the core's until it gives it back.
    Received(Received),
    /// The peer sends no more; it may still read. The core decides when to close.
    PeerClosed(ConnId),
    /// The outbox went over a limit. Nothing is queued for this connection any more, and what was is dropped but for a piece that was
    /// begun; the core closes it.
    Overrun(ConnId),
    /// The connection is gone and its slot is free.
    Closed(ConnId, Why),
    /// Another core passed a connection, with this number: it begins here.
    Arrived(ConnId, u64),
    /// The connection is with another core, and its slot is free: it ends here.
    Passed(ConnId),
    /// The other core had no room for it: it goes on here.
    Stayed(ConnId),
    /// Another core or thread rang: look into the lanes.
    Doorbell,
}

impl Event {
    /// Whose event it is; that of nobody is a doorbell.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Received(received) => Some(received.conn),
            Self::Opened(conn)
            | Self::PeerClosed(conn)
            | Self::Overrun(conn)
            | Self::Closed(conn, _)
            | Self::Arrived(conn, _)
            | Self::Passed(conn)
            | Self::Stayed(conn) => Some(*conn),
            Self::Doorbell => None,
        }
    }
}

/// A receive buffer lent to the core. It must come back through `Driver::give_back`; a connection whose buffers are
/// out is read no further, and is not freed.
#[derive(Debug)]
#[must_use = "a buffer that is not given back is lost to all connections"]
pub struct Received {
    /// Whose bytes these are.
    pub conn: ConnId,
    pub(super) store: Store,
    pub(super) len: u32,
}

/// Where received bytes are.
#[derive(Debug)]
pub(super) enum Store {
    /// In a provided buffer.
    Buffer(u16),
    /// In memory of their own: the connection held its share of buffers already.
    Spilled(Box<[u8]>),
}

impl Received {
    /// How many bytes came.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no bytes came, which does not happen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// The core closed it, and everything it had queued was handed to the kernel.
    Ours,
    /// The core closed it, and some of what was queued was dropped: it was closed at once or went over a limit.
    Cut,
    /// The core closed it, and flushing took longer than its grace.
    Forced,
    /// The socket failed, with this errno.
    Failed(i32),
}

/// How a connection is closed. Bytes that come after that are discarded.
#[derive(Clone, Debug)]
pub enum How {
    /// Sends what is queued, then this, then closes. After an overrun, only a piece that was begun is finished before
    /// it.
    Graceful(Option<Frame>),
    /// As graceful; then tells the peer that nothing follows and reads on for a while, so that an answer is not
    /// lost to the reset which unread bytes would cause.
    Linger(Option<Frame>),
    /// Drops what is queued.
    Now,
}
