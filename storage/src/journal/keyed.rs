//! Idempotency keys and the publications they were given to, as they are found again when a journal is opened.

use std::sync::Arc;

use hashbrown::HashSet;

use super::{bytes::Bytes, entry::Message};
use crate::{
    ids::{ChannelKey, Epoch, MessageId, Offset, TenantId},
    journal::bytes::put_text,
    publication::Publication,
};

/// A publication that came with an idempotency key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyedRecord {
    /// Where it was published.
    pub channel: Arc<ChannelKey>,
    /// What it was published with.
    pub idempotency: u128,
    /// The run of its offset.
    pub epoch: Epoch,
    /// Its place. The message itself may have been let go since.
    pub offset: Offset,
    /// Its id.
    pub id: MessageId,
    /// When its home took it, in milliseconds since 1970.
    pub at_ms: u64,
}

impl KeyedRecord {
    /// That of a publication, if it has a key and a place.
    pub(super) fn of(publication: &Publication) -> Option<Self> {
        Some(Self {
            channel: Arc::clone(publication.channel()),
            idempotency: publication.idempotency()?,
            epoch: publication.epoch(),
            offset: publication.offset()?,
            id: publication.id(),
            at_ms: publication.at_ms(),
        })
    }

    /// That of a stored message, if it has a key.
    pub(super) fn of_message(message: &Message<'_>) -> Option<Self> {
        Some(Self {
            channel: Arc::new(ChannelKey::new(message.tenant, message.name)),
            idempotency: message.idempotency?,
            epoch: message.epoch,
            offset: message.offset,
            id: message.id,
            at_ms: message.at_ms,
        })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.channel.tenant().0.to_le_bytes());
        put_text(out, self.channel.name());
        out.extend_from_slice(&self.epoch.0.to_le_bytes());
        out.extend_from_slice(&self.offset.0.to_le_bytes());
        out.extend_from_slice(&self.at_ms.to_le_bytes());
        out.extend_from_slice(&self.id.0.to_le_bytes());
        out.extend_from_slice(&self.idempotency.to_le_bytes());
    }

    pub(super) fn decode(bytes: &mut Bytes<'_>) -> Option<Self> {
        let tenant = TenantId(bytes.u32()?);
        let channel = Arc::new(ChannelKey::new(tenant, bytes.text()?));
        let (epoch, offset) = (Epoch(bytes.u32()?), Offset(bytes.u64()?));
        let (at_ms, id) = (bytes.u64()?, MessageId(bytes.u128()?));
        Some(Self { channel, idempotency: bytes.u128()?, epoch, offset, id, at_ms })
    }
}

/// The newest records from a time on, as they are come by from the oldest to the newest.
pub(super) struct Newest {
    since_ms: u64,
    max: usize,
    found: Vec<KeyedRecord>,
    /// One key for all records of a channel.
    channels: HashSet<Arc<ChannelKey>>,
}

impl Newest {
    pub(super) fn new(since_ms: u64, max: usize) -> Self {
        Self { since_ms, max, found: Vec::new(), channels: HashSet::new() }
    }

    /// What was taken before this is of no interest.
    pub(super) fn since_ms(&self) -> u64 {
        self.since_ms
    }

    pub(super) fn take(&mut self, mut record: KeyedRecord) {
        if record.at_ms < self.since_ms || self.max == 0 {
            return;
        }
        if self.found.len() >= self.max.saturating_mul(2) {
            self.shorten();
        }
        record.channel = Arc::clone(self.channels.get_or_insert_with(&record.channel, Arc::clone));
        self.found.push(record);
    }

    /// A tenant was dropped at this point.
    pub(super) fn forget(&mut self, tenant: TenantId) {
        self.found.retain(|it| it.channel.tenant() != tenant);
    }

    fn shorten(&mut self) {
        let excess = self.found.len().saturating_sub(self.max);
        self.found.drain(..excess);
    }

    pub(super) fn finish(mut self) -> Vec<KeyedRecord> {
        self.shorten();
        self.found
    }
}
