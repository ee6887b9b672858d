//! What stands in the body of a block.
//!
//! ```text
//! entry    = bytes:u32 crc:u32 kind:u8 flags:u8 (by kind)
//! message  = 1  event_bytes:u16 sender_bytes:u16 name_bytes:u16 tenant:u32 epoch:u32 offset:u64 at_ms:u64 id:u128
//!            [idempotency:u128 when flags & 1] name sender event payload
//!            [origin:u32 when flags & 4: where it lay before its segment was rewritten] (after the idempotency key)
//!            flags & 2: the sender is a user without a name, or a server with one
//! stand    = 2  tenant:u32 epoch:u32 offset:u64 first_retained:u64 at_ms:u64 name        where a channel stands
//! forget   = 3  tenant:u32 name                                                    a channel that is not known any more
//! log      = 4  fresh_epoch:u32 live:u32 damages:u32 segment:u64* (segment:u64 from:u64 to:u64)*   the journal as a whole
//! retire   = 5  segment:u64                                                             its file may be missing
//! seal     = 6                                                                  the next segment goes on from here
//! close    = 7                                                       the journal was closed with nothing under way
//! counts   = 9  tenant:u32 epoch:u32 messages:u32 (segment:u64 offset:u64 now:u32[3] before:u32[3])* name
//! resume   = 10 sequence:u64 chain:u32 cleaned:u64        a segment was rewritten while that one was written; what the next goes on from
//! drop     = 8  tenant:u32                                nothing that a tenant had before is known any more
//! ```
//!
//! A damage of a single byte is the message that begins there. `bytes` counts the whole entry. `crc` is CRC32C over `bytes` and what follows `crc`, begun with the segment's nonce
//! and the entry's place, so that an entry read by itself is known to be this one. `name` in stand and forget is
//! u16-counted. Every message names its channel: damage to one block leaves the others readable.

use super::bytes::{Bytes, put_text};
pub(super) use super::{said::CountsEntry, stored::put_stored};
use crate::{
    ids::{Epoch, MessageId, Offset, Position, TenantId},
    journal::ChannelState,
    publication::{Publication, SenderKind},
};

/// Bytes of a message without its texts and its idempotency key.
const WITHOUT_TEXTS: usize = 56;
/// The same at most.
pub(super) const MESSAGE_BYTES: usize = 72;
/// A body is at most so large: a batch of 1 MiB of text, and one message more.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Numbers that count are below this. A file that says otherwise is damaged.
pub(super) const NUMBER_MAX: u64 = 1 << 62;
/// A body may end with fewer zeros than this.
const PADDING_BYTES: usize = 64;
/// What every entry begins with.
pub(super) const ENTRY_HEAD_BYTES: usize = 10;
const WITH_IDEMPOTENCY: u8 = 1;
/// The sender is not of the kind that its name suggests: a user without one, or a server that has one.
const OTHER_SENDER: u8 = 2;
/// It says where it lay before.
const WITH_ORIGIN: u8 = 4;

/// A range that is set aside; one of a single byte is the message that begins there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Damage {
    pub(super) segment: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// What holds for the journal as a whole. It opens every segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct LogState {
    pub(super) fresh_epoch: Epoch,
    /// The segments that must be there.
    pub(super) live: Vec<u64>,
    /// What recovery found once, and need not tell again.
    pub(super) damages: Vec<Damage>,
}

