//! The operator changes the rules of tenants: what it was told is in force on every shard, and all shards agree in the end.

use std::sync::Arc;

use engine::control::{Operate, PatternDraft, PatternEdit, RegisteredPattern, RulesOp};
use engine::ids::{MessageId, TenantId};
use engine::shard::Shard;
use protocol::auth::insforge::Role;
use protocol::dialect::insforge::Pattern;
use protocol::policy::{Action, Policies, PolicyRule};

use crate::faults::Fault;
use crate::operator::Asked;
use crate::registered::FIXED;
use crate::world::{TENANTS, World};

/// The tenant whose policies change.
const OPEN: TenantId = TenantId(0);

/// Something that a rule is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Item {
    Pattern(TenantId, MessageId),
    Retention(TenantId),
    Policies(TenantId),
}

/// What a rule says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    /// A pattern with this description, which no other change has.
    Pattern(String),
    Deleted,
    Days(Option<u32>),
    /// One policy of this name.
    Policy(String),
}

impl World {
    /// The operator changes a rule. Of two changes of one rule at once nobody could say which is the last.
    pub fn change_rules(&mut self, shard: usize, tenant: TenantId) {
        let description = format!("n{}", self.operator.next);
        if self.plan.has(Fault::PolicyChanges) && tenant == OPEN && self.random.permille(300) {
            return self.change_policies(shard, description);
        }
        let pattern = Pattern::parse(&format!("r:{}:%", self.random.below(4))).unwrap();
        let (item, state, op) = match self.random.below(4) {
            0 => {
                let days = self.random.permille(700).then(|| 1 + u32::try_from(self.step).unwrap());
                (Item::Retention(tenant), State::Days(days), RulesOp::Retain(days))
            }
            1 => {
                let id = MessageId(u128::from(self.operator.next) << 64 | u128::from(self.step));
                let op = RulesOp::Create(Box::new(PatternDraft {
                    id,
                    pattern,
                    description: Some(description.as_str().into()),
                    webhook_urls: self.some_urls(),
                    enabled: self.random.permille(800),
                }));
                (Item::Pattern(tenant, id), State::Pattern(description), op)
            }
            what => {
                let Some(id) = self.some_pattern(tenant) else { return };
                let item = Item::Pattern(tenant, id);
                if what == 2 && self.random.permille(500) {
                    (item, State::Deleted, RulesOp::Delete(id))
                } else {
                    let op = RulesOp::Update(
                        id,
                        Box::new(PatternEdit {
                            pattern: self.random.permille(300).then_some(pattern),
                            description: Some(description.as_str().into()),
                            webhook_urls: self.some_urls(),
                            enabled: self.random.permille(200).then(|| self.random.permille(800)),
                        }),
                    );
                    (item, State::Pattern(description), op)
                }
            }
        };
        if !self.changing().contains(&item) {
            self.ask(shard, (tenant, None), Operate::Rules(op), Asked::Rules(item, state));
        }
    }

    /// Says anew who may publish: known people, or everyone.
    fn change_policies(&mut self, shard: usize, name: String) {
        let item = Item::Policies(OPEN);
        if self.changing().contains(&item) {
            return;
        }
        let known = [Role::Authenticated, Role::ProjectAdmin];
        let everyone = [Role::Anon, Role::Authenticated, Role::ProjectAdmin];
        let roles = if self.random.permille(500) { &known[..] } else { &everyone };
        let rule = PolicyRule {
            name: name.as_str().into(),
            action: Action::Publish,
            roles: roles.into(),
            pattern: None,
            using: "true".into(),
        };
        let op = RulesOp::Permit(Arc::new(Policies::compile(vec![rule]).unwrap()));
        let asked = Asked::Rules(item, State::Policy(name));
        self.ask(shard, (OPEN, None), Operate::Rules(op), asked);
    }

    fn some_urls(&self) -> Option<Box<[Box<str>]>> {
        match self.operator.next % 3 {
            0 => None,
            1 => Some(Box::default()),
            _ => Some(Box::new(["https://receiver.example/".into()])),
        }
    }

