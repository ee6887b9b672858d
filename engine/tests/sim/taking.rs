//! What a shard is told of its connections while it may ask: that they are gone, over their limit, drained, or can be read on.

use engine::shard::input::Input;

use crate::world::World;

impl World {
    /// Tells the shard of connections that are gone. Their slots are free from then on.
    pub fn take_gone(&mut self, shard: usize) -> bool {
        if !self.may_ask(shard) {
            return false;
        }
        let Some(wire) = self.nets[shard].take_gone() else { return false };
        let conn = wire.conn;
        if let Some(http) = wire.client.http()
            && wire.ended_by_half_close()
        {
            assert_eq!(http.waiting(), 0, "what was asked before the half close is answered");
        }
        self.leave_unknown(&wire.client);
        self.feed(shard, Input::Closed(conn));
        true
    }

    /// Tells the shard of a connection whose outbox went over its limit.
    pub fn take_overrun(&mut self, shard: usize) -> bool {
        if !self.may_ask(shard) {
            return false;
        }
        let Some(conn) = self.nets[shard].take_overrun() else { return false };
        self.seen.note("outbox overrun");
        self.feed(shard, Input::Overrun(conn));
        true
    }

    /// Tells the shard of a connection that has taken most of what waited for it.
    pub fn take_drained(&mut self, shard: usize) -> bool {
        if !self.may_ask(shard) {
            return false;
        }
        let Some(conn) = self.nets[shard].take_drained() else { return false };
        self.seen.note("asked for the next part");
        self.feed(shard, Input::Drained(conn));
        true
    }

    /// Reads on what waited.
    pub fn take_resume(&mut self, shard: usize) -> bool {
        if !self.may_ask(shard) || !self.shards[shard].is_resumable() {
            return false;
        }
        self.seen.note("resumed");
        self.feed(shard, Input::Resume);
        true
    }
}
