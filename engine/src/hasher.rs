//! The hasher of a shard's maps: seeded, so that a run can be replayed and names cannot be chosen to collide.

/// Builds hashers from the shard's seed.
pub type ShardHasher = foldhash::quality::SeedableRandomState;

/// The hasher for a seed.
#[must_use]
pub fn seeded(seed: u64) -> ShardHasher {
    ShardHasher::with_seed(seed, foldhash::SharedSeed::global_fixed())
}
