//! The bytes of the sled journal: a checksum and entries for each block, and the mark beside sled.

use std::sync::Arc;

use crate::{
    ids::{ChannelKey, Epoch},
    journal::{
        bytes::Bytes,
        entry::{self, Entry, Message, NUMBER_MAX, Place},
    },
    publication::{Draft, Publication},
};

/// The checksum before the entries of a block.
pub(super) const CRC_BYTES: usize = 4;
/// Bytes of the mark.
pub(super) const MARK_BYTES: usize = 28;

/// What is known outside sled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark {
    /// The oldest block that must be there.
    pub(super) first: u64,
    /// One past the newest.
    pub(super) end: u64,
    pub(super) fresh_epoch: Epoch,
}

impl Mark {
    pub(super) fn encode(self) -> [u8; MARK_BYTES] {
        let mut out = Vec::with_capacity(MARK_BYTES);
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.end.to_le_bytes());
        out.extend_from_slice(&self.fresh_epoch.0.to_le_bytes());
        out.extend_from_slice(&u64::from(crc32c::crc32c(&out)).to_le_bytes());
        let mut bytes = [0; MARK_BYTES];
        bytes.copy_from_slice(&out);
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        let (first, end, epoch) = (rest.u64()?, rest.u64()?, Epoch(rest.u32()?));
        let is_whole = rest.u64()? == u64::from(crc32c::crc32c(bytes.get(..20)?));
        (is_whole && end < NUMBER_MAX).then_some(Self { first, end, fresh_epoch: epoch })
    }
}

/// What the checksums of a block's entries begin with; `at` bytes of the value come before them.
pub(super) fn place(number: u64, at: usize) -> Place {
    Place { nonce: number, at: u32::try_from(at).unwrap_or(u32::MAX) }
}

pub(super) fn encode(entries: &[Entry<'_>], number: u64) -> Vec<u8> {
    let mut block = vec![0; CRC_BYTES];
    entries.iter().for_each(|it| it.put(&mut block, place(number, 0)));
    sealed(block)
}

pub(super) fn sealed(mut block: Vec<u8>) -> Vec<u8> {
    if let Some((crc, rest)) = block.split_first_chunk_mut::<CRC_BYTES>() {
        *crc = crc32c::crc32c(rest).to_le_bytes();
    }
    block
}

/// The entries of a whole block, and their places.
pub(super) fn entries(value: &[u8], number: u64) -> Option<Vec<(Entry<'_>, usize)>> {
    let mut rest = Bytes(value);
    let is_whole = rest.u32()? == crc32c::crc32c(rest.0);
    is_whole.then(|| entry::all(rest.0, place(number, CRC_BYTES)))?
}

pub(super) fn publication(channel: &Arc<ChannelKey>, it: &Message<'_>) -> Publication {
    Publication::new(&Draft {
        channel,
        epoch: it.epoch,
        offset: Some(it.offset),
        id: it.id,
        at_ms: it.at_ms,
        sender: it.sender,
        sender_kind: it.sender_kind,
        event: it.event,
        payload: it.payload,
        idempotency: it.idempotency,
    })
}
