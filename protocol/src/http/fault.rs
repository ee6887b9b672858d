//! A request that cannot be understood with certainty. The answer is the status, then the connection closes.

/// Why a request head is refused; the connection closes after the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HttpFault {
    /// The HTTP status.
    pub status: u16,
    /// The message for the peer.
    pub message: &'static str,
}
