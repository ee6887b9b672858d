//! What has changed and is not durable yet. Pure: the desk saves it when it is time.

use std::collections::BTreeSet;

use super::Slot;
use crate::side::webhook::door::Reply;
use crate::side::webhook::hooks::HooksRefused;
use crate::side::webhook::names::Feed;
use crate::side::webhook::places::PlaceChange;

/// After a failed save deliveries stand still so long: nothing ends that cannot be kept.
const AGAIN_MS: u64 = 1_000;

/// See the module.
#[derive(Default)]
pub(super) struct Keep {
    /// Changes in their order; places come behind them.
    changes: Vec<PlaceChange>,
    moved: BTreeSet<(Slot, Feed)>,
    replies: Vec<Reply<Result<(), HooksRefused>>>,
    /// Those of the save under way.
    under_way: Option<Vec<Reply<Result<(), HooksRefused>>>>,
    due_ms: Option<u64>,
    has_failed: bool,
}

impl Keep {
    pub(super) fn change(&mut self, change: PlaceChange, due_ms: u64) {
        self.changes.push(change);
        self.wake(due_ms);
    }

    pub(super) fn moved(&mut self, slot: Slot, feed: Feed, due_ms: u64) {
        self.moved.insert((slot, feed));
        self.wake(due_ms);
    }

    /// Answers once everything until now is durable.
    pub(super) fn reply(&mut self, reply: Reply<Result<(), HooksRefused>>, now_ms: u64) {
        self.replies.push(reply);
        self.wake(now_ms);
    }

    /// Forgets that an endpoint moved: it is no more.
    pub(super) fn forget(&mut self, slot: Slot) {
        self.moved.retain(|(of, _)| *of != slot);
    }

    fn wake(&mut self, due_ms: u64) {
        let is_later = self.due_ms.is_some_and(|it| it <= due_ms);
        if !is_later && !self.has_failed {
            self.due_ms = Some(due_ms);
        }
    }

    /// When to save next; `None` while there is nothing to save, or a save is under way.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.due_ms.filter(|_| self.under_way.is_none())
    }

    /// Whether a save is under way.
    pub(super) fn is_saving(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether saves fail.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Begins a save.
    pub(super) fn begin(&mut self) -> (Vec<PlaceChange>, BTreeSet<(Slot, Feed)>) {
        self.due_ms = None;
        self.under_way = Some(std::mem::take(&mut self.replies));
        (std::mem::take(&mut self.changes), std::mem::take(&mut self.moved))
    }

    pub(super) fn succeeded(&mut self, now_ms: u64) {
        self.has_failed = false;
        for reply in self.under_way.take().into_iter().flatten() {
            reply(Ok(()));
        }
        if !self.changes.is_empty() || !self.moved.is_empty() || !self.replies.is_empty() {
            self.wake(now_ms);
        }
    }

    /// It is tried again, before what came after it.
    pub(super) fn failed(&mut self, mut changes: Vec<PlaceChange>, now_ms: u64) {
        changes.append(&mut self.changes);
        self.changes = changes;
        for reply in self.under_way.take().into_iter().flatten() {
            reply(Err(HooksRefused::Unavailable));
        }
        self.has_failed = true;
        self.due_ms = Some(now_ms + AGAIN_MS);
    }
}
