//! Many endpoints in a world that a seed decides: receivers that fail in every way, a journal that is slow, crashes at any time.
//! Checked: every message is delivered at least once or is a dead letter, the order holds, a dead endpoint delays no other, and the
//! counts that are told are those of the world.

mod checks;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use engine::ids::{ChannelKey, Epoch, MessageId, Now, Offset, TenantId};
use engine::side::webhook::{
    Counts, Effect, Endpoint, Fault, Feed, Outcome, Place, Placed, Reason, Retry, Slice, Standing,
    Verdict, WebhookLimits, counts,
};
use storage::{Draft, Publication};

use crate::random::Random;

const WALL_MS: u64 = 1_700_000_000_000;
const CHANNELS: u64 = 3;

/// How a receiver is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Mood {
    Well,
    /// No answer, after the time-out.
    Silent,
    /// No connection.
    Gone,
    /// Answers, and wants nothing.
    Refusing,
    /// Answers 503.
    Busy,
}

/// What happens at a time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Happens {
    Publish,
    Answer { who: usize, life: u32, call: u64, mood: Mood },
    Read { who: usize, life: u32, feed: usize, after: u128 },
    Wake { who: usize },
    Save,
    Crash,
    Moods,
    Heal,
}

/// What the world saw of one receiver.
#[derive(Default)]
struct Seen {
    /// When each message first arrived.
    first_ms: BTreeMap<(usize, u128), u64>,
    /// How each message ended last.
    verdicts: BTreeMap<(usize, u128), Verdict>,
}

struct World {
    random: Random,
    limits: Arc<WebhookLimits>,
    feeds: Vec<Vec<Arc<Publication>>>,
    /// Messages up to here are gone from a feed.
    removed: Vec<u128>,
    machines: Vec<Endpoint>,
    standings: Vec<Vec<Standing>>,
    durable: Vec<Vec<Standing>>,
    moods: Vec<Mood>,
    seen: Vec<Seen>,
    calls: BTreeMap<(usize, u64), (usize, u128)>,
    /// The last message that went out, by endpoint, life, feed and channel.
    last: BTreeMap<(usize, u32, usize, String), u128>,
    wakes: Vec<Option<u64>>,
    told: BTreeMap<(usize, u128), Counts>,
    events: BinaryHeap<Reverse<(u64, u64, Happens)>>,
    order: u64,
    now_ms: u64,
    life: u32,
    is_healed: bool,
    crashes: u32,
    opened: BTreeSet<usize>,
}

fn feed(index: usize) -> Feed {
    Feed(format!("feed-{index}").into())
}

