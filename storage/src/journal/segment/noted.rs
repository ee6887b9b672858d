//! Damaged messages that reads came by. They are written down with the epoch that they cost, in one block, and set aside at the next
//! open: nobody is told of them again. What could not be written down is found anew, and told of once more.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    SegmentJournal,
    channel::Channel,
    entry::{Damage, Entry, LogState},
    read::{Lost, Stop, places},
};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Epoch, Offset},
};

/// Damaged messages that are written down, at most.
const NOTED_MAX: u64 = 4096;
/// Bytes of one of them, where it is written down.
const DAMAGE_BYTES: u64 = 24;
/// Each segment begins with all of them: they take at most one part in so many of it.
const SEGMENT_PARTS: u64 = 8;

impl SegmentJournal {
    /// Keeps in mind what a read came by, until its channel's home begins the next epoch.
    pub(super) fn remember(&mut self, key: &Arc<ChannelKey>, lost: &[Lost]) {
        // Channels and segments that went take what was found in them along.
        let (index, files) = (&self.index, &self.shelf.files);
        self.found.retain(|(key, damage)| {
            index.find(key).is_some() && files.contains_key(&damage.segment)
        });
        let max = NOTED_MAX.min(self.shelf.segment_bytes / (SEGMENT_PARTS * DAMAGE_BYTES));
        let known = self.found.len() + self.log.damages.len();
        let free = usize::try_from(max).unwrap_or(usize::MAX).saturating_sub(known);
        let noted = lost.iter().filter_map(|it| {
            let from = u64::from(it.place?);
            Some((Arc::clone(key), Damage { segment: it.segment, from, to: from + 1 }))
        });
        self.found.extend(noted.take(free));
    }

    /// Takes a channel to an epoch, and writes down the damage for which it begins.
    pub(super) fn enter(&mut self, key: &ChannelKey, epoch: Epoch) -> Result<(), JournalError> {
        let stand = self.index.stand_in(key, epoch);
        let (noted, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.found).into_iter().partition(|it| *it.0 == *key);
        self.found = others;
        let noted = noted.into_iter().map(|it| it.1);
        let noted: Vec<_> = noted.filter(|it| self.shelf.files.contains_key(&it.segment)).collect();
        if noted.is_empty() {
            return stand.map_or(Ok(()), |stand| self.stand(&[stand]));
        }
        let mut log = LogState { live: Vec::new(), ..self.log.clone() };
        log.damages.extend(noted);
        log.live = self.shelf.files.keys().copied().collect();
        let mut marks = Vec::new();
        if let Some((key, state)) = &stand {
            marks.push(Entry::Stand { tenant: key.tenant(), name: key.name(), state: *state });
        }
        marks.push(Entry::Log(log.clone()));
        self.mark(&marks)?;
        self.log = log;
        if let Some((key, state)) = &stand {
            self.index.stand(key.tenant(), key.name(), *state, self.active.id);
        }
        Ok(())
    }

    /// Sets aside what is known to be damaged, and still cannot be read.
    pub(super) fn set_noted_aside(&mut self) {
        let noted = self.log.damages.iter().filter(|it| it.to.checked_sub(it.from) == Some(1));
        let noted: BTreeSet<_> = noted.map(|it| (it.segment, it.from)).collect();
        if noted.is_empty() {
            return;
        }
        let lost = self.index.iter().flat_map(|it| self.noted_in(it, &noted));
        let lost: Vec<_> = lost.collect();
        self.quarantined += lost.len() as u64;
        lost.iter().for_each(|(key, offset)| self.index.set_aside(key, *offset));
    }

    fn noted_in(
        &self,
        channel: &Channel,
        noted: &BTreeSet<(u64, u64)>,
    ) -> Vec<(Arc<ChannelKey>, u64)> {
        let mut lost = Vec::new();
        for run in &channel.runs {
            let is_damaged =
                noted.range((run.segment, 0)..=(run.segment, u64::MAX)).next().is_some();
            let Some(shelved) = self.shelf.files.get(&run.segment).filter(|_| is_damaged) else {
                continue;
            };
            // What cannot be read now is found by whoever asks for it.
            let Ok(places) = places(run, 0, run.count as usize, shelved) else { continue };
            let lies = (run.first..).zip(places);
            let offsets = lies.filter(|it| noted.contains(&(run.segment, it.1.into())));
            let damaged = offsets.map(|it| it.0).filter(|it| self.is_damaged(channel, *it));
            lost.extend(damaged.map(|it| (Arc::clone(&channel.key), it)));
        }
        lost
    }

    /// Whether a message is retained, and cannot be read.
    fn is_damaged(&self, channel: &Channel, offset: u64) -> bool {
        let found = self.try_one(channel, Offset(offset.saturating_sub(1)));
        matches!(found, Err(Stop::Damaged(it)) if it.offset == offset)
    }
}
