//! The counts in the list of a sealed segment: written, looked up, and summed.
//!
//! ```text
//! counts = sums:u32 (hash:u64 segment:u64 sum:i64[3])* pages:u32 (hash:u64 segment:u64 offset:u64 at:u64 bytes:u32 crc:u32)*
//! page   = (hash:u64 segment:u64 offset:u64 number:u32[3])*
//! ```
//!
//! Both are sorted. A page is named by its first entry. `segment` and `offset` are those of the message; what was said about a
//! message several times in one segment is there once.

use std::collections::BTreeMap;

use super::{
    counts::{CountKey, CountRow, Numbers, Sums},
    file::{Extent, count},
    read::{Fault, checked, extent},
};
use crate::{disk::DiskFile, journal::bytes::Bytes};

/// Messages in a page.
const PAGE_MESSAGES: usize = 128;
const ENTRY_BYTES: usize = 36;

/// What a segment says about the messages of a tenant.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sums: Vec<((u64, u64), Sums)>,
    pages: Vec<(CountKey, Extent)>,
}

/// Writes what a segment says about the messages of a tenant.
pub(super) fn put(out: &mut Vec<u8>, rows: &[&CountRow]) -> Extent {
    let (mut last, mut sums): (BTreeMap<_, _>, BTreeMap<_, Sums>) = Default::default();
    for row in rows {
        last.insert(row.key, row.now);
        row.add_to(sums.entry((row.key.0, row.key.1)).or_default());
    }
    let last: Vec<_> = last.into_iter().collect();
    let mut pages = Vec::new();
    for page in last.chunks(PAGE_MESSAGES) {
        let at = out.len();
        for (key, numbers) in page {
            put_key(out, *key);
            numbers.iter().for_each(|it| out.extend_from_slice(&it.to_le_bytes()));
        }
        pages.extend(page.first().map(|it| (it.0, Extent::since(out, at))));
    }
    let at = out.len();
    out.extend_from_slice(&count(sums.len()).to_le_bytes());
    for ((hash, segment), sums) in sums {
        out.extend_from_slice(&hash.to_le_bytes());
        out.extend_from_slice(&segment.to_le_bytes());
        sums.iter().for_each(|it| out.extend_from_slice(&it.to_le_bytes()));
    }
    out.extend_from_slice(&count(pages.len()).to_le_bytes());
    for (key, extent) in pages {
        put_key(out, key);
        extent.put(out);
    }
    Extent::since(out, at)
}

fn put_key(out: &mut Vec<u8>, (hash, segment, offset): CountKey) {
    for number in [hash, segment, offset] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn key(bytes: &mut Bytes<'_>) -> Option<CountKey> {
    Some((bytes.u64()?, bytes.u64()?, bytes.u64()?))
}

/// Reads what a segment says about the messages of a tenant, but not about each.
pub(super) fn read(file: &dyn DiskFile, at: Extent) -> Result<Tally, Fault> {
    if at.bytes == 0 {
        return Ok(Tally::default());
    }
    parse(&mut Bytes(&checked(file, at)?)).ok_or(Fault::Damaged)
}

fn parse(bytes: &mut Bytes<'_>) -> Option<Tally> {
    let mut tally = Tally::default();
    for _ in 0..bytes.u32()? {
        let of = (bytes.u64()?, bytes.u64()?);
        let sums = [bytes.u64()?, bytes.u64()?, bytes.u64()?];
        tally.sums.push((of, sums.map(u64::cast_signed)));
    }
    for _ in 0..bytes.u32()? {
        tally.pages.push((key(bytes)?, extent(bytes)?));
    }
    Some(tally)
}

impl Tally {
    /// What is said about messages, which are sorted. Those about which nothing is said are left out.
    pub(super) fn find(
        &self,
        file: &dyn DiskFile,
        wanted: &[CountKey],
    ) -> Result<Vec<(CountKey, Numbers)>, Fault> {
        let mut found = Vec::new();
        let page_of = |it: &CountKey| self.pages.partition_point(|page| page.0 <= *it);
        for some in wanted.chunk_by(|a, b| page_of(a) == page_of(b)) {
            let page = some.first().and_then(|it| page_of(it).checked_sub(1));
            let Some((_, at)) = page.and_then(|it| self.pages.get(it)) else { continue };
            let entries = page_entries(file, *at)?;
            found.extend(entries.into_iter().filter(|it| some.binary_search(&it.0).is_ok()));
        }
        Ok(found)
    }

    /// All that is said about the messages of a segment.
    pub(super) fn about(
        &self,
        file: &dyn DiskFile,
        segment: u64,
    ) -> Result<Vec<(CountKey, Numbers)>, Fault> {
        let mut found = Vec::new();
        for (_, at) in &self.pages {
            found.extend(page_entries(file, *at)?.into_iter().filter(|it| it.0.1 == segment));
        }
        Ok(found)
    }
}

fn page_entries(file: &dyn DiskFile, at: Extent) -> Result<Vec<(CountKey, Numbers)>, Fault> {
    let data = checked(file, at)?;
    let (entries, _) = data.as_chunks::<ENTRY_BYTES>();
    let entry = |it: &[u8; ENTRY_BYTES]| {
        let mut bytes = Bytes(it);
        Some((key(&mut bytes)?, [bytes.u32()?, bytes.u32()?, bytes.u32()?]))
    };
    entries.iter().map(entry).collect::<Option<_>>().ok_or(Fault::Damaged)
}
