//! The keyed records of a segment: in memory while it is written, then in its sidecar. The sidecar outlives a segment that is
//! let go, as a file of keys, until they are too old to matter.
//!
//! ```text
//! keyed = crc:u32 count:u32 last_at_ms:u64
//!         (tenant:u32 name epoch:u32 offset:u64 at_ms:u64 id:u128 idempotency:u128)*
//! ```
//!
//! `crc` is CRC32C over what follows it, so that the records can be read without the rest of the sidecar.

use std::io;

use super::{
    SegmentJournal,
    bytes::Bytes,
    entry::Entry,
    look::entries_of,
    shelf::{Shelf, Shelved, failed, sidecar_name, sync_failed},
    sidecar,
};
use crate::{
    disk::DiskFile,
    error::JournalError,
    ids::TenantId,
    journal::keyed::{KeyedRecord, Newest},
    options::KEYED_MS,
};

/// What a segment says about idempotency keys.
#[derive(Debug, Default)]
pub(super) struct SegmentKeys {
    pub(super) records: Records,
    /// Tenants that were dropped in it: what older segments say about them is void.
    pub(super) dropped: Vec<TenantId>,
}

/// Where the keyed records of a segment are.
#[derive(Debug)]
pub(super) enum Records {
    /// Here.
    Known(Vec<KeyedRecord>),
    /// In the sidecar.
    Stored(Stored),
}

/// Keyed records in a sidecar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stored {
    /// From this byte to the end.
    pub(super) at: u64,
    pub(super) bytes: u64,
    pub(super) last_at_ms: u64,
}

/// The keyed records of a segment that was let go.
pub(super) struct KeysFile {
    file: Box<dyn DiskFile>,
    /// `None` when the file is damaged.
    stored: Option<Stored>,
}

impl Default for Records {
    fn default() -> Self {
        Self::Known(Vec::new())
    }
}

impl SegmentKeys {
    /// Takes note of a message, if it has a key.
    pub(super) fn take(&mut self, record: Option<KeyedRecord>) {
        if let Records::Known(known) = &mut self.records {
            known.extend(record);
        }
    }

    /// A tenant is dropped.
    pub(super) fn drop_tenant(&mut self, tenant: TenantId) {
        if let Records::Known(known) = &mut self.records {
            known.retain(|it| it.channel.tenant() != tenant);
        }
        if !self.dropped.contains(&tenant) {
            self.dropped.push(tenant);
        }
    }

    /// When the last keyed message was taken; zero when there is none.
    pub(super) fn last_at_ms(&self) -> u64 {
        match &self.records {
            Records::Known(known) => last_at_ms(known),
            Records::Stored(stored) => stored.last_at_ms,
        }
    }
}

impl Stored {
    fn read(&self, file: &dyn DiskFile, segment: u64) -> Result<Vec<KeyedRecord>, JournalError> {
        let mut data = vec![0; usize::try_from(self.bytes).unwrap_or(usize::MAX)];
        let read = file.read_at(&mut data, self.at);
        read.map_err(|cause| JournalError::Io { operation: "read keys", cause })?;
        // It was whole when it was opened: the next open makes it anew.
        decode(&data).ok_or(JournalError::Corrupt { segment, at: self.at })
    }
}

fn last_at_ms(records: &[KeyedRecord]) -> u64 {
    records.iter().map(|it| it.at_ms).max().unwrap_or(0)
}

