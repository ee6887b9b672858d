//! What the catalog and the journals say of the control plane when a node starts, and how each shard is told its part.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::Window;
use storage::{Catalog, JournalError, KeyedRecord};

use super::catalog::tenant_of;
use super::channels::{CHANNELS, Registered, read_channel};
use super::claims::{CLAIMS, ClaimKey, KeptClaim, Placed, RequestHash, Settled, read_claim};
use super::provisioning::PROVISIONING;
use super::quota::{QUOTA, read_usage};
use super::revocations::{REVOKED, TokenId, read_revocation};
use super::rules::{PATTERNS, POLICIES, RETENTION, RegisteredPattern, RuleChange, read_rule};
use super::tier::Metered;
use crate::ids::{Now, TenantId};
use crate::shard::Shard;

/// The tables of the control plane. Each key in them begins with its tenant's number.
pub const TABLES: [&str; 8] =
    [PROVISIONING, REVOKED, CHANNELS, CLAIMS, QUOTA, PATTERNS, RETENTION, POLICIES];

/// See the module.
#[derive(Debug, Default)]
pub struct Kept {
    revoked: Vec<(TenantId, TokenId, u64)>,
    channels: Vec<(TenantId, Box<str>, Registered)>,
    claims: Vec<(TenantId, KeptClaim)>,
    usage: Vec<(TenantId, (Metered, Window, u64, u64))>,
    rules: Vec<(TenantId, RuleChange)>,
    /// Messages that came with an idempotency key, a shard's after the other's.
    pub keyed: Vec<KeyedRecord>,
}

impl Kept {
    /// Reads everything that a catalog has. What cannot be read is left out and logged.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn read(catalog: &Catalog) -> Result<Self, JournalError> {
        let mut kept = Self::default();
        for table in TABLES {
            let entries = catalog.entries(table)?;
            let unknown =
                entries.iter().filter(|(key, value)| kept.note(table, key, value).is_none());
            let unknown = unknown.count();
            if unknown > 0 {
                tracing::warn!(table, unknown, "entries of the catalog are not understood");
            }
        }
        Ok(kept)
    }

    /// Takes one entry. `None`: it is none of ours.
    pub fn note(&mut self, table: &str, key: &[u8], value: &[u8]) -> Option<()> {
        let (tenant, rest) = tenant_of(key)?;
        match table {
            REVOKED => {
                let (token, until_s) = read_revocation(rest, value)?;
                self.revoked.push((tenant, token, until_s));
            }
            CHANNELS => {
                let (name, channel) = read_channel(rest, value)?;
                self.channels.push((tenant, name.into(), channel));
            }
            CLAIMS => self.claims.push((tenant, read_claim(rest, value)?)),
            QUOTA => self.usage.push((tenant, read_usage(rest, value)?)),
            PATTERNS | RETENTION | POLICIES | PROVISIONING => {
                self.rules.push((tenant, read_rule(table, rest, value)?));
            }
            _ => return None,
        }
        Some(())
    }

    /// The patterns of tenants of which one has receivers.
    pub fn hooked(&self) -> impl Iterator<Item = (TenantId, Vec<Arc<RegisteredPattern>>)> {
        let mut patterns: BTreeMap<TenantId, Vec<_>> = BTreeMap::new();
        for (tenant, rule) in &self.rules {
            if let RuleChange::Pattern(it) = rule {
                patterns.entry(*tenant).or_default().push(Arc::clone(it));
            }
        }
        patterns.into_iter().filter(|it| it.1.iter().any(|it| it.has_webhooks()))
    }

    /// Tells a shard what it has to know.
    pub fn restore(self: &Arc<Self>, shard: &mut Shard, now: Now) {
        for (tenant, token, until_s) in &self.revoked {
            shard.restore_revocation(*tenant, *token, *until_s);
        }
        for (tenant, rule) in &self.rules {
            shard.restore_rule(*tenant, rule);
        }
        for (tenant, name, channel) in &self.channels {
            if let Some(seat) = shard.seat(*tenant) {
                seat.restore_channel(name, *channel);
            }
        }
        for (tenant, (key, request, at_ms, answer)) in &self.claims {
            if let Some(seat) = shard.seat(*tenant) {
                let settled = (*at_ms, Settled::Answer(answer.clone()));
                seat.restore_claim(*key, *request, settled, now);
            }
        }
        for (tenant, row) in &self.usage {
            if let Some(seat) = shard.seat(*tenant) {
                seat.restore_usage(*row);
            }
        }
        for record in &self.keyed {
            if let Some(seat) = shard.seat(record.channel.tenant()) {
                let (key, request) = halves(record.idempotency);
                let offset = Some(record.offset);
                let placed = Placed { id: record.id, offset, at_ms: record.at_ms };
                let settled = (record.at_ms, Settled::Message(placed));
                seat.restore_claim(key, request, settled, now);
            }
        }
    }
}

/// The key of a message and the request that it came with, as its record has them.
#[expect(clippy::cast_possible_truncation, reason = "each half is 64 bits")]
fn halves(idempotency: u128) -> (ClaimKey, RequestHash) {
    (ClaimKey((idempotency >> 64) as u64), RequestHash(idempotency as u64))
}
