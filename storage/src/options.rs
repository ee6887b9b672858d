//! The settings of a journal, and what it keeps.

use std::{fmt, sync::Arc};

use crate::ids::ChannelKey;

/// An idempotency key is known for so long after its message, in milliseconds, also when the message itself is let go.
pub const KEYED_MS: u64 = 24 * 60 * 60 * 1000;

/// Which backend keeps the journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JournalKind {
    /// Our own segment log: the default.
    Segment,
    /// sled 0.34 in blocks, with our own sync.
    Sled,
    /// Nothing on disk: the model, and `--ephemeral`.
    Memory,
}

/// How a journal lays out its files.
#[derive(Clone, Copy, Debug)]
pub struct JournalOptions {
    /// Bytes of one segment file. A batch must fit; one more file of this size is the reserve, so that deletes and marks
    /// still land on a full disk.
    pub segment_bytes: u64,
    /// Who prepares the next segment file.
    pub prepare: Prepare,
}

/// Who prepares the next segment file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Prepare {
    /// A helper thread, ahead of need.
    Ahead,
    /// The storage thread, when it needs one: slower, and the same on every run.
    InPlace,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 * 1024 * 1024, prepare: Prepare::Ahead }
    }
}

/// How much of one channel stays. `u64::MAX` is no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Keep {
    /// Older messages go.
    pub age_ms_max: u64,
    /// All but the newest so many go.
    pub messages_max: u64,
    /// All but the newest so many bytes go, by the mean size of a run of messages.
    pub bytes_max: u64,
}

impl Keep {
    /// Nothing goes.
    pub const ALL: Self =
        Self { age_ms_max: u64::MAX, messages_max: u64::MAX, bytes_max: u64::MAX };
}

/// What the journal keeps.
#[derive(Clone)]
pub struct Retention {
    /// The rule for each channel.
    pub keep: Arc<dyn Fn(&ChannelKey) -> Keep + Send + Sync>,
    /// Bytes on disk for all of them; the oldest segments go first.
    pub bytes_max: u64,
    /// A channel that holds nothing and was idle for longer is forgotten.
    pub idle_ms_max: u64,
}

impl fmt::Debug for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retention").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}
