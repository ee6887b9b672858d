//! The names of things in this room: who gets deliveries, where a message stands, and what became of it.

use std::fmt;
use std::sync::Arc;

use storage::{Publication, TenantId};

/// One receiver: a URL of one hook of one tenant. Another URL is another endpoint, with a place of its own.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EndpointKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// The hook: the id of the channel pattern that it belongs to.
    pub hook: Arc<str>,
    /// Where deliveries go.
    pub url: Arc<str>,
}

/// One stream of a tenant's messages that has an order of its own.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Feed(pub Arc<str>);

/// A place in a feed. It rises with every message, and has the same meaning on every start.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place(pub u128);

impl Place {
    /// Before the first message.
    pub const START: Self = Self(0);
}

/// A message as a feed gives it.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The place before it in its feed: a read after that one gives it again.
    pub before: Place,
    /// Its place.
    pub place: Place,
    /// The message.
    pub message: Arc<Publication>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The receiver answered 2xx.
    Delivered,
    /// It will not be tried again by itself.
    Dead(Reason),
}

/// Why a delivery did not arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The receiver answered with this status.
    Answered(u16),
    /// There was no answer.
    Unreachable(Fault),
    /// The URL leads where deliveries may not go.
    Forbidden,
    /// The receiver was out of order for longer than a message waits.
    Expired,
    /// Retention removed the messages before the receiver took them.
    Removed,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The name has no address.
    Name,
    /// No connection, or it broke off.
    Connection,
    /// It took too long.
    Time,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(status) => write!(f, "answered {status}"),
            Self::Unreachable(Fault::Name) => f.write_str("name not found"),
            Self::Unreachable(Fault::Connection) => f.write_str("connection failed"),
            Self::Unreachable(Fault::Time) => f.write_str("timed out"),
            Self::Forbidden => f.write_str("target not allowed"),
            Self::Expired => f.write_str("waited too long"),
            Self::Removed => f.write_str("removed by retention"),
        }
    }
}

/// What one attempt came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// An answer: its status, and what it says about trying again, in milliseconds.
    Answered {
        /// The status.
        status: u16,
        /// `Retry-After`, if it had a useful one.
        retry_after_ms: Option<u64>,
    },
    /// No answer.
    Unreachable(Fault),
    /// Not tried: the URL leads where deliveries may not go.
    Forbidden,
}

impl Outcome {
    /// The verdict, should nothing more be tried.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Answered { status: 200..=299, .. } => Verdict::Delivered,
            Self::Answered { status, .. } => Verdict::Dead(Reason::Answered(status)),
            Self::Unreachable(fault) => Verdict::Dead(Reason::Unreachable(fault)),
            Self::Forbidden => Verdict::Dead(Reason::Forbidden),
        }
    }

    /// Whether it speaks for a receiver that is in order. A refusal of one message does.
    #[must_use]
    pub fn is_alive(self) -> bool {
        match self {
            Self::Answered { status, .. } => status < 500 && status != 429,
            Self::Unreachable(_) | Self::Forbidden => false,
        }
    }
}
