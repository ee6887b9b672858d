//! The journal in sled: a block of entries for each batch, each with its own checksum, and a mark outside sled that tells how
//! far it was durable: sled 0.34 can lose its tail without a word.

mod block;
mod keys;
mod look;
mod recover;
mod retain;

use std::{io, os::unix::fs::FileExt, path::Path, sync::Arc};

use self::block::{CRC_BYTES, MARK_BYTES, Mark, encode, place, publication, sealed};
use super::{
    ChannelState, Counted, Cut, Journal, JournalStats, KeyedRecord, LiveRun, Place, READ_BYTES_MAX,
    Retired, SET_ASIDE_MAX, Scope, View,
    channel::{Note, Places, Run},
    entry::{self, Entry, Message},
    fence::Fenced,
    index::Index,
    next_position,
};
use crate::{
    disk::RealDisk,
    error::{JournalError, OpenError},
    ids::{ChannelKey, Epoch, Offset, Position, TenantId},
    options::Retention,
    publication::Publication,
    synced_sled::{Began, SyncedSled},
};

/// Larger values go to `blobs/`, which sled never syncs.
const BLOCK_BYTES_MAX: usize = 160 * 1024;
const SLED_SEGMENT_BYTES: usize = 16 * 1024 * 1024;
/// Marks in one block.
const STANDS_MAX: usize = 512;

/// See the module.
pub(super) struct SledJournal {
    synced: SyncedSled,
    mark_file: std::fs::File,
    mark: Mark,
    index: Index,
    quarantined: u64,
    is_fenced: bool,
    _lock: RealDisk,
}

fn io_error(operation: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |cause| OpenError::Io { operation, cause }
}

fn failed(operation: &'static str) -> impl Fn(io::Error) -> JournalError {
    move |cause| JournalError::Io { operation, cause }
}

impl SledJournal {
    pub(super) fn open(dir: &Path) -> Result<Self, OpenError> {
        let lock = RealDisk::open(dir)
            .map_err(io_error("open directory"))?
            .ok_or_else(|| OpenError::Locked { dir: dir.to_owned() })?;
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mark_file = options.open(dir.join("mark")).map_err(io_error("open mark"))?;
        let mut bytes = [0; MARK_BYTES];
        let read = mark_file.read_at(&mut bytes, 0).map_err(io_error("read mark"))?;
        let known = Mark::decode(&bytes);
        let (synced, began) = SyncedSled::open_or_move(&dir.join("sled"), SLED_SEGMENT_BYTES)?;
        let mut journal = Self {
            synced,
            mark_file,
            mark: known.unwrap_or(Mark { first: 0, end: 0, fresh_epoch: Epoch(1) }),
            index: Index::default(),
            quarantined: 0,
            is_fenced: false,
            _lock: lock,
        };
        let oldest = journal.oldest().map_err(io_error("read blocks"))?;
        let is_mark_lost = known.is_none() && (read > 0 || oldest.is_some());
        if known.is_none() {
            journal.mark.first = oldest.unwrap_or(0);
            journal.mark.end = journal.mark.first;
        }
        if began == Began::WithNone {
            journal.mark.first = journal.mark.end;
        }
        let lost = journal.recover().map_err(io_error("read blocks"))?;
        if !lost.is_empty() || is_mark_lost || began == Began::WithNone {
            journal.index.damages += usize::from(lost.is_empty());
            journal
                .set_aside(&lost)
                .map_err(|why| OpenError::Unreadable { why: why.to_string() })?;
        }
        journal.commit().map_err(|why| OpenError::Unreadable { why: why.to_string() })?;
        Ok(journal)
    }

    /// The number of the oldest block.
    fn oldest(&self) -> io::Result<Option<u64>> {
        let first = self.synced.with(|db| db.first())?;
        Ok(first.and_then(|it| it.0.as_ref().try_into().ok()).map(u64::from_be_bytes))
    }

    /// The bytes of a block.
    fn block(&self, number: u64) -> io::Result<Option<sled::IVec>> {
        self.synced.with(|db| db.get(number.to_be_bytes()))
    }

    fn put_block(&self, number: u64, block: Vec<u8>) -> Result<(), JournalError> {
        let put = self.synced.with(|db| db.insert(number.to_be_bytes(), block));
        put.map(drop).map_err(failed("write"))
    }

