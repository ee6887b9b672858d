//! A whole node in one thread: its shards, lanes, journals and connections, and a clock that nobody else reads.

use std::sync::Arc;

use engine::ids::{ChannelKey, ConnId, Now, ShardId, TenantId};
use engine::pressure::Pressure;
use engine::shard::effects::Effects;
use engine::shard::input::{Delivery, Input, JournalAnswer, Keep, Request};
use engine::shard::{Shard, home};
use storage::Publication;

use crate::catalog::Catalog;
use crate::checker::Truth;
use crate::faults::Plan;
use crate::hooks::Hooks;
use crate::journal::{Disk, Journal, Key, key};
use crate::lanes::Lanes;
use crate::naps::{Bell, Nap};
use crate::net::Net;
use crate::operator::Operator;
use crate::random::Random;
use crate::restarts::Ends;
use crate::retries::Unknown;
use crate::scene::{self, Client, Scene, Signing};
use crate::seen::Seen;
use crate::sides::Sides;

/// Tenants of the node. Their channels have the same names.
pub const TENANTS: u32 = 2;

/// The node and everything around it.
pub struct World {
    pub plan: Plan,
    pub random: Random,
    pub now: Now,
    pub step: u64,
    pub shards: Vec<Shard>,
    pub nets: Vec<Net>,
    pub journals: Vec<Journal>,
    pub catalogs: Vec<Catalog>,
    pub hooks: Hooks,
    pub sides: Vec<Sides>,
    /// When each shard takes turns.
    pub naps: Vec<Nap>,
    /// How the node ends.
    pub ends: Ends,
    /// Which signing keys tenants have, and which of them each shard knows.
    pub generation: u32,
    pub told_generations: Vec<u32>,
    /// How short memory is, and what each shard knows of it.
    pub pressure: Pressure,
    pub told_pressures: Vec<Pressure>,
    /// What was published with a key and not answered.
    pub unknown: Vec<Unknown>,
    pub requests: Lanes<Request>,
    pub deliveries: Lanes<Delivery>,
    pub truth: Truth,
    pub operator: Operator,
    pub seen: Seen,
    pub is_draining: bool,
    /// A hash of everything that left the node: two runs of a seed have the same.
    pub transcript: u64,
    pub next_publisher: usize,
    /// What flushes are told of time, each a tenth of a millisecond more, so that groups rest.
    flushed_us: u64,
    effects: Effects,
}

