//! One endpoint as a pure state machine: time and chance come as arguments, calls and reads go out as effects.
//!
//! Its messages keep their order, its failures are its own, and what a feed gives it is held only while it is worked on.

mod attempt;
mod breaker;
mod line;
mod replay;

use std::collections::BTreeMap;
use std::sync::Arc;

use storage::Publication;

use self::attempt::Attempt;
use self::breaker::{Admit, Breaker, jittered};
use self::line::Line;
pub use self::line::Slice;
pub use self::replay::ReplayRefused;
use self::replay::Replays;
use super::limits::{Retry, WebhookLimits};
use super::names::{Feed, Outcome, Place, Placed, Reason, Verdict};
use crate::ids::Now;

/// What an endpoint wants done.
#[derive(Debug)]
pub enum Effect {
    /// Read a feed. It is answered with [`Endpoint::loaded`] or [`Endpoint::read_failed`].
    Read {
        /// Which.
        feed: Feed,
        /// After which place.
        after: Place,
    },
    /// Deliver. It is answered with [`Endpoint::answered`].
    Call {
        /// Names the call.
        call: u64,
        /// What to deliver.
        message: Arc<Publication>,
    },
    /// A message has ended, and every one before it in its feed.
    Ended {
        /// The feed.
        feed: Feed,
        /// The message, and where it stands.
        placed: Placed,
        /// Attempts that counted.
        attempts: u32,
        /// How.
        verdict: Verdict,
    },
    /// Messages of a feed are gone, undelivered.
    Removed {
        /// The feed.
        feed: Feed,
        /// The place before them.
        after: Place,
        /// The last of them.
        until: Place,
    },
    /// Everything of a feed up to a place has ended.
    Passed {
        /// The feed.
        feed: Feed,
        /// The place.
        place: Place,
    },
    /// The replay of a dead letter has ended.
    Replayed {
        /// The letter.
        letter: u64,
        /// How.
        verdict: Verdict,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Endpoint {
    limits: Arc<WebhookLimits>,
    breaker: Breaker,
    lines: BTreeMap<Feed, Line>,
    /// Which of them, or of the replays behind them, was served last.
    served: usize,
    replays: Replays,
    calls: u64,
    in_flight: usize,
}

impl Endpoint {
    /// An endpoint that knows no feed yet.
    #[must_use]
    pub fn new(limits: Arc<WebhookLimits>) -> Self {
        Self {
            limits,
            breaker: Breaker::default(),
            lines: BTreeMap::new(),
            served: 0,
            replays: Replays::default(),
            calls: 0,
            in_flight: 0,
        }
    }

    /// Goes on in a feed after a place, unless it knows the feed.
    pub fn join(&mut self, feed: Feed, after: Place) {
        self.lines.entry(feed).or_insert_with(|| Line::new(after));
    }

    /// Whether it knows the feed.
    #[must_use]
    pub fn knows(&self, feed: &Feed) -> bool {
        self.lines.contains_key(feed)
    }

    /// A feed reaches to this place.
    pub fn hear_of(&mut self, feed: &Feed, end: Place) {
        if let Some(line) = self.lines.get_mut(feed) {
            line.hear_of(end);
        }
    }

    /// A read ended.
    pub fn loaded(&mut self, feed: &Feed, slice: Slice, effects: &mut Vec<Effect>) {
        let Some(line) = self.lines.get_mut(feed) else { return };
        let after = line.ended();
        if let Some(until) = slice.removed.filter(|it| *it > after) {
            effects.push(Effect::Removed { feed: feed.clone(), after, until });
            line.skip_to(until);
        }
        line.load(slice);
        if line.ended() > after {
            effects.push(Effect::Passed { feed: feed.clone(), place: line.ended() });
        }
        if self.breaker.is_suspect() {
            line.shed();
        }
    }

    /// A read came to nothing.
    pub fn read_failed(&mut self, feed: &Feed, now: Now) {
        if let Some(line) = self.lines.get_mut(feed) {
            line.read_failed(now.monotonic_ms + self.limits.poll_ms);
        }
    }

    /// A call ended. `chance` is any number.
    pub fn answered(&mut self, call: u64, outcome: Outcome, now: Now, chance: u32) {
        self.in_flight = self.in_flight.saturating_sub(1);
        // What a probe meets says nothing of its message.
        let is_probe = !self.breaker.is_closed();
        if outcome.is_alive() {
            self.breaker.succeeded();
        } else {
            self.breaker.failed(now.monotonic_ms, chance, &self.limits);
        }
        let limits = Arc::clone(&self.limits);
        let mut lines = self.lines.values_mut();
        let slots = self.replays.calling(call).or_else(|| lines.find_map(|it| it.calling(call)));
        if let Some((attempt, verdict)) = slots {
            let now_ms = now.monotonic_ms;
            *verdict = judge(attempt, outcome, Stage { is_probe, now_ms, chance }, &limits);
        }
        if !outcome.is_alive() {
            self.lines.values_mut().for_each(Line::shed);
        }
    }

    /// Tries a dead letter again.
    ///
    /// # Errors
    /// When as many wait as may, or it waits already.
    pub fn replay(&mut self, letter: u64, message: Arc<Publication>) -> Result<(), ReplayRefused> {
        self.replays.push(letter, message, self.limits.replays_max)
    }

    /// Does what can be done now.
    pub fn turn(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.expire(now);
        self.settle(effects);
        self.begin_calls(now.monotonic_ms, effects);
        for (feed, line) in &mut self.lines {
            if let Some(after) = line.read(now.monotonic_ms) {
                effects.push(Effect::Read { feed: feed.clone(), after });
            }
        }
    }

    /// When it wants its next turn, should nothing happen before.
    #[must_use]
    pub fn due_ms(&self, now: Now) -> Option<u64> {
        let reads = self.lines.values().filter_map(Line::read_due_ms).min();
        let lines = self.lines.values().filter_map(Line::start_due_ms).min();
        let start = [lines, self.replays.start_due_ms()].into_iter().flatten().min();
        if self.breaker.is_closed() {
            let start = start.filter(|_| self.in_flight < self.limits.in_flight_max);
            return [reads, start].into_iter().flatten().min();
        }
        let oldest = self.lines.values().filter_map(Line::oldest_at_ms).min();
        let expiry = oldest.map(|at_ms| {
            let end_ms = at_ms.saturating_add(self.limits.waiting_ms_max).saturating_add(1);
            now.monotonic_ms.saturating_add(end_ms.saturating_sub(now.wall_ms))
        });
        let probe = self.breaker.due_ms().filter(|_| self.in_flight == 0);
        let probe = probe.and_then(|it| start.map(|start| start.max(it)));
        [reads, expiry, probe].into_iter().flatten().min()
    }

    /// Whether its last attempt went well. One that was never called is not trusted yet.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.breaker.is_trusted()
    }

    /// Whether it is left alone for a while.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.breaker.is_closed()
    }

