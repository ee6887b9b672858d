//! The names of durable things. Newtypes, so that two numbers can never be swapped.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::Equivalent;

/// One isolated app: its keys, channels and limits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TenantId(pub u32);

impl TenantId {
    /// Nobody's: of a client that has not said whose it is.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

/// Place of a persisted publication in its channel. Dense within an epoch: the next one is always `+ 1`, the first is 1.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Offset(pub u64);

impl Offset {
    /// The offset of the publication after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One unbroken run of a channel's offsets. It changes when continuity is lost.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(pub u32);

/// Where a channel stands: the last offset of an epoch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Position {
    /// The run of offsets.
    pub epoch: Epoch,
    /// The last offset in it; zero when there is none.
    pub offset: Offset,
}

/// A UUIDv7 (RFC 9562 §5.7) as a number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessageId(pub u128);

/// A channel of a tenant, with the number that places it on a shard.
#[derive(Clone, Eq, PartialEq)]
pub struct ChannelKey {
    hash: u64,
    tenant: TenantId,
    name: Box<str>,
}

impl ChannelKey {
    /// Names a channel. The name was checked where it came in.
    #[must_use]
    pub fn new(tenant: TenantId, name: &str) -> Self {
        Self { hash: Self::hash_of(tenant, name), tenant, name: name.into() }
    }

    /// The number that decides a channel's shard, the same on every start and every machine: FNV-1a with a final mix.
    #[must_use]
    pub fn hash_of(tenant: TenantId, name: &str) -> u64 {
        const PRIME: u64 = 0x0100_0000_01b3;
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in tenant.0.to_le_bytes().iter().chain(name.as_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^ (hash >> 29)
    }

    /// See [`ChannelKey::hash_of`].
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Whose it is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Its name within the tenant.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A channel's name before anybody made a key of it: for looking it up.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ChannelRef<'a> {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub name: &'a str,
}

impl Hash for ChannelKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ChannelRef { tenant: self.tenant, name: &self.name }.hash(state);
    }
}

impl Equivalent<Arc<ChannelKey>> for ChannelRef<'_> {
    fn equivalent(&self, key: &Arc<ChannelKey>) -> bool {
        self.tenant == key.tenant && self.name == &*key.name
    }
}

impl fmt::Debug for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant.0, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_placement_is_part_of_the_disk_layout_and_never_changes() {
        assert_eq!(
            ChannelKey::hash_of(TenantId(1), "chat:room"),
            ChannelKey::new(TenantId(1), "chat:room").hash()
        );
        assert_ne!(ChannelKey::hash_of(TenantId(1), "a"), ChannelKey::hash_of(TenantId(2), "a"));
    }
}
