//! What connections get at the end of a turn. Most get one shared frame and cost nothing here; a connection that also has
//! frames of its own gets them in between, in the order in which they came about.

#![expect(
    clippy::indexing_slicing,
    reason = "group ids and marks are made here and never outlive what they name"
)]

use std::collections::VecDeque;

use super::by_slot::BySlot;
use super::mixed::{Mixed, Part};
use super::portion::{Portion, Size};
use super::rest::Rest;
use super::slices::{Slices, cost};
use super::{Audience, GroupId, Hub};
use crate::frame::{FramePool, Piece};
use crate::ids::ConnId;
use crate::limits::Limits;
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
    /// Groups that have something pending, oldest first. They collect more until it is their turn.
    small: VecDeque<GroupId>,
    large: VecDeque<GroupId>,
    rest: Rest,
    slices: Slices,
    /// Short sends that the turn may make, and those that it made.
    allowed: usize,
    spent: usize,
    portion: Portion,
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
    /// A first turn. Each makes `sends_max` short sends to groups at most, or half as many more when those to small groups took most of
    /// them.
    #[must_use]
    pub fn new(sends_max: usize) -> Self {
        Self {
            pool: FramePool::new(SPARE_BUFFERS_MAX, SPARE_BUFFER_BYTES_MAX),
            marks: BySlot::new(NONE),
            mixed: Vec::new(),
            spare: Vec::new(),
            many: BySlot::new(false),
            pieces: Vec::new(),
            small: VecDeque::new(),
            large: VecDeque::new(),
            rest: Rest::default(),
            slices: Slices::default(),
            allowed: 0,
            spent: 0,
            portion: Portion::new(sends_max),
        }
    }

    /// Whether something waits for the next flush.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !(self.slices.len() == 0 && self.small.is_empty() && self.large.is_empty())
    }

    /// Whether so little is behind that more may come. No group collects more than the past that a connection is given at once.
    #[must_use]
    pub fn has_room(&self, hub: &Hub, limits: &Limits) -> bool {
        let mut bytes = self.slices.bytes();
        for id in self.small.iter().chain(&self.large) {
            let pending = hub.pending_bytes(*id);
            if pending >= limits.recovery_bytes_max {
                return false;
            }
            bytes += pending;
        }
        bytes < limits.fan_out_bytes_max
    }

    /// Until when nothing is due, if all that is behind is a group that rests: a time as `flush` is told it, in microseconds.
    #[must_use]
    pub fn rests_until_us(&self) -> Option<u64> {
        let is_alone = self.slices.len() == 0 && self.small.is_empty() && self.large.len() == 1;
        self.large.front().filter(|_| is_alone).and_then(|it| self.rest.until_us(*it))
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

    /// What the connection gets may wait as a share does, if so many connections get it in this turn that they are a large group.
    pub fn let_wait(&mut self, conn: ConnId, count: usize) {
        let may_wait = self.portion.size(count) == Size::Large;
        self.mixed(conn).may_wait |= may_wait;
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

    /// What the last turn had the kernel do, which is what it made for groups and whatever else it sent or closed, took so long. The
    /// next turns make as much of the former as takes `aim_us`.
    pub fn adapt(&mut self, took_us: u64, aim_us: u64) {
        self.portion.adapt(self.spent, took_us, aim_us);
    }

    /// Hands out what a turn may, and starts the next one. What a group that waits has for a connection with frames of its own so far
    /// goes out with those. `at_us` is monotonic, in microseconds: fan-outs are timed by it.
    pub fn flush(&mut self, hub: &mut Hub, at_us: u64, outlet: &mut impl Outlet) {
        self.rest.go_on(at_us, self.slices.sent());
        let earlier = self.slices.len();
        let has_company = earlier > 0 && self.has_company(hub);
        let mut shared = self.line_up(hub);
        self.portion.begin_turn(at_us, has_company, !self.small.is_empty());
        let urgent = shared.len();
        // A few subscribers do not wait behind many (invariant 12).
        (self.allowed, self.spent) = (self.portion.sends(Size::Small), 0);
        while self.left() > 0
            && let Some(id) = self.small.pop_front()
        {
            self.share(hub, id, outlet);
            shared.push(id);
        }
        for id in &shared[..urgent] {
            self.share(hub, *id, outlet);
        }
        // Nor does what is for one alone.
        self.gather_all(hub, outlet);
        let portion = self.portion.sends(Size::Large);
        self.allowed = portion.max(self.spent + portion / 2);
        self.spent += self.left() - self.slices.send(earlier, self.left(), outlet);
        while self.left() > 0
            && let Some(id) = self.next_large()
        {
            let before = self.slices.made();
            self.share(hub, id, outlet);
            let slices = self.slices.made();
            if slices > before {
                self.rest = Rest::Served { id, began_us: at_us, slices };
            }
            shared.push(id);
        }
        self.gather_all(hub, outlet);
        hub.end_turn(shared);
        self.forget_mixed(hub);
    }

    /// Whether there is something new for anybody.
    fn has_company(&self, hub: &Hub) -> bool {
        hub.is_dirty() || self.mixed.iter().any(|it| !it.parts.is_empty())
    }

    /// Short sends that the turn may still make.
    fn left(&self) -> usize {
        self.allowed.saturating_sub(self.spent)
    }

    /// The large group whose turn it is.
    fn next_large(&mut self) -> Option<GroupId> {
        let place = self.large.iter().position(|it| !self.rest.holds(*it))?;
        self.large.remove(place)
    }

    /// Has the groups of this turn wait behind the others, but for those that cannot: nobody is in them any more, or what they have is
    /// cut to pieces, because each of their members says what it wants.
    fn line_up(&mut self, hub: &mut Hub) -> Vec<GroupId> {
        let mut now = hub.take_dirty();
        for id in now.extract_if(.., |it| !is_urgent(hub, *it)) {
            match self.portion.size(hub.count(id)) {
                Size::Small => self.small.push_back(id),
                Size::Large => self.large.push_back(id),
            }
        }
        if hub.has_dissolved() {
            for waiting in [&mut self.small, &mut self.large] {
                now.extend(waiting.iter().filter(|it| hub.count(**it) == 0));
                waiting.retain(|it| hub.count(*it) > 0);
            }
        }
        now
    }

    fn share(&mut self, hub: &mut Hub, id: GroupId, outlet: &mut impl Outlet) {
        if hub.pending_bytes(id) == 0 {
            return;
        }
        let frame = self.pool.frame(hub.take_pending(id, self.pool.blank()));
        let size = self.portion.size(hub.count(id));
        let group = &mut hub.groups[id.0 as usize];
        let length = frame.len();
        let each = cost(length);
        let fits = self.left() / each;
        let mut later = Vec::with_capacity(group.conns.len().saturating_sub(fits));
        for conn in &group.conns {
            let mark = self.marks.get(*conn);
            match self.mixed.get_mut(mark as usize) {
                Some(mixed) if mixed.conn == Some(*conn) => {
                    mixed.settle(id, length);
                    mixed.may_wait |= size == Size::Large;
                }
                Some(_) | None if self.slices.is_owed(*conn) => later.push(*conn),
                Some(_) | None if self.spent >= self.allowed && size == Size::Large => {
                    later.push(*conn);
                }
                Some(_) | None if self.many.get(*conn) => {
                    self.spent += each;
                    self.mixed(*conn).settle(id, length);
                }
                Some(_) | None => {
                    self.spent += each;
                    outlet.share(&frame, *conn);
                }
            }
        }
        self.slices.share(&frame, later);
        group.frame = Some(frame);
    }

    fn gather_all(&mut self, hub: &Hub, outlet: &mut impl Outlet) {
        for place in 0..self.mixed.len() {
            self.gather(hub, place, outlet);
        }
    }

    fn gather(&mut self, hub: &Hub, place: usize, outlet: &mut impl Outlet) {
        let mixed = &mut self.mixed[place];
        let Some(conn) = mixed.conn else { return };
        // Whoever does not want what its group gets has nothing else, as a rule.
        if mixed.parts.is_empty() {
            return;
        }
        mixed.own_what_waits(|group| {
            let group = &hub.groups[group.0 as usize];
            group.frame.is_none().then_some(&*group.pending)
        });
        let own = self.pool.frame(std::mem::replace(&mut mixed.own, self.pool.blank()));
        for part in mixed.parts.drain(..) {
            let piece = match part {
                Part::Own { start, end } => own.piece(start..end),
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
        let is_over = mixed.may_wait && self.spent >= self.allowed;
        let has_to_wait = is_over || mixed.is_served || self.slices.is_owed(conn);
        if has_to_wait {
            return self.slices.gather(conn, std::mem::take(&mut self.pieces));
        }
        mixed.is_served = true;
        if mixed.may_wait {
            self.spent += cost(self.pieces.iter().map(Piece::len).sum());
        }
        outlet.gather(conn, &self.pieces);
        self.pieces.clear();
    }

    /// Forgets who had frames of its own, but for where a group that waits begins for it.
    fn forget_mixed(&mut self, hub: &Hub) {
        let is_behind = self.is_behind();
        let mut kept = 0;
        for place in 0..self.mixed.len() {
            let mixed = &mut self.mixed[place];
            let Some(conn) = mixed.conn else { continue };
            let mark = self.marks.slot(conn);
            (mixed.may_wait, mixed.is_served) = (false, false);
            mixed.cuts.retain(|(id, _)| is_behind && hub.pending_bytes(*id) > 0);
            // The slot may have changed hands.
            if *mark as usize == place && !mixed.cuts.is_empty() {
                *mark = u32::try_from(kept).unwrap_or(NONE);
                self.mixed.swap(kept, place);
                kept += 1;
            } else if *mark as usize == place {
                *mark = NONE;
            }
        }
        for mut mixed in self.mixed.drain(kept..) {
            mixed.conn = None;
            mixed.cuts.clear();
            if self.spare.len() < SPARE_MIXED_MAX {
                self.spare.push(mixed);
            }
        }
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

/// Whether what the group has cannot wait.
fn is_urgent(hub: &Hub, id: GroupId) -> bool {
    hub.count(id) == 0 || hub.audience(id) == Audience::InsforgeFiltered
}

#[cfg(test)]
mod aside_tests;
