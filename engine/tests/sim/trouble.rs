//! What happens around the node while it works: clients come, say something and vanish, disks fill and fail, clocks jump.

use engine::ids::ConnId;

use crate::bounds::READ_BYTES_MAX;
use crate::faults::{Crowd, Fault};
use crate::journal::Disk;
use crate::scene::Client;
use crate::start::Kind;
use crate::world::World;

impl World {
    /// What happens around the node before a turn.
    pub fn trouble(&mut self) {
        self.step += 1;
        self.pass_time();
        let rush = if self.plan.crowd == Crowd::Listening { 300 } else { 60 };
        if self.random.permille(rush) {
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
            let laziness = if self.plan.has(Fault::SlowCatalog) { 10 } else { 500 };
            if self.random.permille(laziness) {
                self.work_catalog(shard);
            }
            self.seen.note_if(self.catalogs[shard].waiting() >= 3, "catalog far behind");
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
        self.rotate();
        self.squeeze();
        self.hold_lanes();
        self.close_behind();
        self.hold_up();
        self.end();
    }

    /// A lane is held up while others go on.
    fn hold_lanes(&mut self) {
        if self.plan.has(Fault::SlowLanes) && self.random.permille(30) {
            match self.random.permille(700) {
                true => self.requests.hold(self.random.below(1 << 16)),
                false => self.requests.release(),
            }
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

    pub fn connect(&mut self) {
        let wires: usize = self.nets.iter().map(|net| net.wires().count()).sum();
        if wires >= self.plan.clients {
            return;
        }
        let shard = self.random.below(self.shards.len());
        if !self.may_ask(shard) {
            return;
        }
        let mut keys = self.keys();
        if self.plan.crowd == Crowd::Listening {
            keys.truncate(1);
        }
        let key = keys[self.random.below(keys.len())].clone();
        let kind = match self.random.below(33) {
            0..=6 => Kind::Http,
            // Only servers delete, and what they publish meanwhile shows what is wrong with that.
            7..=19 if self.plan.crowd == Crowd::Deleting => Kind::Http,
            7..=28 if self.plan.crowd == Crowd::Polling => Kind::Polled,
            7..=24 if self.plan.crowd == Crowd::Listening => Kind::Socket,
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
        if plan.has(Fault::KeyedRetries) && wire.client.http().is_some() && random.permille(40) {
            wire.hang_up();
        }
        if plan.has(Fault::HalfOpenPeers) && random.permille(8) {
            wire.vanish();
        }
        if wire.is_dead {
            return;
        }
        if plan.has(Fault::HalfFrames) && random.permille(10) {
            return self.act(shard, conn, Client::say_half);
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
        let is_fenced = self.plan.has(Fault::FencedCatalog) && self.random.permille(4);
        self.catalogs[shard].is_fenced |= is_fenced;
        self.spoil_reads(shard);
        let is_late = self.plan.has(Fault::LateSides);
        (self.hooks.is_late, self.sides[shard].is_late) = (is_late, is_late);
        let disk = &mut self.journals[shard].disk;
        *disk = match *disk {
            Disk::Fine if full && self.random.permille(20) => Disk::Full,
            Disk::Fine if fenced && self.random.permille(2) => Disk::Fenced,
            Disk::Full if self.random.permille(100) => Disk::Fine,
            Disk::Fine | Disk::Full | Disk::Fenced => *disk,
        };
    }

    fn spoil_reads(&mut self, shard: usize) {
        let journal = &mut self.journals[shard];
        journal.fails_read |= self.plan.has(Fault::FailingReads) && self.random.permille(60);
        if self.plan.has(Fault::SlowReads) {
            journal.slow = match journal.slow.take() {
                Some(_) if self.random.permille(30) => None,
                None if self.random.permille(100) => journal.any_channel(&mut self.random),
                same => same,
            };
        }
    }

    pub fn any_conn(&mut self, shard: usize) -> Option<ConnId> {
        let conns = self.nets[shard].conns();
        (!conns.is_empty()).then(|| conns[self.random.below(conns.len())])
    }
}
