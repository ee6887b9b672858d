//! Connections between two shards, as the kernel moves them: what is queued goes out first, and whether the new shard or the old one
//! hears of it first is chance.

use engine::ids::{ConnId, PassId, ShardId};
use engine::shard::effects::Pass;
use engine::shard::input::Input;
use protocol::engineio::Sid;

use crate::faults::Fault;
use crate::net::Net;
use crate::random::Random;
use crate::world::World;

/// What a net has of connections that move.
#[derive(Default)]
pub struct Moves {
    /// What the shard wants passed at the end of the turn.
    pub wanted: Vec<Pass>,
    /// Connections that came, and of which the shard was not told.
    arrived: Vec<(ConnId, PassId)>,
    /// Connections that went, and of which the shard was not told: their slots are not free.
    pub passed: Vec<ConnId>,
}

impl Moves {
    /// Whether the shard has still to hear of a connection that came.
    pub fn is_unknown(&self, conn: ConnId) -> bool {
        self.arrived.iter().any(|(it, _)| *it == conn)
    }
}

impl Net {
    /// Begins to pass what is due, unless it is closed or over its limit.
    pub fn begin_moves(&mut self, due: Vec<Pass>) {
        for Pass { conn, to, number } in due {
            if let Some(wire) = self.wire_mut(conn).filter(|it| it.is_open()) {
                wire.passing = Some((to, number));
            }
        }
    }
}

impl World {
    /// Moves a connection on, or tells of one that was moved.
    pub fn take_move(&mut self, shard: usize) -> bool {
        if !self.may_ask(shard) {
            return false;
        }
        let is_first = self.random.permille(500);
        if is_first && !self.nets[shard].moves.passed.is_empty() {
            let conn = self.nets[shard].moves.passed.remove(0);
            self.feed(shard, Input::Passed(conn));
            return true;
        }
        let moves = &mut self.nets[shard].moves;
        if !moves.arrived.is_empty() {
            let (conn, number) = moves.arrived.remove(0);
            self.feed(shard, Input::Arrived(conn, number));
            return true;
        }
        if !moves.passed.is_empty() {
            let conn = moves.passed.remove(0);
            self.feed(shard, Input::Passed(conn));
            return true;
        }
        self.begin_move(shard)
    }

    fn begin_move(&mut self, shard: usize) -> bool {
        let Some((conn, to, number)) = self.nets[shard].next_move() else { return false };
        if self.plan.has(Fault::NoRoom) && self.random.permille(300) {
            self.seen.note("no room where a connection belongs");
            self.nets[shard].wire_mut(conn).unwrap().passing = None;
            self.feed(shard, Input::Stayed(conn));
            return true;
        }
        let mut wire = self.nets[shard].unplug(conn).unwrap();
        self.nets[shard].moves.passed.push(conn);
        let target = &mut self.nets[to.index()];
        wire.arrive(target.next_conn());
        target.moves.arrived.push((wire.conn, number));
        target.plug(wire);
        self.seen.note("connection passed");
        true
    }
}

/// The path of a session that nobody has, of one of the shards.
pub fn path_elsewhere(random: &mut Random, shards: u16) -> String {
    let shard = ShardId(u16::try_from(random.below(usize::from(shards))).unwrap());
    let mut bytes = [7; 15];
    bytes[..2].copy_from_slice(&shard.0.to_be_bytes());
    let sid = Sid::from_random(bytes);
    format!("/socket.io/?EIO=4&transport=polling&sid={}", sid.as_str())
}
