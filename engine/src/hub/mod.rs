//! The subscriptions of this shard's connections. Fan-out happens here: what a turn's publications become is encoded once
//! an audience and sent to everyone in it.

#![expect(
    clippy::indexing_slicing,
    reason = "group ids and seats are made here and never outlive what they name"
)]

mod audience;
mod by_slot;
#[cfg(test)]
mod log;
mod mixed;
mod portion;
mod rest;
mod slices;
mod turn;
#[cfg(test)]
mod turn_tests;

use std::sync::Arc;

pub use audience::Audience;
use hashbrown::HashMap;
use protocol::dialect::Dialect;
pub use turn::{Many, Turn};

use crate::frame::Frame;
use crate::hasher::ShardHasher;
use crate::ids::{ChannelKey, ChannelRef, ConnId};

/// The subscribers of one channel that are one audience.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GroupId(u32);

/// The groups that listen to one channel, at most one an audience.
#[derive(Clone, Copy, Debug, Default)]
pub struct Groups([Option<GroupId>; Audience::ALL.len()]);

impl Groups {
    /// That of an audience.
    #[must_use]
    pub fn of(&self, audience: Audience) -> Option<GroupId> {
        self.0[audience as usize]
    }

    /// The same, with another one for an audience.
    #[must_use]
    pub fn with(mut self, audience: Audience, group: GroupId) -> Self {
        self.0[audience as usize] = Some(group);
        self
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.0.iter().copied().flatten()
    }
}

/// Where a subscription stands in the fan-out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Seat {
    /// In which group.
    pub group: GroupId,
    place: u32,
}

/// Local subscriptions, from the channel to the connections.
#[derive(Debug)]
pub struct Hub {
    channels: HashMap<Arc<ChannelKey>, Groups, ShardHasher>,
    groups: Vec<Group>,
    free: Vec<GroupId>,
    /// Empty since this turn; free in the next.
    dissolved: Vec<GroupId>,
    /// Have had something pending since this turn.
    dirty: Vec<GroupId>,
}

/// One group. Of those without a connection all but the first are free.
#[derive(Debug, Default)]
struct Group {
    channel: Option<Arc<ChannelKey>>,
    audience: usize,
    /// Whom the fan-out visits, side by side in memory.
    conns: Vec<ConnId>,
    /// Frames of this turn, and of earlier ones while the group waits for its turn, encoded. Non-empty exactly while the group is in
    /// `dirty`, or waits.
    pending: Vec<u8>,
    /// What was `pending`; only during [`Turn::flush`].
    frame: Option<Frame>,
}

impl Hub {
    /// A hub without subscribers.
    #[must_use]
    pub fn new(hasher: ShardHasher) -> Self {
        Self {
            channels: HashMap::with_hasher(hasher),
            groups: vec![Group {
                audience: Audience::InsforgeFiltered as usize,
                ..Group::default()
            }],
            free: Vec::new(),
            dissolved: Vec::new(),
            dirty: Vec::new(),
        }
    }

    /// Puts a connection into the fan-out of a channel. What the turn has for it so far is not for this connection:
    /// the caller has [`Turn::cut`] see to that.
    pub fn enter(&mut self, channel: &Arc<ChannelKey>, audience: Audience, conn: ConnId) -> Seat {
        let id = self.group_for(channel, audience);
        let conns = &mut self.groups[id.0 as usize].conns;
        conns.push(conn);
        Seat { group: id, place: small(conns.len() - 1) }
    }

    /// Takes a connection out. Returns who sits in its place now, whose seat the caller corrects.
    pub fn leave(&mut self, seat: Seat) -> Option<(ConnId, Seat)> {
        let group = &mut self.groups[seat.group.0 as usize];
        group.conns.swap_remove(seat.place as usize);
        if group.conns.is_empty() {
            self.dissolve(seat.group);
            return None;
        }
        group.conns.get(seat.place as usize).map(|moved| (*moved, seat))
    }

    /// Gives a place to another connection.
    pub fn replace(&mut self, seat: Seat, conn: ConnId) {
        self.groups[seat.group.0 as usize].conns[seat.place as usize] = conn;
    }

    /// How many connections the group has.
    fn count(&self, group: GroupId) -> usize {
        self.groups[group.0 as usize].conns.len()
    }

    /// The group in which nobody sits: what it has pending is for those to whom [`Turn::settle`] gives it.
    #[must_use]
    pub fn aside(&self) -> GroupId {
        GroupId(0)
    }

    /// Bytes that wait for the group so far.
    #[must_use]
    pub fn pending_bytes(&self, group: GroupId) -> usize {
        self.groups[group.0 as usize].pending.len()
    }

    /// Takes what waits for a group, and gives it a buffer for what comes.
    fn take_pending(&mut self, group: GroupId, blank: Vec<u8>) -> Vec<u8> {
        std::mem::replace(&mut self.groups[group.0 as usize].pending, blank)
    }

    /// The groups that listen to a channel; `None` where nobody does.
    #[must_use]
    pub fn listening(&self, channel: &ChannelKey) -> Option<Groups> {
        self.channels.get(channel).copied()
    }

    /// The key of a channel that somebody here listens to.
    #[must_use]
    pub fn key(&self, channel: &ChannelRef<'_>) -> Option<&Arc<ChannelKey>> {
        self.channels.get_key_value(channel).map(|(key, _)| key)
    }

    /// What the group's subscribers get.
    #[must_use]
    pub fn audience(&self, group: GroupId) -> Audience {
        Audience::ALL[self.groups[group.0 as usize].audience]
    }

