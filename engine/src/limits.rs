//! Every bound of a shard, by name (invariant 7). What happens when one is reached stands with it.

use protocol::engineio::Heartbeat;

use crate::control::{Rates, SeatLimits};

/// The bounds. All are settings.
#[derive(Clone, Debug)]
pub struct Limits {
    /// What a peer may send. Over it: refused, or the connection closes with the matching code.
    pub wire: protocol::Limits,
    /// Connections of one shard. Over it: `503` and the connection closes.
    pub connections_max: usize,
    /// Connections that came while memory was short, and are heard before they are refused. Over it: refused unheard.
    pub newcomers_heard_max: usize,
    /// Sessions over long polling of one shard. Over it: `503`.
    pub polling_sessions_max: usize,
    /// Bytes that wait for one of them to fetch them, with 64 for each piece. Over it: the session ends.
    pub polling_outbox_bytes_max: usize,
    /// Bytes that wait for all of them. Over it: the session that would get more ends.
    pub polling_total_bytes_max: usize,
    /// Requests of one connection that wait for their answers. Over it: the rest waits unread.
    pub pipelined_requests_max: usize,
    /// Bytes of pipelined requests that wait unread. Over it: the connection closes.
    pub unread_bytes_max: usize,
    /// Publications in front of the journal, a shard. Over it: `503`.
    pub journal_queue_messages_max: usize,
    /// Bytes in front of the journal, a shard. Over it: `503`.
    pub journal_queue_bytes_max: usize,
    /// Questions to the journal that wait, a shard. Over it: `503`, and who subscribes waits.
    pub journal_reads_max: usize,
    /// Microseconds that a sync waits, at most, for publishers that were just answered.
    pub commit_delay_us_max: u64,
    /// Calls of one shard that take steps and are not finished. Over it: `503`.
    pub control_calls_max: usize,
    /// Calls of one shard that the side threads run. Over it: `503`.
    pub side_calls_max: usize,
    /// Bytes that bodies of such calls may take, to and from the side threads. Over it: `503`.
    pub side_bytes_max: usize,
    /// Bytes of one part of a streamed answer.
    pub side_part_bytes_max: usize,
    /// Bytes of answers longer than such a part, a shard: they go out in parts. Over it: `503`.
    pub long_answers_bytes_max: usize,
    /// Bytes of the result of a query.
    pub database_result_bytes_max: usize,
    /// Of a tenant at its seat.
    pub seat: SeatLimits,
    /// Channels in memory on one shard. Over it: a new one is refused with `503`, or close 1013.
    pub channels_max: usize,
    /// Sends of one turn. Over it: the rest of a fan-out follows in the next ones.
    pub deliveries_per_turn_max: usize,
    /// Time that the sends of one turn should take, in microseconds. Over it: the next turns make fewer.
    pub turn_us: u64,
    /// Bytes that wait for fan-outs under way, on one shard. Over it: nothing new is taken until they are done.
    pub fan_out_bytes_max: usize,
    /// Bytes of all tails in memory on one shard. Over it: a channel that grows loses its oldest.
    pub tail_total_bytes_max: usize,
    /// Publications a channel keeps in memory. Over it: the oldest are read from the journal.
    pub tail_messages_max: usize,
    /// Publications that one read of the journal has for a subscriber. Over it: the next part begins with another read.
    pub recovery_messages_max: usize,
    /// Bytes of one part of what a subscriber missed, but for its first message. Over it: the rest comes in further parts.
    pub recovery_bytes_max: usize,
    /// Members a presence snapshot lists. Over it: the others are counted, not listed.
    pub presence_members_max: usize,
    /// Channels that one connection listens to. Over it: the subscription is refused.
    pub subscriptions_per_connection_max: usize,
    /// How fast one connection may send requests and frames, and publish. Over it: `429`, or an error frame.
    pub connection_rates: Rates,
    /// Frames of one connection that wait for their answers. Over it: a frame is refused.
    pub unanswered_frames_max: usize,
    /// Registered channels that one shard knows without asking. Over it: all are forgotten, and asked for anew.
    pub known_channels_max: usize,
    /// Pings and pongs of one connection in a second. Over it: close 1008.
    pub control_frames_per_second_max: u8,
    /// Time for a request head. Over it: the connection closes.
    pub head_timeout_ms: u64,
    /// Time for a request body or the rest of a message. Over it: the connection closes.
    pub body_timeout_ms: u64,
    /// Time that a connection without a request stays open.
    pub idle_timeout_ms: u64,
    /// Silence after which a WebSocket is pinged.
    pub ping_interval_ms: u64,
    /// Silence after a ping after which a WebSocket is closed.
    pub pong_timeout_ms: u64,
    /// The heartbeat of a session of Engine.IO, which it is told of. Over its time-out: the session ends.
    pub heartbeat: Heartbeat,
    /// Time for a client of Socket.IO to be let in. Over it: the session ends.
    pub connect_timeout_ms: u64,
    /// Time for a client of InsForge's documents to say who it is. Over it: close 4401.
    pub introduction_timeout_ms: u64,
    /// What frames at the echo keep to; it is there where this is set.
    #[cfg(feature = "echo")]
    pub echo: Option<Box<protocol::Limits>>,
}

