//! The bounds of what side threads do (invariant 7). Those of a shard, how much it may ask, stand in `crate::limits`.

/// Parts of a body that may be under way to a connection at once: one is written while the next is read.
pub(crate) const PARTS_AHEAD: u32 = 2;
/// Bytes that a vendor's answer may take: more than any token needs. Over it: `502`.
pub(crate) const VENDOR_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Bytes that a step of a list has in memory, about: what is read at once, once more as the answer has it, and as much again for
/// where it is found.
pub(crate) const LIST_STEP_BYTES: usize = 6 * 1024 * 1024;

/// What a call of another server, or a query, may take.
#[derive(Clone, Debug)]
pub struct SideLimits {
    /// Time until the head of an answer. Over it: `504`.
    pub answer_timeout_ms: u64,
    /// Time between two parts of a body. Over it: the connection that it goes to is cut.
    pub idle_timeout_ms: u64,
    /// Bytes of one part of a body.
    pub part_bytes_max: usize,
    /// Those of SQL.
    pub database: DatabaseLimits,
    /// Those of lists of messages.
    pub lists: ListLimits,
}

/// What lists of messages and statistics may take.
#[derive(Clone, Debug)]
pub struct ListLimits {
    /// Those that are read at once on the node. The others wait, for as long as a step may take; then `503`.
    pub calls_max: usize,
    /// Time of a step: to find the messages, or to read the next few of them. Over it: `503`.
    pub time_ms_max: u64,
}

/// What a query may take.
#[derive(Clone, Debug)]
pub struct DatabaseLimits {
    /// Queries that run at once on the node. The others wait, for as long as a query may take; then `503`.
    pub queries_max: usize,
    /// Time of one query. Over it: `400`.
    pub time_ms_max: u64,
    /// Rows of a result. Over it: `400`.
    pub rows_max: usize,
    /// Bytes of a result. Over it: `400`.
    pub result_bytes_max: usize,
    /// Bytes that all queries of the node have for their work. Over it: `400`.
    pub memory_bytes_max: usize,
}

impl Default for SideLimits {
    fn default() -> Self {
        Self {
            answer_timeout_ms: 15_000,
            idle_timeout_ms: 60_000,
            part_bytes_max: 64 * 1024,
            database: DatabaseLimits::default(),
            lists: ListLimits::default(),
        }
    }
}

impl Default for ListLimits {
    fn default() -> Self {
        Self { calls_max: 4, time_ms_max: 5_000 }
    }
}

impl Default for DatabaseLimits {
    fn default() -> Self {
        Self {
            queries_max: 2,
            time_ms_max: 2_000,
            rows_max: 10_000,
            result_bytes_max: 4 * 1024 * 1024,
            memory_bytes_max: 64 * 1024 * 1024,
        }
    }
}
