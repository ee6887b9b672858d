//! Connections without a socket: what waits for one lies in an outbox here, until a request fetches it. Everything else takes them
//! for connections like others.

use std::collections::VecDeque;

use hashbrown::HashMap;
use protocol::engineio::{self, Sid};

use super::effects::Ending;
use super::input::ReplyTo;
use crate::frame::Piece;
use crate::hasher::ShardHasher;
use crate::ids::ConnId;
use crate::limits::Limits;
use crate::outbox::{Outbox, Push};

/// What a waiting piece takes beside its bytes.
const PIECE_BYTES: usize = 64;

/// All of them on one shard.
#[derive(Debug)]
pub(super) struct Polls {
    places: Vec<Place>,
    free: Vec<u32>,
    by_sid: HashMap<Sid, ConnId, ShardHasher>,
    /// How many bytes wait for all of them.
    bytes: usize,
    /// Those to look at once this turn's output is handed out.
    noted: Vec<ConnId>,
    /// Those to look at with the next [`Input::Resume`](super::input::Input::Resume).
    due: Vec<ConnId>,
    /// Those whose sessions move once nothing is on its way that names them, and those of which that is so.
    moving: Vec<ConnId>,
    movers: Vec<ConnId>,
    /// Those that are over and whose last words nobody has fetched, and until when they are kept.
    lingering: VecDeque<(u64, ConnId)>,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    pickup: Option<Box<Pickup>>,
}

/// What a connection without a socket has instead of one.
#[derive(Debug)]
pub(super) struct Pickup {
    /// What requests call it.
    pub sid: Sid,
    /// Who waits for what comes.
    pub waiting: Option<Waiting>,
    /// Who waits for what they brought to be read.
    pub posting: Option<Waiting>,
    /// The WebSocket that its session wants to move to.
    pub probe: Option<ConnId>,
    /// How it ends, once the shard wants it to.
    pub ending: Option<Ending>,
    /// Whether its last words are in the outbox.
    pub is_said: bool,
    /// Whether its session is over, and only its last words are left.
    pub is_over: bool,
    outbox: Outbox,
    pieces: usize,
    /// Whether it stands in `noted` or `due`.
    is_noted: bool,
}

/// A request that waits for something to fetch.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Where the answer goes.
    pub to: ReplyTo,
    /// The page whose script asked.
    pub origin: Option<Box<str>>,
}

impl Pickup {
    /// Whether there is something to fetch.
    pub(super) fn has_mail(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Whether something was refused: what follows would have a hole before it.
    pub(super) fn is_overrun(&self) -> bool {
        self.outbox.is_sealed()
    }
}

impl Polls {
    pub(super) fn new(hasher: ShardHasher) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            by_sid: HashMap::with_hasher(hasher),
            bytes: 0,
            noted: Vec::new(),
            due: Vec::new(),
            moving: Vec::new(),
            movers: Vec::new(),
            lingering: VecDeque::new(),
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.by_sid.len()
    }

