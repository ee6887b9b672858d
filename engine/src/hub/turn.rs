//! What connections get at the end of a turn. Most get one shared frame and cost nothing here; a connection that also has
//! frames of its own gets them in between, in the order in which they came about.

#![expect(
    clippy::indexing_slicing,
    reason = "group ids and marks are made here and never outlive what they name"
)]

use std::collections::VecDeque;

use super::by_slot::BySlot;
use super::mixed::{Mixed, Part};
use super::slices::{Size, Slices};
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
    /// Large groups that have something pending, oldest first. They collect more until it is their turn.
    large: VecDeque<GroupId>,
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

/// A group of at most this part of a turn's sends goes before larger ones.
const FEW_PART: usize = 4;
/// With so many bytes pending for large groups, what would bring more has to wait.
const PENDING_BYTES_MAX: usize = 256 * 1024;

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
            large: VecDeque::new(),
            slices: Slices::default(),
            budget: 0,
            budget_max: sends_max,
        }
    }

    /// Whether a fan-out was too large for its turn, and goes on with the next flush.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.slices.is_empty() || !self.large.is_empty()
    }

    /// Whether so little is behind that more may come.
    #[must_use]
    pub fn has_room(&self, hub: &Hub) -> bool {
        self.slices.has_room() && hub.pending_bytes_total() < PENDING_BYTES_MAX
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

    /// Hands out what a turn may, and starts the next one.
    pub fn flush(&mut self, hub: &mut Hub, outlet: &mut impl Outlet) {
        self.budget = self.budget_max;
        // A few subscribers do not wait behind many (invariant 12).
        let few = self.budget_max / FEW_PART;
        let mut shared = hub.take_dirty();
        self.large.extend(shared.extract_if(.., |it| hub.count(*it) > few));
        for id in &shared {
            self.share(hub, *id, Size::Few, outlet);
        }
        self.budget = self.slices.send(self.budget.max(self.budget_max / 2), outlet);
        self.share_large(hub, &mut shared, outlet);
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
        hub.end_turn(shared);
    }

    /// Begins with large groups: with those of which somebody has a part among frames of its own, and then with as many as the
    /// turn has sends for. All that came while one waited is one frame.
    fn share_large(&mut self, hub: &mut Hub, shared: &mut Vec<GroupId>, outlet: &mut impl Outlet) {
        if self.large.is_empty() {
            return;
        }
        let first = shared.len();
        let parted = self.mixed.iter().flat_map(|it| &it.cuts).map(|(id, _)| *id);
        let left = self.large.iter().copied().filter(|it| hub.count(*it) == 0);
        shared.extend(parted.chain(left).filter(|it| hub.pending_bytes(*it) > 0));
        for place in first..shared.len() {
            self.share(hub, shared[place], Size::Many, outlet);
        }
        while self.budget > 0 && let Some(id) = self.large.pop_front() {
            self.share(hub, id, Size::Many, outlet);
            shared.push(id);
        }
        self.large.retain(|it| hub.pending_bytes(*it) > 0);
    }

    fn share(&mut self, hub: &mut Hub, id: GroupId, size: Size, outlet: &mut impl Outlet) {
        if hub.pending_bytes(id) == 0 {
            return;
        }
        let frame = self.pool.frame(hub.take_pending(id, self.pool.blank()));
        let group = &mut hub.groups[id.0 as usize];
        let length = frame.len();
        let mut later = Vec::new();
        for conn in &group.conns {
            let mark = self.marks.get(*conn);
            match self.mixed.get_mut(mark as usize) {
                Some(mixed) if mixed.conn == Some(*conn) => mixed.settle(id, length),
                Some(_) | None if self.slices.is_owed(*conn) => later.push(*conn),
                Some(_) | None if self.budget == 0 && size == Size::Many => later.push(*conn),
                Some(_) | None => {
                    self.budget = self.budget.saturating_sub(1);
                    if self.many.get(*conn) {
                        self.mixed(*conn).settle(id, length);
                    } else {
                        outlet.share(&frame, *conn);
                    }
                }
            }
        }
        self.slices.share(&frame, later, size);
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
