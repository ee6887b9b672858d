//! One endpoint's way through one feed: what was read and has not ended, in order, and the place up to which all has.

use std::collections::VecDeque;
use std::sync::Arc;

use storage::Publication;

use super::Attempt;
use crate::side::webhook::names::{Place, Placed, Verdict};

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    /// Everything up to here has ended.
    ended: Place,
    /// Everything up to here was read.
    seen: Place,
    items: VecDeque<Item>,
    reading: Reading,
}

/// What a line knows of its feed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reading {
    /// There may be more.
    Hungry,
    /// Asked for.
    Asked {
        /// Somebody said that there is more, meanwhile.
        again: bool,
    },
    /// There was no more.
    Dry,
    /// It could not be read; to be tried again.
    Later(u64),
}

#[derive(Debug)]
struct Item {
    placed: Placed,
    attempt: Attempt,
    verdict: Option<Verdict>,
}

/// What a feed gave.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// Messages, in order.
    pub messages: Vec<Placed>,
    /// How far was looked: what is not among the messages up to here is for others.
    pub seen: Place,
    /// Messages up to here, and after the place that was asked for, are gone.
    pub removed: Option<Place>,
    /// Whether there is nothing more for now.
    pub is_end: bool,
}

impl Line {
    pub(super) fn new(place: Place) -> Self {
        Self { ended: place, seen: place, items: VecDeque::new(), reading: Reading::Hungry }
    }

    /// How far everything has ended.
    pub(super) fn ended(&self) -> Place {
        self.ended
    }

    /// Somebody says that the feed reaches to `end`.
    pub(super) fn hear_of(&mut self, end: Place) {
        self.reading = match self.reading {
            Reading::Asked { .. } => Reading::Asked { again: true },
            Reading::Dry if end > self.seen => Reading::Hungry,
            Reading::Hungry | Reading::Dry | Reading::Later(_) => self.reading,
        };
    }

    /// The place to read after, if it is time to.
    pub(super) fn read(&mut self, now_ms: u64) -> Option<Place> {
        let is_due = match self.reading {
            Reading::Hungry => true,
            Reading::Later(at_ms) => now_ms >= at_ms,
            Reading::Asked { .. } | Reading::Dry => false,
        };
        if !is_due || !self.items.is_empty() {
            return None;
        }
        self.reading = Reading::Asked { again: false };
        Some(self.seen)
    }

    /// When a read is to be tried again.
    pub(super) fn read_due_ms(&self) -> Option<u64> {
        match self.reading {
            Reading::Later(at_ms) if self.items.is_empty() => Some(at_ms),
            Reading::Later(_) | Reading::Hungry | Reading::Asked { .. } | Reading::Dry => None,
        }
    }

    pub(super) fn read_failed(&mut self, again_ms: u64) {
        self.reading = Reading::Later(again_ms);
    }

    /// Leaves out what is gone.
    pub(super) fn skip_to(&mut self, place: Place) {
        self.seen = self.seen.max(place);
        self.settle();
    }

    /// Takes what was read: a line asks only when it has nothing.
    pub(super) fn load(&mut self, slice: Slice) {
        let is_again = self.reading == Reading::Asked { again: true };
        self.reading = if slice.is_end && !is_again { Reading::Dry } else { Reading::Hungry };
        self.seen = self.seen.max(slice.seen);
        for placed in slice.messages {
            self.seen = self.seen.max(placed.place);
            self.items.push_back(Item { placed, attempt: Attempt::default(), verdict: None });
        }
        self.settle();
    }

    /// Lets go of what has not begun, but for the first message: it is read again.
    pub(super) fn shed(&mut self) {
        while self.items.len() > 1 && self.items.back().is_some_and(Item::is_fresh) {
            self.items.pop_back();
            self.reading = Reading::Hungry;
        }
        if let Some(last) = self.items.back().filter(|_| self.reading == Reading::Hungry) {
            self.seen = last.placed.place;
        }
    }

    /// The first message that may be called with.
    pub(super) fn startable(&mut self, now_ms: u64) -> Option<(&Arc<Publication>, &mut Attempt)> {
        let index = self.free().find(|(_, it)| it.attempt.may_begin(now_ms))?.0;
        let item = self.items.get_mut(index)?;
        Some((&item.placed.message, &mut item.attempt))
    }

    /// When one may be.
    pub(super) fn start_due_ms(&self) -> Option<u64> {
        self.free().filter_map(|(_, it)| it.attempt.start_due_ms()).min()
    }

    /// Unfinished messages with none of their channel unfinished before them.
    fn free(&self) -> impl Iterator<Item = (usize, &Item)> {
        let is_free = |(index, item): &(usize, &Item)| {
            let mut before = self.items.iter().take(*index).filter(|it| it.verdict.is_none());
            item.verdict.is_none() && !before.any(|it| it.channel() == item.channel())
        };
        self.items.iter().enumerate().filter(is_free)
    }

    /// The attempt that a call is.
    pub(super) fn calling(&mut self, call: u64) -> Option<(&mut Attempt, &mut Option<Verdict>)> {
        let item = self.items.iter_mut().find(|it| it.attempt.is_call(call))?;
        Some((&mut item.attempt, &mut item.verdict))
    }

    /// Ends every message that is not under way and of which `is_over` says so.
    pub(super) fn give_up(&mut self, verdict: Verdict, is_over: impl Fn(&Publication) -> bool) {
        for item in &mut self.items {
            if item.verdict.is_none() && !item.attempt.is_calling() && is_over(&item.placed.message)
            {
                item.verdict = Some(verdict);
            }
        }
    }

    /// The next message that has ended with all before it.
    pub(super) fn pop_ended(&mut self) -> Option<(Placed, u32, Verdict)> {
        let verdict = self.items.front()?.verdict?;
        let item = self.items.pop_front()?;
        self.ended = item.placed.place;
        self.settle();
        Some((item.placed, item.attempt.count(), verdict))
    }

    /// Where nothing is left, everything that was read has ended.
    fn settle(&mut self) {
        if self.items.is_empty() {
            self.ended = self.ended.max(self.seen);
        }
    }

    /// When the oldest message that waits was published.
    pub(super) fn oldest_at_ms(&self) -> Option<u64> {
        let waiting =
            self.items.iter().filter(|it| it.verdict.is_none() && !it.attempt.is_calling());
        waiting.map(|it| it.placed.message.at_ms()).min()
    }

    /// Bytes of the messages that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.items.iter().map(|it| it.placed.message.text_bytes()).sum()
    }
}

impl Item {
    fn channel(&self) -> &str {
        self.placed.message.channel().name()
    }

    fn is_fresh(&self) -> bool {
        self.verdict.is_none() && !self.attempt.is_calling() && self.attempt.count() == 0
    }
}
