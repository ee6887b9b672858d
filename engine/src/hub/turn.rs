//! What connections get at the end of a turn. Most get one shared frame and cost nothing here; a connection that also has
//! frames of its own gets them in between, in the order in which they came about.

#![expect(
    clippy::indexing_slicing,
    reason = "group ids and marks are made here and never outlive what they name"
)]

use super::by_slot::BySlot;
use super::mixed::{Mixed, Part};
use super::slices::Slices;
use super::{GroupId, Hub};
use crate::frame::{FramePool, Piece};
use crate::ids::ConnId;
use crate::shard::effects::Outlet;

const NONE: u32 = u32::MAX;

/// The output of one turn.
pub struct Turn {
    pool: FramePool,
    /// For each connection slot its place in `mixed`, or `NONE`. Dense, because the fan-out reads it for everyone.
    marks: BySlot<u32>,
    mixed: Vec<Mixed>,
    spare: Vec<Mixed>,
    /// For each connection slot whether it sits in several groups, and so cannot take the short way.
    many: BySlot<bool>,
    pieces: Vec<Piece>,
    slices: Slices,
    /// Sends that the turn may still make.
    budget: usize,
    budget_max: usize,
}

/// Buffers kept for the next turns, and how large they may be.
const SPARE_BUFFERS_MAX: usize = 256;
const SPARE_BUFFER_BYTES_MAX: usize = 256 * 1024;
/// Connections with frames of their own whose lists are kept for the next turns.
const SPARE_MIXED_MAX: usize = 1_024;

/// Whether a connection sits in more than one group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Many {
    /// It does: its frames of a turn are gathered.
    Yes,
    /// It does not.
    No,
}

impl Turn {
    /// A first turn. Each makes at most `sends_max` sends, with few exceptions.
    #[must_use]
    pub fn new(sends_max: usize) -> Self {
        Self {
            pool: FramePool::new(SPARE_BUFFERS_MAX, SPARE_BUFFER_BYTES_MAX),
            marks: BySlot::new(NONE),
            mixed: Vec::new(),
            spare: Vec::new(),
            many: BySlot::new(false),
            pieces: Vec::new(),
            slices: Slices::default(),
            budget: 0,
            budget_max: sends_max,
        }
    }

