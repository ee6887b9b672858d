//! Writing down the counts of messages: beside the messages, and without a sync of their own.

use std::sync::Arc;

use super::{
    SegmentJournal,
    entry::{CountsEntry, Entry},
};
use crate::{
    error::JournalError,
    ids::ChannelKey,
    journal::{
        Counted, Source, Wanted,
        lists::{CountKey, LiveRun, Numbers, Part, Place, Scope, View, fetch, key_hash},
    },
    publication::Publication,
};

/// Messages whose counts wait for the next block.
const WAITING_MAX: usize = 1024;

/// One message, where it lies, and what is said of it.
#[derive(Clone, Debug)]
pub(super) struct Said {
    of: Counted,
    segment: u64,
    now: Numbers,
    before: Numbers,
}

impl SegmentJournal {
    /// Takes counts that go with the next block: one of their own before it, not synced, could be lost in front of it.
    pub(super) fn put_counts(&mut self, counted: &[Counted]) -> Result<(), JournalError> {
        for of in counted {
            if self.said.len() >= WAITING_MAX {
                self.append_batch(&[])?;
            }
            let Some(segment) = self.segment_of(of) else { continue };
            let key = (key_hash(&of.channel, of.epoch), segment, of.offset.0);
            let earlier = self.said.iter().rev().find(|it| it.is_of(of)).map(|it| it.now);
            let before = match earlier {
                Some(now) => now,
                None => self.said_before(of, key)?,
            };
            let now = of.counts.over(before);
            self.said.push(Said { of: of.clone(), segment, now, before });
        }
        Ok(())
    }

    /// The bytes of what waits, at most.
    pub(super) fn said_bytes(&self) -> usize {
        said_entries(&self.said).iter().map(Entry::bytes_max).sum()
    }

    /// Puts what waits into the block that is being made.
    pub(super) fn put_said(&mut self) {
        let place = self.active.place();
        said_entries(&self.said).iter().for_each(|it| it.put(&mut self.buffer, place));
    }

    /// What waited is written.
    pub(super) fn take_said(&mut self) {
        let said = std::mem::take(&mut self.said);
        for entry in said_entries(&said) {
            let Entry::Counts(counts) = entry else { continue };
            counts.rows().for_each(|it| self.active.rows.counts.take(it));
        }
        let active = self.shelf.files.get_mut(&self.active.id);
        active.into_iter().for_each(|it| it.targets.extend(said.iter().map(|it| it.segment)));
    }

    /// Where a message lies that is retained.
    fn segment_of(&self, of: &Counted) -> Option<u64> {
        let channel = self.index.find(&of.channel)?;
        let offset = of.offset.0;
        if of.offset < channel.state.first_retained {
            return None;
        }
        let at = channel.runs.partition_point(|it| it.end() <= offset);
        let run = channel.runs.get(at).filter(|it| it.first <= offset && it.epoch == of.epoch)?;
        Some(run.segment)
    }

    /// What the log says about a message so far.
    fn said_before(&mut self, of: &Counted, key: CountKey) -> Result<Numbers, JournalError> {
        if let Some(numbers) = self.active.rows.counts.find(key) {
            return Ok(numbers);
        }
        let later = self.shelf.files.range(key.1..self.active.id);
        let speaking = later.filter(|it| it.1.targets.contains(&key.1)).map(|it| *it.0);
        let parts: Vec<Part> = speaking.filter_map(|it| self.part(it, 0)).collect();
        for mut part in parts.into_iter().rev() {
            let said = part.said_of(self, of.channel.tenant(), &[key])?;
            if let Some((_, numbers)) = said.first() {
                return Ok(*numbers);
            }
        }
        Ok(Numbers::default())
    }
}

impl Said {
    fn is_of(&self, of: &Counted) -> bool {
        (self.of.offset, self.of.epoch) == (of.offset, of.epoch) && self.of.channel == of.channel
    }
}

fn said_entries(said: &[Said]) -> Vec<Entry<'_>> {
    let same = |a: &Said, b: &Said| (&a.of.channel, a.of.epoch) == (&b.of.channel, b.of.epoch);
    said.chunk_by(same).filter_map(entry).collect()
}

fn entry(said: &[Said]) -> Option<Entry<'_>> {
    let first = said.first()?;
    let message = |it: &Said| (it.segment, it.of.offset.0, it.now, it.before);
    Some(Entry::Counts(CountsEntry {
        tenant: first.of.channel.tenant(),
        name: first.of.channel.name(),
        epoch: first.of.epoch,
        messages: said.iter().map(message).collect(),
    }))
}

impl Source for SegmentJournal {
    fn view(&mut self, scope: &Scope) -> Result<View, JournalError> {
        Ok(self.look(scope))
    }

    fn end(&mut self) -> Result<Place, JournalError> {
        Ok(self.last_place())
    }

    fn live(
        &mut self,
        segment: u64,
        channels: &[Arc<ChannelKey>],
    ) -> Result<Vec<Vec<LiveRun>>, JournalError> {
        Ok(channels.iter().map(|it| self.live_runs(segment, it)).collect())
    }

    fn fetch(&mut self, wanted: &[Wanted]) -> Result<Vec<Option<Arc<Publication>>>, JournalError> {
        fetch(wanted, |channel, after| self.history(channel, after, 1))
    }

    fn put_list(&mut self, segment: u64, nonce: u64, list: Vec<u8>) -> Result<(), JournalError> {
        self.replace_list(segment, nonce, &list)
    }
}
