//! The names of things on a node. Newtypes, so that two numbers can never be swapped.

pub use storage::{ChannelKey, ChannelRef, Epoch, MessageId, Offset, Position, TenantId};

/// One core of the node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ShardId(pub u16);

impl ShardId {
    /// The shard's place in a list of all shards.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One connection of one shard. The generation tells a reused slot from its former owner.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnId {
    /// Place in the shard's tables; the smallest free one is used first.
    pub slot: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

impl ConnId {
    /// The slot as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.slot as usize
    }
}

/// One subscription. Never reused on a shard, so a late answer can be told from a current one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SubscriptionId(pub u64);

/// One call that runs in steps on its connection's shard. Never reused on a shard.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CallId(pub u64);

impl CallId {
    /// Of what no call waits for: its answer finds nobody.
    pub const NOBODY: Self = Self(u64::MAX);
}

/// The time of one turn. The reactor reads the clocks once; the simulator makes them up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// Never goes back: for deadlines.
    pub monotonic_ms: u64,
    /// Since 1970: for what people read.
    pub wall_ms: u64,
}
