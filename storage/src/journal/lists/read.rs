//! Reading the list of a sealed segment, piece by piece. What does not match its checksum is damage: the list is made anew.

use std::{io, sync::Arc};

use super::{
    file::{
        EVERYWHERE, Extent, HEAD_BYTES, MAGIC, ROW_BYTES, Summary, TENANT_BYTES, VERSION, bucket_of,
    },
    sift::{Entry, Found, Hit, Rows},
};
use crate::{
    disk::DiskFile,
    error::JournalError,
    ids::{ChannelKey, Epoch, TenantId},
    journal::bytes::Bytes,
};

/// Why a list could not be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is damaged: it has to be made anew.
    Damaged,
    /// The disk refuses.
    Io(io::Error),
}

impl From<Fault> for JournalError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Damaged => Self::Corrupt { segment: 0, at: 0 },
            Fault::Io(cause) => Self::Io { operation: "read list", cause },
        }
    }
}

/// What a list says about one tenant.
#[derive(Debug, Default)]
pub(super) struct TenantList {
    pub(super) total: Summary,
    /// What is said about messages.
    pub(super) counts: Extent,
    buckets: Vec<Extent>,
    pub(super) events: Vec<ListedEvent>,
}

/// An event of a tenant.
#[derive(Debug)]
pub(super) struct ListedEvent {
    pub(super) name: Arc<str>,
    pub(super) summary: Summary,
    /// The buckets it is in, unless there are many.
    buckets: Option<Vec<u32>>,
}

/// What the list in a file says about a tenant. Nothing, when the tenant is not in it.
pub(super) fn tenant(
    file: &dyn DiskFile,
    nonce: u64,
    tenant: TenantId,
) -> Result<TenantList, Fault> {
    let mut head = [0; HEAD_BYTES];
    let read = file.read_at(&mut head, 0).map_err(Fault::Io)?;
    let (count, crc) =
        parse_head(&head, nonce).filter(|_| read == HEAD_BYTES).ok_or(Fault::Damaged)?;
    let size = file.bytes().map_err(Fault::Io)?;
    let bytes = u64::from(count) * TENANT_BYTES as u64;
    if bytes > size {
        return Err(Fault::Damaged);
    }
    let table = read_at(file, HEAD_BYTES as u64, bytes)?;
    let begun = crc32c::crc32c(head.get(..HEAD_BYTES - 4).unwrap_or_default());
    if crc32c::crc32c_append(begun, &table) != crc {
        return Err(Fault::Damaged);
    }
    match find(&table, tenant) {
        Some(extent) => parse_tenant(&mut Bytes(&checked(file, extent)?)).ok_or(Fault::Damaged),
        None => Ok(TenantList::default()),
    }
}

fn parse_head(head: &[u8], nonce: u64) -> Option<(u32, u32)> {
    let mut rest = Bytes(head);
    let is_ours = rest.take(4)? == MAGIC && rest.u8()? == VERSION;
    let is_of_it = rest.take(3).is_some() && rest.u64()? == nonce;
    let numbers = (rest.u32()?, rest.u32()?);
    (is_ours && is_of_it).then_some(numbers)
}

fn find(table: &[u8], tenant: TenantId) -> Option<Extent> {
    let (entries, _) = table.as_chunks::<TENANT_BYTES>();
    let id = |it: &[u8; TENANT_BYTES]| Bytes(it).u32().unwrap_or(u32::MAX);
    let found = entries.binary_search_by_key(&tenant.0, id).ok()?;
    let mut bytes = Bytes(entries.get(found)?);
    bytes.u32()?;
    extent(&mut bytes)
}

pub(super) fn extent(bytes: &mut Bytes<'_>) -> Option<Extent> {
    Some(Extent { at: bytes.u64()?, bytes: bytes.u32()?, crc: bytes.u32()? })
}

fn summary(bytes: &mut Bytes<'_>) -> Option<Summary> {
    let count = bytes.u64()?;
    Some(Summary { count, first_at_ms: bytes.u64()?, last_at_ms: bytes.u64()? })
}