    fn some_pattern(&mut self, tenant: TenantId) -> Option<MessageId> {
        let known = self.operator.rules.iter().filter_map(|(item, state)| match item {
            Item::Pattern(whose, id) => {
                let is_fixed = *state == State::Pattern(FIXED.to_owned());
                (*whose == tenant && *state != State::Deleted && !is_fixed).then_some(*id)
            }
            Item::Retention(_) | Item::Policies(_) => None,
        });
        let known: Vec<_> = known.collect();
        (!known.is_empty()).then(|| known[self.random.below(known.len())])
    }

    /// Rules that are being changed.
    pub fn changing(&self) -> Vec<Item> {
        let waiting = self.operator.waiting.values();
        waiting
            .filter_map(|(_, it)| if let Asked::Rules(it, _) = it { Some(*it) } else { None })
            .collect()
    }

    /// A change was answered.
    pub fn on_ruled(&mut self, item: Item, state: State, body: &str) {
        if body.contains("taken") {
            return self.seen.note("pattern taken");
        }
        self.seen.note_if(state != State::Pattern(FIXED.to_owned()), "rules changed");
        self.seen.note_if(state == State::Deleted, "pattern deleted");
        self.seen.note_if(matches!(state, State::Policy(_)), "policies changed");
        self.operator.rules.insert(item, state);
        self.check_rule(&item);
        self.check_hooked(&item);
    }

    /// What is certain holds on every shard.
    pub fn check_rules(&self) {
        let changing = self.changing();
        self.operator
            .rules
            .keys()
            .filter(|it| !changing.contains(it))
            .for_each(|it| self.check_rule(it));
    }

    fn check_rule(&self, item: &Item) {
        let state = &self.operator.rules[item];
        for (place, shard) in self.shards.iter().enumerate() {
            let found = found(shard, item);
            assert_eq!(found, *state, "{item:?} on shard {place}, and the caller was answered");
        }
    }

    /// Whoever changed a pattern was answered: what it says of receivers holds.
    fn check_hooked(&mut self, item: &Item) {
        let Item::Pattern(tenant, id) = *item else { return };
        let rules = self.shards[0].rules().of(tenant);
        let is_wanted = rules.and_then(|it| it.get(id)).is_some_and(|it| it.has_webhooks());
        assert_eq!(self.hooks.has(tenant, id), is_wanted, "webhooks of {item:?}");
        self.seen.note_if(is_wanted, "webhooks set");
    }

    /// Nothing is under way: all shards have the same rules, and no two patterns have one text.
    pub fn check_rules_agree(&self) {
        self.check_rules();
        for tenant in (0..TENANTS).map(TenantId) {
            let is_served = |shard: &Shard| shard.rules().is_provisioned(tenant);
            let all = |shard: &Shard| -> Vec<RegisteredPattern> {
                let rules = shard.rules().of(tenant).into_iter();
                rules.flat_map(|it| it.newest_first().map(|it| (**it).clone())).collect()
            };
            let first = all(&self.shards[0]);
            for shard in &self.shards {
                assert_eq!(all(shard), first, "shards do not agree on {tenant:?}");
                let (is_here, is_there) = (is_served(shard), is_served(&self.shards[0]));
                assert_eq!(is_here, is_there, "shards do not agree on the resource of {tenant:?}");
                first.iter().for_each(|it| check_index(shard, tenant, it));
            }
        }
    }
}

/// A pattern is found by its text while it is enabled.
fn check_index(shard: &Shard, tenant: TenantId, pattern: &RegisteredPattern) {
    let found = shard.rules().of(tenant).and_then(|it| it.find(pattern.pattern.as_str()));
    let is_found = found.is_some_and(|it| it.id == pattern.id);
    assert_eq!(is_found, pattern.enabled, "{pattern:?} of {tenant:?}");
}

fn found(shard: &Shard, item: &Item) -> State {
    match item {
        Item::Pattern(tenant, id) => {
            let pattern = shard.rules().of(*tenant).and_then(|it| it.get(*id));
            let description = pattern.and_then(|it| it.description.as_deref());
            description.map_or(State::Deleted, |it| State::Pattern(it.to_owned()))
        }
        Item::Policies(tenant) => {
            let rule = shard.rules().policies(*tenant).rules().next();
            rule.map_or(State::Deleted, |it| State::Policy(it.name.to_string()))
        }
        Item::Retention(tenant) => {
            let all = shard.rules().retention_days();
            State::Days(all.get(tenant).copied())
        }
    }
}
