//! Why a peer's ask is refused: the peer's own fault, or too much load. Dialects give it their shape.

mod answer;
mod text;

use crate::auth::vendor::VendorFault;
use crate::channel_name::NameError;
use crate::http::Methods;

/// Why an ask is refused. Its display is the message for the peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rejection {
    /// The text is no JSON, or not the object that is due.
    InvalidJson,
    /// The JSON nests deeper than the limit.
    JsonTooDeep {
        /// Levels allowed.
        max: usize,
    },
    /// A required field is absent.
    MissingField {
        /// Its name.
        field: &'static str,
    },
    /// A field has a value of another type.
    WrongType {
        /// Its name.
        field: &'static str,
        /// What is due.
        expected: &'static str,
    },
    /// A field has a value that is not a name.
    InvalidName {
        /// Its name.
        field: &'static str,
        /// What is wrong.
        cause: NameError,
    },
    /// A number is outside its range.
    OutOfRange {
        /// Its name.
        field: &'static str,
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A field, or a query key, came more than once.
    DuplicateKey {
        /// Its name.
        field: &'static str,
    },
    /// A header has a value that it may not have.
    InvalidHeader {
        /// Its name.
        name: &'static str,
    },
    /// A value came under both of its names, and differs.
    Contradiction {
        /// One name.
        field: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A list has too many items.
    TooMany {
        /// Its name.
        field: &'static str,
        /// How many it may have.
        max: usize,
    },
    /// What was asked for does not fit into one token.
    TokenTooLarge {
        /// Bytes that it may have.
        max: usize,
    },
    /// One item of a list is refused, and with it the whole list.
    Item {
        /// The list.
        field: &'static str,
        /// Which one; the first is 0.
        index: usize,
        /// Why.
        cause: Box<Self>,
    },
    /// A frame asks for something that does not exist.
    UnknownAction(Box<str>),
    /// No credential came.
    CredentialMissing,
    /// The credential is wrong, expired or revoked: deliberately one answer.
    CredentialInvalid,
    /// The tenant has used up what it paid for.
    InsufficientCredit,
    /// The credential does not allow this.
    Forbidden,
    /// The tenant takes requests of other pages alone.
    OriginDenied {
        /// The origin of the page, as its browser says it.
        origin: Box<str>,
    },
    /// The tenant has not asked for this service.
    NotProvisioned,
    /// There is no such thing.
    NotFound,
    /// There is no such channel.
    ChannelNotFound,
    /// The idempotency key came before, with another request.
    IdempotencyConflict,
    /// The channel exists, with another type.
    ChannelTypeConflict,
    /// What there was has been taken away for good.
    Gone,
    /// The tenant has no keys of the vendor whose signature is asked for.
    VendorNotConfigured {
        /// The vendor's name.
        vendor: &'static str,
    },
    /// The vendor did not give what it was asked for.
    Vendor {
        /// The vendor's name.
        vendor: &'static str,
        /// What happened instead.
        cause: VendorFault,
    },
    /// A server behind this one could not be reached, or broke off.
    UpstreamFailed {
        /// Its name.
        upstream: &'static str,
    },
    /// A server behind this one did not answer in time.
    UpstreamTimedOut {
        /// Its name.
        upstream: &'static str,
    },
    /// A query that the database does not take, with what it says of it.
    Query(Box<str>),
    /// The node is not set up for this.
    Unimplemented {
        /// What is missing.
        what: &'static str,
    },
    /// The path exists, with other methods.
    MethodNotAllowed {
        /// Which ones.
        allow: Methods,
    },
    /// The path is for WebSockets alone.
    UpgradeRequired,
    /// The body is of a type or coding that nobody reads here.
    UnsupportedMediaType,
    /// The rest of the request did not come in time.
    TimedOut {
        /// The limit's name.
        limit: &'static str,
    },
    /// The message or body is over its limit.
    PayloadTooLarge {
        /// What it may have.
        max: usize,
    },
    /// The tenant asks more often than it may.
    RateLimited {
        /// The limit's name.
        limit: &'static str,
        /// When to come back.
        retry_after_s: u32,
    },
    /// The tenant's plan holds no more of this.
    QuotaExceeded {
        /// What is counted.
        quota: &'static str,
        /// How long it is counted.
        window: Window,
        /// When to come back.
        retry_after_s: u32,
    },
    /// The tenant has as many sockets as it may.
    TooManyConnections {
        /// How many that is.
        max: u32,
    },
    /// A bound of this node is reached.
    Overloaded {
        /// The limit's name.
        limit: &'static str,
    },
    /// The journal has no room.
    StorageFull,
    /// The journal refuses.
    StorageUnavailable,
    /// The node is shutting down.
    Draining,
    /// Our own fault.
    Internal,
}

/// How long a quota is counted before it starts anew.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Window {
    /// To the end of the minute in UTC.
    UtcMinute,
    /// To the end of the month in UTC.
    Month,
    /// For ever.
    Lifetime,
}

impl Window {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UtcMinute => "utc_minute",
            Self::Month => "month",
            Self::Lifetime => "lifetime",
        }
    }
}
