//! What may not grow: looked at after every input.

use crate::world::World;

/// Bytes that come from a connection at once.
pub const READ_BYTES_MAX: usize = 4096;

impl World {
    /// Everything is bounded (invariant 7).
    pub fn check_bounds(&self, shard: usize) {
        let limits = &self.plan.limits;
        let broker = self.shards[shard].broker();
        assert!(broker.appended() <= limits.journal_queue_messages_max, "invariant 7: journal");
        let load = self.shards[shard].load();
        let tickets_max = limits.pipelined_requests_max + 1;
        assert!(load.tickets_most <= tickets_max, "invariant 7: {} tickets", load.tickets_most);
        let unread_max =
            limits.unread_bytes_max.max(limits.wire.head_bytes_max + limits.wire.body_bytes_max);
        assert!(load.unread_most <= unread_max + READ_BYTES_MAX, "invariant 7: unread");
    }
}
