//! The catalog as it is read: keys and values in sled, with a note of how much of the journal they hold and a sum over all of them,
//! because sled can open with entries missing and say nothing.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    ops::Bound,
    path::Path,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    BATCH_BYTES_MAX, Entries,
    change::{Change, put_bytes},
};
use crate::{
    error::{JournalError, OpenError},
    ids::{Epoch, Offset, Position},
    synced_sled::SyncedSled,
};

const SLED_SEGMENT_BYTES: usize = 512 * 1024;
/// Sorts before every table: table names have no zero byte, and this has nothing else.
const NOTE: &[u8] = &[0];
/// A view may take so many bytes of the disk, and so many times the bytes of its entries.
const SLACK_BYTES: u64 = 4 * 1024 * 1024;
const WASTE: u64 = 4;
/// Before every entry.
pub(super) const START: &[u8] = NOTE;

/// See the module.
pub(super) struct View {
    synced: SyncedSled,
    /// About what its entries take in the journal, once it is known to be whole.
    bytes: u64,
}

/// An entry with its table.
pub(super) struct Full {
    table: String,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Full {
    fn new((full, value): (sled::IVec, sled::IVec)) -> Self {
        let mut parts = full.splitn(2, |it| *it == 0);
        let [table, key] = [(); 2].map(|()| parts.next().unwrap_or_default());
        let table = String::from_utf8_lossy(table).into_owned();
        Self { table, key: key.to_vec(), value: value.to_vec() }
    }

    pub(super) fn full_key(&self) -> Vec<u8> {
        full_key(&self.table, &self.key)
    }

    /// What sets it.
    pub(super) fn as_put(&self) -> Change<'_> {
        Change::Put { table: &self.table, key: &self.key, value: &self.value }
    }
}

/// How much of the journal the view holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Note {
    position: Position,
    count: u64,
    /// The checksums of all entries, added up.
    sum: u64,
}

impl Note {
    fn encode(&self) -> Vec<u8> {
        let mut out = self.position.epoch.0.to_le_bytes().to_vec();
        for number in [self.position.offset.0, self.count, self.sum] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (epoch, rest) = bytes.split_first_chunk()?;
        let (numbers, _) = rest.as_chunks::<8>();
        let [offset, count, sum] = numbers else { return None };
        let offset = Offset(u64::from_le_bytes(*offset));
        let position = Position { epoch: Epoch(u32::from_le_bytes(*epoch)), offset };
        Some(Self { position, count: u64::from_le_bytes(*count), sum: u64::from_le_bytes(*sum) })
    }
}

fn remove(dir: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(dir) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|cause| OpenError::Io { operation: "remove", cause }),
    }
}

fn failed(cause: io::Error) -> JournalError {
    JournalError::Io { operation: "catalog", cause }
}

fn full_key(table: &str, key: &[u8]) -> Vec<u8> {
    [table.as_bytes(), &[0], key].concat()
}

fn full_key_of(change: &Change<'_>) -> Vec<u8> {
    let (Change::Put { table, key, .. } | Change::Delete { table, key }) = change;
    full_key(table, key)
}

fn sum_of(key: &[u8], value: &[u8]) -> u64 {
    let half = crc32c::crc32c_append(crc32c::crc32c(key), value);
    let other = crc32c::crc32c_append(crc32c::crc32c(value), key);
    (u64::from(half) << 32) | u64::from(other)
}

impl View {
    /// Opens it. One that is large beside what it holds is put in order: sled forgets files of its own when it is closed.
    pub(super) fn open(dir: &Path) -> Result<Self, OpenError> {
        let copy_dir = dir.with_extension("copy");
        remove(&copy_dir)?;
        let mut view = Self::open_one(dir)?;
        // sled can open what it cannot read.
        if view.is_whole().is_err() {
            drop(view);
            remove(dir)?;
            view = Self::open_one(dir)?;
        }
        if !view.is_wasteful() || view.copy(&copy_dir).is_err() {
            return Ok(view);
        }
        drop(view);
        // One of the two is in place at any time, and both say the same.
        let exchanged = renameat_with(CWD, &copy_dir, CWD, dir, RenameFlags::EXCHANGE);
        // Not every file system exchanges names: there it stays as large as it is.
        if let (Ok(()), Some(parent)) = (exchanged, dir.parent()) {
            let synced = File::open(parent).and_then(|it| it.sync_all());
            synced.map_err(|cause| OpenError::Io { operation: "sync directory", cause })?;
        }
        remove(&copy_dir)?;
        Self::open_one(dir)
    }

    fn open_one(dir: &Path) -> Result<Self, OpenError> {
        let open = || SyncedSled::open(dir, SLED_SEGMENT_BYTES);
        // All of it is in the journal: what cannot be opened is not kept, as one power cut after the other would fill the disk.
        let synced = open().or_else(|_| remove(dir).and_then(|()| open()))?;
        Ok(Self { synced, bytes: 0 })
    }

    /// Whether it holds what it says, and that takes far more of the disk than it should.
    fn is_wasteful(&mut self) -> bool {
        let disk_bytes = self.synced.bytes();
        disk_bytes > SLACK_BYTES
            && self.is_whole().is_ok_and(|it| it)
            && disk_bytes > SLACK_BYTES + WASTE * self.bytes
    }

