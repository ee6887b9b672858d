//! What the node's operator asks for, without a connection: the command line does, and the simulator.

use std::sync::Arc;

use super::ask::SeatOp;
use super::claims::{ClaimKey, RequestHash};
use super::revocations::TokenId;
use super::rules::RulesOp;
use crate::ids::TenantId;
use crate::tenants::Tenants;

/// One operation for one tenant. Any shard can coordinate it.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Comes back with the answer.
    pub number: u64,
    /// Whose.
    pub tenant: TenantId,
    /// An idempotency key and the request that came with it, hashed.
    pub claim: Option<(ClaimKey, RequestHash)>,
    /// What is to be done.
    pub what: Operate,
}

/// What can be done.
#[derive(Clone, Debug)]
pub enum Operate {
    /// Register a channel, or find it: an ask of the seat alone.
    Seat(SeatOp),
    /// Revoke a token on every shard.
    Revoke(TokenId, u64),
    /// Change the tenant's rules on every shard.
    Rules(RulesOp),
    /// Delete a channel, its messages and its subscriptions on every shard.
    DeleteChannel(Box<str>),
    /// Close the sockets of a member on every shard; or only those that listen to a channel.
    Disconnect(Box<str>, Option<Box<str>>),
    /// Take these tenants on every shard; sockets of those that are gone are closed.
    Tenants(Arc<Tenants>),
    /// Drop all messages of a tenant that is gone.
    Forget,
    /// Say whether a token is revoked.
    IsRevoked(TokenId),
    /// Say which policies are in force, as `/api/realtime/permissions` has them.
    Policies,
    /// Publish messages: channel, event and data of each, and a key for each if the whole has one.
    Publish(Vec<OperatorMessage>, Box<[ClaimKey]>),
}

/// A message that the operator publishes; it is kept.
#[derive(Clone, Debug)]
pub struct OperatorMessage {
    /// Where.
    pub channel: Box<str>,
    /// What kind.
    pub event: Box<str>,
    /// The JSON, byte for byte.
    pub data: Box<[u8]>,
}

/// How many did something, or were found: what most operations answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Acted(pub u64);

impl Acted {
    const BEFORE: &str = "{\"done\":";

    /// As the answer has it.
    #[must_use]
    pub fn text(self) -> String {
        format!("{}{}}}", Self::BEFORE, self.0)
    }

    /// Reads an answer.
    #[must_use]
    pub fn read(answer: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(answer).ok()?;
        text.strip_prefix(Self::BEFORE)?.strip_suffix('}')?.parse().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reads_as_it_was_written() {
        for acted in [0, 1, 10, u64::MAX].map(Acted) {
            assert_eq!(Acted::read(acted.text().as_bytes()), Some(acted));
        }
        assert_eq!(Acted::read(br#"{"ids":[]}"#), None);
    }
}
