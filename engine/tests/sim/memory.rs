//! Memory of the node runs short, and suffices again. Its cores hear of it one after the other.

use engine::pressure::Pressure;
use engine::shard::effects::Effects;
use engine::shard::input::{Input, Request};

use crate::faults::Fault;
use crate::world::World;

impl World {
    /// Now and then memory is shorter than before, or less short.
    pub fn squeeze(&mut self) {
        if !self.plan.has(Fault::ShortMemory) {
            return;
        }
        if self.random.permille(20) {
            self.pressure = self.random.one_of(&Pressure::ALL);
        }
        let shard = self.random.below(self.shards.len());
        self.tell_pressure(shard);
    }

    /// A shard hears of it, whatever else it has to do. What waits for its slowest consumers goes.
    pub fn tell_pressure(&mut self, shard: usize) {
        let level = self.pressure;
        if std::mem::replace(&mut self.told_pressures[shard], level) == level {
            return;
        }
        let before = (self.requests.spilled(shard), self.deliveries.spilled(shard));
        self.feed(shard, Input::Pressure(level));
        let after = (self.requests.spilled(shard), self.deliveries.spilled(shard));
        assert_eq!(before, after, "it causes no lane traffic");
        match level {
            Pressure::Calm => {}
            Pressure::Connections => self.seen.note("memory short for connections"),
            Pressure::Publishes => self.seen.note("memory short for messages"),
            Pressure::Consumers => {
                self.seen.note("memory short for consumers");
                self.nets[shard].shed_slowest();
            }
        }
    }

    /// What comes from a connection while there is no memory for messages publishes nothing.
    pub fn check_pressure(&self, shard: usize, effects: &Effects) {
        if self.told_pressures[shard] < Pressure::Publishes {
            return;
        }
        let is_publish =
            |it: &Request| matches!(it, Request::Publish(..) | Request::PublishMany(..));
        let is_sent = effects.requests.iter().any(|(_, it)| is_publish(it));
        assert!(!is_sent && effects.appends.is_empty(), "published without memory for it");
    }
}