fn parse_tenant(bytes: &mut Bytes<'_>) -> Option<TenantList> {
    let (total, counts) = (summary(bytes)?, extent(bytes)?);
    let buckets = (0..bytes.u32()?).map(|_| extent(bytes)).collect::<Option<_>>()?;
    let events = (0..bytes.u32()?).map(|_| event(bytes)).collect::<Option<_>>()?;
    Some(TenantList { total, counts, buckets, events })
}

fn event(bytes: &mut Bytes<'_>) -> Option<ListedEvent> {
    let (name, summary) = (bytes.text()?.into(), summary(bytes)?);
    let buckets = match bytes.u16()? {
        EVERYWHERE => None,
        count => Some((0..count).map(|_| bytes.u32()).collect::<Option<_>>()?),
    };
    Some(ListedEvent { name, summary, buckets })
}

/// Reads a stretch of the file; one that ends early is damaged.
fn read_at(file: &dyn DiskFile, at: u64, bytes: u64) -> Result<Vec<u8>, Fault> {
    let mut data = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    let read = file.read_at(&mut data, at).map_err(Fault::Io)?;
    if read == data.len() { Ok(data) } else { Err(Fault::Damaged) }
}

pub(super) fn checked(file: &dyn DiskFile, extent: Extent) -> Result<Vec<u8>, Fault> {
    let data = read_at(file, extent.at, extent.bytes.into())?;
    if crc32c::crc32c(&data) == extent.crc { Ok(data) } else { Err(Fault::Damaged) }
}

impl TenantList {
    /// The entries of the channels that may match.
    pub(super) fn channels(
        &self,
        file: &dyn DiskFile,
        of: (TenantId, Option<&ChannelKey>),
        event: Option<&str>,
    ) -> Result<Vec<Found>, Fault> {
        let (tenant, channel) = of;
        let wanted = match (channel, event) {
            (Some(channel), _) => Some(vec![bucket_of(channel.hash(), self.buckets.len())]),
            (None, Some(event)) => self.buckets_of(event),
            (None, None) => None,
        };
        let all = || (0..self.buckets.len()).collect();
        let mut found = Vec::new();
        for number in wanted.unwrap_or_else(all) {
            let Some(extent) = self.buckets.get(number).filter(|it| it.bytes > 0) else { continue };
            let data = checked(file, *extent)?;
            let mut bytes = Bytes(&data);
            while !bytes.0.is_empty() {
                found.push(self.entry(&mut bytes, tenant).ok_or(Fault::Damaged)?);
            }
        }
        found.retain(|it| channel.is_none_or(|channel| *it.key == *channel));
        Ok(found)
    }

    /// The buckets that an event is in; `None` when all have to be looked at.
    fn buckets_of(&self, event: &str) -> Option<Vec<usize>> {
        let Some(listed) = self.events.iter().find(|it| *it.name == *event) else {
            return Some(Vec::new());
        };
        let buckets = listed.buckets.as_ref()?;
        Some(buckets.iter().map(|it| *it as usize).collect())
    }

    fn entry(&self, bytes: &mut Bytes<'_>, tenant: TenantId) -> Option<Found> {
        let key = Arc::new(ChannelKey::new(tenant, bytes.text()?));
        let mut entries = Vec::new();
        for _ in 0..bytes.u32()? {
            let event = self.events.get(bytes.u32()? as usize)?;
            let (epoch, summary) = (Epoch(bytes.u32()?), summary(bytes)?);
            let (at, crc) = (bytes.u64()?, bytes.u32()?);
            let bytes = u32::try_from(summary.count.checked_mul(ROW_BYTES as u64)?).ok()?;
            let rows = Extent { at, bytes, crc };
            let event = Arc::clone(&event.name);
            entries.push(Entry { event, epoch, summary, rows: Rows::Stored(rows) });
        }
        Some(Found { key, entries })
    }
}

/// The messages of a group.
pub(super) fn rows(file: &dyn DiskFile, extent: Extent) -> Result<Vec<Hit>, Fault> {
    let data = checked(file, extent)?;
    let (rows, _) = data.as_chunks::<ROW_BYTES>();
    let hit = |row: &[u8; ROW_BYTES]| {
        let mut bytes = Bytes(row);
        Some(Hit { place: bytes.u32()?, offset: bytes.u64()?, at_ms: bytes.u64()? })
    };
    rows.iter().map(hit).collect::<Option<_>>().ok_or(Fault::Damaged)
}
