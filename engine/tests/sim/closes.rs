//! Connections that end while a fan-out of several slices waits for them.

use crate::faults::Fault;
use crate::world::World;

impl World {
    /// Somebody whom a fan-out may wait for goes, stops reading, or is given up; then the fan-out goes on. Nothing else is handed
    /// out by these turns: whatever comes for somebody who is gone is a share that waited.
    pub fn close_behind(&mut self) {
        if !self.plan.has(Fault::FanOutCloses) {
            return;
        }
        for shard in 0..self.shards.len() {
            if !self.shards[shard].is_behind() || !self.random.permille(500) {
                continue;
            }
            let all = self.nets[shard].wires().filter(|it| it.is_open());
            let listen = all.filter(|it| it.client.is_live_socket());
            let conns: Vec<_> = listen.map(|it| it.conn).collect();
            if conns.is_empty() {
                continue;
            }
            let conn = self.random.one_of(&conns);
            let Some(wire) = self.nets[shard].wire_mut(conn) else { continue };
            match self.random.below(4) {
                0 => wire.hang_up(),
                1 => wire.is_stalled = true,
                2 => self.nets[shard].shed_slowest(),
                _ if self.may_ask(shard) => self.tick(shard),
                _ => {}
            }
            let before = self.nets[shard].missed;
            for _ in 0..1 + self.random.below(4) {
                self.flush(shard);
            }
            let after = self.nets[shard].missed;
            let seen = &mut self.seen;
            seen.note_if(after.gone > before.gone, "gone while a fan-out waited for it");
            seen.note_if(after.shed > before.shed, "given up while a fan-out waited for it");
        }
    }
}
