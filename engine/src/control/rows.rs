//! What a seat has in the catalog: how it is told of it when the node starts, and how it takes it away once its tenant is gone.

use protocol::Rejection;

use super::ask::SeatAnswer;
use super::catalog::ROUND_BYTES_MAX;
use super::channels::{self, Registered};
use super::claims::{self, ClaimKey, RequestHash, Settled};
use super::provisioning::Provisioning;
use super::quota::Usage;
use super::revocations::{self, TokenId};
use super::round::Done;
use super::rules::{self, RuleChange};
use super::seat::Seat;
use crate::ids::Now;

impl Seat {
    /// Takes away what the catalog has of the tenant, so many rows at a time. What is under way for it was refused before; should
    /// the commit fail, the next start takes away what is left.
    pub(super) fn forget(&mut self, rows_max: usize, done: &mut Done) -> SeatAnswer {
        let tenant = self.tenant;
        let channels = self.channels.forget(rows_max, ROUND_BYTES_MAX);
        done.changes.extend(channels.iter().map(|it| channels::change(tenant, it, None)));
        // The keys of all other rows are short.
        if self.channels.len() > 0 {
            return SeatAnswer::Forgetting;
        }
        let room = rows_max.saturating_sub(done.changes.len());
        let (claims, waiters) = self.claims.forget(room);
        done.said.extend(waiters.into_iter().map(|it| (it, Err(Rejection::CredentialInvalid))));
        done.changes.extend(claims.into_iter().map(|it| claims::forgotten(tenant, it)));
        let room = rows_max.saturating_sub(done.changes.len());
        let revoked = self.revoked.sweep(u64::MAX, room);
        done.changes.extend(revoked.into_iter().map(|(_, it)| revocations::forgotten(tenant, it)));
        let room = rows_max.saturating_sub(done.changes.len());
        let gone = self.rules.forget(room);
        done.changes.extend(gone.iter().map(|it| rules::kept(tenant, it)));
        let is_ruled = !self.rules.is_empty();
        if is_ruled || self.claims.len() > 0 || !self.revoked.is_empty() {
            return SeatAnswer::Forgetting;
        }
        done.changes.extend(self.usage.forgotten(tenant));
        let implied = RuleChange::Provisioning(Provisioning::Implied);
        done.changes.push(rules::kept(tenant, &implied));
        self.rules.restore(&implied);
        self.usage = Usage::default();
        SeatAnswer::Forgotten
    }
}

/// What the catalog and the journal say when the node starts.
impl Seat {
    /// A registered channel.
    pub fn restore_channel(&mut self, name: &str, channel: Registered) {
        self.channels.restore(name, channel);
    }

    /// What came of a key, and when.
    pub fn restore_claim(
        &mut self,
        key: ClaimKey,
        request: RequestHash,
        settled: (u64, Settled),
        now: Now,
    ) {
        self.claims.restore(key, request, settled, now.wall_ms);
    }

    /// A revoked token.
    pub fn restore_revocation(&mut self, token: TokenId, until_s: u64) {
        self.revoked.insert(self.tenant, token, until_s);
    }

    /// A rule, as [`read_rule`](super::read_rule) has it.
    pub fn restore_rule(&mut self, rule: &RuleChange) {
        self.rules.restore(rule);
    }

    /// A counter, as [`read_usage`](super::read_usage) has it.
    pub fn restore_usage(&mut self, row: (super::Metered, protocol::Window, u64, u64)) {
        self.usage.restore(row);
    }
}
