//! Close codes (RFC 6455 §7.4).

/// Why a WebSocket closes, as far as this node says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum CloseCode {
    /// The peer is done.
    Normal = 1000,
    /// The node shuts down for good.
    GoingAway = 1001,
    /// The peer broke the protocol.
    Protocol = 1002,
    /// Binary where text is due.
    Unsupported = 1003,
    /// Not UTF-8.
    InvalidData = 1007,
    /// A rule or a rate was broken.
    Policy = 1008,
    /// A message over the limit.
    TooBig = 1009,
    /// Our own fault, or storage's.
    Internal = 1011,
    /// The node restarts.
    Restart = 1012,
    /// The peer is too slow, or the node is at its capacity.
    TryAgain = 1013,
    /// The server of an application had the client disconnected.
    Disconnected = 4003,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }

    /// Whether a peer may send this number.
    #[must_use]
    pub fn may_be_sent(number: u16) -> bool {
        // RFC 6455 §7.4.2, and the IANA registry for 1012 to 1014.
        matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}
