//! What lists need of a sealed segment, in a file beside it. It can always be made again from the segment.
//!
//! ```text
//! list    = "SLST" version:u8 0:u8[3] nonce:u64 tenants:u32 crc:u32 (tenant:u32 at:u64 bytes:u32 crc:u32)*   rows, buckets, tenants
//! tenant  = summary counts_at:u64 counts_bytes:u32 counts_crc:u32 buckets:u32 (at:u64 bytes:u32 crc:u32)* events:u32 (event summary places:u16 bucket:u32*)*
//! bucket  = (name groups:u32 (event:u32 epoch:u32 summary at:u64 crc:u32)*)*
//! rows    = (place:u32 offset:u64 at_ms:u64)*                                                    in the order of the log
//! summary = count:u64 first_at_ms:u64 last_at_ms:u64
//! ```
//!
//! (for `counts` see `tally`)
//!
//! Texts are u16-counted. Each `crc` is CRC32C over the bytes that it stands beside; that of the head is over all of it but
//! itself. A channel is in the bucket that its hash names. An event that is in more than [`PLACES_MAX`] buckets lists none.
//! Everything is read in pieces, when somebody asks for it, and checked then.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    counts::CountRow,
    rows::{Row, Series, Snapshot},
    tally,
};
use crate::{
    ids::{Epoch, TenantId},
    journal::bytes::put_text,
};

pub(super) const MAGIC: &[u8; 4] = b"SLST";
/// A list of another version is made anew.
pub(super) const VERSION: u8 = 2;
/// Bytes before the table of tenants.
pub(super) const HEAD_BYTES: usize = 24;
/// Bytes of a tenant in that table.
pub(super) const TENANT_BYTES: usize = 20;
/// Bytes of a row.
pub(super) const ROW_BYTES: usize = 20;
/// An event lists the buckets it is in, if there are not more than this.
pub(super) const PLACES_MAX: usize = 64;
/// What an event says that is in more.
pub(super) const EVERYWHERE: u16 = u16::MAX;
/// Channels in a bucket, on average at most.
const CHANNELS_IN_BUCKET: usize = 16;

/// How many messages there are, and when the first and the last of them were taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Summary {
    pub(super) count: u64,
    pub(super) first_at_ms: u64,
    pub(super) last_at_ms: u64,
}

impl Default for Summary {
    fn default() -> Self {
        Self { count: 0, first_at_ms: u64::MAX, last_at_ms: 0 }
    }
}

impl Summary {
    pub(super) fn take(&mut self, at_ms: u64) {
        self.join(&Self { count: 1, first_at_ms: at_ms, last_at_ms: at_ms });
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.first_at_ms = self.first_at_ms.min(other.first_at_ms);
        self.last_at_ms = self.last_at_ms.max(other.last_at_ms);
    }

    fn put(&self, out: &mut Vec<u8>) {
        for number in [self.count, self.first_at_ms, self.last_at_ms] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
}

/// A stretch of the file with its checksum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    pub(super) at: u64,
    pub(super) bytes: u32,
    pub(super) crc: u32,
}

impl Extent {
    /// That of what was put at the end, from a byte on.
    pub(super) fn since(out: &[u8], at: usize) -> Self {
        let put = out.get(at..).unwrap_or_default();
        Self { at: at as u64, bytes: count(put.len()), crc: crc32c::crc32c(put) }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at.to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
    }
}

/// A series whose rows were written.
struct Group<'a> {
    series: &'a Series,
    bucket: usize,
    event: u32,
    summary: Summary,
    rows: Extent,
}

/// An event of a tenant.
struct Event<'a> {
    name: &'a str,
    summary: Summary,
    buckets: Vec<usize>,
}

/// The bucket of a channel.
pub(super) fn bucket_of(hash: u64, buckets: usize) -> usize {
    usize::try_from(hash >> 32).unwrap_or_default() % buckets.max(1)
}

/// The bytes of the list of a segment.
pub(crate) fn encode(nonce: u64, of: &Snapshot) -> Vec<u8> {
    let rows = grouped(of);
    let mut order: Vec<_> = of.series.iter().zip(&rows).filter(|it| !it.1.is_empty()).collect();
    order.sort_unstable_by(|(a, _), (b, _)| {
        let place = |it: &Series| (it.channel.tenant(), it.channel.hash());
        let names = || a.channel.name().cmp(b.channel.name());
        let rest = || (a.epoch, &a.event).cmp(&(b.epoch, &b.event));
        place(a).cmp(&place(b)).then_with(names).then_with(rest)
    });
    let mut tenants: BTreeMap<TenantId, Tenant<'_>> = BTreeMap::new();
    for of_one in order.chunk_by(|a, b| a.0.channel.tenant() == b.0.channel.tenant()) {
        let Some((series, _)) = of_one.first() else { continue };
        tenants.entry(series.channel.tenant()).or_default().series = of_one;
    }
    for row in of.counts.iter() {
        tenants.entry(row.tenant).or_default().counts.push(row);
    }
    let mut out = vec![0; HEAD_BYTES + TENANT_BYTES * tenants.len()];
    let mut table = Vec::new();
    for (id, tenant) in tenants {
        let counts = match tenant.counts.is_empty() {
            true => Extent::default(),
            false => tally::put(&mut out, &tenant.counts),
        };
        table.push((id, put_tenant(&mut out, tenant.series, counts)));
    }
    put_head(&mut out, nonce, &table);
    out
}

