//! The journals of all shards, as the side threads read them.

use protocol::Rejection;
use storage::{JournalError, Reader};

use crate::ids::{ChannelKey, ShardId};
use crate::shard::home;

/// What a caller hears whose reading of a journal failed. `limit` bounds the time that it may take.
pub(super) fn rejection(why: &JournalError, limit: &'static str) -> Rejection {
    match why {
        JournalError::TimedOut => Rejection::Overloaded { limit },
        JournalError::Corrupt { .. } => Rejection::Internal,
        JournalError::Descriptors => Rejection::Overloaded { limit: "RLIMIT_NOFILE" },
        JournalError::Full { .. }
        | JournalError::Io { .. }
        | JournalError::Fenced
        | JournalError::TooLarge { .. }
        | JournalError::OutOfOrder
        | JournalError::Ended => Rejection::StorageUnavailable,
    }
}

/// The readers of a node's journals, by their shards.
#[derive(Clone)]
pub(super) struct Journals(Vec<Option<Reader>>);

impl Journals {
    pub(super) fn new(shards: u16) -> Self {
        Self(vec![None; usize::from(shards)])
    }

    pub(super) fn join(&mut self, shard: ShardId, reader: Reader) {
        if let Some(slot) = self.0.get_mut(shard.index()) {
            *slot = Some(reader);
        }
    }

    /// That of a channel's home. `None`: the shard has not started yet.
    pub(super) fn of(&self, channel: &ChannelKey) -> Option<&Reader> {
        let shards = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        self.0.get(home(channel, shards).index())?.as_ref()
    }

    /// Those of all shards, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = Option<&Reader>> {
        self.0.iter().map(Option::as_ref)
    }
}