    /// Starts one.
    pub(super) fn open(&mut self, sid: Sid) -> ConnId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let conn = match self.places.get_mut(slot as usize) {
            Some(place) => {
                place.generation = place.generation.wrapping_add(1);
                place.pickup = Some(Box::new(Pickup {
                    sid,
                    waiting: None,
                    posting: None,
                    probe: None,
                    ending: None,
                    is_said: false,
                    is_over: false,
                    outbox: Outbox::default(),
                    pieces: 0,
                    is_noted: false,
                }));
                ConnId::polled(slot, place.generation)
            }
            None => ConnId::polled(slot, 0),
        };
        self.by_sid.insert(sid, conn);
        conn
    }

    /// The one that a request names.
    pub(super) fn of(&self, sid: Sid) -> Option<ConnId> {
        self.by_sid.get(&sid).copied()
    }

    /// What it has.
    pub(super) fn get(&mut self, conn: ConnId) -> Option<&mut Pickup> {
        let place = self.places.get_mut(conn.place())?;
        place.pickup.as_deref_mut().filter(|_| place.generation == conn.generation)
    }

    /// Ends one for good. Returns what it had.
    pub(super) fn close(&mut self, conn: ConnId) -> Option<Box<Pickup>> {
        self.get(conn)?;
        let pickup = self.places.get_mut(conn.place())?.pickup.take()?;
        self.bytes -= cost(&pickup);
        self.by_sid.remove(&pickup.sid);
        self.free.push(conn.slot & !ConnId::polled(0, 0).slot);
        Some(pickup)
    }

    /// Takes everything that waits, as it is on a WebSocket.
    pub(super) fn take_frames(&mut self, conn: ConnId, out: &mut Vec<u8>) {
        let Some(pickup) = self.get(conn) else { return };
        let bytes = cost(pickup);
        for piece in pickup.outbox.pieces() {
            out.extend_from_slice(piece.bytes());
        }
        let count = pickup.outbox.bytes();
        pickup.outbox.advance(count);
        pickup.pieces = 0;
        self.bytes -= bytes;
    }

    /// Takes what waits as a payload, up to so many packets.
    pub(super) fn take_payload(&mut self, conn: ConnId, packets_max: usize, out: &mut Vec<u8>) {
        let Some(pickup) = self.get(conn) else { return };
        let before = cost(pickup);
        let (mut packets_left, mut taken) = (packets_max, 0);
        for piece in pickup.outbox.pieces() {
            taken += engineio::push_frames(out, piece.bytes(), &mut packets_left);
            if packets_left == 0 {
                break;
            }
        }
        pickup.outbox.advance(taken);
        pickup.pieces = pickup.outbox.pieces().count();
        let freed = before - cost(pickup);
        self.bytes -= freed;
    }

    /// The shard wants one to end.
    pub(super) fn end(&mut self, conn: ConnId, ending: Ending) {
        if let Some(pickup) = self.get(conn) {
            pickup.ending.get_or_insert(ending);
            // Even if it is due already: what it is told in this turn comes first.
            self.noted.push(conn);
        }
    }

    /// Has one looked at, once this turn's output is handed out.
    pub(super) fn note(&mut self, conn: ConnId) {
        if let Some(pickup) = self.get(conn)
            && !std::mem::replace(&mut pickup.is_noted, true)
        {
            self.noted.push(conn);
        }
    }

    /// This turn's output is handed out.
    pub(super) fn end_turn(&mut self) {
        for conn in std::mem::take(&mut self.noted) {
            if let Some(pickup) = self.get(conn) {
                pickup.is_said = pickup.ending.is_some();
            }
            self.due.push(conn);
        }
    }

    /// Whether one is to be looked at.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty() || !self.movers.is_empty()
    }

    /// The session of one moves as soon as it can.
    pub(super) fn move_later(&mut self, conn: ConnId) {
        self.moving.push(conn);
    }

    /// Those whose sessions move as soon as they can.
    pub(super) fn movers(&self) -> Vec<ConnId> {
        self.moving.clone()
    }

    /// The session of one can move.
    pub(super) fn move_now(&mut self, conn: ConnId) {
        self.moving.retain(|it| *it != conn);
        self.movers.push(conn);
    }

    /// Those whose sessions can move.
    pub(super) fn take_movers(&mut self) -> Vec<ConnId> {
        std::mem::take(&mut self.movers)
    }

    /// Those that are to be looked at.
    pub(super) fn take_due(&mut self) -> Vec<ConnId> {
        let due = std::mem::take(&mut self.due);
        for conn in &due {
            if let Some(pickup) = self.get(*conn) {
                pickup.is_noted = false;
            }
        }
        due
    }

    /// Keeps the last words of one for a while.
    pub(super) fn linger(&mut self, conn: ConnId, until_ms: u64) {
        self.lingering.push_back((until_ms, conn));
    }

    /// One whose last words nobody has fetched in time.
    pub(super) fn take_forgotten(&mut self, now_ms: u64) -> Option<ConnId> {
        let (until_ms, conn) = self.lingering.front()?;
        (*until_ms <= now_ms).then_some(*conn).inspect(|_| _ = self.lingering.pop_front())
    }

    /// Adds to what waits.
    pub(super) fn put(&mut self, conn: ConnId, pieces: &[Piece], limits: &Limits) {
        let total_max = limits.polling_total_bytes_max;
        let mut total = self.bytes;
        let Some(pickup) = self.get(conn).filter(|it| !it.is_over) else { return };
        for piece in pieces {
            let bytes_max = limits.polling_outbox_bytes_max;
            let overhead = pickup.pieces * PIECE_BYTES;
            if total + piece.len() + PIECE_BYTES > total_max {
                pickup.outbox.seal();
            }
            let room = bytes_max.saturating_sub(overhead);
            match pickup.outbox.push(piece.clone(), 0, room) {
                Push::Queued if !piece.is_empty() => {
                    pickup.pieces += 1;
                    total += piece.len() + PIECE_BYTES;
                }
                Push::Queued | Push::Full => {}
            }
        }
        self.bytes = total;
        self.note(conn);
    }
}

