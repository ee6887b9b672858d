//! The segment log: one block, one write and one sync a batch. `block`, `entry` and `sidecar` describe the files.

mod block;
mod compact;
mod count;
mod floors;
mod found;
pub mod fuzzing;
mod keys;
mod look;
mod noted;
mod read;
mod recover;
mod retain;
mod settle;
mod shelf;
mod sidecar;

use std::{collections::BTreeSet, sync::Arc};

pub(super) use self::look::entries_of;
use self::{
    block::{BlockHeader, HEADER_BYTES, aligned, crc_of},
    count::Said,
    shelf::{Purpose, Shelf, failed, sync_failed},
    sidecar::{End, Head},
};
use super::{
    ChannelState, Counted, Cut, Journal, JournalStats, KeyedRecord, Retired, bytes, channel,
    channel::Note,
    entry,
    entry::{BODY_BYTES_MAX, Damage, Entry, LogState, MESSAGE_BYTES, Place},
    fence::Fenced,
    index,
    index::Index,
    lists,
    lists::{LiveRun, Rows, Scope, View},
};
use crate::{
    disk::Disk,
    error::{JournalError, OpenError},
    ids::{ChannelKey, Epoch, Offset, Position, TenantId},
    options::{JournalOptions, Retention},
    publication::Publication,
};

/// What a segment keeps free for the block that seals or closes it.
const TAIL_BYTES: usize = 4 * HEADER_BYTES;

/// See the module.
pub(crate) struct SegmentJournal {
    shelf: Shelf,
    index: Index,
    active: Active,
    log: LogState,
    /// The block that is being made.
    buffer: Vec<u8>,
    /// Where its messages begin in it.
    batch_at: usize,
    /// What waits for the next block.
    said: Vec<Said>,
    /// Damage that reads came by, and that is not written down yet.
    found: Vec<(Arc<ChannelKey>, Damage)>,
    /// Segments that could not be rewritten since it was opened.
    incompressible: BTreeSet<u64>,
    is_fenced: bool,
    torn_bytes: u64,
    quarantined: u64,
}

/// The segment that is being written.
#[derive(Debug, Default)]
struct Active {
    id: u64,
    nonce: u64,
    /// Where the next block goes.
    at: usize,
    /// What the next block goes on from.
    end: End,
    /// Channels that were forgotten in it.
    forgotten: Vec<ChannelKey>,
    /// Its messages, for lists.
    rows: Rows,
}

impl SegmentJournal {
    /// Opens the log in a directory, and sets damage aside.
    pub(crate) fn open(disk: Arc<dyn Disk>, options: &JournalOptions) -> Result<Self, OpenError> {
        recover::open(disk, options)
    }

    /// Starts a block.
    fn begin(&mut self) {
        self.buffer.clear();
        self.buffer.resize(HEADER_BYTES, 0);
        if self.active.at == HEADER_BYTES {
            self.log.live = self.shelf.files.keys().copied().collect();
            Entry::Log(self.log.clone()).put(&mut self.buffer, self.active.place());
        }
    }

    /// What the entry that opens a segment takes.
    fn log_bytes(&self) -> usize {
        64 + 8 * (self.shelf.files.len() + 1) + 24 * self.log.damages.len()
    }

    /// Sees to it that a body of so many bytes fits, in the next segment if need be.
    fn make_room(&mut self, bytes: usize, purpose: Purpose) -> Result<(), JournalError> {
        let bytes = bytes + self.log_bytes();
        let bytes_max = segment_size(self.shelf.segment_bytes) - 2 * HEADER_BYTES - TAIL_BYTES;
        let bytes_max = bytes_max.min(BODY_BYTES_MAX);
        if bytes > bytes_max {
            return Err(JournalError::TooLarge {
                bytes: bytes as u64,
                bytes_max: bytes_max as u64,
            });
        }
        if !self.fits(bytes) {
            self.roll(purpose)?;
        }
        if self.active.at > self.active_bytes() / 2 {
            self.shelf.prepare();
        }
        Ok(())
    }

    /// Whether a body of so many bytes fits the segment that is being written.
    fn fits(&self, bytes: usize) -> bool {
        self.active.at + HEADER_BYTES + aligned(bytes) + TAIL_BYTES <= self.active_bytes()
    }

    fn active_bytes(&self) -> usize {
        self.shelf.files.get(&self.active.id).map_or(0, |it| segment_size(it.bytes))
    }

    /// What the disk has to give in files of segments before a batch of so many bytes is taken.
    pub(crate) fn wanted_bytes(&self, batch_bytes: u64) -> u64 {
        let bytes = segment_size(batch_bytes) + self.said_bytes() + self.log_bytes();
        self.shelf.wanted_bytes(u64::from(!self.fits(bytes)))
    }

