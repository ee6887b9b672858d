//! The subscriptions of this shard's connections. Fan-out happens here: what a turn's publications become is encoded once
//! an audience and sent to everyone in it.

#![expect(
    clippy::indexing_slicing,
    reason = "group ids and seats are made here and never outlive what they name"
)]

mod audience;
mod by_slot;
mod mixed;
mod slices;
mod turn;

use std::sync::Arc;

pub use audience::Audience;
use hashbrown::HashMap;
pub use turn::{Many, Turn};

use crate::frame::Frame;
use crate::hasher::ShardHasher;
use crate::ids::{ChannelKey, ChannelRef, ConnId};

/// The subscribers of one channel that are one audience.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GroupId(u32);

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
    channels: HashMap<Arc<ChannelKey>, [Option<GroupId>; Audience::ALL.len()], ShardHasher>,
    groups: Vec<Group>,
    free: Vec<GroupId>,
    /// Empty since this turn; free in the next.
    dissolved: Vec<GroupId>,
    dirty: Vec<GroupId>,
}

/// One group. An empty one is free.
#[derive(Debug, Default)]
struct Group {
    channel: Option<Arc<ChannelKey>>,
    audience: usize,
    /// Whom the fan-out visits, side by side in memory.
    conns: Vec<ConnId>,
    /// This turn's frames, encoded. Non-empty exactly while the group is in `dirty`.
    pending: Vec<u8>,
    /// `pending`, once the turn is handed out; only during [`Turn::flush`].
    frame: Option<Frame>,
}

impl Hub {
    /// A hub without subscribers.
    #[must_use]
    pub fn new(hasher: ShardHasher) -> Self {
        Self {
            channels: HashMap::with_hasher(hasher),
            groups: Vec::new(),
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

    /// Bytes that this turn has for the group so far.
    #[must_use]
    pub fn pending_bytes(&self, group: GroupId) -> usize {
        self.groups[group.0 as usize].pending.len()
    }

    /// The groups that listen to a channel, a group an audience; `None` where nobody does.
    #[must_use]
    pub fn listening(
        &self,
        channel: &ChannelKey,
    ) -> Option<[Option<GroupId>; Audience::ALL.len()]> {
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
        let known = self.channels.get(channel).and_then(|groups| groups[audience as usize]);
        if let Some(id) = known {
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.groups.push(Group::default());
            GroupId(small(self.groups.len() - 1))
        });
        let nobody = [None; Audience::ALL.len()];
        let groups = self.channels.entry(Arc::clone(channel)).or_insert(nobody);
        groups[audience as usize] = Some(id);
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
            groups[audience] = None;
            if groups.iter().all(Option::is_none) {
                self.channels.remove(&channel);
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "connections are at most u32::MAX")]
fn small(count: usize) -> u32 {
    count as u32
}
