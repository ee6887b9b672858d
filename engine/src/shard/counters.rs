//! What a shard counts.

/// What a shard has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Connections taken.
    pub opened: u64,
    /// HTTP requests read.
    pub requests: u64,
    /// WebSockets opened.
    pub sockets: u64,
    /// Publications ordered here, kept or not.
    pub published: u64,
    /// Publications that were not taken.
    pub refused: u64,
    /// Frames and requests that were the peer's fault.
    pub rejected: u64,
    /// Connections closed because they were too slow.
    pub overrun: u64,
}
