//! Making the list of a sealed segment anew, from the segment.

use super::{
    Sealed,
    rows::{Rows, Seen, Snapshot},
};
use crate::{
    error::JournalError,
    journal::{entry::Entry, segment::entries_of},
};

/// The rows of a sealed segment. What is damaged in it is left out: it is not retained either.
pub(super) fn rows(sealed: &Sealed) -> Result<Snapshot, JournalError> {
    let failed = |cause| JournalError::Io { operation: "read segment", cause };
    let size = sealed.log.bytes().map_err(failed)?;
    let mut data = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    let read = sealed.log.read_at(&mut data, 0).map_err(failed)?;
    data.truncate(read);
    let mut rows = Rows::default();
    entries_of(&data, sealed.nonce, |entry, place| match entry {
        Entry::Message(message) => rows.take(&Seen::of_message(&message, place)),
        Entry::Counts(counts) => counts.rows().for_each(|it| rows.counts.take(it)),
        Entry::Stand { .. }
        | Entry::Forget { .. }
        | Entry::Log(_)
        | Entry::Retire { .. }
        | Entry::Seal
        | Entry::Close
        | Entry::Resume { .. }
        | Entry::Drop { .. } => {}
    });
    Ok(rows.snapshot())
}
