//! One core: a shard, its sockets, its lanes and its journal, turn by turn.

mod orders;
mod waiting;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use storage::Retention;

use super::catalog::CatalogPort;
use super::clock::Clock;
use super::journal::JournalPort;
use super::lanes::Lanes;
use super::leisure::Leisure;
use super::order::{Go, OperationAnswer, Order};
use super::relief::Relief;
use super::retention::kept_for;
use super::ring::{Bell, Driver, Event, KernelRing, Received, Wait};
use super::side::SidePort;
use super::sockets::{Sockets, how};
use super::thirst::Thirst;
use crate::ids::{ConnId, Now, PassId};
use crate::pressure::{Gauge, Pressure};
use crate::shard::Shard;
use crate::shard::effects::Effects;
use crate::shard::input::Input;

/// Time between two looks at what passes with time.
const TICK_MS: u64 = 100;
const SWEEP_MS: u64 = 1_000;
const RETAIN_MS: u64 = 10_000;

/// Inputs between two looks at how long they take.
const INPUTS_PER_LOOK: usize = 8;

/// What a core is made of.
pub struct Parts {
    /// Its sockets.
    pub driver: Driver<KernelRing>,
    /// Its share of the node.
    pub shard: Shard,
    /// To and from the other cores.
    pub lanes: Lanes,
    /// How to wake each of them, by their numbers.
    pub bells: Vec<Bell>,
    /// To and from its storage thread.
    pub journal: JournalPort,
    /// To and from the node's catalog.
    pub catalog: CatalogPort,
    /// To and from the side threads.
    pub side: SidePort,
    /// Bytes that a connection may have waiting when one more part of a streamed answer goes to it.
    pub stream_backlog_bytes_max: usize,
    /// What the journal keeps.
    pub retention: Retention,
    /// From the node.
    pub orders: flume::Receiver<Order>,
    /// Inputs of one turn (invariant 12).
    pub inputs_per_turn_max: usize,
    /// Cores of the node that have connections, or may still get some.
    pub busy_cores: Arc<AtomicUsize>,
    /// How short memory is.
    pub gauge: Arc<Gauge>,
}

/// One core at work.
pub struct Core {
    parts: Parts,
    clock: Clock,
    effects: Effects,
    thirst: Thirst,
    next_tick_ms: u64,
    next_sweep_ms: u64,
    next_retain_ms: u64,
    /// When a draining core ends, whoever is still there.
    end_ms: Option<u64>,
    /// Its connections are gone for good. Others may still wait for answers of channels that live here.
    is_drained: bool,
    worked: bool,
    lately: waiting::Lately,
    pressure: Pressure,
    relief: Relief,
    leisure: Leisure,
    /// Who waits for which operation.
    operations: HashMap<u64, flume::Sender<OperationAnswer>>,
    next_operation: u64,
}

impl Core {
    /// A core that begins to work with its first turn.
    #[must_use]
    pub fn new(parts: Parts, clock: Clock) -> Self {
        Self {
            parts,
            clock,
            effects: Effects::default(),
            thirst: Thirst::default(),
            next_tick_ms: 0,
            next_sweep_ms: 0,
            next_retain_ms: 0,
            end_ms: None,
            is_drained: false,
            worked: false,
            lately: waiting::Lately::default(),
            pressure: Pressure::Calm,
            relief: Relief::default(),
            leisure: Leisure::default(),
            operations: HashMap::new(),
            next_operation: 0,
        }
    }

    /// One turn: wait for something, let the shard handle it, send what came of it. Nobody is idle who has not waited so long.
    ///
    /// # Errors
    /// When the ring is broken.
    pub fn turn(&mut self, idle_wait: Wait) -> io::Result<Go> {
        let patience = self.patience(idle_wait);
        let sends_from_us = (patience == Wait::Poll && self.has_much()).then(|| self.clock.us());
        self.parts.driver.submit_and_wait(patience)?;
        let (now, at_us) = self.clock.turn();
        if let Some(from_us) = sends_from_us {
            self.parts.shard.sends_took(at_us.saturating_sub(from_us));
        }
        self.parts.driver.reap(now.monotonic_ms);
        let has_waited = self.has_waited(idle_wait, patience);
        self.worked = false;
        let Parts { driver, side, stream_backlog_bytes_max, .. } = &mut self.parts;
        side.reap(has_room(driver, *stream_backlog_bytes_max));
        self.feel_pressure(now);
        self.lately.was_behind = self.parts.shard.is_behind();
        self.worked |= self.lately.was_behind;
        // Fan-outs that wait need nobody else to go on, so that whatever others send may wait for them. Time and orders do not.
        if self.parts.shard.may_fan_out() {
            self.take_deliveries(now);
            self.take_inputs(now);
        }
        self.take_time(now);
        self.tell_operators();
        self.hand_out(at_us);
        let is_drained = self.end_ms.is_some() && self.is_node_drained();
        self.lately.has_worked |= self.worked;
        // A bell that rings with the next submission does not ring while its core sleeps elsewhere.
        let is_busy = self.worked || self.parts.driver.queued() > 0 || self.parts.driver.has_more();
        if is_busy {
            self.parts.journal.give_way();
        }
        Ok(match self.end_ms {
            Some(end_ms) if is_drained || now.monotonic_ms >= end_ms => Go::Over,
            Some(_) | None if is_busy || !has_waited => Go::Busy,
            Some(_) | None => Go::Idle,
        })
    }