/// A stored message, borrowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Message<'a> {
    pub(super) tenant: TenantId,
    pub(super) name: &'a str,
    pub(super) epoch: Epoch,
    pub(super) offset: Offset,
    pub(super) at_ms: u64,
    pub(super) id: MessageId,
    pub(super) idempotency: Option<u128>,
    pub(super) origin: Option<u32>,
    pub(super) sender: &'a str,
    pub(super) sender_kind: SenderKind,
    pub(super) event: &'a str,
    pub(super) payload: &'a [u8],
}

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Entry<'a> {
    Message(Message<'a>),
    Stand { tenant: TenantId, name: &'a str, state: ChannelState },
    Forget { tenant: TenantId, name: &'a str },
    Log(LogState),
    Retire { segment: u64 },
    Seal,
    Close,
    Drop { tenant: TenantId },
    Counts(CountsEntry<'a>),
    Resume { sequence: u64, chain: u32, cleaned: u64 },
}

/// The bytes that a message takes.
pub(super) fn message_bytes(publication: &Publication) -> usize {
    let keyed = if publication.idempotency().is_some() { 16 } else { 0 };
    WITHOUT_TEXTS + keyed + publication.channel().name().len() + publication.text_bytes()
}

/// Writes a message. The texts were checked to be short enough.
pub(super) fn put_message(out: &mut Vec<u8>, publication: &Publication, place: Place) {
    let start = begin(out, 1, flags_of(publication));
    let channel = publication.channel();
    for count in [publication.event_bytes(), publication.sender_bytes(), channel.name().len()] {
        out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    }
    out.extend_from_slice(&channel.tenant().0.to_le_bytes());
    out.extend_from_slice(&publication.epoch().0.to_le_bytes());
    out.extend_from_slice(&publication.offset().unwrap_or_default().0.to_le_bytes());
    out.extend_from_slice(&publication.at_ms().to_le_bytes());
    out.extend_from_slice(&publication.id().0.to_le_bytes());
    if let Some(hash) = publication.idempotency() {
        out.extend_from_slice(&hash.to_le_bytes());
    }
    out.extend_from_slice(channel.name().as_bytes());
    out.extend_from_slice(publication.text());
    end(out, start, place);
}

fn flags_of(publication: &Publication) -> u8 {
    let keyed = if publication.idempotency().is_some() { WITH_IDEMPOTENCY } else { 0 };
    let is_usual = publication.sender_kind() == SenderKind::of(publication.sender());
    keyed | if is_usual { 0 } else { OTHER_SENDER }
}

/// The flags of a message that was read.
pub(super) fn flags_of_stored(it: &Message<'_>) -> u8 {
    let keyed = if it.idempotency.is_some() { WITH_IDEMPOTENCY } else { 0 };
    let moved = if it.origin.is_some() { WITH_ORIGIN } else { 0 };
    let is_usual = it.sender_kind == SenderKind::of(it.sender);
    keyed | moved | if is_usual { 0 } else { OTHER_SENDER }
}

/// The kind of a sender by its name and the flags of its message.
fn sender_kind(sender: &str, flags: u8) -> SenderKind {
    match (SenderKind::of(sender), flags & OTHER_SENDER == 0) {
        (usual, true) => usual,
        (SenderKind::System, false) => SenderKind::User,
        (SenderKind::User, false) => SenderKind::System,
    }
}

impl Entry<'_> {
    /// The bytes it takes at most.
    pub(super) fn bytes_max(&self) -> usize {
        const WITHOUT_TEXT: usize = 64;
        WITHOUT_TEXT
            + match self {
                Self::Stand { name, .. } | Self::Forget { name, .. } => name.len(),
                Self::Counts(counts) => 40 * counts.messages.len() + counts.name.len(),
                Self::Log(state) => 8 * state.live.len() + 24 * state.damages.len(),
                Self::Message(_)
                | Self::Retire { .. }
                | Self::Seal
                | Self::Close
                | Self::Resume { .. }
                | Self::Drop { .. } => 0,
            }
    }

    /// Writes it; `place` is where `out` begins in the segment.
    pub(super) fn put(&self, out: &mut Vec<u8>, place: Place) {
        let start;
        match self {
            Self::Message(_) => return, // Messages are written from publications: see `put_message`.
            Self::Stand { tenant, name, state } => {
                start = begin(out, 2, 0);
                out.extend_from_slice(&tenant.0.to_le_bytes());
                put_state(out, state);
                put_text(out, name);
            }
            Self::Forget { tenant, name } => {
                start = begin(out, 3, 0);
                out.extend_from_slice(&tenant.0.to_le_bytes());
                put_text(out, name);
            }
            Self::Log(state) => {
                start = begin(out, 4, 0);
                state.put(out);
            }
            Self::Retire { segment } => {
                start = begin(out, 5, 0);
                out.extend_from_slice(&segment.to_le_bytes());
            }
            Self::Seal => start = begin(out, 6, 0),
            Self::Close => start = begin(out, 7, 0),
            Self::Drop { tenant } => {
                start = begin(out, 8, 0);
                out.extend_from_slice(&tenant.0.to_le_bytes());
            }
            Self::Resume { sequence, chain, cleaned } => {
                start = begin(out, 10, 0);
                out.extend_from_slice(&sequence.to_le_bytes());
                out.extend_from_slice(&chain.to_le_bytes());
                out.extend_from_slice(&cleaned.to_le_bytes());
            }
            Self::Counts(counts) => {
                start = begin(out, 9, 0);
                counts.put(out);
            }
        }
        end(out, start, place);
    }
}

impl LogState {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let counts = [self.live.len(), self.damages.len()];
        out.extend_from_slice(&self.fresh_epoch.0.to_le_bytes());
        for count in counts {
            out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        for id in &self.live {
            out.extend_from_slice(&id.to_le_bytes());
        }
        for damage in &self.damages {
            for number in [damage.segment, damage.from, damage.to] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    }

    pub(super) fn decode(bytes: &mut Bytes<'_>) -> Option<Self> {
        let fresh_epoch = Epoch(bytes.u32()?);
        let (live, damages) = (bytes.u32()?, bytes.u32()?);
        Some(Self {
            fresh_epoch,
            live: (0..live).map(|_| segment(bytes)).collect::<Option<_>>()?,
            damages: (0..damages)
                .map(|_| {
                    let (segment, from, to) = (segment(bytes)?, bytes.u64()?, bytes.u64()?);
                    Some(Damage { segment, from, to })
                })
                .collect::<Option<_>>()?,
        })
    }
}

/// The id of a segment; no journal comes to one that has none behind it.
fn segment(bytes: &mut Bytes<'_>) -> Option<u64> {
    bytes.u64().filter(|it| *it < NUMBER_MAX)
}

/// Where a buffer begins in which segment: what the checksums of its entries begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) nonce: u64,
    pub(super) at: u32,
}

impl Place {
    fn seed(self, start: usize) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used; a place is u32")]
        let mixed = (self.nonce ^ (self.nonce >> 32)) as u32 ^ self.at.wrapping_add(start as u32);
        mixed
    }
}

pub(super) fn begin(out: &mut Vec<u8>, kind: u8, flags: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, kind, flags]);
    start
}

