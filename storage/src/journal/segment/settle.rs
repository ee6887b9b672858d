//! The end of opening: what was found becomes durable, and damage is written down with the epochs that it costs.

use std::{collections::BTreeSet, io, ops::Range, sync::Arc};

use super::{
    SegmentJournal,
    entry::{Damage, Entry},
    recover::{io_error, refused},
    shelf::Purpose,
};
use crate::{
    error::{JournalError, OpenError},
    ids::{ChannelKey, Epoch, Position},
    journal::ChannelState,
};

impl SegmentJournal {
    /// Writes the last block once more, as it is. Should its sync have failed, the kernel has it in its cache and takes it for
    /// written: by itself the next sync would not write it. Those before it were synced before it was begun.
    pub(super) fn write_again(&self, segment: u64, block: Range<usize>) -> io::Result<()> {
        let Some(shelved) = self.shelf.files.get(&segment) else { return Ok(()) };
        let mut bytes = vec![0; block.len()];
        let read = shelved.file.read_at(&mut bytes, block.start as u64)?;
        shelved.file.write_all_at(bytes.get(..read).unwrap_or_default(), block.start as u64)
    }

    /// Makes what was found durable (a process that was killed may not have synced it), and begins a segment if there
    /// is none to go on with.
    pub(super) fn settle(&mut self, last_id: u64, live: &BTreeSet<u64>) -> Result<(), OpenError> {
        for shelved in self.shelf.files.values().rev().take(2) {
            shelved.file.sync_data().map_err(io_error("sync"))?;
        }
        self.shelf.disk.sync_dir().map_err(io_error("sync directory"))?;
        if self.active.id == 0 {
            let id = last_id.max(live.last().copied().unwrap_or(0)) + 1;
            let id = if self.quarantined > 0 { id + 1 } else { id };
            self.shelf.begin(id, Purpose::Marks).map_err(refused)?;
            self.activate(id);
        }
        Ok(())
    }

    /// Begins a new epoch wherever continuity is in doubt, and writes down that it did.
    pub(super) fn set_aside(&mut self, news: Vec<Damage>) -> Result<(), JournalError> {
        let highest = self.index.iter().map(|it| it.state.position.epoch).max();
        let highest = highest.max(Some(self.log.fresh_epoch)).unwrap_or_default();
        let epoch = Epoch(highest.0.saturating_add(1));
        let doubtful = self.index.doubtful();
        let stand = |(key, state): (Arc<ChannelKey>, ChannelState)| {
            let position = Position { epoch, ..state.position };
            (key, ChannelState { position, ..state })
        };
        let stands: Vec<_> = doubtful.into_iter().map(stand).collect();
        self.stand(&stands)?;
        self.log.fresh_epoch = epoch;
        self.log.damages.extend(news);
        self.log.live = self.shelf.files.keys().copied().collect();
        // Last: should the power fail before it, all of this is done again.
        self.mark(&[Entry::Log(self.log.clone())])
    }
}
