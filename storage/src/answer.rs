//! What goes between a shard and its storage thread: the bounds of what may wait, and the answers.

use std::sync::Arc;

use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch},
    journal::{Cut, JournalStats, Retired},
    publication::Publication,
};

/// Called by the storage thread once per batch of answers.
pub type Wake = Box<dyn Fn() + Send>;

/// How much may wait for the storage thread. At the bound pushes are refused.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Messages.
    pub messages_max: usize,
    /// Bytes of text. (64 MiB: what a disk that stalls for a second must absorb.)
    pub bytes_max: u64,
    /// Reads and other questions.
    pub reads_max: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { messages_max: 256 * 1024, bytes_max: 64 * 1024 * 1024, reads_max: 1024 }
    }
}

/// The storage thread has as much waiting as it may.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueFull;

/// What the storage thread says. Appends are answered in the order in which they came.
#[derive(Debug)]
pub enum Answer {
    /// The oldest `count` unanswered appends are durable.
    Committed {
        /// How many.
        count: usize,
    },
    /// The oldest `count` unanswered appends were not kept.
    Refused {
        /// How many.
        count: usize,
        /// Why.
        why: JournalError,
    },
    /// What was read for `token`.
    Read {
        /// The question's token.
        token: u64,
        /// The publications, or why not.
        result: Result<Vec<Arc<Publication>>, JournalError>,
    },
    /// A retention run ended.
    Retained {
        /// What it did.
        result: Result<Retired, JournalError>,
        /// The sizes after it.
        stats: JournalStats,
    },
    /// A channel's messages were let go.
    Dropped {
        /// The question's token.
        token: u64,
        /// Whether it was.
        result: Result<(), JournalError>,
    },
    /// What channels held up to a time was let go.
    Cut {
        /// The question's token.
        token: u64,
        /// What went of each that lost something.
        result: Result<Vec<Cut>, JournalError>,
    },
    /// History of a channel is damaged, and was set aside. Its home begins the next epoch: [`WriterHandle::try_begin_epoch`](crate::WriterHandle::try_begin_epoch).
    Damaged {
        /// Which.
        channel: Arc<ChannelKey>,
    },
    /// A channel could not be taken to the next epoch.
    NotBegun {
        /// Why.
        why: JournalError,
    },
    /// All that a tenant had was let go.
    DroppedTenant {
        /// The question's token.
        token: u64,
        /// The epoch in which channels begin from now on that the journal does not know.
        result: Result<Epoch, JournalError>,
    },
}
