//! How the node ends and begins: crashes, drains, and both at once.

use crate::faults::Fault;
use crate::net::Net;
use crate::world::World;

/// Ends that are due.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends {
    /// The next crash after one, by its step.
    again_at: Option<u64>,
    /// When a drained node starts again.
    start_at: Option<u64>,
}

impl World {
    /// What ends the node before a turn, if anything does.
    pub fn end(&mut self) {
        let turns = self.plan.turns as u64;
        if self.plan.has(Fault::DrainedRestart) && self.step == turns / 3 && !self.is_draining {
            self.drain();
            self.ends.start_at = Some(self.step + 30);
        }
        if self.plan.has(Fault::CrashInDrain) && self.step == turns / 2 && !self.is_draining {
            self.drain();
        }
        if self.ends.start_at == Some(self.step) {
            self.ends.start_at = None;
            if self.is_draining {
                self.restart();
            }
        }
        if self.ends.again_at == Some(self.step) {
            self.seen.note("crashed again at once");
            self.crash();
            self.ends.again_at = None;
        }
        if self.plan.has(Fault::CrashInDrain) && self.is_draining && self.random.permille(80) {
            self.seen.note("crashed while draining");
            self.crash();
        }
        if self.plan.has(Fault::Crash) && self.random.permille(4) {
            self.crash();
        }
        if self.plan.has(Fault::CrashTwice) && self.random.permille(3) {
            self.crash();
            self.ends.again_at = Some(self.step + 1 + self.random.below(8) as u64);
        }
    }

    /// The node has drained: it ends once its journals have written what they have, and starts again.
    fn restart(&mut self) {
        for shard in 0..self.shards.len() {
            self.journals[shard].slow = None;
            while !self.journals[shard].is_written() {
                self.work(shard);
            }
        }
        self.seen.note("restarted after a drain");
        self.crash();
    }

    /// The node loses its power, and starts again.
    pub fn crash(&mut self) {
        for shard in 0..self.journals.len() {
            let survived = self.journals[shard].crash(&mut self.random, &mut self.seen);
            self.note_durable(&survived);
            self.catalogs[shard].crash(&mut self.random);
        }
        if self.plan.has(Fault::WallClockBack) {
            self.seen.note("started with an earlier wall clock");
            self.operator.went_back = true;
            self.now.wall_ms -= self.random.one_of(&[100, 5_000, 3_600_000]);
        }
        let nets = std::mem::take(&mut self.nets);
        nets.iter().flat_map(Net::wires).for_each(|it| self.leave_unknown(&it.client));
        self.is_draining = false;
        self.start();
        self.forget_operations();
    }
}
