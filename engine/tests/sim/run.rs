//! One run: trouble for a while, then none, and in the end everything has settled.

use engine::pressure::Pressure;
use engine::shard::input::Input;
use protocol::Keep;
use protocol::ws::CloseCode;

use crate::bounds::READ_BYTES_MAX;
use crate::clients::HttpClient;
use crate::faults::{Fault, Plan};
use crate::journal::Disk;
use crate::net::{Net, Wire};
use crate::scene::Client;
use crate::seen::Seen;
use crate::start::Kind;
use crate::world::World;

/// Rounds in which a node without trouble settles, whatever it had to do.
const ROUNDS_MAX: usize = 20_000;

/// Runs a plan. Returns what happened, and a hash of all that left the node.
pub fn run(plan: Plan) -> (Seen, u64) {
    let mut world = World::new(plan);
    world.fix_rules();
    let drain_at = if world.plan.has(Fault::Drain) { world.plan.turns * 3 / 4 } else { usize::MAX };
    for turn in 0..world.plan.turns {
        if turn == drain_at {
            world.drain();
        }
        world.trouble();
        let shard = world.random.below(world.shards.len());
        if !world.is_napping(shard) {
            world.turn(shard);
        }
    }
    world.calm();
    world.settle();
    world.check_quiescent();
    if world.is_draining {
        world.check_drained();
    } else {
        world.provision();
        world.check_service();
    }
    world.wait_out();
    world.leave();
    (world.seen, world.transcript)
}

impl World {
    /// One turn of a shard: a few inputs of any kind, then its output.
    pub fn turn(&mut self, shard: usize) {
        let count = 1 + self.random.below(self.plan.inputs_per_turn);
        let mut moved = false;
        // As in the reactor: while too many fan-outs are not done, time passes and orders come, and nothing else is taken.
        let is_full = !self.shards[shard].may_fan_out();
        for _ in 0..count {
            moved |= match self.random.below(12) {
                9 if self.may_ask(shard) => {
                    self.tick(shard);
                    false
                }
                _ if is_full => false,
                0..=2 => self.take_delivery(shard),
                3..=4 => self.take_request(shard),
                5..=6 => self.take_answer(shard),
                7 => self.replace_gone(shard),
                8 => {
                    self.take_overrun(shard)
                        || self.take_resume(shard)
                        || self.take_drained(shard)
                        || self.take_move(shard)
                }
                _ if self.may_ask(shard) => self.read_any(shard),
                _ => false,
            };
        }
        self.flush(shard);
        if !moved && !self.shards[shard].is_behind() {
            self.bell().sleep(shard);
        }
    }

    /// Somebody is gone; now and then somebody else comes at once.
    fn replace_gone(&mut self, shard: usize) -> bool {
        let is_gone = self.take_gone(shard);
        if is_gone && self.random.permille(300) {
            self.connect();
        }
        is_gone
    }

    /// Time passes. That alone is no work.
    pub fn tick(&mut self, shard: usize) {
        self.feed(shard, Input::Tick);
        self.nets[shard].sweep(self.now.monotonic_ms, &mut self.seen);
    }

    fn read_any(&mut self, shard: usize) -> bool {
        let most = self.bytes_at_once();
        let Some(conn) = self.any_conn(shard) else { return false };
        self.read(shard, conn, most)
    }

    fn bytes_at_once(&mut self) -> usize {
        if self.plan.has(Fault::Chopped) { 1 + self.random.below(60) } else { READ_BYTES_MAX }
    }

    /// All trouble ends. A journal that failed stays failed.
    fn calm(&mut self) {
        for net in &mut self.nets {
            for wire in net.wires_mut() {
                wire.calm();
            }
        }
        self.catalogs.iter_mut().for_each(|it| it.is_failing = false);
        self.pressure = Pressure::Calm;
        (0..self.shards.len()).for_each(|it| self.tell_pressure(it));
        self.requests.release();
        self.hooks.is_late = false;
        self.sides.iter_mut().for_each(|it| it.is_late = false);
        for journal in &mut self.journals {
            (journal.fails_read, journal.slow) = (false, None);
            if journal.disk == Disk::Full {
                journal.disk = Disk::Fine;
            }
        }
        if !self.is_draining && self.catalogs.iter().any(|it| it.is_fenced) {
            self.crash();
        }
        self.find_silent();
    }

    /// Peers that vanished, or said half of something, are found out by the time that passes.
    fn find_silent(&mut self) {
        let is_silent = |it: &&Wire| it.is_dead || it.client.is_stuck();
        let all = |world: &Self| world.nets.iter().flat_map(Net::wires).filter(is_silent).count();
        if all(self) == 0 {
            return;
        }
        self.seen.note("somebody silent at the end");
        self.settle();
        (0..16).for_each(|_| self.pass_quietly());
        for wire in self.nets.iter_mut().flat_map(Net::wires_mut) {
            let is_silent = wire.is_dead || wire.client.is_stuck();
            assert!(!is_silent || !wire.is_open(), "nobody missed {:?}", wire.conn);
            self.seen.note_if(wire.is_dead, "peer vanished, and found out");
            // What still waits for it nobody fetches.
            if is_silent {
                wire.hang_up();
            }
        }
        self.settle();
    }