/// Writes the records that are here, with their checksum before them, at the end of a sidecar.
pub(super) fn put(out: &mut Vec<u8>, keys: &SegmentKeys) -> Stored {
    let at = out.len() as u64;
    let known = if let Records::Known(known) = &keys.records { known.as_slice() } else { &[] };
    let last_at_ms = last_at_ms(known);
    let mut body = u32::try_from(known.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    body.extend_from_slice(&last_at_ms.to_le_bytes());
    known.iter().for_each(|it| it.put(&mut body));
    out.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    out.extend_from_slice(&body);
    Stored { at, bytes: out.len() as u64 - at, last_at_ms }
}

/// What there is from a byte of a whole sidecar on.
pub(super) fn find(sidecar: &[u8], at: u64) -> Option<Stored> {
    let data = sidecar.get(usize::try_from(at).ok()?..)?;
    let last_at_ms = Bytes(data.get(8..)?).u64()?;
    Some(Stored { at, bytes: data.len() as u64, last_at_ms })
}

fn decode(bytes: &[u8]) -> Option<Vec<KeyedRecord>> {
    let mut rest = Bytes(bytes);
    if rest.u32()? != crc32c::crc32c(rest.0) {
        return None;
    }
    let (count, _) = (rest.u32()?, rest.u64()?);
    (0..count).map(|_| KeyedRecord::decode(&mut rest)).collect()
}

fn file_name(id: u64) -> String {
    format!("segment-{id:010}.keys")
}

fn file_id(name: &str) -> Option<u64> {
    name.strip_prefix("segment-")?.strip_suffix(".keys")?.parse().ok()
}

impl Shelf {
    /// Finds the keys of segments that were let go. Says how many files are damaged.
    pub(super) fn find_keys(&mut self) -> io::Result<u64> {
        let mut damaged = 0;
        for id in self.disk.names()?.iter().filter_map(|it| file_id(it)) {
            if self.files.contains_key(&id) {
                self.disk.unlink(&file_name(id))?; // The segment itself is there still.
                continue;
            }
            let file = self.disk.open(&file_name(id))?;
            let mut data = vec![0; usize::try_from(file.bytes()?).unwrap_or(usize::MAX)];
            let read = file.read_at(&mut data, 0)?;
            data.truncate(read);
            let stored = sidecar::keys(&data);
            damaged += u64::from(stored.is_none());
            self.keys.insert(id, KeysFile { file, stored });
        }
        Ok(damaged)
    }

    /// Sees to it that keys that still matter outlive their segment, which is about to be removed; they do once the
    /// directory is synced. Says whether there are any.
    pub(super) fn keep_keys(&mut self, id: u64, now_ms: u64) -> Result<bool, JournalError> {
        let Some(shelved) = self.files.get_mut(&id) else { return Ok(false) };
        let last_at_ms = shelved.keys.last_at_ms();
        if last_at_ms == 0 || last_at_ms < now_ms.saturating_sub(KEYED_MS) {
            return Ok(false);
        }
        let again = shelved.sidecar.as_deref().map(write_again).transpose()?.flatten();
        let (file, stored) = match (shelved.sidecar.take(), again) {
            (Some(file), Some(stored)) => (file, stored),
            (None | Some(_), _) => {
                let made = shelved.known_keys();
                let (data, stored) = made.map_err(|cause| failed("read segment", cause, 0))?;
                let file = self.write_new(&sidecar_name(id), &data);
                (file.map_err(|cause| failed("write keys", cause, data.len() as u64))?, stored)
            }
        };
        file.sync_data().map_err(|cause| sync_failed("sync keys", cause))?;
        let renamed = self.disk.rename(&sidecar_name(id), &file_name(id));
        renamed.map_err(|cause| failed("rename", cause, 0))?;
        self.keys.insert(id, KeysFile { file, stored: Some(stored) });
        Ok(true)
    }

    /// Removes the files whose keys are all too old, and damaged ones.
    pub(super) fn expire_keys(&mut self, now_ms: u64) -> io::Result<()> {
        let oldest_ms = now_ms.saturating_sub(KEYED_MS);
        let is_old = |it: &KeysFile| it.stored.is_none_or(|it| it.last_at_ms < oldest_ms);
        let old: Vec<_> = self.keys.iter().filter(|it| is_old(it.1)).map(|it| *it.0).collect();
        for id in old {
            self.disk.unlink(&file_name(id))?;
            self.keys.remove(&id);
        }
        Ok(())
    }
}

/// Writes a sidecar once more, as it is, for the next sync. Should one have failed before the journal was opened, the kernel has it in
/// its cache and takes it for written. It needs no room, but that a full file system wants some for what has no place on it yet: a sync
/// gives it one. `None` when it is damaged.
fn write_again(file: &dyn DiskFile) -> Result<Option<Stored>, JournalError> {
    let unread = |cause| failed("read keys", cause, 0);
    let mut data = vec![0; usize::try_from(file.bytes().map_err(unread)?).unwrap_or(usize::MAX)];
    let read = file.read_at(&mut data, 0).map_err(unread)?;
    data.truncate(read);
    let stored = sidecar::keys(&data);
    if stored.is_some() {
        let write = || file.write_all_at(&data, 0).map_err(|cause| failed("write keys", cause, 0));
        match write() {
            Err(JournalError::Full { .. }) => {
                file.sync_data().map_err(|cause| sync_failed("sync keys", cause))?;
                write()?;
            }
            other => other?,
        }
    }
    Ok(stored)
}

impl Shelved {
    /// What a sidecar consists of that has nothing but its keys.
    fn known_keys(&self) -> io::Result<(Vec<u8>, Stored)> {
        match &self.keys.records {
            Records::Known(_) => Ok(sidecar::only_keys(&self.keys)),
            Records::Stored(_) => Ok(sidecar::only_keys(&self.scan_keys()?)),
        }
    }

    /// The keys that the segment itself has.
    fn scan_keys(&self) -> io::Result<SegmentKeys> {
        let mut keys = SegmentKeys::default();
        entries_of(&self.read()?, self.nonce, |entry, _| {
            if let Entry::Message(message) = entry {
                keys.take(KeyedRecord::of_message(&message));
            } else if let Entry::Drop { tenant } = entry {
                keys.drop_tenant(tenant);
            }
        });
        Ok(keys)
    }
}

impl SegmentJournal {
    /// The newest keyed records from a time on: for each segment what it says, or what is left of it.
    pub(super) fn keyed(
        &self,
        since_ms: u64,
        max: usize,
    ) -> Result<Vec<KeyedRecord>, JournalError> {
        let mut newest = Newest::new(since_ms, max);
        let mut files = self.shelf.keys.iter().peekable();
        for (id, shelved) in &self.shelf.files {
            while let Some((id, it)) = files.next_if(|it| it.0 < id) {
                take_stored(it.stored, Some(&*it.file), *id, &mut newest)?;
            }
            shelved.keys.dropped.iter().for_each(|it| newest.forget(*it));
            match &shelved.keys.records {
                Records::Known(known) => known.iter().for_each(|it| newest.take(it.clone())),
                Records::Stored(it) => {
                    take_stored(Some(*it), shelved.sidecar.as_deref(), *id, &mut newest)?;
                }
            }
        }
        for (id, it) in files {
            take_stored(it.stored, Some(&*it.file), *id, &mut newest)?;
        }
        Ok(newest.finish())
    }
}

fn take_stored(
    stored: Option<Stored>,
    file: Option<&dyn DiskFile>,
    segment: u64,
    newest: &mut Newest,
) -> Result<(), JournalError> {
    let Some(stored) = stored.filter(|it| it.last_at_ms >= newest.since_ms()) else {
        return Ok(()); // All of them are too old, or the file is damaged: that is counted.
    };
    let Some(file) = file else { return Ok(()) };
    stored.read(file, segment)?.into_iter().for_each(|it| newest.take(it));
    Ok(())
}
