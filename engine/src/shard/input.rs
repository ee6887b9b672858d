//! Everything that can wake a shard. A closed set: there is no other way in.

use std::sync::Arc;

use protocol::Rejection;
use protocol::ws::CloseCode;
use storage::Publication;

use crate::broker::{Member, Present, Start};
use crate::control::{Buckets, Came, CatalogAnswer, Enforce, Operation, Ruling, SeatAsk};
use crate::ids::{
    CallId, ChannelKey, ConnId, MessageId, Offset, PassId, ShardId, SubscriptionId, TenantId,
};
use crate::pressure::Pressure;
use crate::side::SideAnswer;
use crate::side::webhook::Hooked;
use crate::tenants::Tenants;

/// One thing that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was accepted.
    Opened(ConnId),
    /// Bytes came from a connection. They are decoded in place.
    Bytes(ConnId, &'a mut [u8]),
    /// The peer will send nothing more, but may still read.
    HalfClosed(ConnId),
    /// The connection is gone.
    Closed(ConnId),
    /// A connection came from another shard, which passed it under this number.
    Arrived(ConnId, PassId),
    /// A connection that was to be passed is another shard's now.
    Passed(ConnId),
    /// A connection that was to be passed is still here: the other shard has no room.
    Stayed(ConnId),
    /// The connection's outbox went over its limit (invariant 8).
    Overrun(ConnId),
    /// Another shard asks something of a channel homed here, of a tenant seated here, or of this shard.
    Request(ShardId, Request),
    /// A channel's home has something for connections here.
    Delivery(Delivery),
    /// The journal answered, in the order of the appends.
    Journal(JournalAnswer),
    /// The catalog answered, in the order of the asks.
    Catalog(CatalogAnswer),
    /// The side threads have something for a call.
    Side(CallId, SideAnswer),
    /// Webhooks are set.
    Hooked(Hooked),
    /// A connection that was given a part of something has taken most of it: see [`Effects::thirsty`](super::effects::Effects).
    Drained(ConnId),
    /// Work that waits can go on: calls whose step is due, orders of seats, requests that waited for earlier ones.
    Resume,
    /// The operator asks for something.
    Operation(Box<Operation>),
    /// These are the node's tenants from now on.
    Tenants(Arc<Tenants>),
    /// Memory of the node is so short from now on.
    Pressure(Pressure),
    /// Time has passed: deadlines may be due.
    Tick,
    /// The node stops: accept nothing new and say goodbye with this code.
    Drain(CloseCode),
}

/// What the journal says.
#[derive(Debug)]
pub enum JournalAnswer {
    /// So many further appends are durable.
    Committed(usize),
    /// So many further appends are not, and never will be.
    Refused(usize, Rejection),
    /// A channel's messages are let go, or not.
    Dropped(DropAsk, Result<LetGo, Rejection>),
    /// History of a channel is damaged. What cannot be read was set aside.
    Damaged(Arc<ChannelKey>),
    /// A read is done.
    Read(ReadTicket, Result<Vec<Arc<Publication>>, Rejection>),
}

/// A channel whose messages have to go.
#[derive(Clone, Debug)]
pub struct DropAsk {
    /// The order of its home that it belongs to.
    pub order: u64,
    /// Which.
    pub channel: Arc<ChannelKey>,
    /// Only what was taken up to this time goes, in milliseconds since 1970; `None`: all.
    pub until_ms: Option<u64>,
}

/// What went of a channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LetGo {
    /// All that it had.
    All,
    /// Its beginning.
    Before {
        /// The oldest that is left, or would be.
        first_retained: Offset,
        /// How many went.
        messages: u64,
    },
}

/// Who waits for an answer: a place in a connection's order of answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplyTo {
    /// The connection.
    pub conn: ConnId,
    /// Which of its questions.
    pub ticket: u32,
}

/// Who waits for a read, on which shard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReadTicket {
    /// A connection's question for history.
    History(ShardId, ReplyTo),
    /// A subscriber, for what it missed.
    Arrival(ShardId, Joiner),
}

/// What the journal is to read.
#[derive(Debug)]
pub struct ReadAsk {
    /// Who waits for it.
    pub ticket: ReadTicket,
    /// Which channel.
    pub channel: Arc<ChannelKey>,
    /// Only what comes after it.
    pub after: Offset,
    /// At most so many.
    pub limit: usize,
}

/// Whether a publication is journaled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keep {
    /// It gets an offset and is durable before anyone sees it (invariant 4).
    Persist,
    /// It is delivered and forgotten.
    Pass,
    /// As `Pass`, but its publisher still waits for the journal: it may not overtake.
    PassInOrder,
}

