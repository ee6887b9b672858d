//! A request that cannot be understood with certainty. The answer is the status, then the connection closes.

use std::fmt;

/// Why a request head is refused; the connection closes after the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HttpFault {
    /// The HTTP status.
    pub status: u16,
    /// The message for the peer.
    pub message: &'static str,
}

impl HttpFault {
    /// A fault with a status of its own.
    pub(super) const fn new(status: u16, message: &'static str) -> Self {
        Self { status, message }
    }

    /// A fault in the syntax or the meaning of the head.
    pub(super) const fn bad(message: &'static str) -> Self {
        Self::new(400, message)
    }
}

impl fmt::Display for HttpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.message)
    }
}
