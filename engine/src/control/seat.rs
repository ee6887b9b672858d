//! One tenant's control state. Operations change it at once and say what has to be durable before anyone may hear of it; what
//! they changed can be taken back until then.

use protocol::{ChannelType, Rejection};

use super::ask::{SeatAnswer, SeatOp, Spend};
use super::channels::{self, Channels, Registered};
use super::claims::{self, ClaimKey, Claims, Placed, RequestHash, Settled};
use super::plan::{Buckets, Pace, Paced, Plan, Whose};
use super::provisioning::Provisioning;
use super::quota::Usage;
use super::revocations::{self, Revocations, TokenId};
use super::round::{Asker, Context, Done, Undo};
use super::rules::SeatRules;
use super::tier::Metered;
use crate::hasher::ShardHasher;
use crate::ids::{MessageId, TenantId};
use crate::planted::{self, Fault};

/// Expired entries that one operation forgets.
const SWEPT_PER_OP: usize = 8;

/// See the module.
#[derive(Debug)]
pub struct Seat {
    pub(super) tenant: TenantId,
    pub(super) channels: Channels,
    pub(super) claims: Claims,
    pub(super) revoked: Revocations,
    pub(super) usage: Usage,
    pub(super) rules: SeatRules,
    buckets: Buckets,
    sockets: u32,
}

type Answer = Result<SeatAnswer, Rejection>;

impl Seat {
    /// A tenant of which nothing is known yet.
    #[must_use]
    pub fn new(tenant: TenantId, hasher: &ShardHasher) -> Self {
        Self {
            tenant,
            channels: Channels::default(),
            claims: Claims::new(hasher.clone()),
            revoked: Revocations::new(hasher.clone()),
            usage: Usage::default(),
            rules: SeatRules::new(hasher.clone()),
            buckets: Buckets::default(),
            sockets: 0,
        }
    }

    /// Does one thing. `None`: the asker hears later.
    pub(super) fn perform(
        &mut self,
        context: &Context<'_>,
        asker: Asker,
        op: SeatOp,
        done: &mut Done,
    ) -> Option<Answer> {
        let answer = match op {
            SeatOp::Provision(region) => Ok(self.provision(Provisioning::Active(region), done)),
            SeatOp::Unprovision => Ok(self.provision(Provisioning::Deleted, done)),
            SeatOp::CreateChannel { name, kind, id } => {
                self.create_channel(context, &name, (kind, id), done)
            }
            SeatOp::FindChannel(name) => {
                let found = self.channels.find(&name).map(SeatAnswer::Channel);
                found.ok_or(Rejection::ChannelNotFound)
            }
            SeatOp::ListChannels { after, limit } => {
                Ok(SeatAnswer::Channels(self.channels.page(after.as_deref(), limit)))
            }
            SeatOp::DeleteChannel(name) => Ok(self.delete_channel(&name, done)),
            SeatOp::Revoke { token, until_s } => self.revoke(context, token, until_s, done),
            SeatOp::Claim { key, request, items, entry } => {
                if let Err(why) = self.spend(context, &entry, done) {
                    return Some(Err(why));
                }
                return self.claim(context, asker, (key, request, &items), done);
            }
            SeatOp::Settle { key, request, answer } => {
                Ok(self.settle(context, (key, request), &answer, done))
            }
            SeatOp::SettleMessages { key, request, items } => {
                Ok(self.settle_messages(key, request, &items, done))
            }
            SeatOp::Abandon(key) => {
                self.abandon(key, &[], done);
                Ok(SeatAnswer::Settled)
            }
            SeatOp::Spend(spend) => self.spend(context, &spend, done),
            SeatOp::Refund(micro_usd) => {
                Self::note_usage(&self.usage, done);
                self.usage.give_back(Metered::Credit, micro_usd.into());
                Ok(SeatAnswer::Granted)
            }
            SeatOp::Rules(op) => self.rule(op, context, done),
            SeatOp::Forget { rows_max } => Ok(self.forget(rows_max, done)),
        };
        Some(answer)
    }

    /// Ends a round: says what its counters have to keep.
    pub(super) fn count_up(&self, done: &mut Done) {
        let before = done.undo.iter().find_map(|it| match it {
            Undo::Usage(before) => Some(before),
            Undo::Channel(..)
            | Undo::Claimed(_)
            | Undo::Settled(..)
            | Undo::Revoked(..)
            | Undo::Sockets(_)
            | Undo::Rule(_) => None,
        });
        if let Some(before) = before {
            let changes = self.usage.changes(self.tenant, before);
            done.changes.extend(changes);
        }
    }