/// From an edge to a channel's home, a tenant's seat or any shard. Handling one may send deliveries, never requests.
#[derive(Debug)]
pub enum Request {
    /// Please order this. It has no place yet, and nobody else holds it.
    Publish(Arc<Publication>, Keep, ReplyTo),
    /// Please order these, side by side; answered once with a [`Delivery::Step`].
    PublishMany(Box<PublishMany>),
    /// One more subscriber.
    Join(Box<Join>),
    /// The next part of what a subscriber missed; answered as its join was.
    Advance(Box<Advance>),
    /// One subscriber less. Every join is followed by exactly one, also if it was refused.
    Leave(Box<Leave>),
    /// Retained publications after an offset, oldest first.
    History(Box<HistoryAsk>),
    /// A question for the tenant's seat, which answers with one [`Delivery::Step`].
    Seat(CallId, Box<SeatAsk>),
    /// Something that every shard has to do; answered with one [`Delivery::Step`] once it is done.
    Enforce(CallId, Box<Enforce>),
    /// What does a channel look like? Answered with one [`Delivery::Step`].
    Peek(CallId, Arc<ChannelKey>),
    /// Everything that the sender sent before has come: a call of that shard is told.
    Mark(ShardId, CallId),
    /// So many sockets of a metered tenant are closed that its seat had granted. Nobody waits for an answer.
    Release(TenantId, u32),
    /// What was not read of a connection that was passed. Nobody waits for an answer.
    Parcel(Box<Parcel>),
}

/// What goes with a connection from one shard to another.
#[derive(Debug)]
pub struct Parcel {
    /// Of which.
    pub number: PassId,
    /// What its peer sent.
    pub unread: Vec<u8>,
    /// How fast it went lately.
    pub buckets: Option<Box<Buckets>>,
}

/// Messages of one call for channels of one home.
#[derive(Debug)]
pub struct PublishMany {
    /// Which call of the sender.
    pub call: CallId,
    /// At least one.
    pub publications: Vec<Placing>,
}

/// One message of a batch.
#[derive(Debug)]
pub struct Placing {
    /// Its place in the batch.
    pub place: u16,
    /// It has no place in its channel yet, and nobody else holds it.
    pub publication: Arc<Publication>,
    /// Whether it is kept.
    pub keep: Keep,
}

/// A question for a channel's past.
#[derive(Debug)]
pub struct HistoryAsk {
    /// Which channel.
    pub channel: Arc<ChannelKey>,
    /// Only what comes after it.
    pub after: Offset,
    /// At most so many.
    pub limit: usize,
    /// Who asks.
    pub reply: ReplyTo,
}

/// One subscription on its way to becoming live.
#[derive(Debug)]
pub struct Join {
    /// The channel it joins.
    pub channel: Arc<ChannelKey>,
    /// Who asked.
    pub joiner: Joiner,
    /// Whom to show in presence.
    pub member: Option<Arc<Member>>,
    /// The last offset the client has seen.
    pub after: Option<Offset>,
}

/// A subscription that gets what it missed.
#[derive(Debug)]
pub struct Advance {
    /// The channel.
    pub channel: Arc<ChannelKey>,
    /// Who asks.
    pub joiner: Joiner,
    /// The last offset that it has; without one it asks for nothing older.
    pub after: Option<Offset>,
}

/// One subscription that has ended.
#[derive(Debug)]
pub struct Leave {
    /// The channel.
    pub channel: Arc<ChannelKey>,
    /// Which of the edge's subscriptions.
    pub subscription: SubscriptionId,
    /// Whom presence showed.
    pub member: Option<Arc<Member>>,
}

/// Which subscription of which connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Joiner {
    /// The connection that asked.
    pub conn: ConnId,
    /// Which of the shard's subscriptions, past and present, this is.
    pub subscription: SubscriptionId,
}

/// To an edge, from homes, seats and shards that did what it asked. Handling one sends nothing, so it can always be taken (invariant 5).
#[derive(Clone, Debug)]
pub enum Delivery {
    /// The answer to a join.
    Joined(Box<Joined>),
    /// The answer to a join for which there is no room. Nobody was counted.
    NotJoined(Joiner, Rejection),
    /// A visible publication.
    Publication(Arc<Publication>),
    /// Somebody came or went.
    Presence(Box<PresenceChange>),
    /// The answer to a publish: it is visible, and durable if it was to be kept.
    Accepted(ReplyTo, Arc<Publication>),
    /// The answer to a publish or a history question that cannot be served.
    Refused(ReplyTo, Rejection),
    /// The channel goes on in another epoch: whoever listens is told, by a close.
    EpochChanged(Arc<ChannelKey>),
    /// The answer to a history question.
    History(ReplyTo, Vec<Arc<Publication>>),
    /// Something that a call of this shard waits for.
    Step(CallId, Came),
    /// A tenant's seat changed its rules: one comes to every shard, in the order of the seat.
    Ruling(Arc<Ruling>),
}

/// Where a subscription starts, and who is there.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The channel.
    pub channel: Arc<ChannelKey>,
    /// Who asked.
    pub joiner: Joiner,
    /// Where it starts.
    pub start: Start,
    /// The members, the joiner included.
    pub present: Arc<[Present]>,
}

/// A change of a channel's presence.
#[derive(Clone, Debug)]
pub struct PresenceChange {
    /// The channel.
    pub channel: Arc<ChannelKey>,
    /// Who.
    pub present: Present,
    /// What happened.
    pub change: Move,
    /// When, by the wall clock.
    pub at_ms: u64,
    /// What dialects call the news that number them.
    pub id: MessageId,
}

/// Coming or going.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Move {
    /// The member's first connection subscribed.
    Join,
    /// The member says something else of itself.
    Update,
    /// The member's last connection left.
    Leave,
}