    fn is_node_drained(&mut self) -> bool {
        let busy_cores = &self.parts.busy_cores;
        if !self.is_drained && self.parts.shard.connections() == 0 {
            self.is_drained = true;
            busy_cores.fetch_sub(1, Ordering::AcqRel);
        }
        self.is_drained && busy_cores.load(Ordering::Acquire) == 0
    }

    /// The shard hears of it at once, whatever else waits: it causes no lane traffic.
    fn feel_pressure(&mut self, now: Now) {
        let level = self.parts.gauge.level();
        if level != self.pressure {
            self.pressure = level;
            self.handle(now, Input::Pressure(level));
        }
    }

    /// Deliveries are taken however full the lanes are: they cause no lane traffic (invariant 5). What comes meanwhile is for the next
    /// turn.
    fn take_deliveries(&mut self, now: Now) {
        for _ in 0..self.parts.lanes.deliveries_waiting() {
            let Some(delivery) = self.parts.lanes.next_delivery() else { return };
            self.handle(now, Input::Delivery(delivery));
        }
    }

    /// Everything else is taken while the outgoing lanes have room, and no more than a turn's worth, nor longer (invariant 12).
    fn take_inputs(&mut self, now: Now) {
        let until_us = self.clock.us() + self.parts.shard.turn_us();
        let Parts { driver, stream_backlog_bytes_max, .. } = &self.parts;
        self.thirst.begin_turn(has_room(driver, *stream_backlog_bytes_max));
        for taken in 0..self.parts.inputs_per_turn_max {
            if taken % INPUTS_PER_LOOK == INPUTS_PER_LOOK - 1 && self.clock.us() > until_us {
                break;
            }
            let is_fed = self.take_answer(now)
                | self.take_request(now)
                | self.take_drained(now)
                | self.take_event(now);
            if !is_fed {
                break;
            }
        }
        if self.parts.shard.is_resumable() && self.parts.lanes.has_room() {
            self.handle(now, Input::Resume);
        }
    }

    fn take_answer(&mut self, now: Now) -> bool {
        if !self.parts.lanes.has_room_for_deliveries() {
            return false;
        }
        if let Some(answer) = self.parts.catalog.take() {
            self.handle(now, Input::Catalog(answer));
        }
        if let Some((call, answer)) = self.parts.side.take() {
            self.handle(now, Input::Side(call, answer));
        }
        if let Some(hooked) = self.parts.side.take_hooked() {
            self.handle(now, Input::Hooked(hooked));
        }
        let answer = self.parts.journal.take();
        answer.map(|it| self.handle(now, Input::Journal(it))).is_some()
    }

    fn take_request(&mut self, now: Now) -> bool {
        if !self.parts.lanes.has_room_for_deliveries() {
            return false;
        }
        let request = self.parts.lanes.next_request();
        request.map(|(from, it)| self.handle(now, Input::Request(from, it))).is_some()
    }

    fn take_event(&mut self, now: Now) -> bool {
        if !self.parts.lanes.has_room() {
            return false;
        }
        let Some(event) = self.parts.driver.next() else { return false };
        match event {
            Event::Opened(conn) => self.handle(now, Input::Opened(conn)),
            Event::Received(received) => self.take_bytes(now, received),
            Event::PeerClosed(conn) => self.handle(now, Input::HalfClosed(conn)),
            Event::Overrun(conn) => self.handle(now, Input::Overrun(conn)),
            Event::Closed(conn, _) => self.handle(now, Input::Closed(conn)),
            Event::Arrived(conn, number) => self.handle(now, Input::Arrived(conn, PassId(number))),
            Event::Passed(conn) => self.handle(now, Input::Passed(conn)),
            Event::Stayed(conn) => self.handle(now, Input::Stayed(conn)),
            Event::Doorbell => {}
        }
        true
    }

