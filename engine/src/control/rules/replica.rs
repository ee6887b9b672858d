//! The rules as every shard has them, so that nobody has to ask.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;
use protocol::policy::Policies;

use super::super::patterns::{Patterns, Registration};
use super::super::provisioning::Provisioning;
use super::change::{PatternAge, RegisteredPattern, RuleChange, Ruling};
use crate::hasher::ShardHasher;
use crate::ids::{MessageId, TenantId};

/// The rules of all tenants.
#[derive(Debug)]
pub struct Rules {
    tenants: HashMap<TenantId, TenantRules, ShardHasher>,
    /// Days that messages are kept for, of tenants that say so. Whoever has a copy sees no later change.
    retention_days: Arc<HashMap<TenantId, u32, ShardHasher>>,
    open: Arc<Policies>,
    /// The patterns of those who never had any.
    unregistered: Arc<Patterns>,
    hasher: ShardHasher,
}

/// The rules of a tenant.
pub struct TenantRules {
    /// The last change.
    number: u64,
    by_id: HashMap<MessageId, Arc<RegisteredPattern>, ShardHasher>,
    /// By the time of their registration.
    by_age: BTreeSet<PatternAge>,
    /// Those that are enabled. Whoever has a copy sees no later change.
    enabled: Arc<Patterns>,
    retention_days: Option<u32>,
    policies: Arc<Policies>,
    provisioning: Provisioning,
}

impl fmt::Debug for TenantRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, by_id, retention_days, policies, provisioning, .. } = self;
        let mut out = f.debug_struct("TenantRules");
        out.field("number", number).field("patterns", &by_id.len());
        out.field("retention_days", retention_days).field("policies", policies);
        out.field("provisioning", provisioning).finish()
    }
}

impl Rules {
    /// None.
    #[must_use]
    pub fn new(hasher: ShardHasher) -> Self {
        Self {
            tenants: HashMap::with_hasher(hasher.clone()),
            retention_days: Arc::new(HashMap::with_hasher(hasher.clone())),
            open: Arc::new(Policies::default()),
            unregistered: Arc::new(Patterns::new(hasher.clone())),
            hasher,
        }
    }

    /// The rules of a tenant; `None`: it never had any.
    #[must_use]
    pub fn of(&self, tenant: TenantId) -> Option<&TenantRules> {
        self.tenants.get(&tenant)
    }

    /// The enabled patterns of a tenant as they are now, for whoever looks at them elsewhere.
    #[must_use]
    pub fn enabled(&self, tenant: TenantId) -> &Arc<Patterns> {
        self.of(tenant).map_or(&self.unregistered, |it| &it.enabled)
    }

    /// The policies of a tenant; one that never had any has those that let everyone in.
    #[must_use]
    pub fn policies(&self, tenant: TenantId) -> &Policies {
        self.of(tenant).map_or(&self.open, TenantRules::policies)
    }

    /// Policies that let everyone in.
    #[must_use]
    pub fn open(&self) -> &Policies {
        &self.open
    }

    /// Whether a tenant has its Cohesivity resource.
    #[must_use]
    pub fn is_provisioned(&self, tenant: TenantId) -> bool {
        self.of(tenant).is_none_or(|it| it.provisioning.is_active())
    }

    /// Days that messages are kept for, of tenants that say so.
    #[must_use]
    pub fn retention_days(&self) -> &Arc<HashMap<TenantId, u32, ShardHasher>> {
        &self.retention_days
    }

    /// Whether a ruling is in force here.
    #[must_use]
    pub fn has(&self, ruling: &Ruling) -> bool {
        self.of(ruling.tenant).is_some_and(|it| it.number >= ruling.number)
    }

    /// Makes a change that a seat decided. They come in its order.
    pub fn obey(&mut self, ruling: &Ruling) {
        self.set(ruling.tenant, &ruling.change).number = ruling.number;
    }

    /// Says what the catalog has.
    pub fn restore(&mut self, tenant: TenantId, rule: &RuleChange) {
        self.set(tenant, rule);
    }

