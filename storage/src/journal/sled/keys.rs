//! Keyed records are found in the blocks themselves: opening reads all of them anyway.

use std::ops::Range;

use super::{SledJournal, block::entries, failed};
use crate::{
    error::JournalError,
    journal::{
        entry::Entry,
        keyed::{KeyedRecord, Newest},
    },
    options::KEYED_MS,
};

impl SledJournal {
    /// The newest keyed records from a time on.
    pub(super) fn keyed(
        &self,
        since_ms: u64,
        max: usize,
    ) -> Result<Vec<KeyedRecord>, JournalError> {
        let mut newest = Newest::new(since_ms, max);
        for number in self.mark.first..self.mark.end {
            self.with_entries(number, |entry| match entry {
                Entry::Message(it) => {
                    KeyedRecord::of_message(it).into_iter().for_each(|it| newest.take(it));
                }
                Entry::Drop { tenant } => newest.forget(*tenant),
                Entry::Stand { .. }
                | Entry::Forget { .. }
                | Entry::Log(_)
                | Entry::Retire { .. }
                | Entry::Counts(_)
                | Entry::Seal
                | Entry::Close
                | Entry::Resume { .. } => {}
            })?;
        }
        Ok(newest.finish())
    }

    /// The first block with a key that still matters.
    pub(super) fn first_keyed(
        &self,
        blocks: Range<u64>,
        now_ms: u64,
    ) -> Result<Option<u64>, JournalError> {
        let oldest_ms = now_ms.saturating_sub(KEYED_MS);
        for number in blocks {
            let mut matters = false;
            self.with_entries(number, |entry| {
                matters |= matches!(entry, Entry::Message(it)
                    if it.idempotency.is_some() && it.at_ms >= oldest_ms);
            })?;
            if matters {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// The entries of a block; none when it is damaged.
    pub(super) fn with_entries(
        &self,
        number: u64,
        mut work: impl FnMut(&Entry<'_>),
    ) -> Result<(), JournalError> {
        let value = self.block(number).map_err(failed("read"))?;
        let found = value.as_deref().and_then(|it| entries(it, number)).unwrap_or_default();
        found.iter().for_each(|(entry, _)| work(entry));
        Ok(())
    }
}