/// What a list says about one tenant.
#[derive(Default)]
struct Tenant<'a> {
    series: &'a [SeriesRows<'a>],
    counts: Vec<&'a CountRow>,
}

/// A series and its rows, in the order of the log.
type SeriesRows<'a> = (&'a Arc<Series>, &'a Vec<&'a Row>);

fn put_head(out: &mut [u8], nonce: u64, table: &[(TenantId, Extent)]) {
    let mut head = Vec::with_capacity(HEAD_BYTES + TENANT_BYTES * table.len());
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&[VERSION, 0, 0, 0]);
    head.extend_from_slice(&nonce.to_le_bytes());
    head.extend_from_slice(&count(table.len()).to_le_bytes());
    let mut tenants = Vec::new();
    for (id, extent) in table {
        tenants.extend_from_slice(&id.0.to_le_bytes());
        extent.put(&mut tenants);
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head), &tenants);
    head.extend_from_slice(&crc.to_le_bytes());
    head.extend_from_slice(&tenants);
    for (to, from) in out.iter_mut().zip(head) {
        *to = from;
    }
}

/// The rows of each series, in the order of the log.
fn grouped(of: &Snapshot) -> Vec<Vec<&Row>> {
    let mut counts = vec![0_usize; of.series.len()];
    for row in of.rows.iter() {
        counts.get_mut(row.series as usize).into_iter().for_each(|it| *it += 1);
    }
    let mut groups: Vec<_> = counts.into_iter().map(Vec::with_capacity).collect();
    for row in of.rows.iter() {
        groups.get_mut(row.series as usize).into_iter().for_each(|it| it.push(row));
    }
    groups
}

fn put_tenant(out: &mut Vec<u8>, all: &[SeriesRows<'_>], counts: Extent) -> Extent {
    let channels = all.chunk_by(|a, b| a.0.channel == b.0.channel).count();
    let buckets = channels.div_ceil(CHANNELS_IN_BUCKET).next_power_of_two();
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut numbers: hashbrown::HashMap<&str, usize> = hashbrown::HashMap::new();
    let (mut groups, mut total) = (Vec::with_capacity(all.len()), Summary::default());
    for (series, rows) in all {
        let (summary, rows) = put_rows(out, rows);
        let bucket = bucket_of(series.channel.hash(), buckets);
        let number = *numbers.entry(&*series.event).or_insert(events.len());
        if number == events.len() {
            let (name, buckets) = (&*series.event, Vec::new());
            events.push(Event { name, summary: Summary::default(), buckets });
        }
        if let Some(event) = events.get_mut(number) {
            event.summary.join(&summary);
            event.buckets.push(bucket);
        }
        total.join(&summary);
        groups.push(Group { series, bucket, event: count(number), summary, rows });
    }
    groups.sort_by_key(|it| it.bucket);
    let mut table = vec![Extent::default(); buckets];
    for groups in groups.chunk_by(|a, b| a.bucket == b.bucket) {
        let at = out.len();
        put_bucket(out, groups);
        let bucket = groups.first().and_then(|it| table.get_mut(it.bucket));
        bucket.into_iter().for_each(|it| *it = Extent::since(out, at));
    }
    let at = out.len();
    total.put(out);
    counts.put(out);
    out.extend_from_slice(&count(table.len()).to_le_bytes());
    table.iter().for_each(|it| it.put(out));
    out.extend_from_slice(&count(events.len()).to_le_bytes());
    events.into_iter().for_each(|it| put_event(out, it));
    Extent::since(out, at)
}

fn put_event(out: &mut Vec<u8>, mut event: Event<'_>) {
    put_text(out, event.name);
    event.summary.put(out);
    event.buckets.sort_unstable();
    event.buckets.dedup();
    if event.buckets.len() > PLACES_MAX {
        out.extend_from_slice(&EVERYWHERE.to_le_bytes());
        return;
    }
    let places = u16::try_from(event.buckets.len()).unwrap_or(EVERYWHERE);
    out.extend_from_slice(&places.to_le_bytes());
    for bucket in event.buckets {
        out.extend_from_slice(&count(bucket).to_le_bytes());
    }
}

fn put_bucket(out: &mut Vec<u8>, groups: &[Group<'_>]) {
    for groups in groups.chunk_by(|a, b| a.series.channel == b.series.channel) {
        let Some(first) = groups.first() else { continue };
        put_text(out, first.series.channel.name());
        out.extend_from_slice(&count(groups.len()).to_le_bytes());
        for group in groups {
            let Epoch(epoch) = group.series.epoch;
            out.extend_from_slice(&group.event.to_le_bytes());
            out.extend_from_slice(&epoch.to_le_bytes());
            group.summary.put(out);
            out.extend_from_slice(&group.rows.at.to_le_bytes());
            out.extend_from_slice(&group.rows.crc.to_le_bytes());
        }
    }
}

fn put_rows(out: &mut Vec<u8>, rows: &[&Row]) -> (Summary, Extent) {
    let (at, mut summary) = (out.len(), Summary::default());
    for row in rows {
        summary.take(row.at_ms);
        out.extend_from_slice(&row.place.to_le_bytes());
        out.extend_from_slice(&row.offset.to_le_bytes());
        out.extend_from_slice(&row.at_ms.to_le_bytes());
    }
    (summary, Extent::since(out, at))
}

pub(super) fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
