//! Everything between the endpoints' machines and the world: one task that takes orders, starts what waits (calls, reads, saves)
//! and hands what came of it back.

mod act;
mod gates;
mod keep;
mod letters;
mod post;
mod tenants;
mod ways;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use storage::TenantId;
use tokio::sync::mpsc::Receiver;
use tokio::task::{Id, JoinError, JoinSet};

use self::gates::{Calls, Reads, Trust};
use self::keep::Keep;
use self::post::Post;
use self::tenants::Tenant;
use self::ways::Ways;
use self::work::Done;
use super::delivery::DeliveryForm;
use super::door::Order;
use super::egress::{Egress, EgressRules};
use super::endpoint::Effect;
use super::hooks::Ledger;
use super::limits::WebhookLimits;
use super::names::{EndpointKey, Fault, Outcome};
use super::places::{PlacesThread, Saved};
use super::source::Source;
use crate::ids::Now;
use crate::reactor::Clock;

/// Names an endpoint while the node runs. Never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Slot(u64);

/// What a desk works with.
pub(super) struct Tools {
    pub(super) limits: Arc<WebhookLimits>,
    pub(super) form: Arc<DeliveryForm>,
    pub(super) rules: Arc<EgressRules>,
    pub(super) egress: Egress,
    pub(super) source: Arc<Source>,
    pub(super) places: PlacesThread,
    pub(super) ledger: Box<dyn Ledger>,
    pub(super) clock: Clock,
    /// Begins the chance of waits.
    pub(super) seed: u64,
}

/// See the module.
pub(super) struct Desk {
    tools: Tools,
    posts: BTreeMap<Slot, Post>,
    slots: HashMap<EndpointKey, Slot>,
    tenants: BTreeMap<TenantId, Tenant>,
    /// The version of the hooks that each tenant has, or had when it was here last.
    versions: BTreeMap<TenantId, u64>,
    /// What was saved of endpoints that nobody has set yet.
    unclaimed: BTreeMap<EndpointKey, Saved>,
    calls: Calls,
    reads: Reads,
    ways: Ways,
    keep: Keep,
    due: BTreeSet<(u64, Slot)>,
    poll_due_ms: u64,
    tasks: JoinSet<Done>,
    /// The calls among them, should one panic.
    calling: HashMap<Id, (Slot, u64, Trust)>,
    effects: Vec<Effect>,
    slots_made: u64,
}

impl Desk {
    pub(super) fn new(tools: Tools, saved: Vec<Saved>) -> Self {
        Self {
            poll_due_ms: tools.clock.now().monotonic_ms,
            tools,
            posts: BTreeMap::new(),
            slots: HashMap::default(),
            tenants: BTreeMap::new(),
            versions: BTreeMap::new(),
            unclaimed: saved.into_iter().map(|it| (it.endpoint.clone(), it)).collect(),
            calls: Calls::default(),
            reads: Reads::default(),
            ways: Ways::default(),
            keep: Keep::default(),
            due: BTreeSet::new(),
            tasks: JoinSet::new(),
            calling: HashMap::default(),
            effects: Vec::new(),
            slots_made: 0,
        }
    }

    /// Works until nobody can give orders any more. Calls under way are cut off: their messages go out again after the next start.
    pub(super) async fn run(mut self, mut orders: Receiver<Order>) {
        loop {
            let pause = Duration::from_millis(self.pause_ms());
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::End) | None => break,
                    Some(order) => self.take(order),
                },
                Some(ended) = self.tasks.join_next_with_id() => self.finish(ended),
                () = tokio::time::sleep(pause) => {}
            }
            self.wake_due();
            self.start_work();
        }
        // What a save took along is kept nowhere else until it is done.
        while self.keep.is_saving()
            && let Some(ended) = self.tasks.join_next_with_id().await
        {
            self.finish(ended);
        }
        self.save_last().await;
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Set(tenant, make, reply) => {
                let seed = self.tools.seed;
                self.set(tenant, make(seed), reply);
            }
            Order::More(tenant) => self.ask_ends(tenant),
            Order::ForgetUnclaimed => self.forget_unclaimed(),
            Order::Status(tenant, reply) => {
                let posts = self.posts.values().filter(|it| it.key.tenant == tenant);
                reply(posts.map(Post::status).collect());
            }
            Order::Letters(of, after, max, reply) => self.list_letters(&of, after, max, reply),
            Order::Replay(of, letter, reply) => self.find_letter(&of, letter, reply),
            Order::GiveBack(call) => call(),
            Order::End => {} // It is not taken on.
        }
    }

    fn finish(&mut self, ended: Result<(Id, Done), JoinError>) {
        let (id, done) = match ended {
            Ok(ended) => ended,
            Err(why) => {
                tracing::error!("a task of webhooks panicked");
                let Some((slot, call, trust)) = self.calling.remove(&why.id()) else { return };
                self.called(slot, call, trust, Outcome::Unreachable(Fault::Connection));
                return;
            }
        };
        match done {
            Done::Called(slot, call, trust, outcome) => {
                self.calling.remove(&id);
                self.called(slot, call, trust, outcome);
            }
            Done::Ends(tenant, sets, result) => {
                self.reads.ended();
                self.hear_ends(tenant, sets, result);
            }
            Done::Slice(slot, feed, result) => {
                self.reads.ended();
                self.hear_slice(slot, &feed, result);
            }
            Done::Saved(end) => self.saved(end),
            Done::Found(found, reply) => self.replay(found, reply),
            Done::Nothing => {}
        }
    }

    fn now(&self) -> Now {
        self.tools.clock.now()
    }

    /// How long nothing has to be done by itself.
    fn pause_ms(&self) -> u64 {
        let now_ms = self.now().monotonic_ms;
        let first = self.due.first().map(|it| it.0);
        let due = [first, self.keep.due_ms(), Some(self.poll_due_ms)].into_iter().flatten().min();
        due.map_or(0, |it| it.saturating_sub(now_ms))
    }

    fn wake_due(&mut self) {
        let now = self.now();
        while let Some((_, slot)) = self.due.first().filter(|it| it.0 <= now.monotonic_ms).copied()
        {
            self.due.pop_first();
            if let Some(post) = self.posts.get_mut(&slot) {
                post.due_ms = None;
            }
            self.turn(slot, now);
        }
        if self.poll_due_ms <= now.monotonic_ms {
            self.poll_due_ms = now.monotonic_ms + self.tools.limits.poll_ms;
            let tenants: Vec<TenantId> = self.tenants.keys().copied().collect();
            for tenant in tenants {
                self.ask_ends(tenant);
            }
        }
    }

    /// Any number (SplitMix64).
    fn chance(&mut self) -> u32 {
        self.tools.seed = self.tools.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.tools.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or_default()
    }
}
