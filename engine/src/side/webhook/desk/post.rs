//! An endpoint as the desk knows it: its machine, and what is kept of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::ids::Now;
use crate::side::webhook::egress::{Refusal, Target};
use crate::side::webhook::endpoint::{Effect, Endpoint};
use crate::side::webhook::hooks::EndpointStatus;
use crate::side::webhook::limits::WebhookLimits;
use crate::side::webhook::names::{EndpointKey, Feed, Place};
use crate::side::webhook::places::{Letter, Saved};
use crate::side::webhook::tally::Standing;

/// See the module.
pub(super) struct Post {
    pub(super) key: EndpointKey,
    /// Where to call; nowhere when the rules do not allow it.
    pub(super) target: Result<Arc<Target>, Refusal>,
    pub(super) machine: Endpoint,
    pub(super) standings: BTreeMap<Feed, Standing>,
    /// Ids of its dead letters, rising.
    pub(super) letters: VecDeque<u64>,
    next_letter: u64,
    letters_dropped: u64,
    /// Dead letters that are tried again.
    pub(super) replaying: BTreeMap<u64, Letter>,
    /// When the desk wakes it.
    pub(super) due_ms: Option<u64>,
    /// What the desk has counted of its bytes.
    pub(super) bytes: usize,
}

impl Post {
    pub(super) fn new(
        key: EndpointKey,
        target: Result<Target, Refusal>,
        limits: &Arc<WebhookLimits>,
    ) -> Self {
        Self {
            key,
            target: target.map(Arc::new),
            machine: Endpoint::new(Arc::clone(limits)),
            standings: BTreeMap::new(),
            letters: VecDeque::new(),
            next_letter: 1,
            letters_dropped: 0,
            replaying: BTreeMap::new(),
            due_ms: None,
            bytes: 0,
        }
    }

    /// Goes on where it was saved.
    pub(super) fn resume(&mut self, saved: Saved) {
        self.next_letter = saved.letters.last().map_or(1, |it| it + 1);
        self.letters = saved.letters.into();
        for (feed, standing) in saved.standings {
            self.machine.join(feed.clone(), standing.ended);
            self.standings.insert(feed, standing);
        }
    }

    /// Begins a feed after a place, unless it knows it. Says whether it began.
    pub(super) fn join(&mut self, feed: &Feed, after: Place) -> bool {
        if self.machine.knows(feed) {
            return false;
        }
        self.machine.join(feed.clone(), after);
        self.standings.insert(feed.clone(), Standing::new(after));
        true
    }

    /// Hears how far feeds reach. One that is new to it, because not all of its places were kept before a crash, it takes from here:
    /// nobody was told that it is there. Returns those.
    pub(super) fn hear(&mut self, ends: &[(Feed, Place)]) -> Vec<Feed> {
        let mut new = Vec::new();
        for (feed, end) in ends {
            if self.join(feed, *end) {
                new.push(feed.clone());
            }
            self.machine.hear_of(feed, *end);
        }
        new
    }

    /// The id of a new dead letter, and that of the one that is let go for it.
    pub(super) fn add_letter(&mut self, letters_max: usize) -> (u64, Option<u64>) {
        let id = self.next_letter;
        self.next_letter += 1;
        self.letters.push_back(id);
        let is_over = self.letters.len() > letters_max;
        let gone = if is_over { self.letters.pop_front() } else { None };
        self.letters_dropped += u64::from(gone.is_some());
        (id, gone)
    }

    pub(super) fn turn(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.machine.turn(now, effects);
    }

    pub(super) fn status(&self) -> EndpointStatus {
        EndpointStatus {
            endpoint: self.key.clone(),
            is_open: self.machine.is_open(),
            in_flight: self.machine.in_flight(),
            letters: self.letters.len(),
            letters_dropped: self.letters_dropped,
        }
    }
}
