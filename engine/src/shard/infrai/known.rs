//! Registered channels that this shard has heard of, so that most frames and calls need not ask the seat.

use std::sync::Arc;

use hashbrown::HashMap;
use protocol::ChannelType;

use crate::control::Registered;
use crate::hasher::ShardHasher;
use crate::ids::{ChannelKey, ChannelRef, TenantId};

/// What is known of a channel. It holds until the channel is deleted, and every shard is told of that.
#[derive(Clone, Copy, Debug)]
pub(in crate::shard) struct Known {
    pub(in crate::shard) channel_type: ChannelType,
}

/// When a seat was asked, counted in deletions: what was deleted since may be what it tells of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::shard) struct Glance(u64);

/// See the module.
#[derive(Debug)]
pub(in crate::shard) struct KnownChannels {
    list: HashMap<Arc<ChannelKey>, Known, ShardHasher>,
    deletions: u64,
    /// With so many the next makes them all forgotten: each costs one question to learn again.
    max: usize,
}

impl KnownChannels {
    pub(in crate::shard) fn new(hasher: ShardHasher, max: usize) -> Self {
        Self { list: HashMap::with_hasher(hasher), deletions: 0, max }
    }

    pub(in crate::shard) fn get(&self, channel: &ChannelKey) -> Option<Known> {
        self.list.get(channel).copied()
    }

    /// The key of a channel that is known.
    pub(in crate::shard) fn key(&self, channel: &ChannelRef<'_>) -> Option<&Arc<ChannelKey>> {
        self.list.get_key_value(channel).map(|(key, _)| key)
    }

    /// To be taken when a seat is asked.
    pub(in crate::shard) fn glance(&self) -> Glance {
        Glance(self.deletions)
    }

    /// The seat said what a channel is.
    pub(in crate::shard) fn learn(
        &mut self,
        channel: &Arc<ChannelKey>,
        found: Registered,
        asked: Glance,
    ) -> ChannelType {
        let channel_type = found.kind;
        // The order of a deletion and the answer of the seat come by different lanes.
        if asked.0 == self.deletions && self.max > 0 {
            if self.list.len() >= self.max && !self.list.contains_key(channel) {
                self.list.clear();
            }
            self.list.insert(Arc::clone(channel), Known { channel_type });
        }
        channel_type
    }

    /// A channel was deleted.
    pub(in crate::shard) fn forget(&mut self, channel: &ChannelKey) {
        self.deletions += 1;
        self.list.remove(channel);
    }

    /// Tenants are gone.
    pub(in crate::shard) fn forget_tenants(&mut self, is_there: impl Fn(TenantId) -> bool) {
        self.deletions += 1;
        self.list.retain(|channel, _| is_there(channel.tenant()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hasher;
    use crate::ids::MessageId;

    fn found(kind: ChannelType) -> Registered {
        Registered { id: MessageId(1), kind, created_at_ms: 0 }
    }

    #[test]
    fn what_a_seat_said_before_a_deletion_is_not_remembered() {
        let mut known = KnownChannels::new(hasher::seeded(1), 2);
        let key = |name| Arc::new(ChannelKey::new(TenantId(1), name));
        let before = known.glance();
        assert_eq!(
            known.learn(&key("a"), found(ChannelType::Private), before),
            ChannelType::Private
        );
        assert_eq!(known.get(&key("a")).map(|it| it.channel_type), Some(ChannelType::Private));
        known.forget(&key("a"));
        assert!(known.get(&key("a")).is_none());
        known.learn(&key("a"), found(ChannelType::Public), before);
        assert!(known.get(&key("a")).is_none());
    }

    #[test]
    fn a_full_list_begins_anew_so_that_channels_in_use_are_known() {
        let mut known = KnownChannels::new(hasher::seeded(1), 2);
        let key = |name| Arc::new(ChannelKey::new(TenantId(1), name));
        for (name, left) in [("a", 1), ("b", 2), ("a", 2), ("c", 1), ("a", 2)] {
            known.learn(&key(name), found(ChannelType::Public), known.glance());
            assert!(known.get(&key(name)).is_some());
            assert_eq!(known.list.len(), left, "after {name}");
        }
        assert!(known.get(&key("b")).is_none());
        let mut none = KnownChannels::new(hasher::seeded(1), 0);
        none.learn(&key("a"), found(ChannelType::Public), none.glance());
        assert!(none.get(&key("a")).is_none());
    }
}