    /// Seals the segment and begins the next.
    fn roll(&mut self, purpose: Purpose) -> Result<(), JournalError> {
        let next = self.active.id + 1;
        self.shelf.begin(next, purpose)?;
        self.buffer.clear();
        self.buffer.resize(HEADER_BYTES, 0);
        Entry::Seal.put(&mut self.buffer, self.active.place());
        self.write_block()?;
        self.write_sidecar();
        self.write_list();
        self.activate(next);
        Ok(())
    }

    fn activate(&mut self, id: u64) {
        let nonce = self.shelf.files.get(&id).map_or(0, |it| it.nonce);
        let end = self.active.end;
        self.active = Active { id, nonce, at: HEADER_BYTES, end, ..Active::default() };
    }

    /// Moves the index of the segment to its sidecar. When there is no room for one, it stays in memory.
    fn write_sidecar(&mut self) {
        let active = &mut self.active;
        let forgotten = std::mem::take(&mut active.forgotten);
        let log = LogState { live: self.shelf.files.keys().copied().collect(), ..self.log.clone() };
        let Some(shelved) = self.shelf.files.get_mut(&active.id) else { return };
        shelved.forgets = !forgotten.is_empty();
        let (nonce, end, targets) = (active.nonce, active.end, shelved.targets.clone());
        let head = Head { nonce, end, log, forgotten, targets, cleaned: 0 };
        let sidecar = sidecar::encode(&head, active.id, &self.index, &shelved.keys);
        if self.shelf.put_sidecar(active.id, &sidecar).is_ok() {
            self.index.unload(active.id, &sidecar.places);
        }
    }

    /// Writes the block in the buffer, and makes it durable.
    fn write_block(&mut self) -> Result<(), JournalError> {
        self.buffer.resize(aligned(self.buffer.len()), 0);
        let body = self.buffer.get(HEADER_BYTES..).unwrap_or_default();
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let header = BlockHeader {
            nonce: self.active.nonce,
            sequence: self.active.end.sequence,
            at: number(self.active.at),
            body_bytes: number(body.len()),
            body_crc: crc32c::crc32c(body),
            chain: self.active.end.chain,
        };
        let head = header.encode();
        for (to, from) in self.buffer.iter_mut().zip(head) {
            *to = from;
        }
        let Some(shelved) = self.shelf.files.get(&self.active.id) else {
            return Err(JournalError::Fenced);
        };
        let (at, bytes) = (self.active.at as u64, self.buffer.len() as u64);
        let written = shelved.file.write_all_at(&self.buffer, at);
        written.map_err(|cause| failed("write", cause, bytes))?;
        shelved.file.sync_data().map_err(|cause| sync_failed("sync", cause))?;
        self.active.at += self.buffer.len();
        let sequence = self.active.end.sequence + 1;
        self.active.end = End { sequence, chain: crc_of(&head, 4) };
        Ok(())
    }

    /// Appends marks in one block.
    fn mark(&mut self, entries: &[Entry<'_>]) -> Result<(), JournalError> {
        self.make_room(entries.iter().map(Entry::bytes_max).sum(), Purpose::Marks)?;
        self.begin();
        let place = self.active.place();
        entries.iter().for_each(|entry| entry.put(&mut self.buffer, place));
        self.write_block()
    }

    fn try_append(&mut self, batch: &[Arc<Publication>]) -> Result<(), JournalError> {
        let bytes = bound(batch)? + self.said_bytes();
        self.shelf.ensure_reserve()?;
        self.make_room(bytes, Purpose::Publications)?;
        self.begin();
        self.put_said();
        let place = self.active.place();
        self.batch_at = self.buffer.len();
        for publication in batch {
            let start = self.buffer.len();
            let offset = publication.offset().ok_or(JournalError::OutOfOrder)?;
            entry::put_message(&mut self.buffer, publication, place);
            let note = Note {
                position: Position { epoch: publication.epoch(), offset },
                at_ms: publication.at_ms(),
                segment: self.active.id,
                place: place.at + u32::try_from(start).unwrap_or(u32::MAX),
                bytes: publication.text_bytes() as u64,
            };
            self.index.append(publication.channel(), &note)?;
        }
        self.write_block()?;
        let keys = self.shelf.files.get_mut(&self.active.id).map(|it| &mut it.keys);
        if let Some(keys) = keys {
            batch.iter().for_each(|it| keys.take(KeyedRecord::of(it)));
        }
        self.list(batch, place);
        self.take_said();
        Ok(())
    }

    fn append_batch(&mut self, batch: &[Arc<Publication>]) -> Result<(), JournalError> {
        if batch.is_empty() && self.said.is_empty() {
            return Ok(());
        }
        self.index.begin();
        let result = self.try_append(batch);
        if result.is_err() {
            self.index.take_back();
        }
        result
    }
}

impl Fenced for SegmentJournal {
    fn fence(&mut self) -> &mut bool {
        &mut self.is_fenced
    }
}

impl Journal for SegmentJournal {
    fn append(&mut self, batch: &[Arc<Publication>]) -> Result<(), JournalError> {
        self.fenced(|it| it.append_batch(batch))
    }