    /// Lets the node finish what it has. That this ends is the proof that nobody waits forever.
    pub fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let mut moved = false;
            for shard in 0..self.shards.len() {
                moved |= self.round(shard);
            }
            if !moved {
                return;
            }
        }
        panic!("the node never settles");
    }

    fn round(&mut self, shard: usize) -> bool {
        let mut moved = false;
        while self.shards[shard].is_behind() {
            self.flush(shard);
            moved = true;
        }
        for _ in 0..4 {
            moved |= self.take_delivery(shard);
            moved |= self.take_request(shard);
            self.work(shard);
            self.work_catalog(shard);
            moved |= self.take_answer(shard);
            moved |= self.take_gone(shard) | self.take_overrun(shard) | self.take_resume(shard);
            moved |= self.take_drained(shard) | self.take_move(shard) | self.tell_keys(shard);
        }
        for conn in self.nets[shard].conns() {
            moved |= self.may_ask(shard) && self.read(shard, conn, READ_BYTES_MAX);
        }
        self.flush(shard);
        for conn in self.nets[shard].conns() {
            moved |= self.write(shard, conn, usize::MAX);
        }
        let is_idle = self.journals[shard].is_idle() && self.catalogs[shard].is_idle();
        let is_idle = is_idle && self.sides[shard].is_idle() && !self.shards[shard].is_behind();
        moved || !is_idle || !self.hooks.is_idle()
    }

    /// Everyone who is still there has seen everything, and homes know exactly who is there.
    fn check_quiescent(&mut self) {
        assert!(self.requests.is_empty() && self.deliveries.is_empty());
        for wire in self.nets.iter().flat_map(Net::wires).filter(|wire| wire.is_open()) {
            match &wire.client {
                Client::Socket(socket) => {
                    socket.check_quiescent(&self.truth, self.position(&socket.view.key));
                }
                Client::Infrai(client) => {
                    client.check_quiescent(&self.truth, |key| self.position(key));
                }
                Client::Insforge(client) => {
                    client.check_quiescent(&self.truth, |key| self.position(key));
                }
                Client::Plain(client) => {
                    client.check_quiescent(&self.truth, |key| self.position(key));
                }
                Client::Polled(client) => {
                    let position = self.position(&client.view.key);
                    let reads_behind = self.plan.limits.pipelined_requests_max > 1;
                    client.check_quiescent(&self.truth, position, reads_behind);
                }
                Client::Http(_) => {}
            }
        }
        self.check_presence();
        self.check_operated();
    }

    /// Whoever gave the resource up has it again.
    fn provision(&mut self) {
        for key in self.keys() {
            let shard = self.random.below(self.shards.len());
            let conn = self.accept(shard, key, Kind::Http);
            self.act(shard, conn, |client, out, _| {
                let http = client.http_mut().expect("it is a server");
                http.provision(out);
            });
            self.settle();
            if let Some(wire) = self.nets[shard].wire_mut(conn) {
                wire.hang_up();
            }
            self.settle();
        }
    }

    /// A node without trouble takes what it is for.
    fn check_service(&mut self) {
        for key in self.keys() {
            if self.is_fenced(self.home_of(&key)) {
                continue;
            }
            let before = self.position(&key);
            let shard = self.random.below(self.shards.len());
            let conn = self.accept(shard, key.clone(), Kind::Http);
            self.act(shard, conn, |client, out, scene| {
                let http = client.http_mut().expect("it is a server");
                http.publish(out, scene, Keep::Persist);
            });
            self.settle();
            let fits = !self.plan.has(Fault::TinyLimits);
            assert!(
                !fits || self.position(&key) == before + 1,
                "a publish that should work: {key:?}"
            );
            if let Some(wire) = self.nets[shard].wire_mut(conn) {
                wire.hang_up();
            }
            self.settle();
        }
        self.check_quiescent();
    }

    /// The node says goodbye.
    pub fn drain(&mut self) {
        let waits = |client: &Client| client.http().is_some_and(|it| it.waiting() > 0);
        self.is_draining = true;
        for shard in 0..self.shards.len() {
            let any = self.nets[shard].wires().any(|wire| waits(&wire.client));
            self.seen.note_if(any, "drain with waiting answers");
            self.feed(shard, Input::Drain(CloseCode::Restart));
            self.flush(shard);
        }
    }

    /// After a goodbye only those stay that owe the rest of something, and not for long.
    fn check_drained(&mut self) {
        for wire in self.nets.iter().flat_map(Net::wires) {
            let waiting = wire.client.http().map_or(0, HttpClient::waiting);
            assert_eq!(waiting, 0, "a request was not answered");
            assert!(!wire.client.is_live_socket(), "a drained node has sockets, or sessions");
        }
    }

    /// Time passes: who says nothing is closed, and who answers its pings stays.
    fn wait_out(&mut self) {
        (0..16).for_each(|_| self.pass_quietly());
        for wire in self.nets.iter().flat_map(Net::wires) {
            match &wire.client {
                Client::Http(http) => {
                    panic!("an idle server is still there: {:?} {http:?}", wire.conn);
                }
                Client::Insforge(client) => client.check_waited(),
                Client::Plain(client) => client.check_waited(),
                Client::Socket(client) => client.socket.check_waited(),
                Client::Infrai(client) => client.socket.check_waited(),
                Client::Polled(_) => {}
            }
        }
    }

    fn pass_quietly(&mut self) {
        self.now.monotonic_ms += 9_000;
        self.now.wall_ms += 9_000;
        for shard in 0..self.shards.len() {
            self.tick(shard);
            self.flush(shard);
        }
        self.settle();
    }

    /// Everybody leaves: nothing remains that nobody needs.
    fn leave(&mut self) {
        for net in &mut self.nets {
            net.wires_mut().for_each(Wire::hang_up);
        }
        self.settle();
        // Who polled and is gone leaves no ping answered.
        for _ in 0..8 {
            self.pass_quietly();
        }
        self.check_presence();
        for shard in &self.shards {
            assert_eq!(shard.connections(), 0, "a connection of nobody");
            assert_eq!(shard.hub().channel_count(), 0, "a subscription of nobody");
        }
    }
}
