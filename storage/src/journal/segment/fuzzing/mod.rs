//! What holds for any bytes, as plain functions: the fuzzer calls them, and ordinary tests replay its corpus.
//! Not an interface.

mod disk;

use std::sync::Arc;

use self::disk::MemoryDisk;
use super::{
    block::{BlockHeader, HEADER_BYTES, SegmentHeader, aligned, crc_of},
    entry::{self, Entry, Place},
    shelf::segment_name,
};
use crate::{
    ids::{ChannelKey, MessageId, Offset, TenantId},
    journal::{Journal, stored::put_stored},
    options::{JournalOptions, Prepare},
    publication::{Draft, Publication, SenderKind},
};

/// A target, by the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 2] =
    [("journal_record", journal_record), ("journal_recover", journal_recover)];

/// Segments that one input may make.
const SEGMENTS_MAX: u64 = 16;

/// A record is what it says, written down again it is the same, and one bit less is none. The first two bytes are its kind and
/// its flags; its checksum is right.
pub fn journal_record(bytes: &[u8]) {
    let place = Place { nonce: 7, at: 64 };
    drop(entry::all(bytes, place));
    let Some(([kind, flags], body)) = bytes.split_first_chunk() else { return };
    let mut record = Vec::new();
    put(&mut record, (*kind, *flags, body), place);
    let Some((found, end)) = entry::decode(&record, 0, place) else { return };
    assert_eq!(end, record.len(), "a record ends where it says");
    let mut again = Vec::new();
    match &found {
        Entry::Message(message) => put_stored(&mut again, message, place),
        Entry::Stand { .. }
        | Entry::Forget { .. }
        | Entry::Log(_)
        | Entry::Retire { .. }
        | Entry::Seal
        | Entry::Close
        | Entry::Drop { .. }
        | Entry::Counts(_)
        | Entry::Resume { .. } => {
            found.put(&mut again, place);
            assert!(again.len() <= found.bytes_max(), "a record takes more than it was given room");
        }
    }
    assert!(again.len() <= record.len(), "a record grew");
    let same = entry::decode(&again, 0, place).map(|(it, _)| it);
    assert_eq!(same.as_ref(), Some(&found), "a record changed");
    let mut broken = record.clone();
    let at = bytes.iter().map(|it| usize::from(*it)).sum::<usize>() % broken.len();
    if let Some(byte) = broken.get_mut(at) {
        *byte ^= 1 << (at % 8);
    }
    assert_eq!(entry::decode(&broken, 0, place), None, "a changed bit was not seen");
}

/// A log of any records opens or is refused, also of those that no journal writes. What is appended then to a channel that was not in
/// it is there after the next opening. The bytes are records, each with three before it: see `Maker::record`.
pub fn journal_recover(bytes: &[u8]) {
    let disk = Arc::new(MemoryDisk::default());
    let mut maker = Maker::default();
    let mut rest = bytes;
    while let Some(([control, flags, length], behind)) = rest.split_first_chunk() {
        let (body, behind) = behind.split_at(usize::from(*length).min(behind.len()));
        maker.record(*control, *flags, body, &disk);
        rest = behind;
    }
    maker.end_segment(&disk);
    let options = JournalOptions { segment_bytes: 16 * 1024, prepare: Prepare::InPlace };
    let Ok(mut journal) = super::SegmentJournal::open(disk.clone(), &options) else { return };
    for (channel, _) in journal.channels() {
        // What is damaged is set aside, a thousand at a time: then the read goes past it.
        drop(journal.read(&channel, Offset(0), 1_000));
    }
    let Some(publication) = first(&journal).map(Arc::new) else { return };
    if journal.append(&[Arc::clone(&publication)]).is_err() {
        return;
    }
    drop(journal);
    let again = super::SegmentJournal::open(disk, &options);
    let mut again =
        again.unwrap_or_else(|why| unreachable!("what was opened does not open: {why}"));
    let read = again.read(publication.channel(), Offset(0), 1);
    let read = read.unwrap_or_else(|why| unreachable!("what was appended is damaged: {why}"));
    let text = read.first().map(|it| it.payload().to_vec());
    assert_eq!(text.as_deref(), Some(publication.payload()), "what was appended is not there");
}

/// The first publication of a channel that the journal does not know.
fn first(journal: &super::SegmentJournal) -> Option<Publication> {
    let channel = Arc::new(ChannelKey::new(TenantId(77), "unknown"));
    if journal.channels().into_iter().any(|(it, _)| *it == *channel) {
        return None;
    }
    Some(Publication::new(&Draft {
        channel: &channel,
        epoch: journal.fresh_epoch(),
        offset: Some(Offset(1)),
        id: MessageId(1),
        at_ms: 1,
        sender: "",
        sender_kind: SenderKind::System,
        event: "e",
        payload: b"{\"n\":1}",
        idempotency: None,
    }))
}

fn put(out: &mut Vec<u8>, (kind, flags, body): (u8, u8, &[u8]), place: Place) {
    let start = entry::begin(out, kind, flags);
    out.extend_from_slice(body);
    entry::end(out, start, place);
}

/// Makes segments whose checksums are right.
#[derive(Default)]
struct Maker {
    id: u64,
    segment: Vec<u8>,
    body: Vec<u8>,
    sequence: u64,
    chain: u32,
}

impl Maker {
    /// The lower half of `control` is the kind. The other bits: it begins a block, a segment, a segment whose number leaves one out;
    /// and one bit of it is wrong.
    fn record(&mut self, control: u8, flags: u8, body: &[u8], disk: &MemoryDisk) {
        if control & 0x60 != 0 && self.id < SEGMENTS_MAX {
            self.end_segment(disk);
        }
        if control & 0x10 != 0 {
            self.end_block();
        }
        if self.segment.is_empty() {
            self.id += if control & 0x40 == 0 { 1 } else { 2 };
            self.segment.resize(HEADER_BYTES, 0);
        }
        let at = self.segment.len() + HEADER_BYTES;
        let place = Place { nonce: self.nonce(), at: u32::try_from(at).unwrap_or(u32::MAX) };
        put(&mut self.body, (control & 0x0f, flags, body), place);
        if control & 0x80 != 0
            && let Some(byte) = self.body.last_mut()
        {
            *byte ^= 1;
        }
    }

    fn nonce(&self) -> u64 {
        self.id.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn end_block(&mut self) {
        if self.body.is_empty() {
            return;
        }
        let mut body = std::mem::take(&mut self.body);
        body.resize(aligned(body.len()), 0);
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let header = BlockHeader {
            nonce: self.nonce(),
            sequence: self.sequence,
            at: number(self.segment.len()),
            body_bytes: number(body.len()),
            body_crc: crc32c::crc32c(&body),
            chain: self.chain,
        };
        let head = header.encode();
        (self.sequence, self.chain) = (self.sequence + 1, crc_of(&head, 4));
        self.segment.extend_from_slice(&head);
        self.segment.extend_from_slice(&body);
    }

    fn end_segment(&mut self, disk: &MemoryDisk) {
        self.end_block();
        let mut segment = std::mem::take(&mut self.segment);
        if segment.is_empty() {
            return;
        }
        segment.resize(segment.len() + 1024, 0);
        let header =
            SegmentHeader { nonce: self.nonce(), id: self.id, bytes: segment.len() as u64 };
        for (to, from) in segment.iter_mut().zip(header.encode()) {
            *to = from;
        }
        disk.put(&segment_name(self.id), segment);
    }
}