    /// Encodes something for everyone in the group.
    pub fn append(&mut self, id: GroupId, encode: impl FnOnce(Audience, &mut Vec<u8>)) {
        let group = &mut self.groups[id.0 as usize];
        if group.pending.is_empty() {
            self.dirty.push(id);
        }
        encode(Audience::ALL[group.audience], &mut group.pending);
    }

    /// Encodes something for those of a channel's groups that it is for: once a dialect, and as bytes for its other audiences
    /// (invariant 6).
    pub fn tell(
        &mut self,
        groups: &Groups,
        is_for: impl Fn(Audience) -> bool,
        encode: impl Fn(Dialect, &mut Vec<u8>),
    ) {
        let mut encoded: Option<(Dialect, GroupId, usize)> = None;
        for id in groups.iter() {
            let audience = self.audience(id);
            if !is_for(audience) {
                continue;
            }
            match encoded {
                Some((dialect, from, start)) if dialect == audience.dialect() => {
                    self.append_copy(id, from, start);
                }
                Some(_) | None => {
                    encoded = Some((audience.dialect(), id, self.pending_bytes(id)));
                    self.append(id, |it, out| encode(it.dialect(), out));
                }
            }
        }
    }

    /// Appends what another group has pending from a byte on.
    fn append_copy(&mut self, id: GroupId, from: GroupId, start: usize) {
        let places = [id.0 as usize, from.0 as usize];
        let Ok([group, from]) = self.groups.get_disjoint_mut(places) else { return };
        if group.pending.is_empty() {
            self.dirty.push(id);
        }
        group.pending.extend_from_slice(&from.pending[start..]);
    }

    /// Connections in the fan-out of the group, in the order in which it visits them.
    #[must_use]
    pub fn conns(&self, group: GroupId) -> &[ConnId] {
        &self.groups[group.0 as usize].conns
    }

    /// Channels that somebody here listens to.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Whether a group lost its last connection in this turn.
    fn has_dissolved(&self) -> bool {
        !self.dissolved.is_empty()
    }

    fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    fn take_dirty(&mut self) -> Vec<GroupId> {
        std::mem::take(&mut self.dirty)
    }

    /// Ends a turn. The list comes back so that its memory is used again.
    fn end_turn(&mut self, mut dirty: Vec<GroupId>) {
        self.free.append(&mut self.dissolved);
        for id in &dirty {
            self.groups[id.0 as usize].frame = None;
        }
        dirty.clear();
        self.dirty = dirty;
    }

    fn group_for(&mut self, channel: &Arc<ChannelKey>, audience: Audience) -> GroupId {
        let known = self.channels.get(channel).and_then(|groups| groups.of(audience));
        if let Some(id) = known {
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.groups.push(Group::default());
            GroupId(small(self.groups.len() - 1))
        });
        let groups = self.channels.entry(Arc::clone(channel)).or_default();
        groups.0[audience as usize] = Some(id);
        let group = &mut self.groups[id.0 as usize];
        group.channel = Some(Arc::clone(channel));
        group.audience = audience as usize;
        id
    }

    /// Ends a group that lost its last connection, and the channel with its last group. The group stays unused until
    /// the turn is handed out: somebody who left may still get what was pending then.
    fn dissolve(&mut self, id: GroupId) {
        let group = &mut self.groups[id.0 as usize];
        let Some(channel) = group.channel.take() else { return };
        let audience = group.audience;
        self.dissolved.push(id);
        if let Some(groups) = self.channels.get_mut(&channel) {
            groups.0[audience] = None;
            if groups.iter().next().is_none() {
                self.channels.remove(&channel);
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "connections are at most u32::MAX")]
fn small(count: usize) -> u32 {
    count as u32
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::hasher;
    use crate::ids::TenantId;

    #[test]
    fn what_audiences_of_one_dialect_get_is_encoded_once() {
        let mut hub = Hub::new(hasher::seeded(1));
        let channel = Arc::new(ChannelKey::new(TenantId(0), "a"));
        let mut enter =
            |audience, slot| hub.enter(&channel, audience, ConnId { slot, generation: 0 }).group;
        // Groups come about in any order.
        let behind = enter(Audience::InfraiBehind, 0);
        let members = enter(Audience::InfraiMembers, 1);
        let infrai = enter(Audience::Infrai, 2);
        let cohesivity = enter(Audience::Cohesivity, 3);
        let encoded = Cell::new(0);
        let encode = |dialect, out: &mut Vec<u8>| {
            encoded.set(encoded.get() + 1);
            let letter = match dialect {
                Dialect::Cohesivity => b'c',
                Dialect::Infrai => b'i',
                Dialect::Insforge | Dialect::InsforgePlain => b'f',
            };
            out.extend([letter, b'0' + encoded.get()]);
        };
        hub.append(members, |_, out| out.extend_from_slice(b"first "));
        let groups = hub.listening(&channel).unwrap();
        hub.tell(&groups, Audience::has_messages, encode);
        hub.tell(&groups, Audience::has_messages, encode);
        assert_eq!(encoded.get(), 4);
        let pending = |id: GroupId| String::from_utf8_lossy(&hub.groups[id.0 as usize].pending);
        assert_eq!(pending(cohesivity), "c1c3");
        assert_eq!((pending(infrai), pending(members)), ("i2i4".into(), "first i2i4".into()));
        assert_eq!(pending(behind), "");
        assert_eq!(hub.dirty, [members, cohesivity, infrai]);
    }
}