    /// Calls under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Bytes of the messages that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.values().map(Line::bytes).sum()
    }

    fn expire(&mut self, now: Now) {
        if self.breaker.is_closed() {
            return;
        }
        let waiting_ms_max = self.limits.waiting_ms_max;
        let is_over = |it: &Publication| now.wall_ms.saturating_sub(it.at_ms()) > waiting_ms_max;
        for line in self.lines.values_mut() {
            line.give_up(Verdict::Dead(Reason::Expired), is_over);
        }
    }

    fn settle(&mut self, effects: &mut Vec<Effect>) {
        for (feed, line) in &mut self.lines {
            while let Some((placed, attempts, verdict)) = line.pop_ended() {
                effects.push(Effect::Ended { feed: feed.clone(), placed, attempts, verdict });
                let place = line.ended();
                effects.push(Effect::Passed { feed: feed.clone(), place });
            }
        }
        while let Some((letter, verdict)) = self.replays.pop_ended() {
            effects.push(Effect::Replayed { letter, verdict });
        }
    }

    fn begin_calls(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        loop {
            let admit = self.breaker.admit(now_ms);
            let room = match admit {
                Admit::All => self.limits.in_flight_max,
                Admit::Probe => 1,
                Admit::Nothing => 0,
            };
            if self.in_flight >= room {
                return;
            }
            let call = self.calls + 1;
            let Some((message, attempt)) = self.next_message(now_ms) else { return };
            let message = Arc::clone(message);
            attempt.begin(call);
            self.calls = call;
            self.in_flight += 1;
            if admit == Admit::Probe {
                self.breaker.probe();
            }
            effects.push(Effect::Call { call, message });
        }
    }

    /// Of all lines and the replays the next one that has something: none of them holds another up.
    fn next_message(&mut self, now_ms: u64) -> Option<(&Arc<Publication>, &mut Attempt)> {
        let ways = self.lines.len() + 1;
        let first = self.served.wrapping_add(1);
        let has_message = |way: usize, it: &mut Self| match it.lines.values_mut().nth(way) {
            Some(line) => line.startable(now_ms).is_some(),
            None => it.replays.startable(now_ms).is_some(),
        };
        let mut order = (0..ways).map(|step| first.wrapping_add(step) % ways);
        let way = order.find(|way| has_message(*way, self))?;
        self.served = way;
        match self.lines.values_mut().nth(way) {
            Some(line) => line.startable(now_ms),
            None => self.replays.startable(now_ms),
        }
    }
}

/// When an attempt ended, and of what kind it was.
#[derive(Clone, Copy)]
struct Stage {
    is_probe: bool,
    now_ms: u64,
    chance: u32,
}

/// What an outcome means for its delivery: its end, or another attempt.
fn judge(
    attempt: &mut Attempt,
    outcome: Outcome,
    stage: Stage,
    limits: &WebhookLimits,
) -> Option<Verdict> {
    let (is_worth_more, wish_ms) = match outcome {
        Outcome::Unreachable(_) => (true, None),
        Outcome::Forbidden => (false, None),
        Outcome::Answered { status, retry_after_ms } => {
            let is_busy = status == 429 || status >= 500;
            (is_busy && limits.retry == Retry::NoAnswerOrBusy, retry_after_ms)
        }
    };
    if is_worth_more && stage.is_probe {
        attempt.probed();
    } else {
        attempt.failed();
    }
    if !is_worth_more || attempt.count() >= limits.attempts_max {
        return Some(outcome.verdict());
    }
    let own_ms = limits.retry_wait_ms << (attempt.count().clamp(1, 16) - 1);
    let wish_ms = wish_ms.unwrap_or_default().min(limits.retry_after_ms_max);
    attempt.wait(stage.now_ms + jittered(own_ms, stage.chance).max(wish_ms));
    None
}