    /// Takes back what a round did that cannot be made durable. Returns who waited for it.
    pub(super) fn take_back(&mut self, undo: Vec<Undo>) -> Vec<Asker> {
        let mut waited = Vec::new();
        for it in undo.into_iter().rev() {
            match it {
                Undo::Channel(name, before) => _ = self.channels.set(&name, before),
                Undo::Claimed(key) => waited.extend(self.claims.take_back(key).waiters),
                Undo::Settled(key, request) => {
                    waited.extend(self.claims.take_back(key).waiters);
                    let nobody = Asker::NOBODY;
                    self.claims.claim(key, request, nobody, 0);
                }
                Undo::Revoked(token, before) => {
                    self.revoked.take_back(self.tenant, token, before);
                }
                Undo::Usage(before) => self.usage = *before,
                Undo::Sockets(count) => self.release(count),
                Undo::Rule(before) => self.rules.take_back(&before),
            }
        }
        waited
    }

    /// Sockets that were granted are closed.
    pub fn release(&mut self, count: u32) {
        self.sockets = self.sockets.saturating_sub(count);
    }

    fn create_channel(
        &mut self,
        context: &Context<'_>,
        name: &str,
        (kind, id): (Option<ChannelType>, MessageId),
        done: &mut Done,
    ) -> Answer {
        if let Some(known) = self.channels.admit(name, kind, context.limits.channels_max)? {
            return Ok(SeatAnswer::Channel(known));
        }
        let pace = Pace::of(Paced::Channels, 1);
        let taken = self.buckets.take(&context.plan.rates, &pace, context.now.monotonic_ms);
        taken.map_err(|it| Whose::Tenant.refusal(it))?;
        let created_at_ms = context.now.wall_ms;
        let channel = Registered { id, kind: kind.unwrap_or_default(), created_at_ms };
        self.channels.set(name, Some(channel));
        done.undo.push(Undo::Channel(name.into(), None));
        done.changes.push(channels::change(self.tenant, name, Some(channel)));
        Ok(SeatAnswer::Channel(channel))
    }

    fn delete_channel(&mut self, name: &str, done: &mut Done) -> SeatAnswer {
        let before = self.channels.set(name, None);
        if before.is_some() {
            done.undo.push(Undo::Channel(name.into(), before));
            done.changes.push(channels::change(self.tenant, name, None));
        }
        SeatAnswer::Deleted(before)
    }

    fn revoke(
        &mut self,
        context: &Context<'_>,
        token: TokenId,
        until_s: u64,
        done: &mut Done,
    ) -> Answer {
        let now_s = context.now.wall_ms / 1000;
        for (tenant, gone) in self.revoked.sweep(now_s, SWEPT_PER_OP) {
            done.changes.push(revocations::forgotten(tenant, gone));
        }
        if self.revoked.len() >= context.limits.revoked_max {
            return Err(Rejection::Overloaded { limit: "revoked_tokens_max" });
        }
        let before = self.revoked.insert(self.tenant, token, until_s);
        if before.is_none_or(|it| it < until_s) {
            done.undo.push(Undo::Revoked(token, before));
            done.changes.push(revocations::kept(self.tenant, token, until_s));
        }
        Ok(SeatAnswer::Revoked)
    }

    fn claim(
        &mut self,
        context: &Context<'_>,
        asker: Asker,
        (key, request, items): (ClaimKey, RequestHash, &[ClaimKey]),
        done: &mut Done,
    ) -> Option<Answer> {
        let now_ms = context.now.wall_ms;
        for gone in self.claims.sweep(now_ms, SWEPT_PER_OP) {
            done.changes.push(claims::forgotten(self.tenant, gone));
        }
        if items.iter().any(|it| self.claims.conflicts(*it, request)) {
            return Some(Err(Rejection::IdempotencyConflict));
        }
        let known = self.known(items, request);
        let all: Option<Box<[Placed]>> = known.iter().copied().collect();
        if let Some(all) = all.filter(|it| !it.is_empty()) {
            return Some(Ok(SeatAnswer::Published(all)));
        }
        let is_full = self.claims.len() + items.len() >= context.limits.claims_max;
        if is_full && !self.claims.has(key) {
            return Some(Err(claims::full(self.claims.room_in_s(now_ms))));
        }
        match self.claims.claim(key, request, asker, context.limits.claim_waiters_max) {
            claims::Standing::Fresh => {
                done.undo.push(Undo::Claimed(key));
                Some(Ok(SeatAnswer::Fresh(known)))
            }
            claims::Standing::Done(Settled::Answer(answer)) => {
                Some(Ok(SeatAnswer::Answered(answer)))
            }
            claims::Standing::Conflict | claims::Standing::Done(Settled::Message(_)) => {
                Some(Err(Rejection::IdempotencyConflict))
            }
            claims::Standing::Crowded => {
                Some(Err(Rejection::Overloaded { limit: "claim_waiters_max" }))
            }
            claims::Standing::Waits => None,
        }
    }