    /// Copies all of it to another folder, durably, if there is room.
    fn copy(&self, dir: &Path) -> Result<(), JournalError> {
        if !self.has_room(self.bytes, 0)? {
            return Err(JournalError::Full { needed_bytes: self.bytes });
        }
        let unreadable = |why: OpenError| failed(io::Error::other(why.to_string()));
        let mut copy = Self::open_one(dir).map_err(unreadable)?;
        let mut done = START.to_vec();
        let position = self.applied()?.unwrap_or_default();
        loop {
            let part = self.after(&done, BATCH_BYTES_MAX)?;
            let Some(last) = part.last() else { break };
            done = last.full_key();
            copy.apply(&part.iter().map(Full::as_put).collect::<Vec<_>>(), position)?;
        }
        copy.synced.sync().map_err(failed)?;
        let is_same = copy.is_whole()? && copy.note()? == self.note()?;
        is_same.then_some(()).ok_or_else(|| failed(io::Error::other("a copy is not the same")))
    }

    pub(super) fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.value(&full_key(table, key)).map(|it| it.map(|it| it.to_vec()))
    }

    pub(super) fn entries(&self, table: &str) -> Result<Entries, JournalError> {
        let prefix = full_key(table, &[]);
        let of_one = |(key, value): (sled::IVec, sled::IVec)| {
            (key.get(prefix.len()..).unwrap_or_default().to_vec(), value.to_vec())
        };
        let read = |db: &sled::Db| {
            db.scan_prefix(&prefix).map(|entry| entry.map(of_one)).collect::<sled::Result<_>>()
        };
        self.synced.with(read).map_err(failed)
    }

    /// The entries after a full key, about so many bytes of them: one at least, if there is one.
    pub(super) fn after(&self, full: &[u8], bytes_max: u64) -> Result<Vec<Full>, JournalError> {
        let mut bytes = 0;
        let is_wanted = |entry: &sled::Result<(sled::IVec, sled::IVec)>| {
            let is = bytes < bytes_max;
            bytes += entry.as_ref().map_or(0, |(full, value)| put_bytes(full.len(), value.len()));
            is
        };
        let read = |db: &sled::Db| {
            let rest = db.range::<&[u8], _>((Bound::Excluded(full), Bound::Unbounded));
            rest.take_while(is_wanted).map(|it| it.map(Full::new)).collect::<sled::Result<_>>()
        };
        self.synced.with(read).map_err(failed)
    }

    /// Applies changes that end at a position of the journal, all at once.
    pub(super) fn apply(
        &mut self,
        changes: &[Change<'_>],
        position: Position,
    ) -> Result<(), JournalError> {
        let start = Position { offset: Offset(0), ..position };
        let mut note = self.note()?.unwrap_or(Note { position: start, count: 0, sum: 0 });
        // Of many changes of one key only the last is seen.
        let lasts: BTreeMap<_, _> = changes.iter().map(|it| (full_key_of(it), it)).collect();
        let mut batch = sled::Batch::default();
        let mut bytes = self.bytes;
        for (full, change) in lasts {
            if let Some(before) = self.value(&full)? {
                note.count -= 1;
                note.sum = note.sum.wrapping_sub(sum_of(&full, &before));
                bytes -= put_bytes(full.len(), before.len());
            }
            match change {
                Change::Put { value, .. } => {
                    note.count += 1;
                    note.sum = note.sum.wrapping_add(sum_of(&full, value));
                    bytes += put_bytes(full.len(), value.len());
                    batch.insert(full, *value);
                }
                Change::Delete { .. } => batch.remove(full),
            }
        }
        note.position = position;
        batch.insert(NOTE, note.encode());
        self.synced.with(|db| db.apply_batch(batch)).map_err(failed)?;
        self.bytes = bytes;
        Ok(())
    }

    /// About what its entries take in the journal.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether changes of so many bytes can be applied, once the journal has taken its part of the disk.
    pub(super) fn has_room(&self, bytes: u64, journal_bytes: u64) -> Result<bool, JournalError> {
        let has_room = self.synced.has_room(bytes, journal_bytes);
        has_room.map_err(|cause| JournalError::Io { operation: "statvfs", cause })
    }

    /// How far in the journal it is.
    pub(super) fn applied(&self) -> Result<Option<Position>, JournalError> {
        Ok(self.note()?.map(|it| it.position))
    }

    /// How many entries it has.
    pub(super) fn count(&self) -> Result<u64, JournalError> {
        Ok(self.note()?.map_or(0, |it| it.count))
    }

    fn note(&self) -> Result<Option<Note>, JournalError> {
        Ok(self.value(NOTE)?.as_deref().and_then(Note::decode))
    }

    /// Whether it holds what it says.
    pub(super) fn is_whole(&mut self) -> Result<bool, JournalError> {
        let mut bytes = 0;
        let add = |(count, sum): (u64, u64), entry: sled::Result<(sled::IVec, sled::IVec)>| {
            let (key, value) = entry?;
            let is_note = *key == *NOTE;
            Ok(if is_note {
                (count, sum)
            } else {
                bytes += put_bytes(key.len(), value.len());
                (count + 1, sum.wrapping_add(sum_of(&key, &value)))
            })
        };
        let read = |db: &sled::Db| db.iter().try_fold((0, 0), add);
        let is = self.synced.with(read).map_err(failed)?;
        self.bytes = bytes;
        Ok(self.note()?.is_some_and(|it| (it.count, it.sum) == is))
    }

    pub(super) fn clear(&mut self) -> Result<(), JournalError> {
        self.bytes = 0;
        self.synced.with(|db| db.clear()).map_err(failed)
    }

    fn value(&self, full: &[u8]) -> Result<Option<sled::IVec>, JournalError> {
        self.synced.with(|db| db.get(full)).map_err(failed)
    }
}
