//! What runs beside the desk: calls, reads, saves.

use std::collections::BTreeSet;
use std::sync::Arc;

use storage::{Cursor, TenantId};
use tokio::task::spawn_blocking;

use super::gates::{Call, Reading, Trust};
use super::letters::{Found, ReplayReply};
use super::{Desk, Slot};
use crate::side::webhook::endpoint::Slice;
use crate::side::webhook::names::{Feed, Outcome, Place};
use crate::side::webhook::places::{PlaceChange, SaveEnd};
use crate::side::webhook::source::{SourceAsk, SourceError};

/// What came of a task.
pub(super) enum Done {
    Called(Slot, u64, Trust, Outcome),
    /// How far feeds reach, and how many settings of hooks may count on it.
    Ends(TenantId, usize, Result<Vec<(Feed, Place)>, SourceError>),
    /// What was read, and a cursor that knows more of the way.
    Slice(Slot, Feed, Result<(Slice, Cursor), SourceError>),
    Saved(Option<SaveEnd>),
    Found(Found, ReplayReply),
    Nothing,
}

impl Desk {
    /// Starts what waits and has room.
    pub(super) fn start_work(&mut self) {
        while let Some(reading) = self.reads.next(&self.tools.limits) {
            match reading {
                Reading::Ends(tenant) => self.start_ends(tenant),
                Reading::Slice { slot, feed, after } => self.start_slice(slot, feed, after),
            }
        }
        // While nothing can be kept, nothing more is sent: it would be sent again and again.
        while !self.keep.has_failed()
            && let Some(call) = self.calls.next(self.tools.limits.calls_max)
        {
            self.start_call(call);
        }
        let now = self.now();
        if self.keep.due_ms().is_some_and(|it| it <= now.monotonic_ms) {
            let (changes, moved) = self.keep.begin();
            let changes = self.with_standings(changes, moved);
            let places = self.tools.places.clone();
            let save = async move { Done::Saved(places.save(changes, now.wall_ms).await) };
            self.tasks.spawn_local(save);
        }
    }

    fn start_ends(&mut self, tenant: TenantId) {
        let sets = self.tenants.get(&tenant).map_or(0, |it| it.sets.len());
        let source = Arc::clone(&self.tools.source);
        self.tasks.spawn_local(async move {
            let ends = spawn_blocking(move || source.ends()).await;
            Done::Ends(tenant, sets, ends.unwrap_or(Err(SourceError::Panicked)))
        });
    }

    fn start_slice(&mut self, slot: Slot, feed: Feed, after: Place) {
        let post = self.posts.get(&slot);
        let tenant = post.and_then(|it| self.tenants.get(&it.key.tenant));
        let (Some(post), Some(tenant)) = (post, tenant) else {
            self.reads.ended();
            return;
        };
        let source = Arc::clone(&self.tools.source);
        let limits = Arc::clone(&self.tools.limits);
        let (key, pick) = (post.key.clone(), Arc::clone(&tenant.pick));
        let way = self.ways.find(key.tenant, &feed, after);
        self.tasks.spawn_local(async move {
            let of = feed.clone();
            let slice = spawn_blocking(move || {
                source.read(&SourceAsk {
                    tenant: key.tenant,
                    feed: &of,
                    after,
                    is_wanted: &|channel| pick.hook(channel) == Some(&*key.hook),
                    messages_max: limits.slice_messages_max,
                    bytes_max: limits.slice_bytes_max,
                    way,
                })
            });
            Done::Slice(slot, feed, slice.await.unwrap_or(Err(SourceError::Panicked)))
        });
    }

    fn start_call(&mut self, it: Call) {
        let Call { slot, call, message, trust } = it;
        let Some(post) = self.posts.get(&slot) else {
            self.calls.ended(trust);
            return;
        };
        let (target, hook) = (post.target.clone(), Arc::clone(&post.key.hook));
        let (egress, form) = (self.tools.egress.clone(), Arc::clone(&self.tools.form));
        let at_ms = self.now().wall_ms;
        let abort = self.tasks.spawn_local(async move {
            let outcome = match target {
                Ok(target) => {
                    let (headers, body) = form.make(&hook, &message, at_ms);
                    egress.post(&target, headers, body).await
                }
                Err(_) => Outcome::Forbidden,
            };
            Done::Called(slot, call, trust, outcome)
        });
        self.calling.insert(abort.id(), (slot, call, trust));
    }

    /// Places go behind the changes: a message is passed only once its dead letter is kept.
    fn with_standings(
        &self,
        mut changes: Vec<PlaceChange>,
        moved: BTreeSet<(Slot, Feed)>,
    ) -> Vec<PlaceChange> {
        for (slot, feed) in moved {
            let Some(post) = self.posts.get(&slot) else { continue };
            let Some(standing) = post.standings.get(&feed) else { continue };
            changes.push(PlaceChange::Stand(post.key.clone(), feed, standing.clone()));
        }
        changes
    }

    pub(super) fn saved(&mut self, end: Option<SaveEnd>) {
        let now_ms = self.now().monotonic_ms;
        match end {
            Some((Ok(()), _)) => self.keep.succeeded(now_ms),
            Some((Err(why), changes)) => {
                tracing::error!("webhooks stand still until their places can be saved: {why}");
                self.keep.failed(changes, now_ms);
            }
            None => {
                tracing::error!("webhooks stand still: the thread of their places has ended");
                self.keep.failed(Vec::new(), now_ms);
            }
        }
    }

    /// The last save, at the end.
    pub(super) async fn save_last(&mut self) {
        self.tasks.abort_all();
        let (changes, moved) = self.keep.begin();
        let changes = self.with_standings(changes, moved);
        let end = self.tools.places.save(changes, self.now().wall_ms).await;
        if !matches!(end, Some((Ok(()), _))) {
            tracing::warn!(
                "the last places of webhooks were not saved: some deliveries come again"
            );
        }
    }
}