    /// Forgets tenants that are gone.
    pub fn forget_tenants(&mut self, is_there: impl Fn(TenantId) -> bool) {
        self.tenants.retain(|it, _| is_there(*it));
        if self.retention_days.keys().any(|it| !is_there(*it)) {
            Arc::make_mut(&mut self.retention_days).retain(|it, _| is_there(*it));
        }
    }

    fn set(&mut self, tenant: TenantId, change: &RuleChange) -> &mut TenantRules {
        if let RuleChange::Retention(days) = change {
            let all = Arc::make_mut(&mut self.retention_days);
            match days {
                Some(days) => all.insert(tenant, *days),
                None => all.remove(&tenant),
            };
        }
        let (open, hasher) = (&self.open, &self.hasher);
        let rules = self.tenants.entry(tenant);
        let rules = rules.or_insert_with(|| TenantRules::new(Arc::clone(open), hasher));
        match change {
            RuleChange::Pattern(pattern) => rules.put(pattern),
            RuleChange::Deleted(id) => rules.remove(*id),
            RuleChange::Retention(days) => rules.retention_days = *days,
            RuleChange::Policies(policies) => {
                rules.policies = Arc::clone(policies.as_ref().unwrap_or(open));
            }
            RuleChange::Provisioning(it) => rules.provisioning = *it,
        }
        rules
    }
}

impl TenantRules {
    fn new(open: Arc<Policies>, hasher: &ShardHasher) -> Self {
        Self {
            number: 0,
            by_id: HashMap::with_hasher(hasher.clone()),
            by_age: BTreeSet::new(),
            enabled: Arc::new(Patterns::new(hasher.clone())),
            retention_days: None,
            policies: open,
            provisioning: Provisioning::default(),
        }
    }

    /// The enabled pattern that a channel's name belongs to.
    #[must_use]
    pub fn find(&self, channel: &str) -> Option<&Arc<RegisteredPattern>> {
        self.get(self.enabled.find(channel)?.id)
    }

    /// The pattern of an id, enabled or not.
    #[must_use]
    pub fn get(&self, id: MessageId) -> Option<&Arc<RegisteredPattern>> {
        self.by_id.get(&id)
    }

