//! The catalog as it is read: keys and values in sled, with a note of how much of the journal they hold and a sum over all of them,
//! because sled can open with entries missing and say nothing.

use std::{collections::BTreeMap, io, path::Path};

use super::{Entries, change::Change};
use crate::{
    error::{JournalError, OpenError},
    ids::{Epoch, Offset, Position},
    synced_sled::SyncedSled,
};

const SLED_SEGMENT_BYTES: usize = 512 * 1024;
/// Sorts before every table: table names have no zero byte, and this has nothing else.
const NOTE: &[u8] = &[0];

/// See the module.
pub(super) struct View {
    synced: SyncedSled,
}

/// An entry with its table.
type Full = (String, Vec<u8>, Vec<u8>);

/// How much of the journal the view holds.
#[derive(Clone, Copy, Debug)]
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
    pub(super) fn open(dir: &Path) -> Result<Self, OpenError> {
        let (synced, _) = SyncedSled::open_or_move(dir, SLED_SEGMENT_BYTES)?;
        Ok(Self { synced })
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

    /// Every entry with its table.
    pub(super) fn all(&self) -> Result<Vec<Full>, JournalError> {
        let split = |(full, value): (sled::IVec, sled::IVec)| {
            let mut parts = full.splitn(2, |it| *it == 0);
            let (table, key) = (parts.next()?, parts.next()?);
            let table = String::from_utf8_lossy(table).into_owned();
            (*full != *NOTE).then(|| (table, key.to_vec(), value.to_vec()))
        };
        let read = |db: &sled::Db| {
            db.iter().filter_map(|it| it.map(split).transpose()).collect::<sled::Result<_>>()
        };
        self.synced.with(read).map_err(failed)
    }

    /// Applies changes that end at a position of the journal, all at once.
    pub(super) fn apply(
        &self,
        changes: &[Change<'_>],
        position: Position,
    ) -> Result<(), JournalError> {
        let start = Position { offset: Offset(0), ..position };
        let mut note = self.note()?.unwrap_or(Note { position: start, count: 0, sum: 0 });
        // Of many changes of one key only the last is seen.
        let lasts: BTreeMap<_, _> = changes.iter().map(|it| (full_key_of(it), it)).collect();
        let mut batch = sled::Batch::default();
        for (full, change) in lasts {
            if let Some(before) = self.value(&full)? {
                note.count -= 1;
                note.sum = note.sum.wrapping_sub(sum_of(&full, &before));
            }
            match change {
                Change::Put { value, .. } => {
                    note.count += 1;
                    note.sum = note.sum.wrapping_add(sum_of(&full, value));
                    batch.insert(full, *value);
                }
                Change::Delete { .. } => batch.remove(full),
            }
        }
        note.position = position;
        batch.insert(NOTE, note.encode());
        self.synced.with(|db| db.apply_batch(batch)).map_err(failed)
    }

    /// Whether changes of so many bytes can be applied.
    pub(super) fn has_room(&self, bytes: u64) -> Result<bool, JournalError> {
        let has_room = self.synced.has_room(bytes);
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
    pub(super) fn is_whole(&self) -> Result<bool, JournalError> {
        let add = |(count, sum): (u64, u64), entry: sled::Result<(sled::IVec, sled::IVec)>| {
            let (key, value) = entry?;
            let is_note = *key == *NOTE;
            Ok(if is_note {
                (count, sum)
            } else {
                (count + 1, sum.wrapping_add(sum_of(&key, &value)))
            })
        };
        let read = |db: &sled::Db| db.iter().try_fold((0, 0), add);
        let is = self.synced.with(read).map_err(failed)?;
        Ok(self.note()?.is_some_and(|it| (it.count, it.sum) == is))
    }

    pub(super) fn clear(&self) -> Result<(), JournalError> {
        self.synced.with(|db| db.clear()).map_err(failed)
    }

    fn value(&self, full: &[u8]) -> Result<Option<sled::IVec>, JournalError> {
        self.synced.with(|db| db.get(full)).map_err(failed)
    }
}
