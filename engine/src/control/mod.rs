//! The control plane of a tenant, as its seat knows it: pure state and its rules, without lanes, clocks or disks.
//!
//! The **seat** of a tenant is one shard. What it decides is durable in the catalog before anyone hears of it (invariant 4).
//! An edge asks it in steps: see `shard/steps.rs`.

mod ask;
mod catalog;
mod provisioning;
mod seat;
mod seats;

pub use ask::{Came, Enforce, Enforced, SeatAnswer, SeatAsk, SeatOp};
pub use catalog::{CatalogAnswer, CatalogAsk, CatalogChange, Entry};
pub use provisioning::{Provisioning, Region};
pub use seat::Seat;
pub use seats::{Asker, Outcome, Seats};

use crate::ids::{ShardId, TenantId};

/// The shard that is a tenant's seat, of so many shards.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a remainder of a u16 fits a u16")]
pub fn seat_of(tenant: TenantId, shard_count: u16) -> ShardId {
    // Fibonacci hashing: neighbouring numbers go to different shards.
    let mixed = u64::from(tenant.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    ShardId((mixed % u64::from(shard_count)) as u16)
}
