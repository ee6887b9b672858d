//! The segment files that are there when a log is opened.

use super::{
    block::{Block, HEADER_BYTES, SegmentHeader},
    recover::io_error,
    shelf::segment_id,
};
use crate::{
    disk::{Disk, DiskFile},
    error::OpenError,
};

/// A segment as it was found.
pub(super) struct Found {
    pub(super) id: u64,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) header: Option<SegmentHeader>,
    pub(super) bytes: u64,
}

/// The segments that are there, in their order.
pub(super) fn find(disk: &dyn Disk) -> Result<Vec<Found>, OpenError> {
    let names = disk.names().map_err(io_error("read directory"))?;
    let mut found = Vec::new();
    for name in names {
        let Some(id) = segment_id(&name) else { continue };
        let file = disk.open(&name).map_err(io_error("open"))?;
        let bytes = file.bytes().map_err(io_error("open"))?;
        let mut head = [0; HEADER_BYTES];
        file.read_at(&mut head, 0).map_err(io_error("read"))?;
        let header = SegmentHeader::decode(&head)?.filter(|it| it.id == id);
        found.push(Found { id, file, header, bytes });
    }
    found.sort_by_key(|it| it.id);
    Ok(found)
}

/// Whether a segment has a header and nothing else.
pub(super) fn is_blank(segment: &Found) -> bool {
    let Some(header) = &segment.header else { return false };
    match read(segment) {
        Ok(data) => next_block(&data, header.nonce, HEADER_BYTES).is_none(),
        Err(_) => false,
    }
}

pub(super) fn read(segment: &Found) -> Result<Vec<u8>, OpenError> {
    let size = usize::try_from(segment.bytes.min(u32::MAX.into())).unwrap_or(usize::MAX);
    let mut data = vec![0; size];
    let read = segment.file.read_at(&mut data, 0).map_err(io_error("read"))?;
    data.truncate(read);
    Ok(data)
}

/// The first whole block at or after a place.
pub(super) fn next_block(data: &[u8], nonce: u64, from: usize) -> Option<Block<'_>> {
    (from..data.len()).step_by(HEADER_BYTES).find_map(|at| Block::at(data, nonce, at))
}

/// How much of a last block there is that is not whole.
pub(super) fn torn(data: &[u8], nonce: u64, at: usize) -> u64 {
    let rest = data.get(at..).unwrap_or_default();
    let has_begun = rest.get(8..16) == Some(nonce.to_le_bytes().as_slice());
    if has_begun { Block::claimed_bytes(rest).min(rest.len() as u64) } else { 0 }
}