    fn read(
        &mut self,
        channel: &ChannelKey,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Arc<Publication>>, JournalError> {
        self.history(channel, after, limit)
    }

    fn channels(&self) -> Vec<(Arc<ChannelKey>, ChannelState)> {
        self.index.states().collect()
    }

    fn channels_of(&self, tenant: TenantId) -> Vec<(Arc<ChannelKey>, ChannelState)> {
        self.index.states().filter(|(key, _)| key.tenant() == tenant).collect()
    }

    fn fresh_epoch(&self) -> Epoch {
        self.log.fresh_epoch
    }

    fn begin_epoch(&mut self, channel: &ChannelKey, epoch: Epoch) -> Result<(), JournalError> {
        self.fenced(|it| it.enter(channel, epoch))
    }

    fn retain(&mut self, policy: &Retention, now_ms: u64) -> Result<Retired, JournalError> {
        self.fenced(|it| it.retire(policy, now_ms))
    }

    fn drop_channel(&mut self, channel: &ChannelKey) -> Result<(), JournalError> {
        self.fenced(|it| it.drop_messages(channel))
    }

    fn drop_tenant(&mut self, tenant: TenantId) -> Result<Epoch, JournalError> {
        self.fenced(|it| it.forget_tenant(tenant))
    }

    fn keyed_since(&self, at_ms: u64, max: usize) -> Result<Vec<KeyedRecord>, JournalError> {
        self.keyed(at_ms, max)
    }

    fn count(&mut self, counted: &[Counted]) -> Result<(), JournalError> {
        self.fenced(|it| it.put_counts(counted))
    }

    fn drop_until(
        &mut self,
        channels: &[Arc<ChannelKey>],
        until_ms: u64,
    ) -> Result<Vec<Cut>, JournalError> {
        self.fenced(|it| it.cut(channels, until_ms))
    }

    fn view(&self, scope: &Scope) -> View {
        self.look(scope)
    }

    fn end(&self) -> lists::Place {
        self.last_place()
    }

    fn live(&self, segment: u64, channel: &ChannelKey) -> Vec<LiveRun> {
        self.live_runs(segment, channel)
    }

    fn put_list(&mut self, segment: u64, nonce: u64, list: &[u8]) -> Result<(), JournalError> {
        self.fenced(|it| it.replace_list(segment, nonce, list))
    }

    fn stats(&self) -> JournalStats {
        JournalStats {
            channels: self.index.len() as u64,
            segments: self.shelf.files.len() as u64,
            bytes: self.shelf.bytes(),
            quarantined: self.quarantined,
            torn_bytes: self.torn_bytes,
        }
    }
}

impl Drop for SegmentJournal {
    fn drop(&mut self) {
        // A failure is none of the last block's: what is not written is lost as if it had come later.
        if self.fenced(|it| it.append_batch(&[])).is_ok() {
            let place = self.active.place();
            self.begin();
            Entry::Close.put(&mut self.buffer, place);
            // Without it the next open takes the end of the log for a torn tail, and finds nothing torn.
            let _ = self.write_block();
        }
    }
}

impl Active {
    fn place(&self) -> Place {
        Place { nonce: self.nonce, at: u32::try_from(self.at).unwrap_or(u32::MAX) }
    }
}

/// What the entries of a batch take at most.
fn bound(batch: &[Arc<Publication>]) -> Result<usize, JournalError> {
    let mut bytes = 0;
    for publication in batch {
        let name_bytes = publication.channel().name().len();
        for text in [publication.sender_bytes(), publication.event_bytes(), name_bytes] {
            if text > usize::from(u16::MAX) {
                let bytes_max = u16::MAX.into();
                return Err(JournalError::TooLarge { bytes: text as u64, bytes_max });
            }
        }
        bytes += MESSAGE_BYTES + name_bytes + publication.text_bytes();
    }
    Ok(bytes)
}

fn segment_size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
