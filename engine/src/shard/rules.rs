//! The rules of tenants on this shard. The seat spreads what it decided down its own lanes, so every shard makes the changes in
//! one order; the call that asked then has every shard say that it has got so far.

use std::sync::Arc;

use super::Shard;
use super::effects::Effects;
use super::input::Delivery;
use crate::control::{RuleChange, Rules, Ruling};
use crate::ids::{ShardId, TenantId};
use crate::planted::{self, Fault};

impl Shard {
    /// Says what the catalog has of a tenant's rules. Every shard is told.
    pub fn restore_rule(&mut self, tenant: TenantId, rule: &RuleChange) {
        self.rules.restore(tenant, rule);
        if let Some(seat) = self.seat(tenant) {
            seat.restore_rule(rule);
        }
        self.restore_hooks(tenant, rule);
    }

    /// The rules that are in force here.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether a change is in force here. Of a tenant that is gone nothing is left that it could be for.
    pub(super) fn is_in_force(&self, ruling: &Ruling) -> bool {
        let is_hasty = planted::is(Fault::RuleUnseen);
        let is_so = self.rules.has(ruling) && self.hooks.are_set(ruling);
        is_hasty || is_so || !self.tenants.contains(ruling.tenant)
    }

    /// This shard is the seat, and the catalog has the change.
    pub(super) fn spread(&mut self, ruling: &Arc<Ruling>, effects: &mut Effects) {
        for shard in 0..self.shard_count {
            self.deliver(ShardId(shard), Delivery::Ruling(Arc::clone(ruling)), effects);
        }
    }

    /// A seat changed the rules of its tenant.
    pub(super) fn on_ruling(&mut self, ruling: &Ruling) {
        self.rules.obey(ruling);
        self.change_hooks(ruling);
        self.catch_up();
    }

    /// Orders go on whose change of rules is in force.
    pub(super) fn catch_up(&mut self) {
        let (rules, hooks) = (&self.rules, &self.hooks);
        self.orders.catch_up(|it| rules.has(it) && hooks.are_set(it));
    }
}
