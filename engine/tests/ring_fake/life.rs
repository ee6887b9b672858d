//! A random life of a few connections: the core's part, and what it knows of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use engine::frame::{Frame, FramePool, Piece};
use engine::ids::ConnId;
use engine::outbox::OutboxLimits;
use engine::reactor::ring::{Counters, Driver, Event, How, Received, Settings, Wait, Why};

use crate::fake::FakeRing;
use crate::model::{Closing, Model};
use crate::world::{Chance, World, byte_of};

pub(crate) struct Life {
    world: Rc<RefCell<World>>,
    pub(crate) driver: Driver<FakeRing>,
    chance: Chance,
    pool: FramePool,
    pub(crate) open: BTreeMap<ConnId, Model>,
    /// Connections that arrived before it was heard that they went, and the other way round.
    arrived: BTreeMap<u64, ConnId>,
    gone: BTreeMap<u64, Model>,
    pub(crate) next_number: u64,
    kept: Vec<Received>,
    now_ms: u64,
    serial: u8,
    pub(crate) closed: [u64; 4],
    pub(crate) stayed: u64,
    pub(crate) intervals: u64,
}

/// Turns of a life before its faults stop.
const TURNS_MAX: usize = 200;
/// Turns that it takes at most to end after that: with two buffers of four bytes a peer is not soon heard.
const HEALING_TURNS_MAX: usize = 20_000;

/// One life to its end. Of the bytes, half are the core's and half the kernel's; where there are any, it ends with them.
pub(crate) fn live(seed: u64, bytes: &[u8]) -> (Counters, [u64; 4], [u64; 2]) {
    let mut life = Life::new(seed, bytes);
    for _ in 0..TURNS_MAX {
        if !bytes.is_empty() && life.is_told() {
            break;
        }
        life.stir();
        life.turn();
        life.work();
    }
    life.heal();
    (life.driver.counters(), life.closed, [life.stayed, life.intervals])
}

impl Life {
    fn new(seed: u64, bytes: &[u8]) -> Self {
        let (ours, theirs) = bytes.split_at(bytes.len() / 2);
        let mut chance = Chance::new(seed.wrapping_add(1) << 1, ours);
        let world = Rc::new(RefCell::new(World::new(Chance::new(seed, theirs))));
        let settings = Settings {
            held_max: u16::try_from(1 + chance.below(6)).unwrap(),
            outbox: OutboxLimits { bytes_max: 100 + chance.below(3000), age_ms_max: 60 },
            backlog_bytes_max: 400 + chance.below(6000),
            grace_ms: 10 + chance.below(80) as u64,
            linger_ms: 20,
            comings_per_turn_max: 1 + chance.below(4),
            ..Settings::default()
        };
        Self {
            driver: Driver::new(FakeRing::new(Rc::clone(&world)), settings),
            world,
            pool: FramePool::new(64 * chance.below(2), 4096),
            chance,
            open: BTreeMap::new(),
            arrived: BTreeMap::new(),
            gone: BTreeMap::new(),
            next_number: 0,
            kept: Vec::new(),
            now_ms: 0,
            serial: 0,
            closed: [0; 4],
            stayed: 0,
            intervals: 0,
        }
    }

    /// Whether the bytes have nothing more to say.
    fn is_told(&self) -> bool {
        self.chance.is_out() && self.world.borrow().chance.is_out()
    }

    /// The peers do something.
    pub(crate) fn stir(&mut self) {
        let mut world = self.world.borrow_mut();
        if self.chance.is(20) && world.peers.len() < 40 {
            world.connect();
        }
        for peer in &mut world.peers {
            if self.chance.is(20) && !peer.has_ended {
                peer.sends += self.chance.below(300);
            }
            if self.chance.is(30) {
                peer.window += self.chance.below(200);
            }
            peer.has_ended |= self.chance.is(1);
            peer.has_reset |= self.chance.below(400) == 0;
        }
    }

    pub(crate) fn turn(&mut self) {
        self.now_ms += self.chance.below(4) as u64;
        let wait = if self.chance.is(50) { Wait::Poll } else { Wait::Interval };
        self.driver.submit_and_wait(wait).unwrap();
        self.driver.reap(self.now_ms);
        self.intervals += u64::from(self.driver.take_interval());
        if self.chance.is(1) {
            self.driver.shed_slowest();
        }
        if self.chance.is(20) {
            self.driver.sweep(self.now_ms);
        }
    }