    /// Whether a fan-out was too large for its turn, and goes on with the next flush.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.slices.is_empty()
    }

    /// Writes a frame for one connection alone. It comes after everything that its `groups` have for it so far.
    pub fn write(
        &mut self,
        hub: &Hub,
        conn: ConnId,
        groups: impl Iterator<Item = GroupId>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let mixed = self.mixed(conn);
        for group in groups {
            mixed.settle(group, hub.pending_bytes(group));
        }
        let start = mixed.own.len();
        encode(&mut mixed.own);
        let end = mixed.own.len();
        match mixed.parts.last_mut() {
            Some(Part::Own { end: last, .. }) if *last == start => *last = end,
            Some(Part::Own { .. } | Part::Shared { .. }) | None => {
                mixed.parts.push(Part::Own { start, end });
            }
        }
    }

    /// What the group has pending now is not for this connection: it comes in after it.
    pub fn cut(&mut self, hub: &Hub, conn: ConnId, group: GroupId) {
        let upto = hub.pending_bytes(group);
        if upto > 0 {
            self.mixed(conn).cut(group, upto);
        }
    }

    /// The connection leaves the group: it gets what is pending now, and nothing that comes later.
    pub fn settle(&mut self, hub: &Hub, conn: ConnId, group: GroupId) {
        let upto = hub.pending_bytes(group);
        if upto > 0 {
            self.mixed(conn).settle(group, upto);
        }
    }

    /// What the turn has for a connection goes to another one, behind what it has for that: the seats of the first are the
    /// other's from now on, and what their groups have pending is settled.
    pub fn hand_over(&mut self, from: ConnId, to: ConnId) {
        self.set_many(to, if self.many.get(from) { Many::Yes } else { Many::No });
        self.set_many(from, Many::No);
        let place = self.marks.get(from) as usize;
        let Some(old) = self.mixed.get_mut(place).filter(|it| it.conn == Some(from)) else {
            return;
        };
        let old = std::mem::take(old);
        *self.marks.slot(from) = NONE;
        self.mixed(to).append(&old);
    }

    /// Whether a connection still waits for its share of earlier turns.
    #[must_use]
    pub fn is_owed(&self, conn: ConnId) -> bool {
        self.slices.is_owed(conn)
    }

    /// Says whether the connection sits in more than one group.
    pub fn set_many(&mut self, conn: ConnId, many: Many) {
        let is_many = many == Many::Yes;
        if self.many.get(conn) != is_many {
            *self.many.slot(conn) = is_many;
        }
    }

    /// Hands everything out and starts the next turn.
    pub fn flush(&mut self, hub: &mut Hub, outlet: &mut impl Outlet) {
        self.budget = self.slices.send(self.budget_max, outlet);
        let dirty = hub.take_dirty();
        for id in &dirty {
            self.share(hub, *id, outlet);
        }
        for place in 0..self.mixed.len() {
            self.gather(hub, place, outlet);
        }
        for mut mixed in self.mixed.drain(..) {
            if let Some(conn) = mixed.conn.take() {
                *self.marks.slot(conn) = NONE;
            }
            mixed.parts.clear();
            mixed.cuts.clear();
            if self.spare.len() < SPARE_MIXED_MAX {
                self.spare.push(mixed);
            }
        }
        hub.end_turn(dirty);
    }

    fn share(&mut self, hub: &mut Hub, id: GroupId, outlet: &mut impl Outlet) {
        let group = &mut hub.groups[id.0 as usize];
        let frame = self.pool.frame(std::mem::replace(&mut group.pending, self.pool.blank()));
        let length = frame.len();
        let mut later = Vec::new();
        for conn in &group.conns {
            let mark = self.marks.get(*conn);
            match self.mixed.get_mut(mark as usize) {
                Some(mixed) if mixed.conn == Some(*conn) => mixed.settle(id, length),
                Some(_) | None if self.many.get(*conn) => {
                    self.mixed(*conn).settle(id, length);
                }
                Some(_) | None if self.budget == 0 || self.slices.is_owed(*conn) => {
                    later.push(*conn);
                }
                Some(_) | None => {
                    self.budget -= 1;
                    outlet.share(&frame, *conn);
                }
            }
        }
        self.slices.share(&frame, later);
        group.frame = Some(frame);
    }

    fn gather(&mut self, hub: &Hub, place: usize, outlet: &mut impl Outlet) {
        let mixed = &mut self.mixed[place];
        let Some(conn) = mixed.conn else { return };
        // Whoever does not want what its group gets has nothing else, as a rule.
        if mixed.parts.is_empty() {
            return;
        }
        let own = self.pool.frame(std::mem::replace(&mut mixed.own, self.pool.blank()));
        for part in &mixed.parts {
            let piece = match *part {
                Part::Own { start, end } => own.piece(start..end),
                // A group has a frame whenever it had something pending.
                Part::Shared { group, start, end } => {
                    let frame = hub.groups[group.0 as usize].frame.as_ref();
                    frame.and_then(|it| it.piece(start..end))
                }
            };
            self.pieces.extend(piece);
        }
        if self.pieces.is_empty() {
            return;
        }
        if self.slices.is_owed(conn) {
            return self.slices.gather(conn, std::mem::take(&mut self.pieces));
        }
        self.budget = self.budget.saturating_sub(1);
        outlet.gather(conn, &self.pieces);
        self.pieces.clear();
    }

    fn mixed(&mut self, conn: ConnId) -> &mut Mixed {
        let mark = self.marks.slot(conn);
        // A slot may change hands within a turn: the former owner keeps its entry, the mark goes to the new one.
        let current = self.mixed.get(*mark as usize).is_some_and(|it| it.conn == Some(conn));
        if !current {
            let mut fresh = self.spare.pop().unwrap_or_default();
            fresh.conn = Some(conn);
            *mark = u32::try_from(self.mixed.len()).unwrap_or(NONE);
            self.mixed.push(fresh);
        }
        &mut self.mixed[*mark as usize]
    }
}

