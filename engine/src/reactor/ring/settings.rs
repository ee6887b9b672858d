//! What one driver may use, and what it counts.

use crate::outbox::OutboxLimits;

/// The bounds of one driver. The defaults suit a core that owns the machine's share of one node.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Entries of the submission queue; halved as long as the kernel has no memory for it.
    pub sq_entries: u32,
    /// Entries of the completion queue; halved together with the submission queue.
    pub cq_entries: u32,
    /// Connections at once. Never more than `RLIMIT_NOFILE` allows.
    pub conns_max: u32,
    /// Receive buffers of the core, a power of two.
    pub buffers: u16,
    /// Bytes of one receive buffer.
    pub buffer_bytes: u32,
    /// Receive buffers that one connection holds before its receiving pauses; at most a quarter of all.
    pub held_max: u16,
    /// Events of connections that come or go that one turn takes, connections that it lets go, and overdue ones that it sees to.
    pub comings_per_turn_max: usize,
    /// What one connection may have waiting.
    pub outbox: OutboxLimits,
    /// What the kernel takes of one connection beyond what is on its way.
    pub unsent_bytes_max: u32,
    /// What all connections of the core may have waiting together.
    pub backlog_bytes_max: usize,
    /// How long a closing connection may take to flush.
    pub grace_ms: u64,
    /// How long a lingering connection is read after the last byte was sent.
    pub linger_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sq_entries: 4096,
            cq_entries: 16_384,
            conns_max: 1 << 20,
            buffers: 512,
            buffer_bytes: 4096,
            held_max: 64,
            comings_per_turn_max: 4,
            outbox: OutboxLimits::default(),
            unsent_bytes_max: 32 * 1024,
            backlog_bytes_max: 256 * 1024 * 1024,
            grace_ms: 5_000,
            linger_ms: 1_000,
        }
    }
}

/// What a driver did since it started. Only ever grows, except for the gauges at the end.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Calls into the kernel.
    pub enters: u64,
    /// Completions taken.
    pub completions: u64,
    /// Sends queued, whatever became of them.
    pub sends: u64,
    /// Inline sends that took less than everything.
    pub sends_short: u64,
    /// Bytes handed to sends that did not come back as short.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Connections accepted.
    pub accepts: u64,
    /// Connections that came from other cores.
    pub arrivals: u64,
    /// Connections that went to other cores.
    pub passes: u64,
    /// Times that accepting stopped for want of a descriptor or memory.
    pub accept_pauses: u64,
    /// Times that receiving ended for want of a buffer.
    pub buffers_lacking: u64,
    /// Times that one connection held so many buffers that it had to wait.
    pub receive_pauses: u64,
    /// Times that the completion queue ran over.
    pub overflows: u64,
    /// Times that the submission queue was full within a turn.
    pub queue_full: u64,
    /// Doorbells rung at other cores.
    pub doorbells_rung: u64,
    /// Doorbells heard.
    pub doorbells_heard: u64,
    /// Connections that went over a limit of their outbox.
    pub overruns: u64,
    /// Times that those for whom something waits were ranked, to make room: at most once a turn.
    pub rankings: u64,
    /// Connections ended because closing took longer than its grace.
    pub closes_forced: u64,
    /// Connections closed.
    pub closes: u64,
    /// Completions that belong to nothing the driver knows.
    pub strays: u64,
    /// Gauge: connections open now.
    pub conns: u64,
    /// Gauge: bytes waiting in all outboxes now.
    pub backlog_bytes: u64,
    /// Gauge: those of them from which a send reads though the connection was given up.
    pub shed_bytes: u64,
    /// Gauge: bytes received that were copied out of buffers and wait for the core now.
    pub bytes_spilled: u64,
    /// Gauge: receive buffers lent to the core now.
    pub buffers_lent: u64,
}

impl Counters {
    /// Bytes that wait for those who are not given up.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.backlog_bytes.saturating_sub(self.shed_bytes)
    }
}