    /// The core takes events, all or only some, and sends what it likes.
    pub(crate) fn work(&mut self) {
        let patience = if self.chance.is(20) { self.chance.below(3) } else { usize::MAX };
        for _ in 0..patience {
            let Some(event) = self.driver.next() else { break };
            self.take(event);
        }
        while self.chance.is(60) && !self.kept.is_empty() {
            let at = self.chance.below(self.kept.len());
            let received = self.kept.swap_remove(at);
            self.driver.give_back(received);
        }
        for _ in 0..self.chance.below(4) {
            self.fan_out();
        }
        if self.chance.is(30) {
            self.gather();
        }
        if self.chance.is(5)
            && let Some(conn) = self.any_open()
        {
            self.close(conn);
        }
        if self.chance.is(10)
            && let Some(conn) = self.any_open()
        {
            self.pass(conn);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Doorbell => {}
            Event::Opened(conn) => {
                let peer = self.world.borrow().slots[conn.index()].as_ref().unwrap().peer;
                let model = Model {
                    peer,
                    taken: 0,
                    given: Vec::new(),
                    last: Vec::new(),
                    closing: Closing::Not,
                    has_overrun: false,
                    peer_has_ended: false,
                    passed_as: None,
                };
                assert!(self.open.insert(conn, model).is_none(), "opened twice");
            }
            Event::Received(received) => self.receive(received),
            Event::PeerClosed(conn) => {
                let model = self.open.get_mut(&conn).expect("not open");
                assert!(!std::mem::replace(&mut model.peer_has_ended, true), "ended twice");
                assert_eq!(model.taken, self.world.borrow().peers[model.peer].sends);
                if self.chance.is(50) {
                    self.close(conn);
                }
            }
            Event::Overrun(conn) => {
                let model = self.open.get_mut(&conn).expect("not open");
                assert!(!std::mem::replace(&mut model.has_overrun, true), "overrun twice");
                self.close(conn);
            }
            Event::Closed(conn, why) => self.end(conn, why),
            Event::Arrived(conn, number) => match self.gone.remove(&number) {
                Some(model) => self.go_on(conn, model),
                None => assert!(self.arrived.insert(number, conn).is_none(), "arrived twice"),
            },
            Event::Passed(conn) => {
                let model = self.open.remove(&conn).expect("passed and not open");
                assert!(self.kept.iter().all(|kept| kept.conn != conn), "passed under a buffer");
                let number = model.passed_as.expect("passed by itself");
                match self.arrived.remove(&number) {
                    Some(conn) => self.go_on(conn, model),
                    None => assert!(self.gone.insert(number, model).is_none(), "passed twice"),
                }
            }
            Event::Stayed(conn) => {
                let model = self.open.get_mut(&conn).expect("stayed and not open");
                assert!(model.passed_as.take().is_some(), "stayed without being passed");
                self.stayed += 1;
            }
        }
    }

    fn receive(&mut self, mut received: Received) {
        let model = self.open.get_mut(&received.conn).expect("bytes of nobody");
        assert!(model.closing == Closing::Not, "bytes after the close");
        for &mut byte in self.driver.bytes(&mut received) {
            assert_eq!(byte, byte_of(model.peer, model.taken), "at byte {}", model.taken);
            model.taken += 1;
        }
        if self.chance.is(30) {
            self.kept.push(received);
        } else {
            self.driver.give_back(received);
        }
    }

    fn frame(&mut self) -> Frame {
        self.serial = self.serial.wrapping_add(1);
        let len_max = if self.chance.is(10) { 600 } else { 60 };
        let len = 1 + self.chance.below(len_max);
        let mut bytes = self.pool.blank();
        bytes.extend((0..len).map(|at| self.serial.wrapping_add(u8::try_from(at % 64).unwrap())));
        self.pool.frame(bytes)
    }

    fn any_open(&mut self) -> Option<ConnId> {
        let at = self.chance.below(self.open.len());
        self.open.keys().nth(at).copied()
    }

    fn fan_out(&mut self) {
        let frame = self.frame();
        let conns: Vec<_> = self.open.keys().copied().collect();
        for conn in conns {
            let is_passed = self.open.get(&conn).is_some_and(|it| it.passed_as.is_some());
            if !is_passed && self.chance.is(70) {
                self.give(conn, frame.bytes());
                self.driver.share(&frame, conn);
            }
        }
    }

    fn gather(&mut self) {
        let Some(conn) = self.any_open() else { return };
        if self.open.get(&conn).is_some_and(|it| it.passed_as.is_some()) {
            return;
        }
        let count_max = if self.chance.is(10) { 100 } else { 6 };
        let count = self.chance.below(count_max);
        let mut pieces: Vec<Piece> = Vec::new();
        for _ in 0..count {
            let frame = self.frame();
            let begin = self.chance.below(frame.len());
            pieces.push(frame.piece(begin..frame.len()).unwrap());
        }
        pieces.iter().for_each(|piece| self.give(conn, piece.bytes()));
        self.driver.gather(conn, &pieces);
    }

    fn give(&mut self, conn: ConnId, bytes: &[u8]) {
        let model = self.open.get_mut(&conn).unwrap();
        if model.closing == Closing::Not {
            model.given.push(bytes.to_vec());
        }
    }

