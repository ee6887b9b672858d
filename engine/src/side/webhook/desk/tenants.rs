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
use crate::side::webhook::places::PlaceChange;
use crate::side::webhook::source::{Follow, SourceError};

/// Settings of one tenant's hooks that wait. More are refused.
const SETS_MAX: usize = 64;

/// Hooks that are to be set, and who waits for it.
type Setting = (Hooks, Reply<Result<(), HooksRefused>>);

/// One tenant.
pub(super) struct Tenant {
    pub(super) pick: Arc<dyn Pick>,
    /// Its endpoints, by hook.
    pub(super) posts: BTreeMap<Arc<str>, BTreeSet<Slot>>,
    /// Hooks that are to be set, in their order.
    pub(super) sets: VecDeque<Setting>,
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
        // Before it is asked how far the feeds reach: what comes after that is told.
        self.tools.source.follow(tenant, Follow::Begin);
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
            Err(why) => return self.put_off(tenant, sets, &why),
        }
        let has_more = self.tenants.get(&tenant).is_some_and(|it| is_again || !it.sets.is_empty());
        if has_more {
            self.ask_ends(tenant);
        }
    }

    /// The journal does not answer. What was to be set is what holds: it is set later, though nobody is told any more.
    fn put_off(&mut self, tenant: TenantId, sets: Vec<Setting>, why: &SourceError) {
        tracing::warn!("webhooks cannot see how far the journal reaches: {why}");
        let Some(known) = self.tenants.get_mut(&tenant) else { return };
        for (hooks, reply) in sets.into_iter().rev() {
            reply(Err(HooksRefused::Unavailable));
            known.sets.push_front((hooks, Box::new(|_| {})));
        }
    }

    /// Tells the endpoints of a tenant how far its feeds reach.
    fn pass_on(&mut self, tenant: TenantId, ends: &[(Feed, Place)]) {
        let now = self.now();
        let known = self.tenants.get(&tenant);
        let slots = known.into_iter().flat_map(|it| it.posts.values().flatten()).copied();
        let slots: Vec<Slot> = slots.collect();
        for slot in slots {
            let Some(post) = self.posts.get_mut(&slot) else { continue };
            for feed in post.hear(ends) {
                self.keep.moved(slot, feed, now.monotonic_ms);
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
        let version = self.versions.entry(tenant).or_default();
        if hooks.version < *version {
            // What it would change is as durable as what came after it.
            return self.keep.reply(reply, self.tools.clock.now().monotonic_ms);
        }
        *version = hooks.version;
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
            self.tools.source.follow(tenant, Follow::End);
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
            Some(saved) => post.resume(saved),
            None => {
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
        let feeds = post.standings.into_keys().collect();
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
