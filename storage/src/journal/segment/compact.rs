//! Rewriting sparse segments: what is retained in one, and its marks, in a smaller file under the same name.
//!
//! A rewritten segment keeps its number, the order of what is in it, and its end in the chain of blocks, so that cursors and the
//! segments around it see no difference. Each message says where it lay at first. Where messages at the beginning of a
//! channel went, a mark says where the channel stood after the last of them.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{
    SegmentJournal,
    block::{Block, BlockHeader, HEADER_BYTES, SegmentHeader, aligned, crc_of},
    channel::{Channel, Note, Run},
    entry::{self, Entry, Message, Place},
    shelf::failed,
    sidecar::End,
};
use crate::{
    error::JournalError,
    ids::{ChannelKey, Offset, Position},
    journal::{
        ChannelState,
        lists::{self, Rows, Seen},
    },
    options::KEYED_MS,
};

/// A segment is rewritten once less than one of so many of its bytes is retained.
const SPARSE: u64 = 4;
/// One that is smaller than this part of a whole one is left as it is.
const SMALL: u64 = 16;
/// What a message takes besides its texts, about.
const MESSAGE_BYTES: u64 = 90;

/// A segment as it was read: its blocks with their entries.
type Blocks<'a> = Vec<(Block<'a>, Vec<(Entry<'a>, usize)>)>;

/// Where channels stood after the last message of each that goes.
type Removed = HashMap<ChannelKey, ChannelState>;

/// The file that takes a segment's place.
struct Rewritten {
    bytes: Vec<u8>,
    header: SegmentHeader,
    end: End,
    rows: Rows,
    /// Where the messages of each channel are now.
    notes: HashMap<Arc<ChannelKey>, Vec<Note>>,
}

impl SegmentJournal {
    /// Rewrites the oldest segment that is sparse. Says whether there was one.
    pub(super) fn compact_one(&mut self, now_ms: u64) -> Result<bool, JournalError> {
        let sparse = self.sparse(now_ms);
        for id in sparse {
            if self.rewrite(id)? {
                return Ok(true);
            }
            self.incompressible.insert(id);
        }
        Ok(false)
    }

    /// Sealed segments of which little is retained, and nothing else matters.
    fn sparse(&self, now_ms: u64) -> Vec<u64> {
        let mut retained: HashMap<u64, u64> = HashMap::new();
        for channel in self.index.iter() {
            for run in &channel.runs {
                let bytes = run.bytes + MESSAGE_BYTES * u64::from(run.count);
                *retained.entry(run.segment).or_default() += bytes;
            }
        }
        let oldest_ms = now_ms.saturating_sub(KEYED_MS);
        let is_damaged = |id: u64| self.log.damages.iter().any(|it| it.segment == id);
        let sealed = self.shelf.files.range(..self.active.id);
        let sparse = sealed.filter(|(id, it)| {
            it.bytes > self.shelf.segment_bytes / SMALL
                && retained.get(*id).copied().unwrap_or(0) * SPARSE < it.bytes
                && it.keys.last_at_ms() < oldest_ms
                && !is_damaged(**id)
                && !self.incompressible.contains(id)
        });
        sparse.map(|it| *it.0).collect()
    }

    /// Rewrites a segment, unless anything in it is not as it should be. Says whether it did. Where channels stand that let go of
    /// messages elsewhere, of which nothing more is said then, is written down first.
    fn rewrite(&mut self, id: u64) -> Result<bool, JournalError> {
        let Some(shelved) = self.shelf.files.get(&id) else { return Ok(false) };
        let data = shelved.read().map_err(|cause| failed("read", cause, 0))?;
        let nonce = self.shelf.disk.random().map_err(|cause| failed("random", cause, 0))?;
        let Some(blocks) = blocks(&data, shelved.nonce) else { return Ok(false) };
        let Some(rewritten) = self.rewritten(id, nonce, &blocks) else { return Ok(false) };
        let cleaned = self.active.id;
        let entries = blocks.iter().flat_map(|it| &it.1).map(|it| &it.0);
        let stays = |it| it != id && self.shelf.files.contains_key(&it);
        let floors = self.floors_of_said(entries, stays);
        self.stand(&floors)?;
        match self.shelf.replace(id, &rewritten.header, &rewritten.bytes) {
            Ok(()) => {}
            Err(JournalError::Full { .. } | JournalError::Descriptors) => return Ok(false),
            Err(why) => return Err(why),
        }
        for (key, notes) in &rewritten.notes {
            self.index.replace_runs(key, id, notes);
        }
        let list = lists::encode(nonce, &rewritten.rows.snapshot());
        // Where there is no room for it, it is made anew whenever it is needed.
        let _ = self.shelf.put_list(id, &list);
        let used = |it: &u64| self.index.uses(*it);
        if let Some(shelved) = self.shelf.files.get_mut(&id) {
            shelved.targets.retain(used);
            shelved.cleaned = cleaned;
        }
        Ok(true)
    }

    fn rewritten(&self, id: u64, nonce: u64, blocks: &Blocks<'_>) -> Option<Rewritten> {
        let first = blocks.first()?.0.header;
        let end = end(blocks.last()?);
        let mut new = Rewritten {
            bytes: vec![0; HEADER_BYTES],
            header: SegmentHeader { nonce, id, bytes: 0 },
            end: End { sequence: first.sequence, chain: first.chain },
            rows: Rows::default(),
            notes: HashMap::new(),
        };
        let (removed, kept) = self.removed(id, blocks)?;
        if kept != self.index.usage.messages(id) {
            return None;
        }
        for (_, entries) in blocks {
            let start = new.begin();
            for (entry, at) in entries {
                self.keep((id, &removed), entry, *at, &mut new);
            }
            new.finish(start);
        }
        let start = new.begin();
        new.put(&Entry::Resume {
            sequence: end.sequence,
            chain: end.chain,
            cleaned: self.active.id,
        });
        new.put(&Entry::Seal);
        new.finish(start);
        new.header.bytes = new.bytes.len() as u64;
        let head = new.header.encode();
        new.bytes.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        (new.header.bytes * 2 < self.shelf.files.get(&id)?.bytes).then_some(new)
    }

    /// Where channels stood after the last message of each that goes; and how many messages stay.
    fn removed(&self, id: u64, blocks: &Blocks<'_>) -> Option<(Removed, u64)> {
        let mut last = Removed::new();
        let mut kept = 0;
        for (entry, _) in blocks.iter().flat_map(|it| &it.1) {
            let Entry::Message(it) = entry else { continue };
            let key = ChannelKey::new(it.tenant, it.name);
            let Some(channel) = self.index.find(&key) else { continue };
            if holds(channel, id, it) {
                kept += 1;
                continue;
            }
            let epoch = channel.runs.front().map_or(channel.state.position.epoch, |it| it.epoch);
            if it.epoch != epoch {
                continue; // Of a channel of that name that was forgotten, or before an epoch that says so itself.
            }
            if it.offset >= channel.state.first_retained {
                return None;
            }
            let position = Position { epoch: it.epoch, offset: it.offset };
            let first_retained = it.offset.next();
            let state = ChannelState { position, first_retained, last_at_ms: it.at_ms };
            last.insert(key, state);
        }
        Some((last, kept))
    }

    /// Takes an entry over, if it still matters.
    fn keep(
        &self,
        (id, removed): (u64, &Removed),
        entry: &Entry<'_>,
        at: usize,
        new: &mut Rewritten,
    ) {
        match entry {
            Entry::Message(it) => {
                let key = ChannelKey::new(it.tenant, it.name);
                let channel = self.index.find(&key).filter(|channel| holds(channel, id, it));
                let is_last = |state: &&ChannelState| {
                    state.position == Position { epoch: it.epoch, offset: it.offset }
                };
                if let Some(channel) = channel {
                    new.message(&channel.key, it, u32::try_from(at).unwrap_or(u32::MAX));
                } else if let Some(state) = removed.get(&key).filter(is_last) {
                    let (tenant, name, state) = (it.tenant, it.name, *state);
                    new.put(&Entry::Stand { tenant, name, state });
                }
            }
            Entry::Counts(counts) => {
                let mut counts = counts.clone();
                let key = ChannelKey::new(counts.tenant, counts.name);
                let channel = self.index.find(&key);
                counts.messages.retain(|(segment, offset, ..)| {
                    let live = channel.map_or_else(Vec::new, |it| it.live_in(*segment));
                    live.iter().any(|it| it.epoch == counts.epoch && it.holds(*offset))
                });
                if !counts.messages.is_empty() {
                    counts.rows().for_each(|it| new.rows.counts.take(it));
                    new.put(&Entry::Counts(counts));
                }
            }
            Entry::Stand { .. }
            | Entry::Forget { .. }
            | Entry::Log(_)
            | Entry::Retire { .. }
            | Entry::Drop { .. } => new.put(entry),
            Entry::Seal | Entry::Close | Entry::Resume { .. } => {}
        }
    }
}

/// What the next segment goes on from: where it was rewritten before, that is said in its last block.
fn end((last, entries): &(Block<'_>, Vec<(Entry<'_>, usize)>)) -> End {
    let said = entries.iter().find_map(|it| match it.0 {
        Entry::Resume { sequence, chain, .. } => Some(End { sequence, chain }),
        Entry::Message(_)
        | Entry::Stand { .. }
        | Entry::Forget { .. }
        | Entry::Log(_)
        | Entry::Retire { .. }
        | Entry::Seal
        | Entry::Close
        | Entry::Drop { .. }
        | Entry::Counts(_) => None,
    });
    said.unwrap_or(End { sequence: last.header.sequence + 1, chain: last.crc })
}