    fn take_drained(&mut self, now: Now) -> bool {
        let Parts { driver, lanes, stream_backlog_bytes_max, .. } = &mut self.parts;
        if !lanes.has_room() {
            return false;
        }
        let conn = self.thirst.next(has_room(driver, *stream_backlog_bytes_max));
        conn.map(|it| self.handle(now, Input::Drained(it))).is_some()
    }

    fn take_bytes(&mut self, now: Now, mut received: Received) {
        self.worked = true;
        let Self {
            parts: Parts { driver, shard, lanes, journal, catalog, side, .. }, effects, ..
        } = self;
        let conn = received.conn;
        shard.handle(now, Input::Bytes(conn, driver.bytes(&mut received)), effects);
        driver.give_back(received);
        catalog.send(effects);
        side.send(effects);
        pass_on(now, shard, lanes, journal, effects);
    }

    fn handle(&mut self, now: Now, input: Input<'_>) {
        self.worked = true;
        let Self { parts: Parts { shard, lanes, journal, catalog, side, .. }, effects, .. } = self;
        shard.handle(now, input, effects);
        catalog.send(effects);
        side.send(effects);
        pass_on(now, shard, lanes, journal, effects);
    }

    fn take_time(&mut self, now: Now) {
        self.leisure.note(self.worked);
        if now.monotonic_ms < self.next_tick_ms {
            return;
        }
        self.next_tick_ms = now.monotonic_ms + TICK_MS;
        if self.parts.lanes.has_room() {
            let was_worked = self.worked;
            self.handle(now, Input::Tick);
            self.worked = was_worked;
        }
        self.parts.journal.write_counts();
        if self.relief.is_to_shed(&self.parts.gauge) {
            self.parts.driver.shed_slowest();
        }
        if now.monotonic_ms >= self.next_sweep_ms {
            self.next_sweep_ms = now.monotonic_ms + SWEEP_MS;
            self.parts.driver.sweep(now.monotonic_ms);
            if self.leisure.is_due() {
                self.parts.gauge.give_back();
            }
        }
        if now.monotonic_ms >= self.next_retain_ms || self.parts.journal.is_retiring() {
            self.next_retain_ms = now.monotonic_ms + RETAIN_MS;
            let days = self.parts.shard.rules().retention_days();
            let policy = kept_for(&self.parts.retention, days);
            self.parts.journal.retain(policy, now.wall_ms);
        }
        self.take_orders(now);
    }

    /// The end of a turn: one send for each connection that got something, a doorbell for each core that did.
    fn hand_out(&mut self, at_us: u64) {
        let Self { parts, effects, thirst, .. } = self;
        let Parts { driver, shard, lanes, bells, journal, .. } = parts;
        journal.wake();
        shard.flush(at_us, &mut Sockets(driver));
        thirst.note(&mut effects.thirsty);
        for pass in shard.due_passes(&mut effects.passes) {
            if let Some(bell) = bells.get(pass.to.index()) {
                driver.pass(pass.conn, bell.target(), pass.number.0);
            }
        }
        for (conn, ending) in shard.due_closes(&mut effects.closes) {
            let bound = driver.overrun_bound(conn);
            driver.close(conn, how(ending, bound));
        }
        for shard in lanes.take_touched() {
            if let Some(bell) = bells.get(shard.index()) {
                driver.ring(bell);
            }
        }
    }
}

/// Whether so little waits for a connection that it may get one more part of something. Who was given up gets none.
fn has_room(driver: &Driver<KernelRing>, backlog_bytes_max: usize) -> impl Fn(ConnId) -> bool + '_ {
    move |conn| {
        driver.overrun_bound(conn).is_none() && driver.waiting_bytes(conn) < backlog_bytes_max
    }
}

/// Hands the effects of one input to the lanes and the journal. What the journal is too busy to read is refused at once.
fn pass_on(
    now: Now,
    shard: &mut Shard,
    lanes: &mut Lanes,
    journal: &mut JournalPort,
    effects: &mut Effects,
) {
    let mut refused = Vec::new();
    journal.send(effects, &mut refused);
    for answer in refused {
        shard.handle(now, Input::Journal(answer), effects);
    }
    lanes.send(effects);
}
