//! Opening: every block is read; what the mark counts on and sled does not have is damage.

use std::io;

use super::{
    SledJournal,
    block::{encode, entries},
};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch, Position},
    journal::{ChannelState, channel::Note, entry::Entry},
};

impl SledJournal {
    /// Reads every block into the index. Returns the numbers of those that are lost.
    pub(super) fn recover(&mut self) -> io::Result<Vec<u64>> {
        let mut lost = Vec::new();
        let mut number = self.mark.first;
        loop {
            let value = self.block(number)?;
            let is_due = number < self.mark.end;
            match value.as_deref().and_then(|it| entries(it, number)) {
                Some(entries) => {
                    entries.into_iter().for_each(|(entry, at)| self.entry(&entry, number, at));
                }
                None if is_due => {
                    lost.push(number);
                    self.index.damages += 1;
                }
                None => break,
            }
            number += 1;
        }
        // What lies beyond was never acknowledged, and does not follow.
        self.synced.with(|db| {
            db.range(number.to_be_bytes()..).keys().try_for_each(|key| db.remove(key?).map(drop))
        })?;
        self.mark.end = number;
        Ok(lost)
    }

    fn entry(&mut self, entry: &Entry<'_>, number: u64, at: usize) {
        match entry {
            Entry::Message(it) => {
                let note = Note {
                    position: Position { epoch: it.epoch, offset: it.offset },
                    at_ms: it.at_ms,
                    segment: number,
                    place: u32::try_from(at).unwrap_or(u32::MAX),
                    bytes: (it.sender.len() + it.event.len() + it.payload.len()) as u64,
                };
                self.index.recover(it.tenant, it.name, &note);
            }
            Entry::Stand { tenant, name, state } => self.index.stand(*tenant, name, *state, number),
            Entry::Forget { tenant, name } => self.index.forget(&ChannelKey::new(*tenant, name)),
            Entry::Drop { tenant } => self.index.forget_tenant(*tenant),
            Entry::Log(_)
            | Entry::Retire { .. }
            | Entry::Seal
            | Entry::Close
            | Entry::Resume { .. }
            | Entry::Counts(_) => {}
        }
    }

    /// Begins a new epoch wherever continuity is in doubt.
    pub(super) fn set_aside(&mut self, lost: &[u64]) -> Result<(), JournalError> {
        self.quarantined += lost.len().max(1) as u64;
        let highest = self.index.iter().map(|it| it.state.position.epoch).max();
        let highest = highest.max(Some(self.mark.fresh_epoch)).unwrap_or_default();
        self.mark.fresh_epoch = Epoch(highest.0.saturating_add(1));
        let epoch = self.mark.fresh_epoch;
        let stands = self.index.doubtful().into_iter().map(|(key, state)| {
            let position = Position { epoch, ..state.position };
            (key, ChannelState { position, ..state })
        });
        self.stand(&stands.collect::<Vec<_>>())?;
        for number in lost {
            self.put_block(*number, encode(&[], *number))?;
        }
        Ok(())
    }
}
