//! The room of webhooks without deliveries: it sets what shards ask for in its own time, tenants in any order, and tells them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use engine::control::{Kept, RegisteredPattern};
use engine::ids::{MessageId, TenantId};
use engine::side::webhook::{Hooked, HooksAsk};
use protocol::Rejection;

use crate::random::Random;
use crate::seen::Seen;

/// See the module.
pub struct Hooks {
    /// Its own, so that nothing else of a run depends on it.
    random: Random,
    waiting: Vec<(usize, HooksAsk)>,
    /// Whether it takes its time.
    pub is_late: bool,
    answers: BTreeMap<usize, VecDeque<Hooked>>,
    /// The patterns with receivers of each tenant, and which setting that is.
    set: BTreeMap<TenantId, (u64, BTreeSet<MessageId>)>,
}

impl Hooks {
    pub fn new(seed: u64) -> Self {
        let (waiting, answers, set) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { random: Random::new(seed), waiting, is_late: false, answers, set }
    }

    pub fn ask(&mut self, shard: usize, ask: HooksAsk) {
        let is_alone = self.waiting.iter().all(|(_, it)| it.tenant != ask.tenant);
        assert!(is_alone, "one setting of a tenant at a time");
        self.waiting.push((shard, ask));
    }

    /// Sets some of what waits; now and then it cannot say that it is durable.
    pub fn work(&mut self, seen: &mut Seen) {
        if self.is_late && !self.waiting.is_empty() && !self.random.permille(20) {
            return seen.note("webhooks set late");
        }
        for _ in 0..self.random.below(self.waiting.len() + 1) {
            let place = self.random.below(self.waiting.len());
            let (shard, ask) = self.waiting.swap_remove(place);
            let (tenant, version) = (ask.tenant, ask.version);
            let set = self.set.entry(tenant).or_default();
            assert!(version > set.0, "settings of a tenant come in their order");
            let hooked = ask.patterns.iter().filter(|it| it.has_webhooks());
            *set = (version, hooked.map(|it| it.id).collect());
            let is_failing = self.random.permille(30);
            seen.note_if(is_failing, "webhooks not set");
            let result = if is_failing { Err(Rejection::StorageUnavailable) } else { Ok(()) };
            self.answers.entry(shard).or_default().push_back(Hooked { tenant, version, result });
        }
    }

    pub fn next_answer(&mut self, shard: usize) -> Option<Hooked> {
        self.answers.get_mut(&shard)?.pop_front()
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.answers.values().all(VecDeque::is_empty)
    }

    /// The node starts: what was kept is set before anybody can ask.
    pub fn restart(&mut self, kept: &Kept) {
        let ids = |(tenant, patterns): (TenantId, Vec<Arc<RegisteredPattern>>)| {
            let hooked = patterns.iter().filter(|it| it.has_webhooks());
            (tenant, (0, hooked.map(|it| it.id).collect()))
        };
        self.waiting.clear();
        self.answers.clear();
        self.set = kept.hooked().map(ids).collect();
    }

    /// Whether messages of a pattern go to its receivers.
    pub fn has(&self, tenant: TenantId, pattern: MessageId) -> bool {
        self.set.get(&tenant).is_some_and(|it| it.1.contains(&pattern))
    }
}
