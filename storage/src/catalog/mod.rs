//! Control-plane state: tenants, webhook cursors, revocations, policies. Small, read often, changed rarely.
//!
//! Every change is first a record in a journal of its own, and durable there. What is read is a view of it in sled, which is
//! made anew whenever it is behind, will not open, or does not hold what it should.

mod change;
mod rewrite;
mod view;
mod writer;

use std::{path::Path, sync::Arc};

pub use self::change::{Change, OwnedChange};
pub use self::writer::{CatalogAnswer, CatalogHandle, CatalogWriter};
use self::{rewrite::Rewrite, view::View};
use crate::{
    error::{JournalError, OpenError},
    ids::{ChannelKey, MessageId, Offset, Position, TenantId},
    journal::{Journal, SegmentJournal, open_segment_log},
    options::{JournalOptions, Prepare},
    publication::{Draft, Publication, SenderKind},
};

/// Bytes of one of its segments: it holds little.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Records that are read at once.
const RECORDS_MAX: usize = 512;
/// A batch is closed once it has so many bytes: any batch fits a segment, with what stands around each change.
const BATCH_BYTES_MAX: u64 = 512 * 1024;

/// Keys and values of a table.
pub type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// See the module. Its calls block: it belongs on a side thread.
pub struct Catalog {
    journal: SegmentJournal,
    view: View,
    stream: Arc<ChannelKey>,
    position: Position,
    /// The view missed a change that is durable: what it says is not what holds.
    is_behind: bool,
    /// The rewrite of the journal that is under way.
    rewrite: Option<Rewrite>,
    /// Bytes of changes since the last one began.
    changed_bytes: u64,
}

impl Catalog {
    /// Opens the catalog in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// When the disk refuses, or another process holds the directory.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let options = JournalOptions { segment_bytes: SEGMENT_BYTES, prepare: Prepare::InPlace };
        let journal = open_segment_log(&dir.join("journal"), &options)?;
        let view = View::open(&dir.join("view"))?;
        let stream = Arc::new(ChannelKey::new(TenantId(0), "catalog"));
        let position = Position { epoch: journal.fresh_epoch(), offset: Offset(0) };
        let (is_behind, rewrite, changed_bytes) = (false, None, 0);
        let mut catalog =
            Self { journal, view, stream, position, is_behind, rewrite, changed_bytes };
        catalog.catch_up().map_err(|why| OpenError::Unreadable { why: why.to_string() })?;
        Ok(catalog)
    }

    /// The value of a key in a table.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.view.get(table, key)
    }

    /// Every key and value of a table, by key.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn entries(&self, table: &str) -> Result<Entries, JournalError> {
        self.view.entries(table)
    }

    /// Makes the changes durable, all of them or none, and then visible.
    ///
    /// # Errors
    /// As for [`Journal::append`]: nothing is changed. Should the view fail, the changes are durable, though the answer is an
    /// error, and nothing is taken until the next open. Where there is no room for both, nothing is begun.
    pub fn apply(&mut self, changes: &[Change<'_>], now_ms: u64) -> Result<(), JournalError> {
        if self.is_behind {
            return Err(JournalError::Fenced);
        }
        let needed_bytes = changes.iter().map(Change::bytes).sum();
        if !self.has_room(needed_bytes, needed_bytes)? {
            return Err(JournalError::Full { needed_bytes });
        }
        self.append_with_part(changes, now_ms)?;
        let result = self.view.apply(changes, self.position);
        self.is_behind = result.is_err();
        result?;
        let _ = self.see_to_rewrite(); // The changes are durable and seen; should it fail, the next ones are refused or try again.
        Ok(())
    }

    /// Damaged ranges that its journal set aside: changes may be missing.
    #[must_use]
    pub fn quarantined(&self) -> u64 {
        self.journal.stats().quarantined
    }

    /// Whether there is room for changes in the view, once the journal has what it needs for a batch: sled does not survive a full disk.
    fn has_room(&self, bytes: u64, batch_bytes: u64) -> Result<bool, JournalError> {
        self.view.has_room(bytes, self.journal.wanted_bytes(batch_bytes))
    }

    fn append(&mut self, changes: &[Change<'_>], now_ms: u64) -> Result<(), JournalError> {
        let mut position = self.position;
        let batch = changes.iter().map(|change| {
            position.offset = position.offset.next();
            Arc::new(Publication::new(&Draft {
                channel: &self.stream,
                epoch: position.epoch,
                offset: Some(position.offset),
                id: MessageId(position.offset.0.into()),
                at_ms: now_ms,
                sender: "",
                sender_kind: SenderKind::System,
                event: "",
                payload: &change.encode(),
                idempotency: None,
            }))
        });
        let batch: Vec<_> = batch.collect();
        self.journal.append(&batch)?;
        self.position = position;
        Ok(())
    }

    /// Brings the view to where the journal is.
    fn catch_up(&mut self) -> Result<(), JournalError> {
        let stand = self.journal.channels().into_iter().find(|it| *it.0 == *self.stream);
        let first = stand.as_ref().map_or(Offset(1), |it| it.1.first_retained);
        self.position = stand.map_or(self.position, |it| it.1.position);
        let applied = self.view.applied()?.filter(|it| it.offset.next() >= first);
        let is_whole = applied.is_some() && self.view.is_whole()?;
        match applied.filter(|_| is_whole) {
            Some(applied) if applied.epoch < self.position.epoch => self.mend(applied, first)?,
            Some(applied)
                if applied.epoch == self.position.epoch
                    && applied.offset <= self.position.offset => {}
            Some(_) | None => self.view.clear()?,
        }
        let mut after = self.view.applied()?.map_or(Offset(first.0 - 1), |it| it.offset);
        while after < self.position.offset {
            after = self.replay(after)?;
        }
        self.rewrite_if_long(self.position.offset.0 + 1 - first.0)
    }

    /// Applies some of the journal to the view; says how far it came.
    fn replay(&mut self, after: Offset) -> Result<Offset, JournalError> {
        let read = match self.journal.read(&self.stream, after, RECORDS_MAX) {
            Ok(read) => read,
            // It was set aside: the next read begins after it. What it said is lost, and counted.
            Err(JournalError::Corrupt { .. }) => return Ok(after),
            Err(why) => return Err(why),
        };
        let changes: Vec<_> = read.iter().filter_map(|it| Change::decode(it.payload())).collect();
        let last = read.last().and_then(|it| it.offset());
        let offset = last.unwrap_or(self.position.offset);
        self.view.apply(&changes, Position { offset, ..self.position })?;
        Ok(offset)
    }

    /// The journal was damaged after the view was at a position: what that has is right, and only what came later is added. Then
    /// the journal says the same.
    fn mend(&mut self, applied: Position, first: Offset) -> Result<(), JournalError> {
        let (mut after, mut later) = (Offset(first.0 - 1), Vec::new());
        while after < self.position.offset {
            let read = match self.journal.read(&self.stream, after, RECORDS_MAX) {
                Err(JournalError::Corrupt { .. }) => continue,
                read => read?,
            };
            after = read.last().and_then(|it| it.offset()).unwrap_or(self.position.offset);
            later
                .extend(read.into_iter().filter(|it| {
                    (it.epoch(), it.offset()) > (applied.epoch, Some(applied.offset))
                }));
        }
        let changes: Vec<_> = later.iter().filter_map(|it| Change::decode(it.payload())).collect();
        // All at once: what lies between is neither here nor there. Until the journal says the same, this is to be done again.
        self.view.apply(&changes, Position { epoch: applied.epoch, ..self.position })?;
        self.rewrite_all()
    }
}
