//! Tenants get other signing keys while the node runs. Shards hear of it one after the other.

use std::sync::Arc;

use engine::shard::input::Input;
use engine::tenants::Tenants;

use crate::faults::Fault;
use crate::scene::Signing;
use crate::start::{metered, spec};
use crate::world::{TENANTS, World};

impl World {
    /// The tenants with the keys that they have now.
    pub fn tenants(&self) -> Arc<Tenants> {
        let mut specs: Vec<_> = (0..TENANTS).map(|it| spec(it, self.generation)).collect();
        specs.push(metered());
        Arc::new(Tenants::new(&specs, [5; 32]))
    }

    /// Now and then the keys change, and shards that do not know it yet hear of it.
    pub fn rotate(&mut self) {
        if self.plan.has(Fault::KeyRotation) && self.random.permille(8) {
            self.generation += 1;
        }
        let shard = self.random.below(self.shards.len());
        if self.plan.has(Fault::KeyRotation) && self.random.permille(200) {
            self.tell_keys(shard);
        }
    }

    /// A shard hears of the keys. Returns whether it was news.
    pub fn tell_keys(&mut self, shard: usize) -> bool {
        if self.told_generations[shard] == self.generation || !self.may_ask(shard) {
            return false;
        }
        self.told_generations[shard] = self.generation;
        self.seen.note("signing keys changed");
        let tenants = self.tenants();
        self.feed(shard, Input::Tenants(tenants));
        true
    }

    /// Who comes to a shard has keys of today, or older ones.
    pub fn choose_signing(&mut self, shard: usize) -> Signing {
        let is_old = self.generation > 0 && self.random.permille(400);
        let back = if is_old { self.random.one_of(&[1, 2, 3]) } else { 0 };
        let generation = self.generation.saturating_sub(back);
        Signing { generation, is_stale: generation + 1 < self.told_generations[shard] }
    }
}
