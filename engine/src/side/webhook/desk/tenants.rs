//! Tenants and their hooks: set once the journal has said how far it reaches, so that no message falls between.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use storage::TenantId;

use super::gates::Reading;
use super::post::Post;
use super::{Desk, Slot};
use crate::side::webhook::door::Reply;
use crate::side::webhook::hooks::{Hooks, HooksRefused, Pick};
use crate::side::webhook::names::{EndpointKey, Feed, Place};
use crate::side::webhook::places::{PlaceChange, Saved};
use crate::side::webhook::source::SourceError;
use crate::side::webhook::tally::Standing;

/// Settings of one tenant's hooks that wait. More are refused.
const SETS_MAX: usize = 64;

/// One tenant.
pub(super) struct Tenant {
    pub(super) pick: Arc<dyn Pick>,
    /// Its endpoints, by hook.
    pub(super) posts: BTreeMap<Arc<str>, BTreeSet<Slot>>,
    /// Hooks that are to be set, in their order.
    pub(super) sets: VecDeque<(Hooks, Reply<Result<(), HooksRefused>>)>,
    asking: Asking,
}

/// Whether it is being asked how far the tenant's feeds reach.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asking {
    No,
    Yes,
    /// And once more, when that is answered.
    Again,
}

/// Nothing is for anybody.
struct Nobody;

impl Pick for Nobody {
    fn hook(&self, _: &str) -> Option<&str> {
        None
    }
}

/// A feed that no journal has: its row says that an endpoint is known, even before there is a message.
pub(super) fn marker() -> Feed {
    Feed("".into())
}

impl Desk {
    pub(super) fn set(
        &mut self,
        tenant: TenantId,
        hooks: Hooks,
        reply: Reply<Result<(), HooksRefused>>,
    ) {
        let known = self.tenants.entry(tenant).or_insert_with(|| Tenant {
            pick: Arc::new(Nobody),
            posts: BTreeMap::new(),
            sets: VecDeque::new(),
            asking: Asking::No,
        });
        if known.sets.len() >= SETS_MAX {
            return reply(Err(HooksRefused::Unavailable));
        }
        known.sets.push_back((hooks, reply));
        self.ask_ends(tenant);
    }

    /// Asks how far the feeds of a tenant reach; while that is asked already, once more.
    pub(super) fn ask_ends(&mut self, tenant: TenantId) {
        let Some(known) = self.tenants.get_mut(&tenant) else { return };
        match known.asking {
            Asking::No => {
                known.asking = Asking::Yes;
                self.reads.push(Reading::Ends(tenant));
            }
            Asking::Yes | Asking::Again => known.asking = Asking::Again,
        }
    }

    pub(super) fn hear_ends(
        &mut self,
        tenant: TenantId,
        sets: usize,
        result: Result<Vec<(Feed, Place)>, SourceError>,
    ) {
        let Some(known) = self.tenants.get_mut(&tenant) else { return };
        let is_again = known.asking == Asking::Again;
        known.asking = Asking::No;
        let sets: Vec<_> = known.sets.drain(..sets.min(known.sets.len())).collect();
        match result {
            Ok(ends) => {
                for (hooks, reply) in sets {
                    self.apply(tenant, hooks, &ends, reply);
                }
                self.pass_on(tenant, &ends);
            }
            Err(why) => {
                tracing::warn!("webhooks cannot see how far the journal reaches: {why}");
                sets.into_iter().for_each(|(_, reply)| reply(Err(HooksRefused::Unavailable)));
            }
        }
        let has_more = self.tenants.get(&tenant).is_some_and(|it| is_again || !it.sets.is_empty());
        if has_more {
            self.ask_ends(tenant);
        }
    }

    /// Tells the endpoints of a tenant how far its feeds reach. A feed that is new to them they take from its start.
    fn pass_on(&mut self, tenant: TenantId, ends: &[(Feed, Place)]) {
        let now = self.now();
        let known = self.tenants.get(&tenant);
        let slots = known.into_iter().flat_map(|it| it.posts.values().flatten()).copied();
        let slots: Vec<Slot> = slots.collect();
        for slot in slots {
            let Some(post) = self.posts.get_mut(&slot) else { continue };
            for (feed, end) in ends {
                post.join(feed, Place::START);
                post.machine.hear_of(feed, *end);
            }
            self.turn(slot, now);
        }
    }

