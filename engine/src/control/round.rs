//! What a seat does between two commits, and how it is taken back.

use protocol::Rejection;

use super::ask::SeatAnswer;
use super::catalog::CatalogChange;
use super::channels::Registered;
use super::claims::{ClaimKey, RequestHash};
use super::plan::Plan;
use super::quota::Usage;
use super::revocations::TokenId;
use super::rules::RuleChange;
use crate::ids::{CallId, Now, ShardId};

/// Which call of which shard asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asker {
    /// The shard of its connection.
    pub edge: ShardId,
    /// The call.
    pub call: CallId,
}

impl Asker {
    /// For what is held and was already told so.
    pub(super) const NOBODY: Self = Self { edge: ShardId(0), call: CallId::NOBODY };
}

/// An answer, and whose.
pub type Said = (Asker, Result<SeatAnswer, Rejection>);

/// The bounds of one seat (invariant 7).
#[derive(Clone, Copy, Debug)]
pub struct SeatLimits {
    /// Asks that wait for the last commit. Over it: `503`.
    pub queue_max: usize,
    /// Registered channels. Over it: `503`.
    pub channels_max: usize,
    /// Idempotency keys that are known. Over it: `429`.
    pub claims_max: usize,
    /// Requests that wait for another of the same key. Over it: `503`.
    pub claim_waiters_max: usize,
    /// Revoked tokens that have not expired. Over it: `503`.
    pub revoked_max: usize,
    /// Patterns of channel names, enabled or not. Over it: `503`.
    pub patterns_max: usize,
}

/// How to take one change back.
#[derive(Debug)]
pub(super) enum Undo {
    Channel(Box<str>, Option<Registered>),
    Claimed(ClaimKey),
    /// It is held again, by whoever settled it.
    Settled(ClaimKey, RequestHash),
    Revoked(TokenId, Option<u64>),
    Usage(Box<Usage>),
    Sockets(u32),
    Rule(RuleChange),
}

/// What a round of operations did so far.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) changes: Vec<CatalogChange>,
    pub(super) undo: Vec<Undo>,
    pub(super) said: Vec<Said>,
}

/// What an operation is done with.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) now: Now,
    pub(super) plan: &'a Plan,
    pub(super) limits: &'a SeatLimits,
}