/// Connections that are refused at the same time, by name, while there is a slot for each: with the last slot taken, the kernel
/// ends the next one without a word.
pub const REFUSED_AT_ONCE: u32 = 64;

/// The slots that are kept for them, of so many.
#[must_use]
pub fn refused_at_once(slots: u32) -> u32 {
    REFUSED_AT_ONCE.min(slots / 4)
}

impl Default for Limits {
    fn default() -> Self {
        let wire = protocol::Limits::default();
        Self {
            unread_bytes_max: wire.head_bytes_max + wire.body_bytes_max,
            wire,
            connections_max: 1_000_000,
            newcomers_heard_max: 256,
            polling_sessions_max: 65_536,
            polling_outbox_bytes_max: 1024 * 1024,
            polling_total_bytes_max: 64 * 1024 * 1024,
            pipelined_requests_max: 16,
            journal_queue_messages_max: 256 * 1024,
            journal_queue_bytes_max: 64 * 1024 * 1024,
            journal_reads_max: 1_024,
            commit_delay_us_max: 1_000,
            control_calls_max: 16 * 1024,
            side_calls_max: 256,
            side_bytes_max: 64 * 1024 * 1024,
            side_part_bytes_max: 64 * 1024,
            long_answers_bytes_max: 64 * 1024 * 1024,
            database_result_bytes_max: 4 * 1024 * 1024,
            seat: SeatLimits {
                queue_max: 4 * 1024,
                channels_max: 1_000_000,
                claims_max: 1_000_000,
                claim_waiters_max: 64,
                revoked_max: 1_000_000,
                patterns_max: 10_000,
            },
            channels_max: 1_000_000,
            deliveries_per_turn_max: 256,
            turn_us: 200,
            fan_out_bytes_max: 4 * 1024 * 1024,
            tail_total_bytes_max: 64 * 1024 * 1024,
            tail_messages_max: 128,
            recovery_messages_max: 256,
            recovery_bytes_max: 128 * 1024,
            presence_members_max: 1000,
            subscriptions_per_connection_max: 128,
            connection_rates: Rates::default(),
            unanswered_frames_max: 1_024,
            known_channels_max: 65_536,
            control_frames_per_second_max: 20,
            head_timeout_ms: 5_000,
            body_timeout_ms: 10_000,
            idle_timeout_ms: 75_000,
            ping_interval_ms: 25_000,
            pong_timeout_ms: 10_000,
            heartbeat: Heartbeat::default(),
            connect_timeout_ms: 45_000,
            introduction_timeout_ms: 10_000,
            #[cfg(feature = "echo")]
            echo: None,
        }
    }
}
