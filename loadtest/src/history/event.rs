//! What can happen to a client, one variant a kind. Each is a line of the log.

/// A channel of a tenant. The tenant's name is its canary: the word that nobody else may be shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    /// Whose.
    pub tenant: String,
    /// Which one.
    pub name: String,
}

/// The place of a kept message. Where the wire shows no epoch it is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The unbroken run of offsets.
    pub epoch: u64,
    /// The offset in it.
    pub offset: u64,
}

/// A message as somebody was shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The number that its payload carries.
    pub message: u64,
    /// The [`digest`] of its payload.
    pub digest: u64,
    /// The tenant whose word was found in what was shown.
    pub canary: String,
    /// Its id, where the dialect shows one.
    pub id: Option<String>,
    /// Its place, where it is kept and the dialect shows it.
    pub place: Option<Place>,
}

/// How a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Behind this position, where the dialect says it.
    Fresh(Option<Place>),
    /// Behind the place that was asked for.
    Resumed,
    /// The same, and what is not kept comes only behind [`Event::Recovered`].
    Recovering,
    /// Not there, as the client was told, but behind this position.
    Gapped(Option<Place>),
}

/// One line of a history. Numbers of asks, sessions, subscriptions, reads, tokens and messages are each given once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The node is about to begin a life: nobody of the one before is connected.
    Started,
    /// A publish is about to be sent. A retry has another `op` and the same `message`.
    Invoked {
        /// The ask.
        op: u64,
        /// The connection, or the session: its publishes keep their order.
        by: u64,
        /// Where to.
        channel: Channel,
        /// The number in the payload.
        message: u64,
        /// The [`digest`] of the payload.
        digest: u64,
        /// Whether the server is to keep it.
        is_kept: bool,
    },
    /// It was acknowledged.
    Accepted {
        /// The ask.
        op: u64,
        /// The message's id, where the answer says it.
        id: Option<String>,
        /// Its place, where the answer says it.
        place: Option<Place>,
    },
    /// It was refused: nothing came of it.
    Refused {
        /// The ask.
        op: u64,
    },
    /// Nobody knows what came of it.
    Unknown {
        /// The ask.
        op: u64,
    },
    /// A session is about to be asked for.
    Entering {
        /// The session.
        session: u64,
        /// What opens it.
        token: u64,
    },
    /// It is open.
    Entered {
        /// The session.
        session: u64,
    },
    /// The answer came that a token is revoked and its sessions are put out.
    Revoked {
        /// The token.
        token: u64,
    },
    /// A subscription is about to be asked for.
    Subscribing {
        /// The subscription.
        sub: u64,
        /// The session.
        session: u64,
        /// To what.
        channel: Channel,
        /// Behind which place it wants to go on.
        after: Option<Place>,
        /// As whom it is seen; `None` for one that is not.
        member: Option<String>,
    },
    /// It stands.
    Subscribed {
        /// The subscription.
        sub: u64,
        /// How it begins.
        begin: Begin,
        /// Who is there; `None` for one that is not told.
        members: Option<Vec<String>>,
    },
    /// All that it had missed was sent.
    Recovered {
        /// The subscription.
        sub: u64,
    },
    /// A message came.
    Delivered {
        /// The subscription.
        sub: u64,
        /// The message.
        shown: Shown,
    },
    /// It was told that somebody came.
    Joined {
        /// The subscription.
        sub: u64,
        /// Who.
        member: String,
    },
    /// It was told that somebody left.
    Left {
        /// The subscription.
        sub: u64,
        /// Who.
        member: String,
    },
    /// It is over: left, closed, cut.
    Ended {
        /// The subscription.
        sub: u64,
    },
    /// A page of history is about to be asked for.
    Reading {
        /// The ask.
        read: u64,
        /// Of what.
        channel: Channel,
        /// Behind which place.
        after: Place,
    },
    /// It came.
    Read {
        /// The ask.
        read: u64,
        /// Its messages.
        rows: Vec<Shown>,
        /// Whether there is nothing behind them.
        is_last: bool,
    },
    /// Nothing is under way any more. Subscriptions that have not ended have heard everything.
    Quiet,
    /// Who is there after that, as the server says when it is asked.
    Present {
        /// Where.
        channel: Channel,
        /// Who.
        members: Vec<String>,
    },
    /// A message of the history after that, oldest first.
    Kept {
        /// Where.
        channel: Channel,
        /// The message.
        shown: Shown,
    },
}

/// What a payload is known by: FNV-1a of its bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