fn cost(pickup: &Pickup) -> usize {
    pickup.outbox.bytes() + pickup.pieces * PIECE_BYTES
}

#[cfg(test)]
mod tests {
    use protocol::ws::append_text;

    use super::super::effects::Outlet;
    use super::super::mailing::Mail;
    use super::*;
    use crate::frame::Frame;
    use crate::hasher;

    const LIMITS: fn() -> Limits = || Limits {
        polling_outbox_bytes_max: 200,
        polling_total_bytes_max: 300,
        ..Limits::default()
    };

    struct Nobody;

    impl Outlet for Nobody {
        fn share(&mut self, _: &Frame, conn: ConnId) {
            panic!("{conn:?} has no socket");
        }

        fn gather(&mut self, conn: ConnId, _: &[Piece]) {
            panic!("{conn:?} has no socket");
        }
    }

    fn sid(byte: u8) -> Sid {
        Sid::from_random([byte; 15])
    }

    fn say(polls: &mut Polls, conn: ConnId, text: &str) {
        let mut bytes = Vec::new();
        append_text(&mut bytes, text.as_bytes());
        let limits = LIMITS();
        let mut mail = Mail { outlet: &mut Nobody, polls, limits: &limits };
        mail.share(&Frame::new(bytes), conn);
    }

    fn is_overrun(polls: &mut Polls, conn: ConnId) -> bool {
        polls.get(conn).is_some_and(|it| it.is_overrun())
    }

    #[test]
    fn what_waits_is_fetched_once_and_in_order() {
        let mut polls = Polls::new(hasher::seeded(1));
        let conn = polls.open(sid(1));
        assert_eq!((polls.of(sid(1)), polls.of(sid(2))), (Some(conn), None));
        say(&mut polls, conn, "4a");
        say(&mut polls, conn, "4b");
        assert!(!polls.is_due() && polls.bytes == 8 + 2 * PIECE_BYTES);
        polls.end_turn();
        assert_eq!(polls.take_due(), [conn]);
        let mut out = Vec::new();
        polls.take_payload(conn, 1, &mut out);
        assert_eq!((&out[..], polls.bytes), (&b"4a"[..], 4 + PIECE_BYTES));
        out.clear();
        polls.take_payload(conn, 2, &mut out);
        assert_eq!(out, b"4b");
        assert!(polls.bytes == 0 && !polls.get(conn).unwrap().has_mail());
    }

    #[test]
    fn a_place_that_changes_hands_gives_nothing_of_the_former_owner() {
        let mut polls = Polls::new(hasher::seeded(1));
        let old = polls.open(sid(1));
        say(&mut polls, old, "4old");
        polls.close(old);
        let new = polls.open(sid(2));
        assert_eq!((old.slot, polls.bytes, polls.of(sid(1))), (new.slot, 0, None));
        say(&mut polls, old, "4late");
        assert!(polls.get(old).is_none() && !polls.get(new).unwrap().has_mail());
    }

    #[test]
    fn whoever_fetches_too_little_is_found_out() {
        let mut polls = Polls::new(hasher::seeded(1));
        let conn = polls.open(sid(1));
        say(&mut polls, conn, &"x".repeat(70));
        say(&mut polls, conn, "");
        assert!(!is_overrun(&mut polls, conn), "{}", polls.bytes);
        say(&mut polls, conn, "");
        assert!(is_overrun(&mut polls, conn));
        // What all of them have has a bound as well.
        let mut polls = Polls::new(hasher::seeded(1));
        let (first, second) = (polls.open(sid(1)), polls.open(sid(2)));
        say(&mut polls, first, &"x".repeat(100));
        say(&mut polls, second, &"x".repeat(64));
        assert!(!is_overrun(&mut polls, second), "{}", polls.bytes);
        say(&mut polls, second, "");
        assert!(is_overrun(&mut polls, second) && !is_overrun(&mut polls, first));
        polls.close(first);
        polls.close(second);
        assert_eq!(polls.bytes, 0);
    }

    #[test]
    fn last_words_are_kept_for_a_while() {
        let mut polls = Polls::new(hasher::seeded(1));
        let conn = polls.open(sid(1));
        polls.linger(conn, 100);
        assert_eq!(polls.take_forgotten(99), None);
        assert_eq!(polls.take_forgotten(100), Some(conn));
        assert_eq!(polls.take_forgotten(100), None);
    }
}
