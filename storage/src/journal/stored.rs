//! A stored message as it is written once more, into a segment that is rewritten.

use super::entry::{Message, begin, end, flags_of_stored};

/// Writes a message that was read.
pub(super) fn put_stored(out: &mut Vec<u8>, it: &Message<'_>, place: super::entry::Place) {
    let start = begin(out, 1, flags_of_stored(it));
    for count in [it.event.len(), it.sender.len(), it.name.len()] {
        out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    }
    out.extend_from_slice(&it.tenant.0.to_le_bytes());
    out.extend_from_slice(&it.epoch.0.to_le_bytes());
    out.extend_from_slice(&it.offset.0.to_le_bytes());
    out.extend_from_slice(&it.at_ms.to_le_bytes());
    out.extend_from_slice(&it.id.0.to_le_bytes());
    if let Some(hash) = it.idempotency {
        out.extend_from_slice(&hash.to_le_bytes());
    }
    if let Some(origin) = it.origin {
        out.extend_from_slice(&origin.to_le_bytes());
    }
    for text in [it.name, it.sender, it.event] {
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(it.payload);
    end(out, start, place);
}
