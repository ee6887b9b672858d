//! The connections of one shard as the reactor would hold them: slots, outboxes, and peers that may be slow or gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::frame::{Frame, Piece};
use engine::ids::{ConnId, PassId, ShardId};
use engine::outbox::{Outbox, Push};
use engine::shard::effects::{Ending, Outlet};
use protocol::ws;

use crate::passing::Moves;
use crate::scene::Client;
use crate::seen::Seen;

/// One connection, with its client at the other end.
#[expect(clippy::struct_excessive_bools, reason = "what can be wrong with a peer is independent")]
pub struct Wire {
    pub conn: ConnId,
    pub client: Client,
    /// What the client said and the node has not read.
    pub said: VecDeque<u8>,
    /// How it ends, once the shard wants it to.
    pub ending: Option<Ending>,
    /// Whether the client does not read now.
    pub is_stalled: bool,
    /// Whether the client vanished: nobody reads or says anything any more, and nobody said so.
    pub is_dead: bool,
    /// Where it goes.
    pub passing: Option<(ShardId, PassId)>,
    outbox: Outbox,
    overrun: bool,
    gone: bool,
    told_half: bool,
}

impl Wire {
    /// A connection that was just accepted.
    pub fn new(conn: ConnId, client: Client) -> Self {
        Self {
            conn,
            client,
            said: VecDeque::new(),
            ending: None,
            is_stalled: false,
            is_dead: false,
            passing: None,
            outbox: Outbox::default(),
            overrun: false,
            gone: false,
            told_half: false,
        }
    }

    /// Takes what was sent, at most so many bytes.
    pub fn take(&mut self, most: usize) -> Vec<u8> {
        if self.is_stalled || self.is_dead {
            return Vec::new();
        }
        let bytes =
            self.outbox.pieces().flat_map(Piece::bytes).take(most).copied().collect::<Vec<_>>();
        self.outbox.advance(bytes.len());
        self.gone |= self.ending.is_some() && self.outbox.is_empty();
        bytes
    }

    /// Whether the client closed its half, everything before that was read, and nobody said so yet.
    pub fn take_half_close(&mut self) -> bool {
        let is_half_closed = self.client.http().is_some_and(|it| it.is_half_closed);
        let is_due = is_half_closed && self.said.is_empty() && !self.told_half;
        let is_due = is_due && self.ending.is_none() && !self.is_dead;
        self.told_half |= is_due;
        is_due
    }

    /// Whether the node ended the connection because the client had closed its half.
    pub fn ended_by_half_close(&self) -> bool {
        let is_whole = self.outbox.is_empty() && !self.outbox.is_sealed();
        self.told_half && self.ending == Some(Ending::Flush) && is_whole
    }

    /// The peer reads, and stays.
    pub fn calm(&mut self) {
        self.is_stalled = false;
        if self.is_dead {
            return;
        }
        if let Client::Polled(client) = &mut self.client {
            self.said.extend(client.calm());
        }
    }

    /// It goes on with another shard, which reads once more that the client closed its half.
    pub fn arrive(&mut self, conn: ConnId) {
        (self.conn, self.passing, self.told_half) = (conn, None, false);
    }

    /// The client vanishes. What it said and nobody has read is lost with it.
    pub fn vanish(&mut self) {
        self.is_dead = true;
        self.said.clear();
    }

    /// The client goes away.
    pub fn hang_up(&mut self) {
        self.gone = true;
    }

    /// Whether it is of use: open, and not about to end.
    pub fn is_open(&self) -> bool {
        !self.gone && self.ending.is_none() && !self.overrun
    }
}

/// Shares that came for connections that had ended before.
#[derive(Clone, Copy, Default)]
pub struct Missed {
    /// Their clients were gone.
    pub gone: usize,
    /// The node had given them up for their slowness.
    pub shed: usize,
}