    fn apply(
        &mut self,
        tenant: TenantId,
        hooks: Hooks,
        ends: &[(Feed, Place)],
        reply: Reply<Result<(), HooksRefused>>,
    ) {
        let key = |hook: &Arc<str>, url: &Arc<str>| {
            let (hook, url) = (Arc::clone(hook), Arc::clone(url));
            EndpointKey { tenant, hook, url }
        };
        let wanted = hooks.list.iter().flat_map(|it| it.urls.iter().map(|url| key(&it.id, url)));
        let wanted: BTreeSet<EndpointKey> = wanted.collect();
        let had: BTreeSet<EndpointKey> = self
            .posts
            .values()
            .map(|it| &it.key)
            .filter(|it| it.tenant == tenant)
            .cloned()
            .collect();
        let max = self.tools.limits.endpoints_max;
        if self.posts.len() - had.len() + wanted.len() > max {
            return reply(Err(HooksRefused::TooMany { max }));
        }
        had.difference(&wanted).for_each(|it| self.remove(it));
        for it in wanted.difference(&had) {
            self.add(it.clone(), ends);
        }
        if let Some(known) = self.tenants.get_mut(&tenant) {
            known.pick = hooks.pick;
        }
        if wanted.is_empty() && self.tenants.get(&tenant).is_some_and(|it| it.sets.is_empty()) {
            self.tenants.remove(&tenant);
        }
        self.keep.reply(reply, self.now().monotonic_ms);
    }

    fn add(&mut self, key: EndpointKey, ends: &[(Feed, Place)]) {
        self.slots_made += 1;
        let slot = Slot(self.slots_made);
        let now_ms = self.now().monotonic_ms;
        let target = self.tools.rules.target(&key.url);
        if let Err(why) = &target {
            tracing::warn!(tenant = key.tenant.0, hook = &*key.hook, "no webhook goes out: {why}");
        }
        let mut post = Post::new(key.clone(), target, &self.tools.limits);
        match self.unclaimed.remove(&key) {
            Some(saved) => post.resume(without_marker(saved)),
            None => {
                let mark = PlaceChange::Stand(key.clone(), marker(), Standing::default());
                self.keep.change(mark, now_ms);
                for (feed, end) in ends {
                    post.join(feed, *end);
                    self.keep.moved(slot, feed.clone(), now_ms);
                }
            }
        }
        if let Some(tenant) = self.tenants.get_mut(&key.tenant) {
            tenant.posts.entry(Arc::clone(&key.hook)).or_default().insert(slot);
        }
        self.slots.insert(key, slot);
        self.posts.insert(slot, post);
    }

    /// An endpoint is no more. What is under way for it ends unheard.
    fn remove(&mut self, key: &EndpointKey) {
        let Some(slot) = self.slots.remove(key) else { return };
        let Some(post) = self.posts.remove(&slot) else { return };
        if let Some(due_ms) = post.due_ms {
            self.due.remove(&(due_ms, slot));
        }
        self.reads.held_bytes -= post.bytes;
        self.calls.forget(slot);
        self.keep.forget(slot);
        if let Some(tenant) = self.tenants.get_mut(&key.tenant) {
            tenant.posts.values_mut().for_each(|it| it.retain(|of| *of != slot));
            tenant.posts.retain(|_, it| !it.is_empty());
        }
        let feeds = post.standings.into_keys().chain([marker()]).collect();
        let gone = PlaceChange::EndpointGone(key.clone(), feeds, post.letters.into());
        self.keep.change(gone, self.now().monotonic_ms);
    }

    pub(super) fn forget_unclaimed(&mut self) {
        let now_ms = self.now().monotonic_ms;
        for (key, saved) in std::mem::take(&mut self.unclaimed) {
            let feeds = saved.standings.into_iter().map(|it| it.0).collect();
            self.keep.change(PlaceChange::EndpointGone(key, feeds, saved.letters), now_ms);
        }
    }
}

fn without_marker(mut saved: Saved) -> Saved {
    saved.standings.retain(|(feed, _)| *feed != marker());
    saved
}