#[cfg(test)]
mod aside_tests;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::frame::{Frame, Piece};
    use crate::hasher;
    use crate::hub::{Audience, Seat};
    use crate::ids::{ChannelKey, TenantId};

    #[derive(Default)]
    struct Log(Vec<(u32, &'static str, String)>);

    impl Outlet for Log {
        fn share(&mut self, frame: &Frame, conn: ConnId) {
            self.0.push((conn.slot, "share", text(frame.bytes())));
        }

        fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
            let all: Vec<u8> = pieces.iter().flat_map(|it| it.bytes().to_vec()).collect();
            self.0.push((conn.slot, "gather", text(&all)));
        }
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn conn(slot: u32) -> ConnId {
        ConnId { slot, generation: 0 }
    }

    struct Room {
        hub: Hub,
        turn: Turn,
    }

    impl Room {
        fn new() -> Self {
            Self { hub: Hub::new(hasher::seeded(1)), turn: Turn::new(100) }
        }

        fn enter(&mut self, channel: &str, slot: u32) -> GroupId {
            let key = Arc::new(ChannelKey::new(TenantId(0), channel));
            let seat = self.hub.enter(&key, Audience::Cohesivity, conn(slot));
            self.turn.cut(&self.hub, conn(slot), seat.group);
            seat.group
        }

        fn say(&mut self, group: GroupId, text: &str) {
            self.hub.append(group, |_, out| out.extend_from_slice(text.as_bytes()));
        }

        fn tell(&mut self, slot: u32, group: GroupId, text: &str) {
            let groups = std::iter::once(group);
            self.turn.write(&self.hub, conn(slot), groups, |out| {
                out.extend_from_slice(text.as_bytes());
            });
        }

        fn flush(&mut self) -> Vec<(u32, &'static str, String)> {
            let mut log = Log::default();
            self.turn.flush(&mut self.hub, &mut log);
            log.0
        }
    }

    #[test]
    fn who_only_listens_shares_one_frame() {
        let mut room = Room::new();
        let group = room.enter("a", 0);
        room.enter("a", 1);
        room.say(group, "x");
        room.say(group, "y");
        let both = |slot| (slot, "share", "xy".to_owned());
        assert_eq!(room.flush(), [both(0), both(1)]);
        assert!(room.flush().is_empty());
    }

    #[test]
    fn frames_of_its_own_stand_where_they_came_about() {
        let mut room = Room::new();
        let group = room.enter("a", 0);
        room.say(group, "1");
        room.tell(0, group, "(me)");
        room.say(group, "2");
        assert_eq!(room.flush(), [(0, "gather", "1(me)2".to_owned())]);
    }

    #[test]
    fn who_comes_in_later_does_not_get_what_was_said_before() {
        let mut room = Room::new();
        let group = room.enter("a", 0);
        room.say(group, "before");
        room.enter("a", 1);
        room.say(group, "after");
        let early = (0, "share", "beforeafter".to_owned());
        assert_eq!(room.flush(), [early, (1, "gather", "after".to_owned())]);
    }

    #[test]
    fn who_leaves_and_comes_back_within_a_turn_misses_only_what_was_said_between() {
        let mut room = Room::new();
        let group = room.enter("a", 0);
        let seat = room.hub.enter(
            &Arc::new(ChannelKey::new(TenantId(0), "a")),
            Audience::Cohesivity,
            conn(1),
        );
        room.say(group, "1");
        room.turn.settle(&room.hub, conn(1), group);
        room.hub.leave(seat);
        room.say(group, "2");
        room.enter("a", 1);
        room.say(group, "3");
        let whole = (0, "share", "123".to_owned());
        assert_eq!(room.flush(), [whole, (1, "gather", "13".to_owned())]);
    }

    #[test]
    fn who_listens_to_several_channels_gets_one_send() {
        let mut room = Room::new();
        let (first, second) = (room.enter("a", 0), room.enter("b", 0));
        room.turn.set_many(conn(0), Many::Yes);
        room.say(second, "b");
        room.say(first, "a");
        assert_eq!(room.flush(), [(0, "gather", "ba".to_owned())]);
    }

    #[test]
    fn another_connection_goes_on_where_one_stopped() {
        let mut room = Room::new();
        let group = room.enter("a", 0);
        room.enter("a", 1);
        room.say(group, "1");
        room.tell(0, group, "(old)");
        room.turn
            .write(&room.hub, conn(5), std::iter::empty(), |out| out.extend_from_slice(b"(new)"));
        room.say(group, "2");
        room.turn.settle(&room.hub, conn(0), group);
        room.turn.hand_over(conn(0), conn(5));
        room.hub.replace(Seat { group, place: 0 }, conn(5));
        room.say(group, "3");
        room.tell(5, group, "(more)");
        let whole = (1, "share", "123".to_owned());
        assert_eq!(room.flush(), [whole, (5, "gather", "(new)1(old)23(more)".to_owned())]);
        room.say(group, "4");
        let four = |slot| (slot, "share", "4".to_owned());
        assert_eq!(room.flush(), [four(5), four(1)]);
    }

    #[test]
    fn a_slot_that_changes_hands_within_a_turn_mixes_nothing_up() {
        let mut room = Room::new();
        let group = room.enter("a", 0);
        room.tell(0, group, "old");
        let heir = ConnId { slot: 0, generation: 1 };
        room.turn.write(&room.hub, heir, std::iter::empty(), |out| out.extend_from_slice(b"new"));
        let texts: Vec<_> = room.flush().into_iter().map(|it| it.2).collect();
        assert_eq!(texts, ["old", "new"]);
    }
}
