//! The control plane of a tenant, as its seat knows it: pure state and its rules, without lanes, clocks or disks.
//!
//! The **seat** of a tenant is one shard. What it decides is durable in the catalog before anyone hears of it (invariant 4).
//! An edge asks it in steps: see `shard/steps.rs`.

mod ask;
mod bucket;
mod catalog;
mod channels;
mod claims;
mod costs;
mod kept;
mod operation;
mod patterns;
mod plan;
mod provisioning;
mod quota;
mod revocations;
mod round;
mod rows;
mod rules;
mod seat;
mod seats;
mod tier;

pub use ask::{Came, Enforce, Enforced, Peek, Published, SeatAnswer, SeatAsk, SeatOp, Spend};
pub use bucket::{Bucket, Rate};
pub use catalog::{
    CatalogAnswer, CatalogAsk, CatalogChange, Entry, ROUND_BYTES_MAX, ROWS_PER_COMMIT, tenant_of,
};
pub use channels::{CHANNELS, ChannelPage, Registered, read_channel};
pub use claims::{CLAIMS, ClaimKey, KeptClaim, Placed, RequestHash, Settled, read_claim};
pub use costs::{Costs, Priced};
pub use kept::{Kept, TABLES};
pub use operation::{Acted, Operate, Operation, OperatorMessage};
pub use patterns::{Patterns, Registration};
pub use plan::{Buckets, OnTokenEnd, Pace, Paced, Plan, Rates, Whose};
pub use provisioning::{PROVISIONING, Provisioning, Region};
pub use quota::{Bill, QUOTA, Usage, read_usage};
pub use revocations::{REVOKED, Revocations, TokenId, kept as kept_revocation, read_revocation};
pub use round::{Asker, Said, SeatLimits};
pub use rules::{
    PATTERNS, POLICIES, PatternAge, PatternDraft, PatternEdit, RETENTION, RegisteredPattern,
    RuleChange, Rules, RulesOp, Ruling, TenantRules, read_rule,
};
pub use seat::Seat;
pub use seats::{Outcome, Seats};
pub use tier::{Metered, Quota, Tier};

use crate::ids::{ShardId, TenantId};

/// The shard that is a tenant's seat, of so many shards.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a remainder of a u16 fits a u16")]
pub fn seat_of(tenant: TenantId, shard_count: u16) -> ShardId {
    // Fibonacci hashing: neighbouring numbers go to different shards.
    let mixed = u64::from(tenant.0).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    ShardId((mixed % u64::from(shard_count)) as u16)
}