/// Whether a stored message is one that is retained.
fn holds(channel: &Channel, segment: u64, it: &Message<'_>) -> bool {
    let Offset(offset) = it.offset;
    let at = channel.runs.partition_point(|run| run.end() <= offset);
    let lies = |run: &&Run| (run.segment, run.epoch) == (segment, it.epoch) && run.first <= offset;
    it.offset >= channel.state.first_retained && channel.runs.get(at).filter(lies).is_some()
}

/// The blocks of a sealed segment; `None` when anything is missing.
fn blocks(data: &[u8], nonce: u64) -> Option<Blocks<'_>> {
    let mut all: Blocks<'_> = Vec::new();
    let mut at = HEADER_BYTES;
    loop {
        let block = Block::at(data, nonce, at)?;
        if let Some((before, _)) = all.last()
            && (block.header.sequence, block.header.chain)
                != (before.header.sequence + 1, before.crc)
        {
            return None;
        }
        let start = block.body_place();
        let entries = entry::all(block.body, start)?;
        let is_end = entries.iter().any(|it| it.0 == Entry::Seal);
        let placed = entries.into_iter().map(|(entry, at)| (entry, start.at as usize + at));
        all.push((block, placed.collect()));
        if is_end {
            return Some(all);
        }
        at = block.end;
    }
}

