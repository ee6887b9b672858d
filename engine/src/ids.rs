//! The names of things on a node. Newtypes, so that two numbers can never be swapped.

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
