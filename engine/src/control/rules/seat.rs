//! The rules as the seat has them: it decides what may be changed.

use std::sync::Arc;

use hashbrown::HashMap;
use protocol::Rejection;
use protocol::dialect::insforge::Pattern;
use protocol::policy::Policies;

use super::super::ask::SeatAnswer;
use super::super::provisioning::Provisioning;
use super::super::round::{Context, Done, Undo};
use super::super::seat::Seat;
use super::change::{PatternDraft, PatternEdit, RegisteredPattern, RuleChange, RulesOp, Ruling};
use super::rows;
use crate::hasher::ShardHasher;
use crate::ids::MessageId;

/// Why a change is not made.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::control) enum Unruled {
    /// Another pattern has the same text.
    Taken,
    /// What every call may be told.
    Refused(Rejection),
}

/// See the module.
#[derive(Debug)]
pub(in crate::control) struct SeatRules {
    by_id: HashMap<MessageId, Arc<RegisteredPattern>, ShardHasher>,
    by_text: HashMap<Pattern, MessageId, ShardHasher>,
    retention_days: Option<u32>,
    policies: Option<Arc<Policies>>,
    provisioning: Provisioning,
    /// How many changes there were.
    number: u64,
}

impl SeatRules {
    pub(in crate::control) fn new(hasher: ShardHasher) -> Self {
        Self {
            by_id: HashMap::with_hasher(hasher.clone()),
            by_text: HashMap::with_hasher(hasher),
            retention_days: None,
            policies: None,
            provisioning: Provisioning::default(),
            number: 0,
        }
    }

    /// What an operation changes; nothing is changed yet.
    pub(in crate::control) fn decide(
        &self,
        op: RulesOp,
        now_ms: u64,
        patterns_max: usize,
    ) -> Result<RuleChange, Unruled> {
        match op {
            RulesOp::Create(draft) => self.create(*draft, now_ms, patterns_max),
            RulesOp::Update(id, edit) => self.update(id, *edit, now_ms),
            RulesOp::Delete(id) => self.find(id).map(|_| RuleChange::Deleted(id)),
            RulesOp::Retain(days) => Ok(RuleChange::Retention(days)),
            RulesOp::Permit(policies) => {
                let is_empty = policies.rules().next().is_none();
                Ok(RuleChange::Policies((!is_empty).then_some(policies)))
            }
        }
    }

    /// Makes a change. Returns its number, and the change that takes it back.
    pub(in crate::control) fn make(&mut self, change: &RuleChange) -> (u64, RuleChange) {
        self.number += 1;
        (self.number, self.set(change))
    }

    /// Takes the last change back.
    pub(in crate::control) fn take_back(&mut self, before: &RuleChange) {
        self.number -= 1;
        self.set(before);
    }

    /// Says what the catalog has.
    pub(in crate::control) fn restore(&mut self, rule: &RuleChange) {
        self.set(rule);
    }

    /// Forgets up to `count` rules, but for the provisioning; says how.
    pub(in crate::control) fn forget(&mut self, count: usize) -> Vec<RuleChange> {
        let ids = self.by_id.keys().take(count);
        let mut gone: Vec<_> = ids.map(|it| RuleChange::Deleted(*it)).collect();
        if self.retention_days.is_some() {
            gone.push(RuleChange::Retention(None));
        }
        if self.policies.is_some() {
            gone.push(RuleChange::Policies(None));
        }
        gone.truncate(count);
        for change in &gone {
            self.set(change);
        }
        gone
    }

    /// Whether there are none, but for the provisioning.
    pub(in crate::control) fn is_empty(&self) -> bool {
        self.by_id.is_empty() && self.retention_days.is_none() && self.policies.is_none()
    }

    fn find(&self, id: MessageId) -> Result<&RegisteredPattern, Unruled> {
        let found = self.by_id.get(&id).map(|it| &**it);
        found.ok_or(Unruled::Refused(Rejection::ChannelNotFound))
    }

    fn create(
        &self,
        draft: PatternDraft,
        now_ms: u64,
        patterns_max: usize,
    ) -> Result<RuleChange, Unruled> {
        let PatternDraft { id, pattern, description, webhook_urls, enabled } = draft;
        if self.by_text.contains_key(&pattern) {
            return Err(Unruled::Taken);
        }
        if self.by_id.len() >= patterns_max {
            return Err(Unruled::Refused(Rejection::Overloaded { limit: "patterns_max" }));
        }
        let (created_at_ms, updated_at_ms) = (now_ms, now_ms);
        let pattern = RegisteredPattern {
            id,
            pattern,
            description,
            webhook_urls,
            enabled,
            created_at_ms,
            updated_at_ms,
        };
        Ok(RuleChange::Pattern(Arc::new(pattern)))
    }

