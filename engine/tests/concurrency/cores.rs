//! Cores that do what `reactor/core.rs` and `reactor/host.rs` do between two waits, with the engine's own lanes and its own flag. A
//! bell that is lost leaves everybody waiting, which the checker reports.

use std::sync::Arc;

use engine::ids::{ChannelKey, ShardId, SubscriptionId, TenantId};
use engine::shard::effects::Effects;
use engine::shard::input::{Leave, Request};
use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::lanes::{Lanes, between};
use crate::sleeping::Sleeping;

/// Where a core without work waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// In its ring, whose submission is the wait.
    InRing,
    /// In its host, which knows nothing of submissions.
    InHost,
}

/// What a bell does.
#[derive(Clone)]
pub struct Signal {
    is_given: Arc<(Mutex<bool>, Condvar)>,
    wait: Wait,
}

impl Signal {
    pub fn new(wait: Wait) -> Self {
        Self { is_given: Arc::default(), wait }
    }

    pub fn give(&self) {
        *self.is_given.0.lock().unwrap() = true;
        self.is_given.1.notify_one();
    }

    /// A completion ends one wait in a ring, this one or the next; a descriptor stays readable until it is drained.
    pub fn wait(&self) {
        let mut is_given = self.is_given.0.lock().unwrap();
        while !*is_given {
            is_given = self.is_given.1.wait(is_given).unwrap();
        }
        *is_given = self.wait == Wait::InHost;
    }

    fn drain(&self) {
        *self.is_given.0.lock().unwrap() = false;
    }
}

/// How to wake a core.
#[derive(Clone)]
struct Bell {
    sleeping: Sleeping,
    signal: Signal,
}

impl Bell {
    fn new(wait: Wait) -> Self {
        Self { sleeping: Sleeping::default(), signal: Signal::new(wait) }
    }
}

/// All cores.
pub struct Node {
    cores: Vec<Core>,
}

struct Core {
    lanes: Lanes,
    own: Bell,
    bells: Vec<Bell>,
    wait: Wait,
    /// Bells that ring with the next submission.
    queued: Vec<usize>,
    to: usize,
    to_send: usize,
    to_get: usize,
    /// So many of the next messages are answered with one each.
    to_answer: usize,
    worked: bool,
}

impl Node {
    /// Cores with lanes between them.
    pub fn new(count: u16, capacity: usize, wait: Wait) -> Self {
        let bells: Vec<Bell> = (0..count).map(|_| Bell::new(wait)).collect();
        let core = |(place, lanes): (usize, Lanes)| Core {
            lanes,
            own: bells[place].clone(),
            bells: bells.clone(),
            wait,
            queued: Vec::new(),
            to: 0,
            to_send: 0,
            to_get: 0,
            to_answer: 0,
            worked: true,
        };
        let lanes = between(count, capacity).into_iter();
        Self { cores: lanes.enumerate().map(core).collect() }
    }

    /// The first two send so many messages to each other.
    pub fn exchange(mut self, counts: [usize; 2]) {
        for (place, count) in counts.into_iter().enumerate() {
            self.cores[place].to = 1 - place;
            self.cores[place].to_send = count;
            self.cores[1 - place].to_get = count;
        }
        self.run();
    }

    /// The first two send each other so many messages, each but the first in answer to one.
    pub fn converse(mut self, count: usize) {
        for place in [0, 1] {
            let core = &mut self.cores[place];
            (core.to, core.to_get, core.to_answer) = (1 - place, count, count - (1 - place));
        }
        self.cores[0].to_send = 1;
        self.run();
    }

    fn run(mut self) {
        let last = self.cores.pop().unwrap();
        let others: Vec<_> =
            self.cores.into_iter().map(|it| thread::spawn(move || it.work())).collect();
        last.work();
        others.into_iter().for_each(|it| it.join().unwrap());
    }
}

impl Core {
    /// Turns, until everything is sent and everything has come.
    fn work(mut self) {
        loop {
            match self.wait {
                Wait::InRing => self.wait_in_ring(),
                Wait::InHost => self.wait_in_host(),
            }
            self.own.sleeping.clear();
            self.turn();
            if self.to_send == 0 && self.to_get == 0 && self.lanes.has_room() {
                break;
            }
        }
        // What its last turn queued goes out with its end.
        self.ring_touched();
        self.submit();
    }

    /// What is queued goes out with the wait, also after a turn that did something.
    fn wait_in_ring(&mut self) {
        let sleeps = self.to_send == 0 && self.doze();
        self.submit();
        if sleeps {
            self.own.signal.wait();
        } else if !self.worked {
            // Nobody rings for room.
            thread::yield_now();
        }
    }

    /// What a host does with a core that found nothing: one more turn behind the drained signal, and sleep if that found nothing.
    fn wait_in_host(&mut self) {
        if self.worked || !self.queued.is_empty() {
            return;
        }
        self.own.signal.drain();
        self.turn();
        let is_idle = !self.worked && self.queued.is_empty();
        let is_waiting = self.to_send == 0 && self.to_get > 0;
        if is_idle && is_waiting && self.doze() {
            self.own.signal.wait();
        } else if is_idle {
            // Nobody rings for room.
            thread::yield_now();
        }
    }

    /// Whether it may sleep, as others see it from here on.
    fn doze(&mut self) -> bool {
        self.own.sleeping.set();
        let is_settled = self.lanes.is_settled();
        if !is_settled {
            self.own.sleeping.clear();
        }
        is_settled
    }

    /// One turn without a wait.
    fn turn(&mut self) {
        self.submit();
        self.worked = false;
        while let Some((from, request)) = self.lanes.next_request() {
            assert!(matches!(request, Request::Leave(_)), "something else from {from:?}");
            self.to_get = self.to_get.checked_sub(1).expect("a message came twice");
            if self.to_answer > 0 {
                self.to_answer -= 1;
                self.to_send += 1;
            }
            self.worked = true;
        }
        if self.to_send > 0 && self.lanes.has_room() {
            let mut effects = Effects::default();
            effects.requests.push((ShardId(u16::try_from(self.to).unwrap()), message()));
            self.lanes.send(&mut effects);
            self.to_send -= 1;
            self.worked = true;
        }
        self.lanes.has_room();
        self.ring_touched();
    }

    fn ring_touched(&mut self) {
        for shard in self.lanes.take_touched() {
            if self.bells[shard.index()].sleeping.claim() {
                self.queued.push(shard.index());
            }
        }
    }

    fn submit(&mut self) {
        for place in self.queued.drain(..) {
            self.bells[place].signal.give();
        }
    }
}

fn message() -> Request {
    let channel = Arc::new(ChannelKey::new(TenantId(0), "c"));
    Request::Leave(Box::new(Leave { channel, subscription: SubscriptionId(0), member: None }))
}