    /// All patterns, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Arc<RegisteredPattern>> {
        self.older_than(PatternAge::NEWEST)
    }

    /// Those that are older than one, which may be gone, the newest first.
    pub fn older_than(&self, age: PatternAge) -> impl Iterator<Item = &Arc<RegisteredPattern>> {
        self.by_age.range(..age).rev().filter_map(|age| self.by_id.get(&age.id))
    }

    /// Whether an enabled pattern has receivers.
    #[must_use]
    pub fn has_webhooks(&self) -> bool {
        self.by_id.values().any(|it| it.has_webhooks())
    }

    /// How many patterns there are.
    #[must_use]
    pub fn pattern_count(&self) -> usize {
        self.by_id.len()
    }

    /// Days that messages are kept for; `None`: as long as the node keeps any.
    #[must_use]
    pub fn retention_days(&self) -> Option<u32> {
        self.retention_days
    }

    /// Who may subscribe and publish; without any everyone may.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.policies
    }

    fn put(&mut self, pattern: &Arc<RegisteredPattern>) {
        self.remove(pattern.id);
        let RegisteredPattern { id, created_at_ms, .. } = **pattern;
        if pattern.enabled {
            let text = pattern.pattern.clone();
            let enabled = Arc::make_mut(&mut self.enabled);
            let added = enabled.add(Registration { pattern: text, id, created_at_ms });
            debug_assert!(added, "the seat lets in no text twice");
        }
        self.by_age.insert(pattern.age());
        self.by_id.insert(id, Arc::clone(pattern));
    }

    fn remove(&mut self, id: MessageId) {
        let Some(before) = self.by_id.remove(&id) else { return };
        self.by_age.remove(&before.age());
        if before.enabled {
            Arc::make_mut(&mut self.enabled).remove(&before.pattern);
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::dialect::insforge::Pattern;
    use protocol::policy::{Action, PolicyRule};

    use super::*;
    use crate::hasher::seeded;

    const ONE: TenantId = TenantId(1);
    const TWO: TenantId = TenantId(2);

    fn pattern(id: u128, text: &str, enabled: bool) -> RuleChange {
        RuleChange::Pattern(Arc::new(RegisteredPattern {
            id: MessageId(id),
            pattern: Pattern::parse(text).unwrap(),
            description: None,
            webhook_urls: None,
            enabled,
            created_at_ms: 100 - u64::try_from(id).unwrap(),
            updated_at_ms: 100,
        }))
    }

    fn rules(changes: &[RuleChange]) -> Rules {
        let mut rules = Rules::new(seeded(7));
        for (number, change) in (1..).zip(changes) {
            rules.obey(&Ruling { tenant: ONE, number, change: change.clone() });
        }
        rules
    }

    fn found(rules: &Rules, channel: &str) -> Option<u128> {
        rules.of(ONE)?.find(channel).map(|it| it.id.0)
    }

    #[test]
    fn a_name_belongs_to_the_enabled_pattern_of_its_own_tenant() {
        let mut rules = rules(&[pattern(1, "a:%", true), pattern(2, "a:b:%", false)]);
        assert_eq!(found(&rules, "a:b:c"), Some(1));
        assert!(rules.of(TWO).is_none());
        rules.restore(ONE, &pattern(2, "a:b:%", true));
        assert_eq!(found(&rules, "a:b:c"), Some(2));
        rules.restore(ONE, &pattern(2, "b:%", true));
        assert_eq!((found(&rules, "a:b:c"), found(&rules, "b:c")), (Some(1), Some(2)));
        rules.restore(ONE, &RuleChange::Deleted(MessageId(1)));
        rules.restore(ONE, &pattern(2, "b:%", false));
        assert_eq!((found(&rules, "a:b:c"), found(&rules, "b:c")), (None, None));
    }

    #[test]
    fn patterns_are_listed_the_newest_first() {
        let rules =
            rules(&[pattern(3, "a:3", true), pattern(1, "a:1", false), pattern(2, "a:2", true)]);
        let rules = rules.of(ONE).unwrap();
        let ids: Vec<_> = rules.newest_first().map(|it| it.id.0).collect();
        assert_eq!((ids, rules.pattern_count()), (vec![1, 2, 3], 3));
        assert!(rules.get(MessageId(1)).is_some_and(|it| !it.enabled));
    }

    #[test]
    fn a_ruling_is_in_force_once_it_or_a_later_one_came() {
        let rules = rules(&[RuleChange::Retention(Some(3)), RuleChange::Retention(None)]);
        let ruling =
            |tenant, number| Ruling { tenant, number, change: RuleChange::Retention(None) };
        assert!(rules.has(&ruling(ONE, 1)) && rules.has(&ruling(ONE, 2)));
        assert!(!rules.has(&ruling(ONE, 3)) && !rules.has(&ruling(TWO, 1)));
    }

    #[test]
    fn rules_go_with_their_tenant() {
        let rule = PolicyRule {
            name: "all".into(),
            action: Action::Subscribe,
            roles: Box::default(),
            pattern: None,
            using: "true".into(),
        };
        let policies = Arc::new(Policies::compile(vec![rule]).unwrap());
        let mut rules =
            rules(&[RuleChange::Policies(Some(policies)), RuleChange::Retention(Some(3))]);
        rules.restore(TWO, &RuleChange::Retention(Some(4)));
        let mut days: Vec<_> = rules.retention_days().iter().map(|(it, n)| (it.0, *n)).collect();
        days.sort_unstable();
        assert_eq!(days, [(1, 3), (2, 4)]);
        assert_eq!(rules.of(ONE).unwrap().policies().rules().count(), 1);
        rules.restore(ONE, &RuleChange::Policies(None));
        assert_eq!(rules.of(ONE).unwrap().policies().rules().count(), 0);
        rules.forget_tenants(|it| it == TWO);
        assert!(rules.of(ONE).is_none() && !rules.retention_days().contains_key(&ONE));
        assert_eq!(rules.of(TWO).unwrap().retention_days(), Some(4));
    }
}