    fn update(&self, id: MessageId, edit: PatternEdit, now_ms: u64) -> Result<RuleChange, Unruled> {
        let before = self.find(id)?;
        let pattern = edit.pattern.unwrap_or_else(|| before.pattern.clone());
        if self.by_text.get(&pattern).is_some_and(|it| *it != id) {
            return Err(Unruled::Taken);
        }
        Ok(RuleChange::Pattern(Arc::new(RegisteredPattern {
            id,
            pattern,
            description: edit.description.or_else(|| before.description.clone()),
            webhook_urls: edit.webhook_urls.or_else(|| before.webhook_urls.clone()),
            enabled: edit.enabled.unwrap_or(before.enabled),
            created_at_ms: before.created_at_ms,
            // It rises, whatever the clock does.
            updated_at_ms: now_ms.max(before.updated_at_ms + 1),
        })))
    }

    /// Makes a change; returns the one that takes it back.
    fn set(&mut self, change: &RuleChange) -> RuleChange {
        match change {
            RuleChange::Pattern(pattern) => {
                let before = self.remove(pattern.id);
                self.by_text.insert(pattern.pattern.clone(), pattern.id);
                self.by_id.insert(pattern.id, Arc::clone(pattern));
                before
            }
            RuleChange::Deleted(id) => self.remove(*id),
            RuleChange::Retention(days) => {
                RuleChange::Retention(std::mem::replace(&mut self.retention_days, *days))
            }
            RuleChange::Policies(policies) => {
                RuleChange::Policies(std::mem::replace(&mut self.policies, policies.clone()))
            }
            RuleChange::Provisioning(it) => {
                RuleChange::Provisioning(std::mem::replace(&mut self.provisioning, *it))
            }
        }
    }

    fn remove(&mut self, id: MessageId) -> RuleChange {
        let Some(before) = self.by_id.remove(&id) else { return RuleChange::Deleted(id) };
        self.by_text.remove(&before.pattern);
        RuleChange::Pattern(before)
    }
}

impl Seat {
    /// Changes the rules.
    pub(in crate::control) fn rule(
        &mut self,
        op: RulesOp,
        context: &Context<'_>,
        done: &mut Done,
    ) -> Result<SeatAnswer, Rejection> {
        let (now_ms, patterns_max) = (context.now.wall_ms, context.limits.patterns_max);
        let change = match self.rules.decide(op, now_ms, patterns_max) {
            Ok(change) => change,
            Err(Unruled::Taken) => return Ok(SeatAnswer::PatternTaken),
            Err(Unruled::Refused(why)) => return Err(why),
        };
        Ok(SeatAnswer::Ruling(self.change_rule(change, done)))
    }

    /// Has the resource, or gives it up. What was asked for stays as it is when it is asked for again, the region too; whoever
    /// asks is told after every shard has heard of that.
    pub(in crate::control) fn provision(
        &mut self,
        wanted: Provisioning,
        done: &mut Done,
    ) -> SeatAnswer {
        let before = self.rules.provisioning;
        let stays = matches!(
            (before, wanted),
            (Provisioning::Active(_), Provisioning::Active(_))
                | (Provisioning::Deleted, Provisioning::Deleted)
        );
        let now = if stays { before } else { wanted };
        let change = RuleChange::Provisioning(now);
        let ruling = if stays {
            Arc::new(Ruling { tenant: self.tenant, number: self.rules.number, change })
        } else {
            self.change_rule(change, done)
        };
        SeatAnswer::Provisioning { before, now, ruling }
    }

