//! The index of a sealed segment in a file beside it. It can always be made again from the segment.
//!
//! ```text
//! sidecar = "SIDX" crc:u32 version:u8 keyed_at:u64 nonce:u64 sequence:u64 chain:u32 log
//!           cleaned:u64 forgotten:u32 (tenant:u32 name)* targets:u32 segment:u64* dropped:u32 tenant:u32*
//!           channels:u32 (tenant:u32 name epoch:u32 offset:u64 first_retained:u64 at_ms:u64 marked_in:u64
//!           runs:u32 (epoch:u32 first:u64 count:u32 bytes:u64 first_at_ms:u64 last_at_ms:u64 place:u32*)*)*
//!           keyed
//! ```
//!
//! `crc` is CRC32C over what follows it. `keyed_at` is where `keyed` begins (see `keys`). `sequence` and `chain` are what the next segment's first block goes on from.

use std::{collections::BTreeSet, ops::RangeInclusive};

use super::{
    bytes::{Bytes, put_text},
    channel::{Places, Run},
    entry::{LogState, NUMBER_MAX, offset, put_state, state},
    index::Index,
    keys::{self, Records, SegmentKeys, Stored},
};
use crate::{
    ids::{ChannelKey, Epoch, TenantId},
    journal::ChannelState,
};

const MAGIC: &[u8; 4] = b"SIDX";
/// One of another version is made anew.
const VERSION: u8 = 4;
/// Files of keys of these versions are read: there is nothing that they could be made anew from.
const KEYS_VERSIONS: RangeInclusive<u8> = 3..=VERSION;
/// Where `keyed_at` stands.
const KEYED_AT: usize = 9;

/// Where a segment ends, for the next one to go on from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct End {
    pub(super) sequence: u64,
    pub(super) chain: u32,
}

/// What a sidecar says besides the channels and the keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) nonce: u64,
    pub(super) end: End,
    pub(super) log: LogState,
    pub(super) forgotten: Vec<ChannelKey>,
    pub(super) targets: BTreeSet<u64>,
    pub(super) cleaned: u64,
}

/// The bytes of a sidecar, and where things are in it.
pub(super) struct Sidecar {
    pub(super) bytes: Vec<u8>,
    /// Where the places of each run begin.
    pub(super) places: Vec<u64>,
    pub(super) keyed: Stored,
}

/// The sidecar of a segment that is complete.
pub(super) fn encode(head: &Head, segment: u64, index: &Index, keys: &SegmentKeys) -> Sidecar {
    let mut out = Vec::new();
    let mut places = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[0, 0, 0, 0, VERSION]);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&head.nonce.to_le_bytes());
    out.extend_from_slice(&head.end.sequence.to_le_bytes());
    out.extend_from_slice(&head.end.chain.to_le_bytes());
    head.log.put(&mut out);
    out.extend_from_slice(&head.cleaned.to_le_bytes());
    put_count(&mut out, head.forgotten.len());
    for channel in &head.forgotten {
        put_channel(&mut out, channel);
    }
    put_count(&mut out, head.targets.len());
    out.extend(head.targets.iter().flat_map(|it| it.to_le_bytes()));
    put_count(&mut out, keys.dropped.len());
    out.extend(keys.dropped.iter().flat_map(|it| it.0.to_le_bytes()));
    let count_at = out.len();
    let mut channels = 0;
    put_count(&mut out, 0);
    for channel in index.iter().filter(|it| it.named_in == segment) {
        channels += 1;
        put_channel(&mut out, &channel.key);
        put_state(&mut out, &channel.state);
        out.extend_from_slice(&channel.marked_in.to_le_bytes());
        put_count(&mut out, channel.runs.iter().filter(|it| it.segment == segment).count());
        for run in channel.runs.iter().filter(|it| it.segment == segment) {
            places.push(put_run(&mut out, run));
        }
    }
    let mut count = Vec::new();
    put_count(&mut count, channels);
    patch(&mut out, count_at, &count);
    let keyed = keys::put(&mut out, keys);
    patch(&mut out, KEYED_AT, &keyed.at.to_le_bytes());
    let crc = crc32c::crc32c(out.get(8..).unwrap_or_default()).to_le_bytes();
    patch(&mut out, 4, &crc);
    Sidecar { bytes: out, places, keyed }
}

/// A sidecar that holds nothing but keys.
pub(super) fn only_keys(keys: &SegmentKeys) -> (Vec<u8>, Stored) {
    let made = encode(&Head::default(), 0, &Index::default(), keys);
    (made.bytes, made.keyed)
}

/// Where the keyed records of a sidecar are. `None` when it is damaged.
pub(super) fn keys(bytes: &[u8]) -> Option<Stored> {
    let mut rest = Bytes(whole(bytes)?);
    rest.u8().filter(|it| KEYS_VERSIONS.contains(it))?;
    keys::find(bytes, rest.u64()?)
}

