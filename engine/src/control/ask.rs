//! What an edge asks of seats and shards for its calls, and what comes back.

use std::sync::Arc;

use protocol::{ChannelType, Rejection};

use super::channels::{ChannelPage, Registered};
use super::claims::{ClaimKey, Placed, RequestHash};
use super::plan::{Pace, Paced};
use super::provisioning::{Provisioning, Region};
use super::quota::Bill;
use super::revocations::TokenId;
use super::rules::{RulesOp, Ruling};
use super::tier::Metered;
use crate::broker::Present;
use crate::ids::{ChannelKey, MessageId, TenantId};
use crate::side::VendorAnswer;
use crate::tenants::Tenants;

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
    /// Register a channel, or find the one of its name.
    CreateChannel {
        /// Its name.
        name: Box<str>,
        /// Its type; `None` takes what there is, or else a public one.
        kind: Option<ChannelType>,
        /// The id of a new one.
        id: MessageId,
    },
    /// Find a registered channel.
    FindChannel(Box<str>),
    /// List some of them.
    ListChannels {
        /// Only names behind this one.
        after: Option<Box<str>>,
        /// At most so many.
        limit: usize,
    },
    /// Forget one. Its subscribers are an [`Enforce::CloseChannel`] of their own, its messages an [`Enforce::DropChannel`].
    DeleteChannel(Box<str>),
    /// Revoke a token that would expire then. Every shard is told with an [`Enforce::Revoke`].
    Revoke {
        /// Which.
        token: TokenId,
        /// The second in which it expires.
        until_s: u64,
    },
    /// Take an idempotency key. Whoever is told [`SeatAnswer::Fresh`] has it, and has to settle or abandon it.
    Claim {
        /// The key.
        key: ClaimKey,
        /// The request that came with it.
        request: RequestHash,
        /// The keys of the messages that the request publishes; empty for a call whose answer is kept.
        items: Box<[ClaimKey]>,
        /// What it takes to come with a key, whatever comes of it.
        entry: Spend,
    },
    /// Keep the answer of a claim that is held.
    Settle {
        /// The key.
        key: ClaimKey,
        /// The request that came with it.
        request: RequestHash,
        /// The answer.
        answer: Box<[u8]>,
    },
    /// Say which messages a held claim published. When one is missing, the claim is free again and only that one is left to do.
    SettleMessages {
        /// The key.
        key: ClaimKey,
        /// The request that came with it.
        request: RequestHash,
        /// The key of each message, and its place if it was published.
        items: Box<[(ClaimKey, Option<Placed>)]>,
    },
    /// Give a held claim back: nothing came of it.
    Abandon(ClaimKey),
    /// Count something that a metered tenant does.
    Spend(Spend),
    /// Give back so much of the credit that was spent: nothing came of it.
    Refund(u32),
    /// Change the tenant's rules. Every shard is told by the seat; an [`Enforce::Rules`] says when all have heard of it.
    Rules(RulesOp),
    /// Forget everything of a tenant that is gone, so many rows of the catalog at a time.
    Forget {
        /// At most so many.
        rows_max: usize,
    },
}

impl SeatOp {
    /// Whether it ends what the seat allowed before: it is never refused for lack of room.
    pub(super) fn is_owed(&self) -> bool {
        match self {
            Self::Settle { .. }
            | Self::SettleMessages { .. }
            | Self::Abandon(_)
            | Self::Refund(_) => true,
            Self::Provision(_)
            | Self::Unprovision
            | Self::CreateChannel { .. }
            | Self::FindChannel(_)
            | Self::ListChannels { .. }
            | Self::DeleteChannel(_)
            | Self::Revoke { .. }
            | Self::Claim { .. }
            | Self::Spend(_)
            | Self::Rules(_)
            | Self::Forget { .. } => false,
        }
    }
}

/// What a call of a metered tenant takes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spend {
    /// Of its tier.
    pub bill: Bill,
    /// Of its rates.
    pub pace: Pace,
    /// Sockets that stay open until each is given back with a [`Request::Release`](crate::shard::input::Request::Release).
    pub sockets: u32,
}

impl Spend {
    /// One request over HTTP.
    #[must_use]
    pub fn request() -> Self {
        let (bill, pace) = (Bill::of(Metered::Requests, 1), Pace::of(Paced::Requests, 1));
        Self { bill, pace, sockets: 0 }
    }

