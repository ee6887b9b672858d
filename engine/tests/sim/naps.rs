//! When shards take turns: one that found nothing sleeps until it is rung for, which may come late or never, and a core may be held up.

use crate::faults::{Fault, Plan};
use crate::random::Random;
use crate::seen::Seen;
use crate::world::World;

/// Steps after which a shard that sleeps looks for itself, as an idle core does.
const IDLE_STEPS: u64 = 80;

/// Why a shard takes no turns now, if it does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nap {
    /// Up to this step it sleeps.
    asleep_until: Option<u64>,
    is_rung: bool,
    /// Up to this step its core is held up.
    stalled_until: u64,
}

/// The naps of all shards, and whatever decides on them.
pub struct Bell<'a> {
    pub naps: &'a mut [Nap],
    pub plan: &'a Plan,
    pub random: &'a mut Random,
    pub seen: &'a mut Seen,
    pub step: u64,
}

impl Bell<'_> {
    /// Something was put on a lane to a shard.
    pub fn ring(&mut self, to: usize) {
        let nap = &mut self.naps[to];
        let Some(until) = nap.asleep_until.filter(|_| !nap.is_rung) else { return };
        nap.is_rung = true;
        if self.random.permille(250) {
            return self.seen.note("doorbell lost");
        }
        let late = self.random.below(30) as u64;
        self.seen.note_if(late > 0, "doorbell late");
        nap.asleep_until = Some(until.min(self.step + late));
    }

    /// A shard found nothing to do.
    pub fn sleep(&mut self, shard: usize) {
        if self.plan.has(Fault::LateBells) && self.random.permille(300) {
            self.naps[shard].asleep_until = Some(self.step + IDLE_STEPS);
            self.naps[shard].is_rung = false;
        }
    }
}

impl World {
    /// Whether a shard takes no turn now.
    pub fn is_napping(&mut self, shard: usize) -> bool {
        let step = self.step;
        let nap = &mut self.naps[shard];
        if step < nap.stalled_until {
            let waits = !self.requests.senders(shard).is_empty();
            self.seen.note_if(waits, "core held up while something waits for it");
            return true;
        }
        if nap.asleep_until.is_some_and(|until| step < until) {
            return true;
        }
        nap.asleep_until = None;
        false
    }

    /// Now and then a core is held up.
    pub fn hold_up(&mut self) {
        if self.plan.has(Fault::Stalls) && self.random.permille(12) {
            let shard = self.random.below(self.naps.len());
            self.naps[shard].stalled_until = self.step + 40 + self.random.below(120) as u64;
        }
    }
}
