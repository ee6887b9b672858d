//! What endpoints want done, and what came of it.

use storage::Cursor;

use super::gates::{Call, Reading, Trust};
use super::{Desk, Slot};
use crate::ids::Now;
use crate::side::webhook::endpoint::{Effect, Slice};
use crate::side::webhook::names::{Feed, Outcome, Place, Placed, Reason, Verdict};
use crate::side::webhook::places::{Letter, LetterHead, PlaceChange};
use crate::side::webhook::source::SourceError;
use crate::side::webhook::tally::{Standing, counts};

impl Desk {
    pub(super) fn called(&mut self, slot: Slot, call: u64, trust: Trust, outcome: Outcome) {
        self.calls.ended(trust);
        let (now, chance) = (self.now(), self.chance());
        let Some(post) = self.posts.get_mut(&slot) else { return };
        let was_open = post.machine.is_open();
        post.machine.answered(call, outcome, now, chance);
        match (was_open, post.machine.is_open()) {
            (false, true) => tracing::warn!(
                tenant = post.key.tenant.0,
                hook = &*post.key.hook,
                "a webhook endpoint fails; it is left alone for a while"
            ),
            (true, false) => tracing::info!(
                tenant = post.key.tenant.0,
                hook = &*post.key.hook,
                "a webhook endpoint is back"
            ),
            (false, false) | (true, true) => {}
        }
        self.turn(slot, now);
    }

    pub(super) fn hear_slice(
        &mut self,
        slot: Slot,
        feed: &Feed,
        result: Result<(Slice, Cursor), SourceError>,
    ) {
        let now = self.now();
        let Some(post) = self.posts.get_mut(&slot) else { return };
        let mut effects = std::mem::take(&mut self.effects);
        match result {
            Ok((slice, way)) => {
                self.ways.keep(post.key.tenant, feed.clone(), way);
                post.machine.loaded(feed, slice, &mut effects);
            }
            Err(SourceError::Ended) => post.machine.read_failed(feed, now),
            Err(why) => {
                tracing::warn!("webhooks cannot read on for now: {why}");
                post.machine.read_failed(feed, now);
            }
        }
        self.effects = effects;
        self.turn(slot, now);
    }

    /// Lets an endpoint go on, and does what it wants.
    pub(super) fn turn(&mut self, slot: Slot, now: Now) {
        let Some(post) = self.posts.get_mut(&slot) else { return };
        let mut effects = std::mem::take(&mut self.effects);
        post.turn(now, &mut effects);
        for effect in effects.drain(..) {
            self.act(slot, effect, now);
        }
        self.effects = effects;
        let Some(post) = self.posts.get_mut(&slot) else { return };
        let bytes = post.machine.bytes();
        self.reads.held_bytes = self.reads.held_bytes + bytes - post.bytes;
        post.bytes = bytes;
        // Never now: an endpoint that wants something else at once has had its turn.
        let due_ms = post.machine.due_ms(now).map(|it| it.max(now.monotonic_ms + 1));
        if due_ms != post.due_ms {
            self.due.extend(due_ms.map(|it| (it, slot)));
            if let Some(before) = std::mem::replace(&mut post.due_ms, due_ms) {
                self.due.remove(&(before, slot));
            }
        }
    }

    fn act(&mut self, slot: Slot, effect: Effect, now: Now) {
        let Some(post) = self.posts.get_mut(&slot) else { return };
        let save_due_ms = now.monotonic_ms + self.tools.limits.save_ms;
        let runs_max = self.tools.limits.failed_runs_max;
        match effect {
            Effect::Read { feed, after } => self.reads.push(Reading::Slice { slot, feed, after }),
            Effect::Call { call, message } => {
                let trust = if post.machine.is_trusted() { Trust::Sound } else { Trust::Suspect };
                self.calls.push(Call { slot, call, message, trust });
            }
            Effect::Ended { feed, placed, attempts, verdict } => {
                standing(&mut post.standings, &feed).end(placed.place, verdict, runs_max);
                self.count(slot, &feed, &placed);
                if let Verdict::Dead(reason) = verdict {
                    let letter = letter(feed, &placed, attempts, reason);
                    self.bury(slot, letter, now);
                }
            }
            Effect::Removed { feed, after, until } => {
                standing(&mut post.standings, &feed).lose(after, until, runs_max);
                self.bury(slot, removed(feed, after, until), now);
            }
            Effect::Passed { feed, place } => {
                standing(&mut post.standings, &feed).pass(place);
                self.keep.moved(slot, feed, save_due_ms);
            }
            Effect::Replayed { letter, verdict } => self.replayed(slot, letter, verdict, now),
        }
    }

