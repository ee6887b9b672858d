//! Webhooks of the tenants whose seat is here. This shard has them set with each change of patterns, and the change is in force
//! here only once they are: so whoever changed a pattern is answered when its receivers get every message from then on.

use hashbrown::HashMap;

use super::Shard;
use crate::control::{RuleChange, Ruling, TenantRules, seat_of};
use crate::hasher::ShardHasher;
use crate::ids::TenantId;
use crate::side::webhook::{Hooked, HooksAsk};
use crate::tenants::Tenants;

/// How far the webhooks of each tenant are that has some, or had.
#[derive(Debug)]
pub(super) struct HookState {
    tenants: HashMap<TenantId, Setting, ShardHasher>,
    /// What to ask for after this input.
    asks: Vec<HooksAsk>,
}

/// Up to which change of the tenant's rules webhooks are wanted, and are set. One setting is under way at a time: what changes
/// meanwhile is in the next, all of it together.
#[derive(Clone, Copy, Debug, Default)]
struct Setting {
    wanted: u64,
    under_way: Option<u64>,
    set: u64,
}

impl HookState {
    pub(super) fn new(hasher: ShardHasher) -> Self {
        Self { tenants: HashMap::with_hasher(hasher), asks: Vec::new() }
    }

    /// Hands over what is asked for.
    pub(super) fn say(&mut self, to: &mut Vec<HooksAsk>) {
        to.append(&mut self.asks);
    }

    /// Whether the webhooks are as far as a change of rules, if it has to do with them.
    pub(super) fn are_set(&self, ruling: &Ruling) -> bool {
        let setting = self.tenants.get(&ruling.tenant).filter(|_| ruling.change.is_of_patterns());
        setting.is_none_or(|it| it.set >= ruling.number.min(it.wanted))
    }
}

impl Shard {
    fn is_seat_of(&self, tenant: TenantId) -> bool {
        seat_of(tenant, self.shard_count) == self.id
    }

    /// The catalog had webhooks of a tenant when the node started, which sets them itself.
    pub(super) fn restore_hooks(&mut self, tenant: TenantId, rule: &RuleChange) {
        let is_hooked = matches!(rule, RuleChange::Pattern(it) if it.has_webhooks());
        if is_hooked && self.is_seat_of(tenant) {
            self.hooks.tenants.entry(tenant).or_default();
        }
    }

    /// The rules of a tenant changed: so may have what its webhooks are for.
    pub(super) fn change_hooks(&mut self, ruling: &Ruling) {
        let Ruling { tenant, number, ref change } = *ruling;
        if !change.is_of_patterns() {
            return;
        }
        let Some(rules) = self.rules.of(tenant).filter(|_| self.is_seat_of(tenant)) else { return };
        if !self.hooks.tenants.contains_key(&tenant) && !rules.has_webhooks() {
            return;
        }
        self.hooks.tenants.entry(tenant).or_default().wanted = number;
        self.ask_hooks(tenant);
    }

    /// Has the webhooks of a tenant set as its rules are now, unless they are, or a setting is under way.
    fn ask_hooks(&mut self, tenant: TenantId) {
        let Some(setting) = self.hooks.tenants.get_mut(&tenant) else { return };
        if setting.under_way.is_some() || setting.set >= setting.wanted {
            return;
        }
        setting.under_way = Some(setting.wanted);
        let version = setting.wanted;
        let rules = self.rules.of(tenant).into_iter();
        let patterns = rules.flat_map(TenantRules::newest_first).cloned().collect();
        self.hooks.asks.push(HooksAsk { tenant, version, patterns });
    }

    /// The webhooks of a tenant are set, or could not be: then whoever waits for that change, or one before it, is told.
    pub(super) fn on_hooked(&mut self, hooked: Hooked) {
        let Hooked { tenant, version, result } = hooked;
        let Some(setting) = self.hooks.tenants.get_mut(&tenant) else { return };
        setting.set = setting.set.max(version);
        setting.under_way = setting.under_way.filter(|it| *it != version);
        if let Err(why) = result {
            self.orders.fail(tenant, version, &why);
        }
        self.ask_hooks(tenant);
        self.catch_up();
    }

    /// Takes the webhooks away of tenants that are gone.
    pub(super) fn forget_hooks(&mut self, tenants: &Tenants) {
        let gone = self.hooks.tenants.extract_if(|it, _| !tenants.contains(*it));
        let mut gone: Vec<_> = gone.map(|(tenant, _)| tenant).collect();
        gone.sort_unstable();
        let nothing = |tenant| HooksAsk { tenant, version: u64::MAX, patterns: Vec::new() };
        self.hooks.asks.extend(gone.into_iter().map(nothing));
    }
}