    /// One WebSocket that opens.
    #[must_use]
    pub fn upgrade() -> Self {
        let pace = Pace::of(Paced::Requests, 1).and(Paced::Connections, 1);
        Self { pace, sockets: 1, ..Self::request() }
    }

    /// One subscription.
    #[must_use]
    pub fn subscription() -> Self {
        Self { pace: Pace::of(Paced::Subscriptions, 1), ..Self::default() }
    }

    /// One message with so many bytes of data.
    #[must_use]
    pub fn message(bytes: usize) -> Self {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let pace = Pace::of(Paced::Publishes, 1).and(Paced::Bytes, bytes);
        Self { bill: Bill::of(Metered::Messages, 1), pace, sockets: 0 }
    }

    /// So much of another thing as well.
    #[must_use]
    pub fn billing(self, what: Metered, count: u32) -> Self {
        Self { bill: self.bill.and(what, count), ..self }
    }

    /// So much more.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        let sockets = self.sockets.saturating_add(more.sockets);
        Self { bill: self.bill.plus(&more.bill), pace: self.pace.plus(&more.pace), sockets }
    }
}

/// What a seat says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SeatAnswer {
    /// What the provisioning was before, and what it is now; that is on its way to every shard.
    Provisioning {
        /// Before.
        before: Provisioning,
        /// Now.
        now: Provisioning,
        /// The change that says so.
        ruling: Arc<Ruling>,
    },
    /// A registered channel.
    Channel(Registered),
    /// Some registered channels.
    Channels(ChannelPage),
    /// A channel that was registered until now, if there was one.
    Deleted(Option<Registered>),
    /// The token is revoked at the seat.
    Revoked,
    /// The key is the asker's. Of the messages, these are there already.
    Fresh(Box<[Option<Placed>]>),
    /// The request was answered before, like this.
    Answered(Box<[u8]>),
    /// The request's messages were published before.
    Published(Box<[Placed]>),
    /// The claim has ended.
    Settled,
    /// It is counted.
    Granted,
    /// The rules are changed at the seat, and the change is on its way to every shard.
    Ruling(Arc<Ruling>),
    /// Another pattern has the same text.
    PatternTaken,
    /// A part of what the seat knew is forgotten.
    Forgetting,
    /// All of it is.
    Forgotten,
}

/// What every shard has to do before a call is answered.
#[derive(Clone, Debug)]
pub enum Enforce {
    /// Refuse a token from now on, until it has expired.
    Revoke {
        /// Whose.
        tenant: TenantId,
        /// Which.
        token: TokenId,
        /// The second in which it expires.
        until_s: u64,
    },
    /// Say when a change of rules is in force: it comes from the seat, by a lane of its own. Where it takes the tenant's Cohesivity
    /// resource, close the sockets of that.
    Rules(Arc<Ruling>),
    /// End every subscription of a channel.
    CloseChannel(Arc<ChannelKey>),
    /// Drop the messages of a channel.
    DropChannel(Arc<ChannelKey>),
    /// Drop all messages of a tenant.
    DropTenant(TenantId),
    /// Drop those messages of a tenant that were taken by now, and those that others say were taken up to a time.
    DropUntil(TenantId, u64),
    /// Tell the call once everything that was sent before has arrived, at each shard: one answer comes from every pair of shards.
    Arrive,
    /// Close the sockets of a member.
    Disconnect {
        /// Whose member.
        tenant: TenantId,
        /// Who.
        member: Box<str>,
        /// Only those that listen to this channel.
        channel: Option<Box<str>>,
    },
    /// Take these tenants for those of the node; sockets of tenants that are gone are closed.
    Tenants(Arc<Tenants>),
}

/// What one shard did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Enforced {
    /// Connections that it closed, subscriptions that it ended, or messages that it dropped: those of a [`Enforce::DropUntil`].
    pub count: u64,
}

/// Messages of one home that a call asked for: each with its place in the batch, and what became of it.
pub type Published = Vec<(u16, Result<Placed, Rejection>)>;

/// What a home sees of a channel.
#[derive(Clone, Debug)]
pub struct Peek {
    /// Who is there, as many as may be listed.
    pub present: Arc<[Present]>,
    /// How many are there.
    pub member_count: u64,
    /// When it last took a message that it still knows.
    pub last_at_ms: Option<u64>,
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
    /// A home has published its share of a batch; one comes from every home.
    Published(Published),
    /// A home has looked at a channel.
    Peeked(Peek),
}