impl World {
    /// The node of a plan, empty.
    pub fn new(plan: Plan) -> Self {
        let shards = usize::from(plan.shards);
        let now = Now { monotonic_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let mut world = Self {
            random: Random::new(plan.seed ^ 0x5eed),
            now,
            step: 0,
            shards: Vec::new(),
            nets: Vec::new(),
            journals: (0..shards).map(|_| Journal::of(&plan)).collect(),
            catalogs: (0..shards).map(|_| Catalog::default()).collect(),
            hooks: Hooks::new(plan.seed),
            sides: Vec::new(),
            naps: Vec::new(),
            ends: Ends::default(),
            generation: 0,
            told_generations: Vec::new(),
            pressure: Pressure::Calm,
            told_pressures: Vec::new(),
            unknown: Vec::new(),
            requests: Lanes::new(shards, plan.lane_max),
            deliveries: Lanes::new(shards, plan.lane_max),
            truth: Truth::default(),
            operator: Operator::default(),
            seen: Seen::default(),
            is_draining: false,
            transcript: 0xcbf2_9ce4_8422_2325,
            next_publisher: 0,
            flushed_us: 0,
            effects: Effects::default(),
            plan,
        };
        world.start();
        world
    }

    /// The shard that orders a channel.
    pub fn home_of(&self, key: &Key) -> usize {
        home(&ChannelKey::new(key.0, &key.1), self.plan.shards).index()
    }

    /// Where a channel stands, visibly.
    pub fn position(&self, key: &Key) -> u64 {
        scene::position(&self.shards, key)
    }

    /// Every channel that a client may use.
    pub fn keys(&self) -> Vec<Key> {
        let channels = self.plan.channels;
        let names = |tenant| (0..channels).map(move |it| (TenantId(tenant), format!("c{it}")));
        (0..TENANTS).flat_map(names).collect()
    }

    /// Whether the shard may take requests and the journal's answers: they may cause deliveries.
    pub fn may_deliver(&self, shard: usize) -> bool {
        !self.deliveries.has_spill(shard)
    }

    /// Whether the shard may take what comes from connections and the clock: it may cause both.
    pub fn may_ask(&self, shard: usize) -> bool {
        self.may_deliver(shard) && !self.requests.has_spill(shard)
    }

    /// Takes one delivery, from any lane. It is always taken (invariant 5).
    pub fn take_delivery(&mut self, shard: usize) -> bool {
        let senders = self.deliveries.senders(shard);
        if senders.is_empty() {
            return false;
        }
        let from = self.random.one_of(&senders);
        let delivery = self.deliveries.take(from, shard).unwrap();
        if let Delivery::Joined(joined) = &delivery {
            let wire = self.nets[shard].wire(joined.joiner.conn);
            let is_late = wire.is_none_or(|wire| wire.ending.is_some());
            self.seen.note_if(is_late, "late Joined of an ended subscription");
        }
        let before = (self.requests.spilled(shard), self.deliveries.spilled(shard));
        self.feed(shard, Input::Delivery(delivery));
        let after = (self.requests.spilled(shard), self.deliveries.spilled(shard));
        assert_eq!(before, after, "invariant 5: deliveries cause no lane traffic");
        true
    }

    /// Takes one request, from any lane.
    pub fn take_request(&mut self, shard: usize) -> bool {
        let senders = self.requests.senders(shard);
        if senders.is_empty() || !self.may_deliver(shard) {
            return false;
        }
        let from = self.random.one_of(&senders);
        let request = self.requests.take(from, shard).unwrap();
        if let Request::Publish(_, keep, _) = &request {
            self.seen.note("cross-shard publish");
            let waits = self.shards[shard].broker().appended() > 0;
            self.seen.note_if(*keep == Keep::PassInOrder && waits, "passed in order");
        }
        let id = ShardId(u16::try_from(from).unwrap());
        self.feed_request(shard, id, request);
        true
    }

    /// Takes one answer of the journal.
    pub fn take_answer(&mut self, shard: usize) -> bool {
        if !self.may_deliver(shard) {
            return false;
        }
        if let Some(answer) = self.catalogs[shard].next_answer() {
            self.feed(shard, Input::Catalog(answer));
            return true;
        }
        if let Some(hooked) = self.hooks.next_answer(shard) {
            self.feed(shard, Input::Hooked(hooked));
            return true;
        }
        if let Some((call, answer)) = self.sides[shard].next_answer() {
            self.feed(shard, Input::Side(call, answer));
            return true;
        }
        let Some(answer) = self.journals[shard].next_answer() else { return false };
        self.feed(shard, Input::Journal(answer));
        true
    }

    /// Lets a journal work for a moment.
    pub fn work(&mut self, shard: usize) {
        let durable = self.journals[shard].work(&mut self.random, &mut self.seen);
        self.note_durable(&durable);
        self.note_let_go(shard);
    }

    /// Lets what a shard has of the catalog work for a moment.
    pub fn work_catalog(&mut self, shard: usize) {
        self.catalogs[shard].work(&mut self.random, &mut self.seen);
        self.hooks.work(&mut self.seen);
        self.sides[shard].work(&mut self.random, &mut self.seen);
    }

    /// One input, and what it causes.
    pub fn feed(&mut self, shard: usize, input: Input<'_>) {
        let is_read = matches!(&input, Input::Journal(JournalAnswer::Read(..)));
        let mut effects = std::mem::take(&mut self.effects);
        let changed = if let Input::Journal(JournalAnswer::Damaged(channel))
        | Input::Delivery(Delivery::EpochChanged(channel)) = &input
        {
            Some(Arc::clone(channel))
        } else {
            None
        };
        let is_home = matches!(&input, Input::Journal(_));
        let is_said = matches!(&input, Input::Bytes(..));
        self.shards[shard].handle(self.now, input, &mut effects);
        if is_said {
            self.check_pressure(shard, &effects);
        }
        if let Some(channel) = changed {
            self.check_told(shard, is_home, &channel, &effects.deliveries);
        }
        for (channel, epoch) in effects.epochs.drain(..) {
            self.journals[shard].begin_epoch(&channel, epoch);
        }
        for (to, request) in effects.requests.drain(..) {
            assert_ne!(to.index(), shard, "no lane leads to its own shard");
            self.bell().ring(to.index());
            let spilled = self.requests.send(shard, to.index(), request);
            self.seen.note_if(spilled, "spilled");
        }
        for (to, delivery) in effects.deliveries.drain(..) {
            assert_ne!(to.index(), shard, "no lane leads to its own shard");
            if let Delivery::History(_, found) = &delivery {
                self.seen.note_if(!is_read && !found.is_empty(), "history read from the tail");
            }
            self.bell().ring(to.index());
            let spilled = self.deliveries.send(shard, to.index(), delivery);
            self.seen.note_if(spilled, "spilled");
        }
        self.ask_disks(shard, &mut effects);
        self.nets[shard].moves.wanted.append(&mut effects.passes);
        self.nets[shard].closes.append(&mut effects.closes);
        let operated: Vec<_> = effects.operated.drain(..).collect();
        self.effects = effects;
        for (number, result) in operated {
            self.operated(number, result);
        }
        self.check_bounds(shard);
    }

    fn ask_disks(&mut self, shard: usize, effects: &mut Effects) {
        let (journal, catalog) = (&mut self.journals[shard], &mut self.catalogs[shard]);
        effects.appends.drain(..).for_each(|it| journal.append(it));
        effects.drops.drain(..).for_each(|it| journal.let_go(it));
        effects.catalog.drain(..).for_each(|it| catalog.ask(it));
        effects.hooks.drain(..).for_each(|it| self.hooks.ask(shard, it));
        effects.side.drain(..).for_each(|it| self.sides[shard].ask(&it));
        effects.reads.drain(..).for_each(|it| journal.read(it, &mut self.seen));
        // It keeps no lists, in which they would be seen.
        effects.counted.clear();
        self.nets[shard].thirsty.append(&mut effects.thirsty);
    }

    /// Nobody goes on listening to a channel whose epoch changed: those here are out, the others are told.
    fn check_told(
        &mut self,
        shard: usize,
        is_home: bool,
        channel: &ChannelKey,
        deliveries: &[(ShardId, Delivery)],
    ) {
        for (at, other) in self.shards.iter().enumerate() {
            let listens = other.hub().listening(channel).is_some();
            let is_told = deliveries.iter().any(|(to, delivery)| {
                to.index() == at
                    && matches!(delivery, Delivery::EpochChanged(it) if **it == *channel)
            });
            assert!(!(listens && at == shard), "a subscriber was not told of damage");
            assert!(!(listens && is_home) || is_told, "a shard was not told of damage");
            self.seen.note_if(listens && is_home, "subscribers told of damage");
        }
    }

    /// What rings for shards, and lets them sleep.
    pub fn bell(&mut self) -> Bell<'_> {
        Bell {
            naps: &mut self.naps,
            plan: &self.plan,
            random: &mut self.random,
            seen: &mut self.seen,
            step: self.step,
        }
    }

