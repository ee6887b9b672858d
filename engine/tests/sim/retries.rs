//! Publishes with an idempotency key whose answer nobody heard: another connection says them again, and there is one of each.

use crate::faults::Fault;
use crate::journal::Key;
use crate::scene::Client;
use crate::world::World;

/// A message of a channel that was published with a key, and not answered.
pub type Unknown = (Key, usize);

impl World {
    /// A connection is gone: what it had published with a key may be there or not.
    pub fn leave_unknown(&mut self, client: &Client) {
        let Some(http) = client.http().filter(|_| self.plan.has(Fault::KeyedRetries)) else {
            return;
        };
        let numbers = http.unanswered_keyed(&self.truth);
        self.unknown.extend(numbers.into_iter().map(|it| (http.key.clone(), it)));
    }

    /// What a server of a channel has to say again.
    pub fn take_unknown(&mut self, key: &Key) -> Vec<usize> {
        let (theirs, others) =
            std::mem::take(&mut self.unknown).into_iter().partition(|it| it.0 == *key);
        self.unknown = others;
        let theirs: Vec<Unknown> = theirs;
        theirs.into_iter().map(|it| it.1).collect()
    }
}