impl Rewritten {
    fn begin(&mut self) -> usize {
        let start = self.bytes.len();
        self.bytes.resize(start + HEADER_BYTES, 0);
        start
    }

    fn place(&self) -> Place {
        Place { nonce: self.header.nonce, at: 0 }
    }

    fn put(&mut self, entry: &Entry<'_>) {
        let place = self.place();
        entry.put(&mut self.bytes, place);
    }

    fn message(&mut self, key: &Arc<ChannelKey>, it: &Message<'_>, at: u32) {
        let origin = it.origin.unwrap_or(at);
        let place = self.place();
        let lies = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        entry::put_stored(&mut self.bytes, &Message { origin: Some(origin), ..*it }, place);
        self.rows.take(&Seen::of_message(it, origin));
        self.notes.entry(Arc::clone(key)).or_default().push(Note {
            position: Position { epoch: it.epoch, offset: it.offset },
            at_ms: it.at_ms,
            segment: self.header.id,
            place: lies,
            bytes: (it.sender.len() + it.event.len() + it.payload.len()) as u64,
        });
    }

    /// Ends a block; one with nothing in it is none.
    fn finish(&mut self, start: usize) {
        if self.bytes.len() == start + HEADER_BYTES {
            return self.bytes.truncate(start);
        }
        self.bytes.resize(aligned(self.bytes.len()), 0);
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let (head, body) = self.bytes.split_at_mut(start + HEADER_BYTES);
        let header = BlockHeader {
            nonce: self.header.nonce,
            sequence: self.end.sequence,
            at: number(start),
            body_bytes: number(body.len()),
            body_crc: crc32c::crc32c(body),
            chain: self.end.chain,
        };
        let encoded = header.encode();
        head.iter_mut().skip(start).zip(encoded).for_each(|(to, from)| *to = from);
        self.end = End { sequence: self.end.sequence + 1, chain: crc_of(&encoded, 4) };
    }
}