    /// Ends a turn: what the shard made for its connections goes out, and what it ends, ends.
    pub fn flush(&mut self, shard: usize) {
        let was_behind = self.shards[shard].is_behind();
        self.shards[shard].sends_took(self.random.next() % 5_000);
        self.flushed_us += 100;
        self.shards[shard].flush(self.flushed_us, &mut self.nets[shard]);
        let (max, now_ms) = (self.plan.outbox_bytes_max, self.now.monotonic_ms);
        self.transcript = self.nets[shard].send_turn((max, now_ms), was_behind, self.transcript);
        let (seen, net) = (&mut self.seen, &mut self.nets[shard]);
        seen.note_if(self.shards[shard].is_behind(), "fan-out in slices");
        seen.note_if(self.shards[shard].rests_until_us().is_some(), "a served group rests");
        let due = self.shards[shard].due_passes(&mut net.moves.wanted).collect();
        net.begin_moves(due);
        let due = self.shards[shard].due_closes(&mut net.closes).collect();
        seen.note_if(!net.closes.is_empty(), "closed behind slices");
        net.end_turn(due, now_ms, seen);
        self.requests.check();
        self.deliveries.check();
    }

    /// A client on a connection does something.
    pub fn act(
        &mut self,
        shard: usize,
        conn: ConnId,
        act: impl FnOnce(&mut Client, &mut Vec<u8>, &mut Scene<'_>),
    ) {
        let Some(mut wire) = self.nets[shard].unplug(conn) else { return };
        let position = self.position(wire.client.key());
        let mut said = Vec::new();
        act(&mut wire.client, &mut said, &mut self.scene(position));
        wire.said.extend(said);
        self.nets[shard].replug(wire);
        self.fill_dooms();
    }

    /// Bytes of a client reach the shard. `most` at a time.
    pub fn read(&mut self, shard: usize, conn: ConnId, most: usize) -> bool {
        if self.nets[shard].moves.is_unknown(conn) {
            return false;
        }
        let Some(wire) = self.nets[shard].wire_mut(conn) else { return false };
        let count = most.min(wire.said.len());
        let mut bytes: Vec<u8> = wire.said.drain(..count).collect();
        self.seen.note_if(!wire.said.is_empty(), "bytes in pieces");
        if count > 0 {
            self.feed(shard, Input::Bytes(conn, &mut bytes));
        }
        let net = &mut self.nets[shard];
        let is_ending = net.closes.iter().any(|(closing, _)| *closing == conn);
        if !is_ending && net.wire_mut(conn).unwrap().take_half_close() {
            self.seen.note("half closed");
            self.feed(shard, Input::HalfClosed(conn));
            return true;
        }
        count > 0
    }

    /// Bytes of the node reach a client. `most` at a time.
    pub fn write(&mut self, shard: usize, conn: ConnId, most: usize) -> bool {
        let Some(mut wire) = self.nets[shard].unplug(conn) else { return false };
        let bytes = wire.take(most);
        let position = self.position(wire.client.key());
        if !bytes.is_empty() {
            let mut said = Vec::new();
            let mut scene = self.scene(position);
            wire.client.hear(&bytes, &mut said, &mut scene);
            wire.said.extend(said);
        }
        self.nets[shard].replug(wire);
        !bytes.is_empty()
    }

    /// Everything that a client is given.
    pub fn scene(&mut self, position: u64) -> Scene<'_> {
        Scene {
            plan: &self.plan,
            random: &mut self.random,
            truth: &mut self.truth,
            seen: &mut self.seen,
            now: self.now,
            step: self.step,
            position,
            shards: &self.shards,
            signing: Signing { generation: self.generation, is_stale: false },
        }
    }

    /// The shards whose journal works.
    pub fn is_fenced(&self, shard: usize) -> bool {
        self.journals[shard].disk == Disk::Fenced
    }

    pub fn note_durable(&mut self, batch: &[Arc<Publication>]) {
        for it in batch {
            self.truth.keep(key(it.channel()), it.event(), it.offset().unwrap().0);
        }
    }
}
