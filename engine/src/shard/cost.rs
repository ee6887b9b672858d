//! What calls cost: their answers say it, and what was paid for what failed is given back.

use std::collections::VecDeque;

use super::Shard;
use super::effects::Effects;
use super::input::ReplyTo;
use super::steps::Calls;
use crate::control::{Priced, SeatOp};
use crate::ids::{CallId, TenantId};

/// Refunds that go out in one [`Input::Resume`](super::input::Input::Resume); the others follow in the next.
const REFUNDS_PER_RESUME: usize = 16;

/// What tenants are owed for frames that came to nothing, in millionths of a dollar. A frame's refusal is a delivery, so it may
/// not tell the seat itself (invariant 5). They are at most as many as frames that wait for their answers.
pub(super) type Owed = VecDeque<(TenantId, u32)>;

/// Of one call, in millionths of a dollar.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// If it succeeds.
    whole: u32,
    /// What of that is spent, also if it fails.
    spent: u32,
}

impl Calls {
    /// Says what a call costs if it succeeds.
    pub(super) fn price(&mut self, call: CallId, micro_usd: u32) {
        if let Some(cost) = self.cost(call) {
            cost.whole = micro_usd;
        }
    }

    /// Says what of its cost is spent, whatever becomes of the rest.
    pub(super) fn spend(&mut self, call: CallId, micro_usd: u32) {
        if let Some(cost) = self.cost(call) {
            cost.spent = micro_usd.min(cost.whole);
        }
    }
}

impl Shard {
    /// Has the answer of a call say what it costs, and its seat take back what was paid for nothing.
    pub(super) fn settle_cost(&mut self, call: CallId, succeeded: bool, effects: &mut Effects) {
        let Some(tenant) = self.tenant_of(call) else { return };
        let Some(Cost { whole, spent }) = self.calls.cost(call).copied() else { return };
        let cost = if succeeded { whole } else { spent };
        if whole > cost && self.tenants.plan(tenant).has_credit() {
            self.tell_seat(call, tenant, SeatOp::Refund(whole - cost), effects);
        }
        if let Some(ReplyTo { conn, ticket }) = self.reply_of(call)
            && let Some(http) = self.http(conn)
            && cost > 0
        {
            http.tickets.charge(ticket, cost);
        }
    }

    /// A message that a frame of a tenant paid for is not published: its credit comes back with the next
    /// [`Input::Resume`](super::input::Input::Resume).
    pub(super) fn owe_publish(&mut self, tenant: TenantId) {
        let plan = self.tenants.plan(tenant);
        let cost = plan.costs.of(Priced::Publish);
        if cost == 0 || !plan.has_credit() {
            return;
        }
        match self.owed.back_mut() {
            Some((it, owed)) if *it == tenant => *owed = owed.saturating_add(cost),
            Some(_) | None => self.owed.push_back((tenant, cost)),
        }
    }

    /// Gives back what is owed.
    pub(super) fn pay_back(&mut self, effects: &mut Effects) {
        for _ in 0..REFUNDS_PER_RESUME {
            let Some((tenant, micro_usd)) = self.owed.pop_front() else { return };
            self.tell_seat(CallId::NOBODY, tenant, SeatOp::Refund(micro_usd), effects);
        }
    }
}