    fn close(&mut self, conn: ConnId) {
        if self.open.get(&conn).is_some_and(|it| it.passed_as.is_some()) {
            return self.close_now(conn);
        }
        let last = self.chance.is(50).then(|| self.frame());
        let how = match self.chance.below(4) {
            0 => How::Now,
            1 => How::Linger(last.clone()),
            _ => How::Graceful(last.clone()),
        };
        let model = self.open.get_mut(&conn).unwrap();
        if model.closing == Closing::Not {
            let is_now = matches!(how, How::Now);
            model.closing = if is_now { Closing::Now } else { Closing::Gracefully };
            model.last = last.map(|last| last.bytes().to_vec()).unwrap_or_default();
        }
        self.driver.close(conn, how);
    }

    /// What the peer got is what was given: all of it, or as much as the reason allows.
    fn end(&mut self, conn: ConnId, why: Why) {
        let model = self.open.remove(&conn).expect("closed twice, or never opened");
        assert!(self.kept.iter().all(|kept| kept.conn != conn), "freed under a lent buffer");
        let world = self.world.borrow();
        let peer = &world.peers[model.peer];
        let mut all = model.given.concat();
        let got = &peer.received;
        let is_graceful = model.closing == Closing::Gracefully;
        match why {
            Why::Ours if is_graceful => {
                all.extend(&model.last);
                assert!(*got == all, "got {} of {} bytes", got.len(), all.len());
            }
            Why::Cut if is_graceful => {
                let body = got.strip_suffix(model.last.as_slice()).expect("the last words");
                let mut bounds = model.given.iter().scan(0, |sum, piece| {
                    *sum += piece.len();
                    Some(*sum)
                });
                let is_whole = body.is_empty() || bounds.any(|bound| bound == body.len());
                assert!(all.starts_with(body), "not a prefix");
                assert!(
                    is_whole,
                    "a piece was cut: {} of {:?}, last {}",
                    body.len(),
                    model.given.iter().map(Vec::len).collect::<Vec<_>>(),
                    model.last.len()
                );
            }
            Why::Ours => assert!(model.closing == Closing::Now && all.starts_with(got)),
            Why::Cut => assert!(all.starts_with(got)),
            Why::Forced | Why::Failed(_) => {
                assert!(why == Why::Forced || peer.has_reset, "{why:?}");
                // The last words may begin like what they cut short: they stand behind any part of it.
                let same = got.iter().zip(&all).take_while(|(a, b)| a == b).count();
                let are_last = |at: usize| model.last.starts_with(&got[at..]);
                assert!((0..=same).any(are_last) || model.has_overrun);
            }
        }
        self.closed[match why {
            Why::Ours => 0,
            Why::Cut => 1,
            Why::Forced => 2,
            Why::Failed(_) => 3,
        }] += 1;
    }

    /// Closes whose bytes all came. Whoever still has some to come keeps the run from ending.
    fn close_who_was_heard(&mut self) {
        let conns: Vec<_> = self.open.keys().copied().collect();
        for conn in conns {
            let model = &self.open[&conn];
            let is_heard = {
                let peer = &self.world.borrow().peers[model.peer];
                model.taken == peer.sends || peer.has_reset
            };
            if is_heard {
                self.close(conn);
            }
        }
    }

    /// Faults stop, peers read, everyone is closed: nothing may be left over.
    pub(crate) fn heal(&mut self) {
        {
            let mut world = self.world.borrow_mut();
            world.chance.forget_bytes();
            self.chance.forget_bytes();
            world.faults = 0;
            world.cq_max = 1000;
            world.peers.iter_mut().for_each(|peer| peer.window = usize::MAX);
        }
        self.driver.stop_accepting();
        for round in 0.. {
            self.turn();
            self.driver.sweep(self.now_ms);
            while let Some(event) = self.driver.next() {
                self.take(event);
            }
            self.kept.drain(..).for_each(|received| self.driver.give_back(received));
            self.close_who_was_heard();
            let counters = self.driver.counters();
            let is_between = !self.gone.is_empty() || !self.arrived.is_empty();
            if self.open.is_empty() && !is_between && counters.conns == 0 && round > 50 {
                break;
            }
            assert!(round < HEALING_TURNS_MAX, "stuck: {counters:?}");
        }
        self.turn();
        let counters = self.driver.counters();
        assert_eq!(counters.backlog_bytes + counters.shed_bytes, 0);
        assert_eq!(counters.buffers_lent + counters.bytes_spilled, 0);
        assert_eq!(counters.accepts + counters.arrivals, counters.closes);
        assert_eq!(counters.arrivals, counters.passes);
        assert_eq!(counters.strays, 0);
        let world = self.world.borrow();
        assert!(world.slots.iter().all(Option::is_none), "a slot is left open");
        assert!(world.lent.iter().all(|lent| !lent), "a buffer is left over");
    }
}
