//! Rewriting the catalog's journal: entries are written anew, which changes nothing. Once all were, or were changed meanwhile, the
//! records from before it began are let go. With each change goes a part of it, in the same block, so that no change waits for long
//! and a journal that is written all day stays within a few times what the catalog holds.

use std::sync::Arc;

use super::{
    BATCH_BYTES_MAX, Catalog, SEGMENT_BYTES,
    change::Change,
    view::{self, Full},
};
use crate::{
    error::JournalError,
    ids::Offset,
    journal::Journal,
    options::{Keep, Retention},
};

/// The journal is rewritten at an open when it has so many more records than there are entries.
const EXCESS_MAX: u64 = 10_000;
/// The journal is rewritten when its sealed segments take so many times the bytes of the entries.
const WASTE: u64 = 2;
/// With each byte of changes so many are written anew: it is done before half of the entries' bytes were written once more.
const PACE: u64 = 2;

/// See the module. What it is at is not kept: after a restart the next one begins at the first entry.
pub(super) struct Rewrite {
    /// The last record that is let go once it is done.
    last: Offset,
    /// What it did up to here, in the order of the view.
    done: Vec<u8>,
}

impl Catalog {
    /// Appends changes, with the next part of a rewrite where one is under way.
    pub(super) fn append_with_part(
        &mut self,
        changes: &[Change<'_>],
        now_ms: u64,
    ) -> Result<(), JournalError> {
        let bytes: u64 = changes.iter().map(Change::bytes).sum();
        let part = self.part((PACE * bytes).min(BATCH_BYTES_MAX))?;
        // First: what the changes say comes after it.
        let both: Vec<_> = part.iter().map(Full::as_put).chain(changes.iter().copied()).collect();
        let both_bytes = both.iter().map(Change::bytes).sum();
        if !part.is_empty() && self.has_room(bytes, both_bytes)? {
            match self.append(&both, now_ms) {
                Ok(()) => {
                    self.changed_bytes += bytes;
                    self.note_part(&part);
                    return Ok(());
                }
                // Nothing was kept. The changes alone may have room.
                Err(why) if why.is_passing() => {}
                Err(why) => return Err(why),
            }
        }
        self.append(changes, now_ms)?;
        self.changed_bytes += bytes;
        Ok(())
    }

    /// Begins a rewrite where there is need for it, and ends one that has written all.
    pub(super) fn see_to_rewrite(&mut self) -> Result<(), JournalError> {
        match &self.rewrite {
            Some(rewrite) if self.view.after(&rewrite.done, 1)?.is_empty() => self.end_rewrite(),
            Some(_) => Ok(()),
            None => {
                // The second: what was written anew is not at once written anew again.
                if self.is_wasteful() && self.changed_bytes >= self.view.bytes() {
                    self.begin_rewrite();
                }
                Ok(())
            }
        }
    }

    /// At an open: rewrites a journal that is long beside what it says. Where there is no room for it, the changes to come go on with
    /// it.
    pub(super) fn rewrite_if_long(&mut self, records: u64) -> Result<(), JournalError> {
        let excess = records.saturating_sub(self.view.count()?);
        if excess <= EXCESS_MAX && !self.is_wasteful() {
            return Ok(());
        }
        match self.rewrite_all() {
            Err(why) if why.is_passing() => Ok(()),
            other => other,
        }
    }

    /// Rewrites the journal as a whole.
    pub(super) fn rewrite_all(&mut self) -> Result<(), JournalError> {
        self.begin_rewrite();
        loop {
            let part = self.part(BATCH_BYTES_MAX)?;
            if part.is_empty() {
                break;
            }
            let puts: Vec<_> = part.iter().map(Full::as_put).collect();
            self.append(&puts, 0)?;
            self.note_part(&part);
        }
        self.view.apply(&[], self.position)?;
        self.end_rewrite()
    }

    fn is_wasteful(&self) -> bool {
        let sealed = self.journal.stats().segments.saturating_sub(1);
        sealed * SEGMENT_BYTES > WASTE * self.view.bytes()
    }

    fn begin_rewrite(&mut self) {
        self.changed_bytes = 0;
        self.rewrite = Some(Rewrite { last: self.position.offset, done: view::START.to_vec() });
    }

    /// What comes next, about so many bytes. Nothing when no rewrite is under way.
    fn part(&self, bytes: u64) -> Result<Vec<Full>, JournalError> {
        let Some(rewrite) = &self.rewrite else { return Ok(Vec::new()) };
        self.view.after(&rewrite.done, bytes)
    }

    fn note_part(&mut self, part: &[Full]) {
        if let (Some(rewrite), Some(last)) = (&mut self.rewrite, part.last()) {
            rewrite.done = last.full_key();
        }
    }

    fn end_rewrite(&mut self) -> Result<(), JournalError> {
        let Some(rewrite) = &self.rewrite else { return Ok(()) };
        // What the view lost without a word was not written anew: then the journal keeps all, and the next open makes the view of it.
        if !self.view.is_whole()? {
            self.is_behind = true;
            return Err(JournalError::Fenced);
        }
        let messages_max = self.position.offset.0 - rewrite.last.0;
        let keep = Keep { messages_max, ..Keep::ALL };
        let policy =
            Retention { keep: Arc::new(move |_| keep), bytes_max: u64::MAX, idle_ms_max: u64::MAX };
        self.journal.retain(&policy, 0)?;
        self.rewrite = None;
        Ok(())
    }
}