pub(super) fn end(out: &mut [u8], start: usize, place: Place) {
    let Some((count, crc_and_rest)) =
        out.get_mut(start..).and_then(<[u8]>::split_first_chunk_mut::<4>)
    else {
        return;
    };
    let Some((crc, rest)) = crc_and_rest.split_first_chunk_mut::<4>() else { return };
    *count = u32::try_from(rest.len() + 8).unwrap_or(u32::MAX).to_le_bytes();
    let begun = crc32c::crc32c_append(place.seed(start), &*count);
    *crc = crc32c::crc32c_append(begun, rest).to_le_bytes();
}

/// How many bytes the entry says it has; `None` when that cannot be.
pub(super) fn bytes_of(start: &[u8]) -> Option<usize> {
    let count = Bytes(start).u32()? as usize;
    (ENTRY_HEAD_BYTES..=BODY_BYTES_MAX).contains(&count).then_some(count)
}

/// The entry at `at` in a buffer that begins at `place`, and where the next one begins. `None` when it is damaged.
pub(super) fn decode(buffer: &[u8], at: usize, place: Place) -> Option<(Entry<'_>, usize)> {
    let rest = buffer.get(at..)?;
    let count = bytes_of(rest)?;
    let entry = rest.get(..count)?;
    let begun = crc32c::crc32c_append(place.seed(at), entry.get(..4)?);
    let crc = crc32c::crc32c_append(begun, entry.get(8..)?);
    let mut bytes = Bytes(entry.get(4..)?);
    if bytes.u32()? != crc {
        return None;
    }
    Some((parse(&mut bytes)?, at + count))
}

