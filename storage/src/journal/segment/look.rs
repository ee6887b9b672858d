//! What lists and cursors look at: the files of sealed segments, and the rows of the one that is written.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    SegmentJournal,
    block::{Block, HEADER_BYTES},
    channel::Channel,
    entry::{self, Entry, Place as At},
    lists,
    shelf::failed,
};
use crate::{
    error::JournalError,
    ids::ChannelKey,
    journal::{
        lists::{Data, LiveRun, Part, Place, Scope, Sealed, Seen, View},
        usage::retained,
    },
    publication::Publication,
};

impl SegmentJournal {
    pub(super) fn look(&self, scope: &Scope) -> View {
        let mut live: BTreeMap<u64, u64> = match scope {
            Scope::Tenant(tenant) => self.index.usage.segments_of(*tenant).collect(),
            Scope::Channel(channel) => {
                self.index.find(channel).map_or_else(BTreeMap::new, live_of_channel)
            }
        };
        // A cursor looks at all of them, and counts are said anywhere.
        for (id, shelved) in &self.shelf.files {
            if matches!(scope, Scope::Tenant(_)) || !shelved.targets.is_empty() {
                live.entry(*id).or_default();
            }
        }
        let part = |(segment, live)| self.part(segment, live);
        let ids: Vec<_> = self.shelf.files.keys().copied().collect();
        let gaps = ids.windows(2).flat_map(|it| match it {
            [a, b] => a + 1..*b,
            _ => 0..0,
        });
        View {
            parts: live.into_iter().filter_map(part).collect(),
            floor: Place::new(ids.first().copied().unwrap_or_default(), 0),
            holes: gaps.collect(),
            end: Place::new(self.active.id, 0),
        }
    }

    /// The place of the last message, or the beginning of the segment that has none yet.
    pub(super) fn last_place(&self) -> Place {
        Place::new(self.active.id, self.active.rows.last_place().unwrap_or_default())
    }

    pub(super) fn part(&self, segment: u64, live: u64) -> Option<Part> {
        let shelved = self.shelf.files.get(&segment)?;
        let speaks = !shelved.targets.is_empty();
        let is_partial = shelved.cleaned > 0 || self.quarantined > 0;
        Some(Part { segment, live, speaks, is_partial, data: self.data(segment)? })
    }

    fn data(&self, segment: u64) -> Option<Data> {
        if segment == self.active.id {
            return Some(Data::Rows(self.active.rows.snapshot()));
        }
        let shelved = self.shelf.files.get(&segment)?;
        Some(Data::Sealed(Sealed {
            log: Arc::clone(&shelved.file),
            list: shelved.list.clone(),
            nonce: shelved.nonce,
        }))
    }

    /// Moves the rows of the segment to its list. When there is no room for one, it is made again whenever it is needed.
    pub(super) fn write_list(&mut self) {
        let list = lists::encode(self.active.nonce, &self.active.rows.snapshot());
        let _ = self.shelf.put_list(self.active.id, &list);
    }

    /// Takes a batch that was written into the rows.
    pub(super) fn list(&mut self, batch: &[Arc<Publication>], place: At) {
        let mut at = self.batch_at;
        for publication in batch {
            let place = place.at + u32::try_from(at).unwrap_or(u32::MAX);
            self.active.rows.take(&Seen::of(publication, place));
            at += entry::message_bytes(publication);
        }
    }

    pub(super) fn live_runs(&self, segment: u64, channel: &ChannelKey) -> Vec<LiveRun> {
        self.index.find(channel).map_or_else(Vec::new, |it| it.live_in(segment))
    }

    /// Takes a list that somebody made anew, unless the segment was let go meanwhile.
    pub(super) fn replace_list(
        &mut self,
        segment: u64,
        nonce: u64,
        list: &[u8],
    ) -> Result<(), JournalError> {
        let is_it = |it: &&super::shelf::Shelved| it.nonce == nonce;
        if segment == self.active.id || self.shelf.files.get(&segment).filter(is_it).is_none() {
            return Ok(());
        }
        let put = self.shelf.put_list(segment, list);
        let put = put.map_err(|cause| failed("write list", cause, list.len() as u64));
        // Where there is no room for it, it is made anew whenever it is needed.
        put.or_else(|why| if why.is_passing() { Ok(()) } else { Err(why) })
    }
}

/// The segments in which a channel has messages, and how many.
fn live_of_channel(channel: &Channel) -> BTreeMap<u64, u64> {
    let mut live: BTreeMap<u64, u64> = BTreeMap::new();
    for run in &channel.runs {
        *live.entry(run.segment).or_default() += retained(channel, run);
    }
    live
}

/// The entries of the whole blocks of a sealed segment, with their places.
pub(in crate::journal) fn entries_of(
    data: &[u8],
    nonce: u64,
    mut take: impl FnMut(Entry<'_>, u32),
) {
    let (mut at, mut sequence) = (HEADER_BYTES, 0);
    while at < data.len() {
        let block = Block::at(data, nonce, at).filter(|it| it.header.sequence >= sequence);
        let entries = block.and_then(|it| Some((it, entry::all(it.body, it.body_place())?)));
        let Some((block, entries)) = entries else {
            at += HEADER_BYTES;
            continue;
        };
        let start = block.body_place().at;
        let is_end = entries.iter().any(|it| it.0 == Entry::Seal);
        for (entry, within) in entries {
            take(entry, start.saturating_add(u32::try_from(within).unwrap_or(u32::MAX)));
        }
        if is_end {
            return;
        }
        (at, sequence) = (block.end, block.header.sequence + 1);
    }
}