    /// Tells the ledger of a message when this was the last endpoint of its hook.
    fn count(&mut self, slot: Slot, feed: &Feed, placed: &Placed) {
        let Some(post) = self.posts.get(&slot) else { return };
        let Some(tenant) = self.tenants.get(&post.key.tenant) else { return };
        let Some(slots) = tenant.posts.get(&post.key.hook) else { return };
        let posts = slots.iter().filter_map(|slot| self.posts.get(slot));
        let standings = posts.filter_map(|post| post.standings.get(feed));
        let Some((counts, slowest)) = counts(placed.place, standings) else { return };
        for slot in slots {
            let post = self.posts.get_mut(slot);
            if let Some(standing) = post.and_then(|it| it.standings.get_mut(feed)) {
                standing.forget(slowest);
            }
        }
        self.tools.ledger.count(&placed.message, counts);
    }

    /// Keeps a dead letter, and lets the oldest go where there are too many.
    fn bury(&mut self, slot: Slot, mut letter: Letter, now: Now) {
        let due_ms = now.monotonic_ms + self.tools.limits.save_ms;
        let Some(post) = self.posts.get_mut(&slot) else { return };
        let (id, gone) = post.add_letter(self.tools.limits.dead_letters_max);
        (letter.id, letter.died_at_ms) = (id, now.wall_ms);
        self.keep.change(PlaceChange::Letter(post.key.clone(), letter), due_ms);
        if let Some(gone) = gone {
            self.keep.change(PlaceChange::LetterGone(post.key.clone(), gone), due_ms);
        }
    }

    fn replayed(&mut self, slot: Slot, id: u64, verdict: Verdict, now: Now) {
        let due_ms = now.monotonic_ms + self.tools.limits.save_ms;
        let Some(post) = self.posts.get_mut(&slot) else { return };
        let Some(mut letter) = post.replaying.remove(&id) else { return };
        if !post.letters.contains(&id) {
            return; // It was let go for newer ones meanwhile.
        }
        let key = post.key.clone();
        let change = match verdict {
            Verdict::Delivered => {
                post.letters.retain(|it| *it != id);
                PlaceChange::LetterGone(key, id)
            }
            Verdict::Dead(reason) => {
                (letter.reason, letter.died_at_ms) = (reason, now.wall_ms);
                PlaceChange::Letter(key, letter)
            }
        };
        self.keep.change(change, due_ms);
    }
}

fn standing<'a>(
    all: &'a mut std::collections::BTreeMap<Feed, Standing>,
    feed: &Feed,
) -> &'a mut Standing {
    all.entry(feed.clone()).or_default()
}

fn letter(feed: Feed, placed: &Placed, attempts: u32, reason: Reason) -> Letter {
    let message = &placed.message;
    Letter {
        id: 0,
        feed,
        before: placed.before,
        place: placed.place,
        reason,
        attempts,
        died_at_ms: 0,
        message: Some(LetterHead {
            id: message.id().0,
            at_ms: message.at_ms(),
            channel: message.channel().name().to_owned(),
            event: message.event().to_owned(),
        }),
    }
}

fn removed(feed: Feed, after: Place, until: Place) -> Letter {
    let (before, place, reason) = (after, until, Reason::Removed);
    Letter { id: 0, feed, before, place, reason, attempts: 0, died_at_ms: 0, message: None }
}