/// What the checksum covers, if it is right.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.get(8..).filter(|_| bytes.starts_with(MAGIC))?;
    (Bytes(bytes.get(4..8)?).u32()? == crc32c::crc32c(rest)).then_some(rest)
}

fn patch(out: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in out.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_channel(out: &mut Vec<u8>, key: &ChannelKey) {
    out.extend_from_slice(&key.tenant().0.to_le_bytes());
    put_text(out, key.name());
}

fn put_run(out: &mut Vec<u8>, run: &Run) -> u64 {
    out.extend_from_slice(&run.epoch.0.to_le_bytes());
    out.extend_from_slice(&run.first.to_le_bytes());
    out.extend_from_slice(&run.count.to_le_bytes());
    for number in [run.bytes, run.first_at_ms, run.last_at_ms] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let at = out.len() as u64;
    if let Places::Known(places) = &run.places {
        out.extend(places.iter().flat_map(|it| it.to_le_bytes()));
    }
    at
}

/// Reads a sidecar into the index. `None`, and the index as it was, when it is not that of this segment or is damaged.
pub(super) fn decode(
    bytes: &[u8],
    segment: u64,
    nonce: u64,
    index: &mut Index,
) -> Option<(Head, SegmentKeys)> {
    let rest = whole(bytes)?;
    let keyed = keys(bytes)?;
    // A sidecar is only ever taken whole: the checksum says that it is ours, this that it can be read.
    let (head, dropped, channels) = parse(bytes, Bytes(rest), segment)?;
    if head.nonce != nonce {
        return None;
    }
    dropped.iter().for_each(|it| index.forget_tenant(*it));
    head.forgotten.iter().for_each(|it| index.forget(it));
    for (key, state, marked_in, runs) in channels {
        for run in runs {
            index.recover_run(key.tenant(), key.name(), run);
        }
        index.stand(key.tenant(), key.name(), state, segment);
        index.marked(&key, marked_in);
    }
    Some((head, SegmentKeys { records: Records::Stored(keyed), dropped }))
}

type Listed = (ChannelKey, ChannelState, u64, Vec<Run>);
type Parsed = (Head, Vec<TenantId>, Vec<Listed>);

fn parse(all: &[u8], mut bytes: Bytes<'_>, segment: u64) -> Option<Parsed> {
    if bytes.u8()? != VERSION {
        return None;
    }
    let (_keyed_at, nonce) = (bytes.u64()?, bytes.u64()?);
    let sequence = bytes.u64().filter(|it| *it < NUMBER_MAX)?;
    let end = End { sequence, chain: bytes.u32()? };
    let log = LogState::decode(&mut bytes)?;
    let cleaned = bytes.u64()?;
    let forgotten = (0..bytes.u32()?).map(|_| channel(&mut bytes)).collect::<Option<_>>()?;
    let targets = (0..bytes.u32()?).map(|_| bytes.u64()).collect::<Option<_>>()?;
    let dropped = (0..bytes.u32()?).map(|_| bytes.u32().map(TenantId)).collect::<Option<_>>()?;
    let mut channels = Vec::new();
    for _ in 0..bytes.u32()? {
        let key = channel(&mut bytes)?;
        let (state, marked_in) = (state(&mut bytes)?, bytes.u64()?);
        let runs = (0..bytes.u32()?).map(|_| run(all, &mut bytes, segment));
        channels.push((key, state, marked_in, runs.collect::<Option<_>>()?));
    }
    let head = Head { nonce, end, log, forgotten, targets, cleaned };
    Some((head, dropped, channels))
}

fn channel(bytes: &mut Bytes<'_>) -> Option<ChannelKey> {
    let tenant = TenantId(bytes.u32()?);
    Some(ChannelKey::new(tenant, bytes.text()?))
}

fn run(all: &[u8], bytes: &mut Bytes<'_>, segment: u64) -> Option<Run> {
    let (epoch, first, count) = (Epoch(bytes.u32()?), offset(bytes)?.0, bytes.u32()?);
    let [size, first_at_ms, last_at_ms] = [bytes.u64()?, bytes.u64()?, bytes.u64()?];
    let places = Places::Sidecar((all.len() - bytes.0.len()) as u64);
    bytes.take((count as usize).checked_mul(4)?)?;
    if count == 0 {
        return None;
    }
    Some(Run { segment, epoch, first, count, bytes: size, first_at_ms, last_at_ms, places })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_the_version_before_are_read_and_nothing_else_of_it() {
        let (mut bytes, stored) = only_keys(&SegmentKeys::default());
        for (version, is_read) in [(2, false), (3, true), (VERSION, true), (VERSION + 1, false)] {
            patch(&mut bytes, 8, &[version]);
            let crc = crc32c::crc32c(bytes.get(8..).unwrap_or_default()).to_le_bytes();
            patch(&mut bytes, 4, &crc);
            assert_eq!(keys(&bytes), is_read.then_some(stored), "version {version}");
            let decoded = decode(&bytes, 0, 0, &mut Index::default());
            assert_eq!(decoded.is_some(), version == VERSION, "version {version}");
        }
    }
}
