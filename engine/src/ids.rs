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
    /// Set in the slots of connections without a socket, so that these have slots of their own.
    const POLLED: u32 = 1 << 31;

    /// A connection without a socket: requests fetch what waits for it. The place is one among those alone.
    #[must_use]
    pub fn polled(place: u32, generation: u32) -> Self {
        Self { slot: Self::POLLED | place, generation }
    }

    /// Whether it has no socket.
    #[must_use]
    pub fn is_polled(self) -> bool {
        self.slot & Self::POLLED != 0
    }

    /// The slot as an index; for a connection without a socket larger than that of any with one.
    #[must_use]
    pub fn index(self) -> usize {
        self.slot as usize
    }

    /// The place among those with a socket, or among those without.
    #[must_use]
    pub fn place(self) -> usize {
        (self.slot & !Self::POLLED) as usize
    }
}

/// One subscription. Never reused on a shard, so a late answer can be told from a current one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SubscriptionId(pub u64);

/// One connection on its way from a shard to another. Never reused on a node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PassId(pub u64);

impl PassId {
    const COUNT_BITS: u32 = 44;

    /// That of a shard's so many-th. Fits into the 60 bits that a ring has for it.
    #[must_use]
    pub fn new(from: ShardId, count: u64) -> Self {
        Self(u64::from(from.0) << Self::COUNT_BITS | count & ((1 << Self::COUNT_BITS) - 1))
    }
}

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
