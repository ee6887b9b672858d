//! What an edge asks of seats and shards for its calls, and what comes back.

use protocol::Rejection;

use super::provisioning::{Provisioning, Region};
use crate::ids::TenantId;
use crate::side::VendorAnswer;

/// A question for a tenant's seat.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SeatAsk {
    /// Whose seat.
    pub tenant: TenantId,
    /// What is asked.
    pub op: SeatOp,
}

/// What a seat can do. One variant, one arm in `control/seat.rs`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SeatOp {
    /// Have the resource provisioned.
    Provision(Region),
    /// Have it deleted.
    Unprovision,
}

/// What a seat says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SeatAnswer {
    /// What the provisioning was before, and what it is now.
    Provisioning {
        /// Before.
        before: Provisioning,
        /// Now.
        now: Provisioning,
    },
}

/// What every shard has to do before a call is answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Enforce {
    /// Serve the tenant's Cohesivity resource, or refuse it and close its sockets.
    Provisioning(TenantId, Provisioning),
}

/// What one shard did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Enforced {
    /// Connections that it closed, or subscriptions that it ended.
    pub count: u64,
}

/// What came for a call that waits.
#[derive(Clone, Debug)]
pub enum Came {
    /// The seat answered.
    Seat(Result<SeatAnswer, Rejection>),
    /// A vendor said so.
    Side(Result<VendorAnswer, Rejection>),
    /// A shard has done what it was told; one comes from every shard.
    Enforced(Result<Enforced, Rejection>),
}
