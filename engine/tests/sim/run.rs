//! One run: trouble for a while, then none, and in the end everything has settled.

use engine::ids::ConnId;
use engine::shard::input::Input;
use protocol::Keep;
use protocol::ws::CloseCode;

use crate::clients::HttpClient;
use crate::faults::{Fault, Plan};
use crate::journal::Disk;
use crate::net::{Net, Wire};
use crate::scene::Client;
use crate::seen::Seen;
use crate::start::Kind;
use crate::world::{READ_BYTES_MAX, World};

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
        world.turn(shard);
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
    /// What happens around the node before a turn.
    fn trouble(&mut self) {
        self.step += 1;
        self.pass_time();
        if self.random.permille(60) {
            self.connect();
        }
        for _ in 0..3 {
            let shard = self.random.below(self.shards.len());
            if let Some(conn) = self.any_conn(shard) {
                self.disturb(shard, conn);
            }
        }
        for shard in 0..self.journals.len() {
            let laziness = if self.plan.has(Fault::SlowJournal) { 100 } else { 700 };
            if self.random.permille(laziness) {
                self.work(shard);
            }
            if self.random.permille(500) {
                self.work_catalog(shard);
            }
            self.spoil_disk(shard);
            if self.plan.has(Fault::Damage)
                && self.random.permille(20)
                && let Some((key, offsets)) = self.journals[shard].damage(&mut self.random)
            {
                self.truth.damaged.entry(key).or_default().extend(offsets);
            }
        }
        if self.random.permille(200) {
            self.operate();
        }
        if self.plan.has(Fault::Crash) && self.random.permille(4) {
            self.crash();
        }
    }

    fn pass_time(&mut self) {
        let mut ms = self.random.below(20) as u64;
        if self.plan.has(Fault::ClockJumps) && self.random.permille(10) {
            self.seen.note("clock jumped");
            ms = self.random.one_of(&[1_000, 6_000, 30_000, 200_000]);
            let wall = self.random.one_of(&[-3_600_000, -5_000, 5_000, 3_600_000]);
            self.operator.went_back |= wall < 0;
            self.now.wall_ms = self.now.wall_ms.saturating_add_signed(wall);
        }
        self.now.monotonic_ms += ms;
        self.now.wall_ms += ms;
    }

    fn connect(&mut self) {
        let wires: usize = self.nets.iter().map(|net| net.wires().count()).sum();
        if wires >= self.plan.clients {
            return;
        }
        let shard = self.random.below(self.shards.len());
        if !self.may_ask(shard) {
            return;
        }
        let keys = self.keys();
        let key = keys[self.random.below(keys.len())].clone();
        let kind = match self.random.below(33) {
            0..=6 => Kind::Http,
            // Only servers delete, and what they publish meanwhile shows what is wrong with that.
            7..=19 if self.plan.is_about_deletions => Kind::Http,
            7..=13 => Kind::Socket,
            14..=19 => Kind::Infrai,
            20..=25 => Kind::Insforge,
            26..=28 => Kind::Plain,
            _ => Kind::Polled,
        };
        self.accept(shard, key, kind);
    }

    fn disturb(&mut self, shard: usize, conn: ConnId) {
        let (plan, random) = (&self.plan, &mut self.random);
        let Some(wire) = self.nets[shard].wire_mut(conn) else { return };
        if plan.has(Fault::SlowReaders) && random.permille(100) {
            wire.is_stalled = random.permille(500);
        }
        if plan.has(Fault::Closes) && random.permille(15) {
            wire.hang_up();
        }
        let most = if plan.has(Fault::Chopped) { 1 + random.below(40) } else { READ_BYTES_MAX };
        match self.random.below(6) {
            5 => self.hop(shard, conn),
            0..=1 => self.act(shard, conn, Client::act),
            _ => _ = self.write(shard, conn, most),
        }
    }

    fn spoil_disk(&mut self, shard: usize) {
        let full = self.plan.has(Fault::FullJournal);
        let fenced = self.plan.has(Fault::FencedJournal);
        let is_failing = &mut self.catalogs[shard].is_failing;
        *is_failing = full && (*is_failing != self.random.permille(30));
        let disk = &mut self.journals[shard].disk;
        *disk = match *disk {
            Disk::Fine if full && self.random.permille(20) => Disk::Full,
            Disk::Fine if fenced && self.random.permille(2) => Disk::Fenced,
            Disk::Full if self.random.permille(100) => Disk::Fine,
            Disk::Fine | Disk::Full | Disk::Fenced => *disk,
        };
    }

    fn any_conn(&mut self, shard: usize) -> Option<ConnId> {
        let conns = self.nets[shard].conns();
        (!conns.is_empty()).then(|| conns[self.random.below(conns.len())])
    }

    /// One turn of a shard: a few inputs of any kind, then its output.
    pub fn turn(&mut self, shard: usize) {
        let count = 1 + self.random.below(self.plan.inputs_per_turn);
        for _ in 0..count {
            match self.random.below(12) {
                0..=2 => _ = self.take_delivery(shard),
                3..=4 => _ = self.take_request(shard),
                5..=6 => _ = self.take_answer(shard),
                7 if self.take_gone(shard) && self.random.permille(300) => self.connect(),
                7 => {}
                8 => {
                    _ = self.take_overrun(shard)
                        || self.take_resume(shard)
                        || self.take_drained(shard)
                        || self.take_move(shard);
                }
                9 if self.may_ask(shard) => self.feed(shard, Input::Tick),
                _ if self.may_ask(shard) => self.read_any(shard),
                _ => {}
            }
        }
        self.flush(shard);
    }

    fn read_any(&mut self, shard: usize) {
        let most = self.bytes_at_once();
        if let Some(conn) = self.any_conn(shard) {
            self.read(shard, conn, most);
        }
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
        for journal in &mut self.journals {
            if journal.disk == Disk::Full {
                journal.disk = Disk::Fine;
            }
        }
        self.catalogs.iter_mut().for_each(|it| it.is_failing = false);
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
        for _ in 0..4 {
            moved |= self.take_delivery(shard);
            moved |= self.take_request(shard);
            self.work(shard);
            self.work_catalog(shard);
            moved |= self.take_answer(shard);
            moved |= self.take_gone(shard) | self.take_overrun(shard) | self.take_resume(shard);
            moved |= self.take_drained(shard) | self.take_move(shard);
        }
        for conn in self.nets[shard].conns() {
            moved |= self.may_ask(shard) && self.read(shard, conn, READ_BYTES_MAX);
        }
        self.flush(shard);
        for conn in self.nets[shard].conns() {
            moved |= self.write(shard, conn, usize::MAX);
        }
        let is_idle = self.journals[shard].is_idle() && self.catalogs[shard].is_idle();
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
                Client::Polled(client) if client.is_live() => {
                    let position = self.position(&client.view.key);
                    client.view.check_quiescent(&self.truth, position, client.publisher);
                }
                Client::Http(_) | Client::Polled(_) => {}
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
    fn drain(&mut self) {
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
                Client::Socket(_) | Client::Infrai(_) | Client::Polled(_) => {}
            }
        }
    }

    fn pass_quietly(&mut self) {
        self.now.monotonic_ms += 9_000;
        self.now.wall_ms += 9_000;
        for shard in 0..self.shards.len() {
            self.feed(shard, Input::Tick);
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