    /// Writes down where channels stand.
    fn stand(&mut self, stands: &[(Arc<ChannelKey>, ChannelState)]) -> Result<(), JournalError> {
        for some in stands.chunks(STANDS_MAX) {
            let stand = |(key, state): &'_ (Arc<ChannelKey>, ChannelState)| {
                (key.tenant(), Arc::clone(key), *state)
            };
            let some: Vec<_> = some.iter().map(stand).collect();
            let marks = some.iter().map(|(tenant, key, state)| Entry::Stand {
                tenant: *tenant,
                name: key.name(),
                state: *state,
            });
            let number = self.put_marks(&marks.collect::<Vec<_>>())?;
            for (tenant, key, state) in &some {
                self.index.stand(*tenant, key.name(), *state, number);
            }
        }
        Ok(())
    }

    fn put_marks(&mut self, entries: &[Entry<'_>]) -> Result<u64, JournalError> {
        let number = self.mark.end;
        let block = encode(entries, number);
        self.put_block(number, block)?;
        self.mark.end += 1;
        Ok(number)
    }

    /// Makes what was put durable, and then the mark that says so.
    fn commit(&mut self) -> Result<(), JournalError> {
        self.synced.sync().map_err(failed("sync"))?;
        self.mark_file.write_all_at(&self.mark.encode(), 0).map_err(failed("write mark"))?;
        self.mark_file.sync_data().map_err(failed("sync mark"))
    }

    fn try_append(&mut self, batch: &[Arc<Publication>]) -> Result<(), JournalError> {
        let bytes = batch.iter().map(|it| it.text_bytes() as u64 + 128).sum();
        if !self.synced.has_room(bytes, 0).map_err(failed("statvfs"))? {
            return Err(JournalError::Full { needed_bytes: bytes });
        }
        let mut blocks = sled::Batch::default();
        let mut number = self.mark.end;
        let mut block = vec![0; CRC_BYTES];
        for publication in batch {
            let more = publication.text_bytes() + publication.channel().name().len() + 128;
            if more > BLOCK_BYTES_MAX {
                let bytes_max = BLOCK_BYTES_MAX as u64;
                return Err(JournalError::TooLarge { bytes: more as u64, bytes_max });
            }
            if block.len() + more > BLOCK_BYTES_MAX {
                blocks.insert(&number.to_be_bytes(), sealed(std::mem::take(&mut block)));
                block.resize(CRC_BYTES, 0);
                number += 1;
            }
            let offset = publication.offset().ok_or(JournalError::OutOfOrder)?;
            let note = Note {
                position: Position { epoch: publication.epoch(), offset },
                at_ms: publication.at_ms(),
                segment: number,
                place: u32::try_from(block.len() - CRC_BYTES).unwrap_or(u32::MAX),
                bytes: publication.text_bytes() as u64,
            };
            self.index.append(publication.channel(), &note)?;
            entry::put_message(&mut block, publication, place(number, 0));
        }
        blocks.insert(&number.to_be_bytes(), sealed(block));
        self.synced.with(|db| db.apply_batch(blocks)).map_err(failed("write"))?;
        self.mark.end = number + 1;
        self.commit()
    }

    /// The stored message at a place of a run.
    fn with_message<T>(
        &self,
        run: &Run,
        skip: u32,
        work: impl FnOnce(Message<'_>) -> T,
    ) -> io::Result<Option<T>> {
        let Places::Known(places) = &run.places else { return Ok(None) };
        let Some(at) = places.get(skip as usize) else { return Ok(None) };
        let value = self.block(run.segment)?;
        let body = value.as_deref().and_then(|it| it.get(CRC_BYTES..)).unwrap_or_default();
        let found = entry::decode(body, *at as usize, place(run.segment, CRC_BYTES));
        Ok(match found {
            Some((Entry::Message(message), _)) => Some(work(message)),
            Some(_) | None => None,
        })
    }

    /// How many messages of a run right after this one are damaged as well.
    fn damaged_after(&self, run: &Run, offset: u64) -> u64 {
        let is_damaged = |it: &u64| {
            let skip = u32::try_from(it - run.first).unwrap_or(u32::MAX);
            self.with_message(run, skip, |_| ()).is_ok_and(|it| it.is_none())
        };
        let after = (offset + 1..run.end()).take(SET_ASIDE_MAX);
        after.take_while(is_damaged).count() as u64
    }

    fn at_ms(&self, run: &Run, skip: u32) -> io::Result<u64> {
        Ok(self.with_message(run, skip, |it| it.at_ms)?.unwrap_or(run.last_at_ms))
    }
}

impl Fenced for SledJournal {
    fn fence(&mut self) -> &mut bool {
        &mut self.is_fenced
    }
}

impl Journal for SledJournal {
    fn append(&mut self, batch: &[Arc<Publication>]) -> Result<(), JournalError> {
        self.fenced(|it| {
            if batch.is_empty() {
                return Ok(());
            }
            it.index.begin();
            it.try_append(batch).inspect_err(|_| it.index.take_back())
        })
    }

    fn read(
        &mut self,
        channel: &ChannelKey,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Arc<Publication>>, JournalError> {
        let Some(known) = self.index.find(channel) else { return Ok(Vec::new()) };
        let from = after.next().max(known.state.first_retained).0;
        let start = known.runs.partition_point(|it| it.end() <= from);
        let (mut publications, mut bytes) = (Vec::new(), 0);
        let runs = known.runs.range(start..);
        let offsets =
            runs.flat_map(|run| (run.first.max(from)..run.end()).map(move |it| (run, it)));
        for (run, offset) in offsets.take(limit) {
            if bytes >= READ_BYTES_MAX {
                break;
            }
            let skip = u32::try_from(offset - run.first).unwrap_or(u32::MAX);
            let found = self.with_message(run, skip, |it| publication(&known.key, &it));
            match found.map_err(failed("read"))? {
                Some(it) if it.offset() == Some(Offset(offset)) && it.epoch() == run.epoch => {
                    bytes += it.text_bytes();
                    publications.push(Arc::new(it));
                }
                Some(_) | None => {
                    let segment = run.segment;
                    let more = self.damaged_after(run, offset);
                    self.quarantined += 1;
                    (offset..=offset + more).for_each(|it| self.index.set_aside(channel, it));
                    return Err(JournalError::Corrupt { segment, at: 0 });
                }
            }
        }
        Ok(publications)
    }

    fn channels(&self) -> Vec<(Arc<ChannelKey>, ChannelState)> {
        self.index.states().collect()
    }

    fn channels_of(&self, tenant: TenantId) -> Vec<(Arc<ChannelKey>, ChannelState)> {
        self.index.states().filter(|(key, _)| key.tenant() == tenant).collect()
    }

    fn fresh_epoch(&self) -> Epoch {
        self.mark.fresh_epoch
    }

    fn begin_epoch(&mut self, channel: &ChannelKey, epoch: Epoch) -> Result<(), JournalError> {
        self.fenced(|it| {
            let Some(stand) = it.index.stand_in(channel, epoch) else { return Ok(()) };
            it.stand(&[stand]).and_then(|()| it.commit())
        })
    }

    fn retain(&mut self, policy: &Retention, now_ms: u64) -> Result<Retired, JournalError> {
        self.fenced(|it| it.retire(policy, now_ms))
    }

    fn drop_channel(&mut self, channel: &ChannelKey) -> Result<(), JournalError> {
        self.fenced(|it| {
            let Some(known) = it.index.find(channel) else { return Ok(()) };
            let first_retained = next_position(&known.state);
            let stand = (Arc::clone(&known.key), ChannelState { first_retained, ..known.state });
            it.stand(&[stand]).and_then(|()| it.commit())
        })
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

    fn end(&self) -> Place {
        Place::new(self.mark.end, 0)
    }

    fn live(&self, segment: u64, channel: &ChannelKey) -> Vec<LiveRun> {
        self.live_runs(segment, channel)
    }

    fn put_list(&mut self, _: u64, _: u64, _: &[u8]) -> Result<(), JournalError> {
        Ok(()) // It has none.
    }

    fn stats(&self) -> JournalStats {
        JournalStats {
            channels: self.index.len() as u64,
            segments: self.mark.end - self.mark.first,
            bytes: self.synced.bytes(),
            quarantined: self.quarantined,
            torn_bytes: 0,
        }
    }
}