/// The connections of one shard.
#[derive(Default)]
pub struct Net {
    wires: BTreeMap<u32, Wire>,
    /// The next generation of each slot.
    generations: Vec<u32>,
    /// What the shard wants closed at the end of the turn.
    pub closes: Vec<(ConnId, Ending)>,
    /// What the turn has for each connection.
    turn: Vec<(ConnId, Vec<Piece>)>,
    /// Slots freed in this turn.
    freed: BTreeSet<u32>,
    /// Connections that move.
    pub moves: Moves,
    /// Connections that get more once little waits for them.
    pub thirsty: Vec<ConnId>,
    /// Counted by every turn.
    pub missed: Missed,
}

/// Time that a piece may wait for its connection.
const OUTBOX_AGE_MS_MAX: u64 = 10_000;

/// With less than this waiting a connection gets more.
const BACKLOG_BYTES_MAX: usize = 200;

impl Outlet for Net {
    fn share(&mut self, frame: &Frame, conn: ConnId) {
        self.turn.push((conn, vec![frame.whole()]));
    }

    fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
        self.turn.push((conn, pieces.to_vec()));
    }
}

impl Net {
    /// A connection that wants more and has room for it, or is gone.
    pub fn take_drained(&mut self) -> Option<ConnId> {
        let is_ready = |conn: &ConnId| {
            let wire = self.wires.get(&conn.slot).filter(|it| it.conn == *conn);
            wire.is_none_or(|it| it.outbox.bytes() < BACKLOG_BYTES_MAX)
        };
        let place = self.thirsty.iter().position(is_ready)?;
        Some(self.thirsty.remove(place))
    }

    /// The name of the next connection: the smallest free slot.
    pub fn next_conn(&mut self) -> ConnId {
        let is_free = |slot: &u32| {
            let leaves = self.moves.passed.iter().any(|it| it.slot == *slot);
            !self.wires.contains_key(slot) && !leaves
        };
        let slot = (0..).find(is_free).unwrap();
        let place = slot as usize;
        self.generations.resize(self.generations.len().max(place + 1), 0);
        self.generations[place] += 1;
        ConnId { slot, generation: self.generations[place] }
    }

    /// Adds a connection. Returns whether its slot was freed in this turn.
    pub fn plug(&mut self, wire: Wire) -> bool {
        let slot = wire.conn.slot;
        assert!(self.wires.insert(slot, wire).is_none(), "a slot has one owner");
        self.freed.contains(&slot)
    }

    /// Takes a connection out, to put it back in a moment.
    pub fn unplug(&mut self, conn: ConnId) -> Option<Wire> {
        self.wire(conn)?;
        self.wires.remove(&conn.slot)
    }

    /// Puts it back.
    pub fn replug(&mut self, wire: Wire) {
        self.wires.insert(wire.conn.slot, wire);
    }

    /// A connection, if it is still there.
    pub fn wire(&self, conn: ConnId) -> Option<&Wire> {
        self.wires.get(&conn.slot).filter(|it| it.conn == conn)
    }

    /// A connection, if it is still there.
    pub fn wire_mut(&mut self, conn: ConnId) -> Option<&mut Wire> {
        self.wires.get_mut(&conn.slot).filter(|it| it.conn == conn)
    }

    /// All of them.
    pub fn wires(&self) -> impl Iterator<Item = &Wire> {
        self.wires.values()
    }

    /// All of them.
    pub fn wires_mut(&mut self) -> impl Iterator<Item = &mut Wire> {
        self.wires.values_mut()
    }

    /// All of their names.
    pub fn conns(&self) -> Vec<ConnId> {
        self.wires.values().map(|it| it.conn).collect()
    }

    /// Frees the slot of a connection that is gone.
    pub fn take_gone(&mut self) -> Option<Wire> {
        let is_gone = |it: &&Wire| it.gone && !self.moves.is_unknown(it.conn);
        let conn = self.wires.values().find(is_gone)?.conn;
        self.freed.insert(conn.slot);
        self.wires.remove(&conn.slot)
    }

    /// A connection that moves, and for which nothing waits any more.
    pub fn next_move(&self) -> Option<(ConnId, ShardId, PassId)> {
        let closes = |it: &Wire| self.closes.iter().any(|(conn, _)| *conn == it.conn);
        let is_ready = |it: &&Wire| it.is_open() && it.outbox.is_empty() && !closes(it);
        let mut wires = self.wires.values().filter(is_ready);
        wires.find_map(|it| it.passing.map(|(to, number)| (it.conn, to, number)))
    }