    /// Which of a request's messages are there.
    fn known(&self, items: &[ClaimKey], request: RequestHash) -> Box<[Option<Placed>]> {
        let placed = |it: &ClaimKey| match self.claims.known(*it, request) {
            Some(Settled::Message(placed)) => Some(*placed),
            Some(Settled::Answer(_)) | None => None,
        };
        items.iter().map(placed).collect()
    }

    fn settle(
        &mut self,
        context: &Context<'_>,
        (key, request): (ClaimKey, RequestHash),
        answer: &[u8],
        done: &mut Done,
    ) -> SeatAnswer {
        if planted::is(Fault::ClaimForgotten) {
            self.abandon(key, &[], done);
            return SeatAnswer::Settled;
        }
        let at_ms = context.now.wall_ms;
        let released = self.claims.settle(key, request, Settled::Answer(answer.into()), at_ms);
        done.undo.push(Undo::Settled(key, request));
        done.changes.push(claims::kept(self.tenant, key, request, (at_ms, answer)));
        for waiter in released.waiters {
            done.said.push((waiter, Ok(SeatAnswer::Answered(answer.into()))));
        }
        SeatAnswer::Settled
    }

    /// The journal has them: there is nothing to commit, and nothing to take back.
    fn settle_messages(
        &mut self,
        key: ClaimKey,
        request: RequestHash,
        items: &[(ClaimKey, Option<Placed>)],
        done: &mut Done,
    ) -> SeatAnswer {
        if planted::is(Fault::ClaimForgotten) {
            self.abandon(key, &[], done);
            return SeatAnswer::Settled;
        }
        for (item, placed) in items {
            if let Some(placed) = placed
                && self.claims.known(*item, request).is_none()
            {
                self.claims.settle(*item, request, Settled::Message(*placed), placed.at_ms);
            }
        }
        let all: Option<Box<[Placed]>> = items.iter().map(|(_, placed)| *placed).collect();
        match all {
            Some(all) => {
                for waiter in self.claims.take_back(key).waiters {
                    done.said.push((waiter, Ok(SeatAnswer::Published(all.clone()))));
                }
            }
            None => self.abandon(key, items, done),
        }
        SeatAnswer::Settled
    }

    fn abandon(&mut self, key: ClaimKey, items: &[(ClaimKey, Option<Placed>)], done: &mut Done) {
        if let Some(heir) = self.claims.abandon(key) {
            done.undo.push(Undo::Claimed(key));
            let known = items.iter().map(|(_, placed)| *placed).collect();
            done.said.push((heir, Ok(SeatAnswer::Fresh(known))));
        }
    }

    /// What was used before this round, once in a round.
    fn note_usage(before: &Usage, done: &mut Done) {
        let is_noted = done.undo.iter().any(|it| matches!(it, Undo::Usage(_)));
        if !is_noted && !planted::is(Fault::QuotaForgotten) {
            done.undo.push(Undo::Usage(Box::new(*before)));
        }
    }

    fn spend(&mut self, context: &Context<'_>, spend: &Spend, done: &mut Done) -> Answer {
        let Plan { tier, rates, .. } = context.plan;
        let now = context.now;
        let sockets_max = tier.as_ref().and_then(|it| it.sockets_max);
        if let Some(max) = sockets_max
            && self.sockets + spend.sockets > max
        {
            return Err(Rejection::TooManyConnections { max });
        }
        let buckets = self.buckets;
        let taken = self.buckets.take(rates, &spend.pace, now.monotonic_ms);
        taken.map_err(|it| Whose::Tenant.refusal(it))?;
        if let Some(tier) = tier {
            let before = self.usage;
            if let Err(why) = self.usage.take(tier, &spend.bill, now.wall_ms) {
                self.buckets = buckets;
                return Err(why);
            }
            Self::note_usage(&before, done);
        }
        if spend.sockets > 0 {
            self.sockets += spend.sockets;
            done.undo.push(Undo::Sockets(spend.sockets));
        }
        Ok(SeatAnswer::Granted)
    }
}