    fn change_rule(&mut self, change: RuleChange, done: &mut Done) -> Arc<Ruling> {
        let (number, before) = self.rules.make(&change);
        done.undo.push(Undo::Rule(before));
        done.changes.push(rows::kept(self.tenant, &change));
        Arc::new(Ruling { tenant: self.tenant, number, change })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher::seeded;

    const PATTERNS_MAX: usize = 3;

    fn rules() -> SeatRules {
        SeatRules::new(seeded(7))
    }

    fn text(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn create(id: u128, pattern: &str) -> RulesOp {
        RulesOp::Create(Box::new(PatternDraft {
            id: MessageId(id),
            pattern: text(pattern),
            description: Some("what for".into()),
            webhook_urls: None,
            enabled: true,
        }))
    }

    fn update(id: u128, edit: PatternEdit) -> RulesOp {
        RulesOp::Update(MessageId(id), Box::new(edit))
    }

    /// Decides and makes a change; returns the one that takes it back.
    fn make(rules: &mut SeatRules, op: RulesOp, now_ms: u64) -> Result<RuleChange, Unruled> {
        let change = rules.decide(op, now_ms, PATTERNS_MAX)?;
        Ok(rules.make(&change).1)
    }

    fn found(rules: &SeatRules, id: u128) -> &RegisteredPattern {
        rules.find(MessageId(id)).unwrap()
    }

    #[test]
    fn a_text_belongs_to_one_pattern_enabled_or_not() {
        let mut rules = rules();
        make(&mut rules, create(1, "a:%"), 5).unwrap();
        let disabled = PatternEdit { enabled: Some(false), ..PatternEdit::default() };
        make(&mut rules, update(1, disabled), 5).unwrap();
        assert_eq!(make(&mut rules, create(2, "a:%"), 5), Err(Unruled::Taken));
        make(&mut rules, create(2, "a:*"), 5).unwrap();
        let taken = || PatternEdit { pattern: Some(text("a:%")), ..PatternEdit::default() };
        assert_eq!(make(&mut rules, update(2, taken()), 6), Err(Unruled::Taken));
        make(&mut rules, update(1, taken()), 6).unwrap();
        make(&mut rules, RulesOp::Delete(MessageId(1)), 7).unwrap();
        make(&mut rules, update(2, taken()), 8).unwrap();
        assert_eq!(found(&rules, 2).pattern, text("a:%"));
        assert_eq!(make(&mut rules, create(3, "a:*"), 9), Ok(RuleChange::Deleted(MessageId(3))));
    }

    #[test]
    fn an_update_changes_what_it_names_and_the_time() {
        let mut rules = rules();
        make(&mut rules, create(1, "a:%"), 5).unwrap();
        let urls: Box<[Box<str>]> = ["https://a.example/".into()].into();
        let edit = PatternEdit { webhook_urls: Some(urls.clone()), ..PatternEdit::default() };
        make(&mut rules, update(1, edit), 5).unwrap();
        let it = found(&rules, 1);
        assert_eq!((it.created_at_ms, it.updated_at_ms), (5, 6));
        assert_eq!((&it.webhook_urls, it.description.as_deref()), (&Some(urls), Some("what for")));
        let edit = PatternEdit { description: Some("".into()), ..PatternEdit::default() };
        make(&mut rules, update(1, edit), 90).unwrap();
        let it = found(&rules, 1);
        assert_eq!((it.description.as_deref(), it.updated_at_ms), (Some(""), 90));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let mut rules = rules();
        let missing = Err(Unruled::Refused(Rejection::ChannelNotFound));
        assert_eq!(make(&mut rules, RulesOp::Delete(MessageId(1)), 5), missing);
        assert_eq!(make(&mut rules, update(1, PatternEdit::default()), 5), missing);
    }

    #[test]
    fn there_is_room_for_so_many_enabled_or_not() {
        let mut rules = rules();
        for id in 1..=PATTERNS_MAX as u128 {
            make(&mut rules, create(id, &format!("a:{id}")), 5).unwrap();
        }
        let full = Err(Unruled::Refused(Rejection::Overloaded { limit: "patterns_max" }));
        assert_eq!(make(&mut rules, create(0, "b"), 5), full);
        make(&mut rules, RulesOp::Delete(MessageId(1)), 5).unwrap();
        make(&mut rules, create(0, "b"), 5).unwrap();
    }

    #[test]
    fn what_is_taken_back_is_as_it_was() {
        let mut rules = rules();
        make(&mut rules, create(1, "a:%"), 5).unwrap();
        make(&mut rules, RulesOp::Retain(Some(3)), 5).unwrap();
        let edit = PatternEdit { pattern: Some(text("b:%")), ..PatternEdit::default() };
        let ops = [
            update(1, edit),
            create(2, "a:%"),
            RulesOp::Retain(None),
            RulesOp::Delete(MessageId(1)),
            RulesOp::Permit(Arc::new(Policies::default())),
        ];
        let before: Vec<_> = ops.map(|it| make(&mut rules, it, 9).unwrap()).into();
        assert_eq!(rules.number, 7);
        for it in before.iter().rev() {
            rules.take_back(it);
        }
        assert_eq!((rules.number, rules.retention_days), (2, Some(3)));
        assert_eq!((found(&rules, 1).pattern.as_str(), rules.by_id.len()), ("a:%", 1));
        assert_eq!(make(&mut rules, create(2, "b:%"), 9), Ok(RuleChange::Deleted(MessageId(2))));
    }

    #[test]
    fn all_is_forgotten_a_part_at_a_time() {
        let mut rules = rules();
        for id in 1..=3 {
            make(&mut rules, create(id, &format!("a:{id}")), 5).unwrap();
        }
        make(&mut rules, RulesOp::Retain(Some(3)), 5).unwrap();
        let parts = std::iter::from_fn(|| Some(rules.forget(2).len()).filter(|it| *it > 0));
        assert_eq!(parts.collect::<Vec<_>>(), [2, 2]);
        assert!(rules.is_empty());
    }
}
