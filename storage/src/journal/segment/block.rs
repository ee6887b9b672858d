//! Segment headers and block headers: what tells a torn tail from damage in the middle.
//!
//! ```text
//! segment  = header block* anything-left-over
//! header   = "STENJRNL" version:u8 0:u8[3] crc:u32 nonce:u64 id:u64 bytes:u64 0:u8[24]           64 bytes
//! block    = "SBLK" crc:u32 nonce:u64 sequence:u64 at:u32 body_bytes:u32 body_crc:u32 chain:u32
//!            0:u8[24] body                                                                      64 + body
//! ```
//!
//! All numbers are little-endian. `crc` is CRC32C over the rest of the header, with four zeros in its place. `nonce` is
//! random for each segment, so that neither what a recycled file held nor what a publisher sends can pass for a
//! block. `sequence` counts the blocks of the journal, `chain` is the `crc` of the block before. A body holds whole
//! entries (see `entry`), and is filled up with zeros to a multiple of 64 bytes. One block is one batch: it is written
//! by one call and made durable by one sync.

use super::{
    bytes::Bytes,
    entry::{NUMBER_MAX, Place},
};
use crate::error::OpenError;

/// Bytes of each header, and what blocks are aligned to.
pub(super) const HEADER_BYTES: usize = 64;
/// The version of the format. `tests/golden.rs` holds a file of it.
pub(super) const VERSION: u8 = 1;

const SEGMENT_MAGIC: &[u8; 8] = b"STENJRNL";
const BLOCK_MAGIC: &[u8; 4] = b"SBLK";

/// The first bytes of a segment file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SegmentHeader {
    pub(super) nonce: u64,
    pub(super) id: u64,
    pub(super) bytes: u64,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(SEGMENT_MAGIC);
        out.extend_from_slice(&[VERSION, 0, 0, 0, 0, 0, 0, 0]);
        out.extend_from_slice(&self.nonce.to_le_bytes());
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        sealed(&out, 12)
    }

    /// `None` when it is damaged; an error when it is whole, and of another version.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<Self>, OpenError> {
        let Some(version) = checked(bytes, SEGMENT_MAGIC, 12).and_then(|it| it.get(8).copied())
        else {
            return Ok(None);
        };
        if version != VERSION {
            return Err(OpenError::Version { found: version });
        }
        let mut rest = Bytes(bytes.get(16..).unwrap_or_default());
        let mut number = || rest.u64();
        Ok(number().zip(number()).zip(number()).map(|((nonce, id), bytes)| Self {
            nonce,
            id,
            bytes,
        }))
    }
}

/// What stands before each body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct BlockHeader {
    pub(super) nonce: u64,
    pub(super) sequence: u64,
    pub(super) at: u32,
    pub(super) body_bytes: u32,
    pub(super) body_crc: u32,
    pub(super) chain: u32,
}

impl BlockHeader {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(BLOCK_MAGIC);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.nonce.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        for number in [self.at, self.body_bytes, self.body_crc, self.chain] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        sealed(&out, 4)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes(checked(bytes, BLOCK_MAGIC, 4)?.get(8..)?);
        Some(Self {
            nonce: rest.u64()?,
            // Far from where adding one would be too much.
            sequence: rest.u64().filter(|it| *it < NUMBER_MAX)?,
            at: rest.u32()?,
            body_bytes: rest.u32()?,
            body_crc: rest.u32()?,
            chain: rest.u32()?,
        })
    }
}

/// A block that was found whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub(super) header: BlockHeader,
    /// What the next block's `chain` says.
    pub(super) crc: u32,
    pub(super) body: &'a [u8],
    /// Where the next block begins.
    pub(super) end: usize,
}

impl<'a> Block<'a> {
    /// Where its body begins.
    pub(super) fn body_place(&self) -> Place {
        let at = self.header.at.saturating_add(64);
        Place { nonce: self.header.nonce, at }
    }

    /// How large the block that begins here says it is.
    pub(super) fn claimed_bytes(start: &[u8]) -> u64 {
        let body_bytes = start.get(28..).and_then(|it| Bytes(it).u32()).unwrap_or(0);
        HEADER_BYTES as u64 + u64::from(body_bytes)
    }

    /// The block at this place of a segment, if a whole one is there.
    pub(super) fn at(segment: &'a [u8], nonce: u64, at: usize) -> Option<Self> {
        let head = segment.get(at..at.checked_add(HEADER_BYTES)?)?;
        // Most of what a search passes is not a block: the nonce alone excludes it.
        if head.get(8..16) != Some(nonce.to_le_bytes().as_slice()) {
            return None;
        }
        let header = BlockHeader::decode(head)?;
        let start = at + HEADER_BYTES;
        let end = start.checked_add(header.body_bytes as usize)?;
        let body = segment.get(start..end)?;
        let is_whole = header.at as usize == at && crc32c::crc32c(body) == header.body_crc;
        is_whole.then_some(Self { header, crc: crc_of(head, 4), body, end: aligned(end) })
    }
}

/// The next multiple of the alignment.
pub(super) fn aligned(at: usize) -> usize {
    at.next_multiple_of(HEADER_BYTES)
}

/// The checksum of an encoded block header.
pub(super) fn crc_of(head: &[u8], at: usize) -> u32 {
    head.get(at..).and_then(|it| Bytes(it).u32()).unwrap_or_default()
}

/// Fills a header up, and writes its checksum at `crc_at`.
fn sealed(start: &[u8], crc_at: usize) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    for (to, from) in out.iter_mut().zip(start) {
        *to = *from;
    }
    let crc = crc32c::crc32c(&out).to_le_bytes();
    for (to, from) in out.iter_mut().skip(crc_at).zip(crc) {
        *to = from;
    }
    out
}

/// The header, if magic and checksum are right.
fn checked<'a>(bytes: &'a [u8], magic: &[u8], crc_at: usize) -> Option<&'a [u8]> {
    let head = bytes.get(..HEADER_BYTES).filter(|it| it.starts_with(magic))?;
    let before = crc32c::crc32c(head.get(..crc_at)?);
    let zeros = crc32c::crc32c_append(before, &[0; 4]);
    let crc = crc32c::crc32c_append(zeros, head.get(crc_at + 4..)?);
    (crc == crc_of(head, crc_at)).then_some(head)
}