fn parse<'a>(bytes: &mut Bytes<'a>) -> Option<Entry<'a>> {
    let (kind, flags) = (bytes.u8()?, bytes.u8()?);
    Some(match kind {
        1 => Entry::Message(parse_message(bytes, flags)?),
        2 => {
            let tenant = TenantId(bytes.u32()?);
            let state = state(bytes)?;
            Entry::Stand { tenant, name: bytes.text()?, state }
        }
        3 => Entry::Forget { tenant: TenantId(bytes.u32()?), name: bytes.text()? },
        4 => Entry::Log(LogState::decode(bytes)?),
        5 => Entry::Retire { segment: bytes.u64()? },
        6 => Entry::Seal,
        7 => Entry::Close,
        8 => Entry::Drop { tenant: TenantId(bytes.u32()?) },
        10 => {
            let sequence = bytes.u64().filter(|it| *it < NUMBER_MAX)?;
            Entry::Resume { sequence, chain: bytes.u32()?, cleaned: bytes.u64()? }
        }
        9 => Entry::Counts(CountsEntry::parse(bytes)?),
        _ => return None,
    })
}

/// Where a channel stands.
pub(super) fn state(bytes: &mut Bytes<'_>) -> Option<ChannelState> {
    let epoch = Epoch(bytes.u32()?);
    let position = Position { epoch, offset: offset(bytes)? };
    let first_retained = offset(bytes)?;
    Some(ChannelState { position, first_retained, last_at_ms: bytes.u64()? })
}

/// An offset that another one can follow.
pub(super) fn offset(bytes: &mut Bytes<'_>) -> Option<Offset> {
    bytes.u64().filter(|it| *it < NUMBER_MAX).map(Offset)
}

/// Writes where a channel stands.
pub(super) fn put_state(out: &mut Vec<u8>, state: &ChannelState) {
    out.extend_from_slice(&state.position.epoch.0.to_le_bytes());
    for number in [state.position.offset.0, state.first_retained.0, state.last_at_ms] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn parse_message<'a>(bytes: &mut Bytes<'a>, flags: u8) -> Option<Message<'a>> {
    let [event, sender, name] = [bytes.u16()?, bytes.u16()?, bytes.u16()?];
    let (tenant, epoch) = (TenantId(bytes.u32()?), Epoch(bytes.u32()?));
    let (offset, at_ms, id) = (offset(bytes)?, bytes.u64()?, MessageId(bytes.u128()?));
    let idempotency = if flags & WITH_IDEMPOTENCY == 0 { None } else { Some(bytes.u128()?) };
    let origin = if flags & WITH_ORIGIN == 0 { None } else { Some(bytes.u32()?) };
    let mut text = |count: u16| std::str::from_utf8(bytes.take(count.into())?).ok();
    let (name, sender, event) = (text(name)?, text(sender)?, text(event)?);
    let payload = bytes.0;
    let sender_kind = sender_kind(sender, flags);
    Some(Message {
        tenant,
        name,
        epoch,
        offset,
        at_ms,
        id,
        idempotency,
        origin,
        sender,
        sender_kind,
        event,
        payload,
    })
}

/// Every entry of a body, with its place in the buffer. `None` when one is damaged.
pub(super) fn all(body: &[u8], place: Place) -> Option<Vec<(Entry<'_>, usize)>> {
    let mut entries = Vec::new();
    let mut at = 0;
    while at < body.len() {
        if body.get(at..).is_some_and(|it| it.len() < PADDING_BYTES && it.iter().all(|it| *it == 0))
        {
            break;
        }
        let (entry, next) = decode(body, at, place)?;
        entries.push((entry, at));
        at = next;
    }
    Some(entries)
}