fn index(feed: &Feed) -> usize {
    feed.0.trim_start_matches("feed-").parse().unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let endpoints = 2 + random.below(6) as usize;
        let feeds = 1 + random.below(3) as usize;
        let limits = Arc::new(WebhookLimits {
            in_flight_max: 1 + random.below(3) as usize,
            attempts_max: 1 + random.below(4) as u32,
            breaker_failures: 1 + random.below(6) as u32,
            slice_messages_max: 1 + random.below(20) as usize,
            failed_runs_max: if random.percent(20) { 1 } else { 256 },
            waiting_ms_max: if random.percent(30) { 60_000 } else { 259_200_000 },
            retry: if random.percent(50) { Retry::NoAnswer } else { Retry::NoAnswerOrBusy },
            ..WebhookLimits::default()
        });
        let standings = vec![vec![Standing::new(Place::START); feeds]; endpoints];
        let mut world = Self {
            random,
            limits,
            feeds: vec![Vec::new(); feeds],
            removed: vec![0; feeds],
            machines: Vec::new(),
            durable: standings.clone(),
            standings,
            moods: vec![Mood::Well; endpoints],
            seen: (0..endpoints).map(|_| Seen::default()).collect(),
            calls: BTreeMap::new(),
            last: BTreeMap::new(),
            wakes: vec![None; endpoints],
            told: BTreeMap::new(),
            events: BinaryHeap::new(),
            order: 0,
            now_ms: 1_000,
            life: 0,
            is_healed: false,
            crashes: 0,
            opened: BTreeSet::new(),
        };
        world.start();
        for happens in [Happens::Publish, Happens::Save, Happens::Crash, Happens::Moods] {
            world.later(1, happens);
        }
        world.later(120_000, Happens::Heal);
        world
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: WALL_MS + self.now_ms }
    }

    fn later(&mut self, after_ms: u64, happens: Happens) {
        self.order += 1;
        self.events.push(Reverse((self.now_ms + after_ms, self.order, happens)));
    }

    /// The node starts from what is durable.
    fn start(&mut self) {
        self.life += 1;
        self.calls.clear();
        self.standings = self.durable.clone();
        self.machines =
            (0..self.moods.len()).map(|_| Endpoint::new(Arc::clone(&self.limits))).collect();
        for who in 0..self.machines.len() {
            for (at, standing) in self.standings[who].iter().enumerate() {
                self.machines[who].join(feed(at), standing.ended);
            }
            self.turn(who);
        }
    }

    fn run(&mut self) {
        while let Some(Reverse((at_ms, _, happens))) = self.events.pop() {
            self.now_ms = at_ms;
            self.happen(happens);
            assert!(self.order < 3_000_000, "it never ends");
        }
    }

    fn happen(&mut self, happens: Happens) {
        match happens {
            Happens::Publish => self.publish(),
            Happens::Answer { who, life, call, mood } if life == self.life => {
                self.answer(who, call, mood);
            }
            Happens::Read { who, life, feed, after } if life == self.life => {
                self.read(who, feed, after);
            }
            // They were of a life before.
            Happens::Answer { .. } | Happens::Read { .. } => {}
            Happens::Wake { who } => {
                self.wakes[who] = None;
                self.turn(who);
            }
            Happens::Save => {
                self.durable = self.standings.clone();
                if !self.is_healed {
                    let after_ms = self.random.below(300);
                    self.later(after_ms, Happens::Save);
                }
            }
            Happens::Crash if !self.is_healed => {
                self.crashes += 1;
                self.start();
                let after_ms = self.random.below(20_000);
                self.later(after_ms, Happens::Crash);
            }
            Happens::Moods if !self.is_healed => self.change_moods(),
            Happens::Crash | Happens::Moods => {}
            Happens::Heal => {
                self.is_healed = true;
                self.moods.fill(Mood::Well);
            }
        }
    }

    fn change_moods(&mut self) {
        // The first is always well: nothing may ever delay it.
        for who in 1..self.moods.len() {
            let moods =
                [Mood::Well, Mood::Well, Mood::Silent, Mood::Gone, Mood::Refusing, Mood::Busy];
            self.moods[who] = moods[self.random.below(6) as usize];
        }
        let after_ms = 100 + self.random.below(30_000);
        self.later(after_ms, Happens::Moods);
    }

    fn publish(&mut self) {
        if self.is_healed {
            return;
        }
        let at = self.random.below(self.feeds.len() as u64) as usize;
        for _ in 0..=self.random.below(5) {
            let name = format!("room:{}", self.random.below(CHANNELS));
            let place = self.feeds[at].len() as u128 + 1;
            let message = Publication::new(&Draft {
                channel: &Arc::new(ChannelKey::new(TenantId(1), &name)),
                epoch: Epoch(1),
                offset: Some(Offset(place as u64)),
                id: MessageId((at as u128) << 64 | place),
                at_ms: self.now().wall_ms,
                sender: "",
                sender_kind: storage::SenderKind::System,
                event: "e",
                payload: b"1",
                idempotency: None,
            });
            self.feeds[at].push(Arc::new(message));
        }
        if self.random.percent(1) {
            let below = self.feeds[at].len() as u64;
            self.removed[at] = self.removed[at].max(u128::from(self.random.below(below)));
        }
        let end = Place(self.feeds[at].len() as u128);
        for who in 0..self.machines.len() {
            self.machines[who].hear_of(&feed(at), end);
            self.turn(who);
        }
        let after_ms = self.random.below(1_000);
        self.later(after_ms, Happens::Publish);
    }

    fn read(&mut self, who: usize, at: usize, after: u128) {
        let mut effects = Vec::new();
        if self.random.percent(1) {
            let now = self.now();
            self.machines[who].read_failed(&feed(at), now);
            return self.turn(who);
        }
        let first = after.max(self.removed[at]);
        let left = self.feeds[at].iter().skip(first as usize);
        let some: Vec<_> = left.take(self.limits.slice_messages_max).cloned().collect();
        let is_end = some.len() < self.limits.slice_messages_max;
        let mut before = Place(first);
        let messages = some.into_iter().map(|message| {
            let place = Place(before.0 + 1);
            let placed = Placed { before, place, message };
            before = place;
            placed
        });
        let messages: Vec<_> = messages.collect();
        let removed = (first > after).then_some(Place(first));
        let slice = Slice { seen: before, messages, removed, is_end };
        self.machines[who].loaded(&feed(at), slice, &mut effects);
        self.perform(who, effects);
        self.turn(who);
    }

    fn answer(&mut self, who: usize, call: u64, mood: Mood) {
        let answered = |status, retry_after_ms| Outcome::Answered { status, retry_after_ms };
        let outcome = match mood {
            Mood::Well => answered(200, None),
            Mood::Refusing => answered(404, None),
            Mood::Busy => answered(503, Some(self.random.below(90_000))),
            Mood::Gone => Outcome::Unreachable(Fault::Connection),
            Mood::Silent => Outcome::Unreachable(Fault::Time),
        };
        let (now, chance) = (self.now(), self.random.next() as u32);
        self.calls.remove(&(who, call));
        self.machines[who].answered(call, outcome, now, chance);
        if self.machines[who].is_open() {
            self.opened.insert(who);
        }
        self.turn(who);
    }

    fn turn(&mut self, who: usize) {
        let (now, mut effects) = (self.now(), Vec::new());
        self.machines[who].turn(now, &mut effects);
        self.perform(who, effects);
        let due_ms = self.machines[who].due_ms(now).map(|it| it.max(self.now_ms + 1));
        if due_ms != self.wakes[who] {
            self.wakes[who] = due_ms;
            if let Some(due_ms) = due_ms {
                self.later(due_ms - self.now_ms, Happens::Wake { who });
            }
        }
    }

    fn perform(&mut self, who: usize, effects: Vec<Effect>) {
        let runs_max = self.limits.failed_runs_max;
        for effect in effects {
            match effect {
                Effect::Read { feed, after } => {
                    let (life, feed, after) = (self.life, index(&feed), after.0);
                    let after_ms = self.random.below(20);
                    self.later(after_ms, Happens::Read { who, life, feed, after });
                }
                Effect::Call { call, message } => self.call(who, call, &message),
                Effect::Ended { feed, placed, verdict, .. } => {
                    let at = index(&feed);
                    self.standings[who][at].end(placed.place, verdict, runs_max);
                    self.seen[who].verdicts.insert((at, placed.place.0), verdict);
                    self.count(at, placed.place);
                }
                Effect::Removed { feed, after, until } => {
                    let at = index(&feed);
                    self.standings[who][at].lose(after, until, runs_max);
                    let places = after.0 + 1..=until.0;
                    let gone = places.map(|it| ((at, it), Verdict::Dead(Reason::Removed)));
                    self.seen[who].verdicts.extend(gone);
                }
                Effect::Passed { feed, place } => self.standings[who][index(&feed)].pass(place),
                Effect::Replayed { .. } => panic!("nothing was replayed"),
            }
        }
    }

    fn call(&mut self, who: usize, call: u64, message: &Publication) {
        let (at, place) = ((message.id().0 >> 64) as usize, message.id().0 & u128::from(u64::MAX));
        self.calls.insert((who, call), (at, place));
        let under_way = self.calls.keys().filter(|it| it.0 == who).count();
        assert!(under_way <= self.limits.in_flight_max, "{under_way} calls at once");
        let is_strict = self.limits.in_flight_max == 1;
        let channel = if is_strict { String::new() } else { message.channel().name().to_owned() };
        let last = self.last.entry((who, self.life, at, channel)).or_default();
        assert!(place >= *last, "endpoint {who}: {place} of feed {at} goes out after {last}");
        *last = place;
        let mood = self.moods[who];
        // What is silent may have heard it.
        if mood == Mood::Well || (mood == Mood::Silent && self.random.percent(50)) {
            self.seen[who].first_ms.entry((at, place)).or_insert(self.now_ms);
        }
        let after_ms = match mood {
            Mood::Silent => self.limits.answer_timeout_ms,
            Mood::Well | Mood::Gone | Mood::Refusing | Mood::Busy => 1 + self.random.below(40),
        };
        self.later(after_ms, Happens::Answer { who, life: self.life, call, mood });
    }

    /// What is told must be what the world knows.
    fn count(&mut self, at: usize, place: Place) {
        let standings = self.standings.iter().filter_map(|it| it.get(at));
        let Some((told, slowest)) = counts(place, standings) else { return };
        self.standings.iter_mut().for_each(|it| it[at].forget(slowest));
        let took = self.seen.iter().filter(|it| it.verdicts[&(at, place.0)] == Verdict::Delivered);
        let known = Counts { audience: self.seen.len() as u32, delivered: took.count() as u32 };
        assert_eq!(told, known, "message {place:?} of feed {at}");
        self.told.insert((at, place.0), told);
    }
}
