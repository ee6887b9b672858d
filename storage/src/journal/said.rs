//! What the log says later about messages that are in it.

use super::{
    bytes::{Bytes, put_text},
    lists::{CountRow, Numbers, key_hash},
};
use crate::ids::{ChannelKey, Epoch, TenantId};

/// What is said about messages of one channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct CountsEntry<'a> {
    pub(super) tenant: TenantId,
    pub(super) name: &'a str,
    pub(super) epoch: Epoch,
    /// Segment and offset of each, what is known of it now, and what was before.
    pub(super) messages: Vec<(u64, u64, Numbers, Numbers)>,
}

impl<'a> CountsEntry<'a> {
    pub(super) fn rows(&self) -> impl Iterator<Item = CountRow> {
        let hash = key_hash(&ChannelKey::new(self.tenant, self.name), self.epoch);
        let row = move |(segment, offset, now, before): &(u64, u64, Numbers, Numbers)| CountRow {
            tenant: self.tenant,
            key: (hash, *segment, *offset),
            now: *now,
            before: *before,
        };
        self.messages.iter().map(row)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.tenant.0.to_le_bytes());
        out.extend_from_slice(&self.epoch.0.to_le_bytes());
        let count = u32::try_from(self.messages.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        for (segment, offset, now, before) in &self.messages {
            out.extend_from_slice(&segment.to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
            now.iter().chain(before).for_each(|it| out.extend_from_slice(&it.to_le_bytes()));
        }
        put_text(out, self.name);
    }

    pub(super) fn parse(bytes: &mut Bytes<'a>) -> Option<Self> {
        let (tenant, epoch) = (TenantId(bytes.u32()?), Epoch(bytes.u32()?));
        let mut messages = Vec::new();
        for _ in 0..bytes.u32()? {
            let (segment, offset) = (bytes.u64()?, bytes.u64()?);
            let now = [bytes.u32()?, bytes.u32()?, bytes.u32()?];
            messages.push((segment, offset, now, [bytes.u32()?, bytes.u32()?, bytes.u32()?]));
        }
        Some(Self { tenant, name: bytes.text()?, epoch, messages })
    }
}
