//! What a shard asks of the side threads.

use std::fmt;
use std::sync::Arc;

use protocol::auth::vendor::Secret;
use protocol::dialect::cohesivity::DatabaseQuery;
use protocol::http::Method;

use crate::control::{Patterns, Registration};
use crate::ids::{CallId, ConnId, TenantId};

/// One order. Each call ends with exactly one last answer.
#[derive(Debug)]
pub enum SideAsk {
    /// Pass a request on to RealtimeKit. Its answer streams.
    Kit(CallId, Box<KitAsk>),
    /// Run a query. Its answer streams.
    Database(CallId, Box<DatabaseAsk>),
    /// List messages, or count them. The answer streams.
    List(CallId, Box<ListAsk>),
    /// Ask a vendor to sign.
    Vendor(CallId, Box<VendorAsk>),
    /// A part of an answer went out: one more may come.
    More(CallId),
    /// Nobody waits for it any more.
    Cancel(CallId),
}

/// See [`SideAsk::Kit`].
#[derive(Debug)]
pub struct KitAsk {
    /// Where the answer goes.
    pub conn: ConnId,
    /// The method.
    pub method: Method,
    /// Path and query below the app, as they came; without the caller's key.
    pub target: String,
    /// Header lines that go with it.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The body.
    pub body: Vec<u8>,
}

/// See [`SideAsk::Database`].
#[derive(Debug)]
pub struct DatabaseAsk {
    /// Where the answer goes.
    pub conn: ConnId,
    /// Whose rows.
    pub tenant: TenantId,
    /// What to run.
    pub query: DatabaseQuery,
}

/// See [`SideAsk::List`].
#[derive(Debug)]
pub struct ListAsk {
    /// Where the answer goes.
    pub conn: ConnId,
    /// Whose messages.
    pub tenant: TenantId,
    /// The patterns of the tenant as they are now: each message is of the one that its channel's name belongs to.
    pub patterns: Arc<Patterns>,
    /// Only messages of this one.
    pub of: Option<Registration>,
    /// What about them.
    pub what: Listed,
}

/// What is asked about messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Listed {
    /// Themselves, the newest first.
    Messages {
        /// Only those of this name.
        event: Option<Box<str>>,
        /// At most so many.
        limit: u32,
        /// Behind so many.
        offset: u64,
    },
    /// How many there are.
    Statistics {
        /// Only those that were taken at or after this time, in milliseconds since 1970.
        since_ms: u64,
        /// What the answer says of how long they are kept.
        retention_days: Option<u32>,
    },
}

/// See [`SideAsk::Vendor`]: a POST, answered whole.
pub struct VendorAsk {
    /// The vendor's name.
    pub vendor: &'static str,
    /// Where to.
    pub url: String,
    /// The value of the `Authorization` header.
    pub authorization: Secret,
    /// A JSON text.
    pub body: Vec<u8>,
}

impl fmt::Debug for VendorAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorAsk").field("vendor", &self.vendor).finish_non_exhaustive()
    }
}

impl SideAsk {
    /// The call that it belongs to.
    #[must_use]
    pub fn call(&self) -> CallId {
        match self {
            Self::Kit(call, _)
            | Self::Database(call, _)
            | Self::List(call, _)
            | Self::Vendor(call, _)
            | Self::More(call)
            | Self::Cancel(call) => *call,
        }
    }

    /// The connection that its answer streams to.
    #[must_use]
    pub fn streams_to(&self) -> Option<ConnId> {
        match self {
            Self::Kit(_, ask) => Some(ask.conn),
            Self::Database(_, ask) => Some(ask.conn),
            Self::List(_, ask) => Some(ask.conn),
            Self::Vendor(..) | Self::More(_) | Self::Cancel(_) => None,
        }
    }

    /// Whether it begins a call, which then wants a last answer.
    #[must_use]
    pub fn begins(&self) -> bool {
        match self {
            Self::Kit(..) | Self::Database(..) | Self::List(..) | Self::Vendor(..) => true,
            Self::More(_) | Self::Cancel(_) => false,
        }
    }
}