    /// A connection whose outbox refused something that the shard was not told of.
    pub fn take_overrun(&mut self) -> Option<ConnId> {
        let wire =
            self.wires.values_mut().find(|it| it.overrun && it.ending.is_none() && !it.gone)?;
        wire.overrun = false;
        Some(wire.conn)
    }

    /// Moves what the turn has into the outboxes. Returns the transcript with it. A connection is handed something once, and what
    /// an earlier turn was `behind` with before that.
    pub fn send_turn(
        &mut self,
        (bytes_max, now_ms): (usize, u64),
        was_behind: bool,
        transcript: u64,
    ) -> u64 {
        let mut hash = transcript;
        let mut served = BTreeSet::new();
        for (conn, pieces) in std::mem::take(&mut self.turn) {
            let is_first = served.insert((conn.slot, conn.generation));
            assert!(is_first || was_behind, "one hand-out a turn: {conn:?}");
            for piece in &pieces {
                let bytes = piece.bytes().iter();
                hash = bytes
                    .fold(hash, |it, byte| (it ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
            }
            let mut missed = self.missed;
            let Some(wire) = self.wire_mut(conn) else { continue };
            assert!(wire.passing.is_none(), "sent to a connection on its way: {conn:?}");
            missed.gone += usize::from(wire.gone);
            missed.shed += usize::from(wire.outbox.is_sealed() && !wire.gone);
            let is_full = pieces
                .into_iter()
                .any(|piece| wire.outbox.push(piece, now_ms, bytes_max) == Push::Full);
            assert!(wire.outbox.bytes() <= bytes_max + 200, "invariant 7: an outbox");
            wire.overrun |= is_full && wire.ending.is_none();
            self.missed = missed;
        }
        hash
    }

    /// Looks for outboxes whose oldest piece waits for too long, as the driver does.
    pub fn sweep(&mut self, now_ms: u64, seen: &mut Seen) {
        for wire in self.wires.values_mut() {
            let is_stale = wire.outbox.is_stale(now_ms, OUTBOX_AGE_MS_MAX);
            if !is_stale || wire.outbox.is_sealed() || wire.gone {
                continue;
            }
            seen.note("outbox too old");
            match (wire.ending, wire.passing) {
                (None, None) => {
                    wire.outbox.seal();
                    wire.overrun = true;
                }
                (Some(_), _) | (_, Some(_)) => wire.gone = true,
            }
        }
    }

    /// Gives up on the connections that have most waiting, as the driver does; here however little that is.
    pub fn shed_slowest(&mut self) {
        let is_behind = |it: &&mut Wire| {
            let is_whole = !it.outbox.is_empty() && !it.outbox.is_sealed();
            is_whole && it.is_open() && it.passing.is_none()
        };
        let mut behind: Vec<_> = self.wires.values_mut().filter(is_behind).collect();
        behind.sort_by_key(|it| std::cmp::Reverse(it.outbox.bytes()));
        let count = behind.len().div_ceil(8);
        for wire in behind.into_iter().take(count) {
            wire.outbox.seal();
            wire.overrun = true;
        }
    }

    /// Begins to close what the shard wants closed.
    pub fn end_turn(&mut self, due: Vec<(ConnId, Ending)>, now_ms: u64, seen: &mut Seen) {
        self.freed.clear();
        for (conn, ending) in due {
            let Some(wire) = self.wire_mut(conn) else { continue };
            wire.ending.get_or_insert(ending);
            match ending {
                Ending::Flush | Ending::Linger => {}
                Ending::Shed(code) => {
                    wire.outbox.drop_unbegun();
                    let mut last = Vec::new();
                    ws::append_close(&mut last, code, "too slow");
                    wire.outbox.push_last(Frame::new(last).whole(), now_ms);
                }
                Ending::Now => wire.gone = true,
            }
            seen.note_if(!wire.said.is_empty(), "closed mid-request");
            wire.gone |= wire.outbox.is_empty();
        }
    }
}
