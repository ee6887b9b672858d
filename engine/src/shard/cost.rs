//! What calls cost: their answers say it, and what was paid for what failed is given back.

use super::Shard;
use super::effects::Effects;
use super::input::ReplyTo;
use super::steps::Calls;
use crate::control::SeatOp;
use crate::ids::CallId;

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
}
