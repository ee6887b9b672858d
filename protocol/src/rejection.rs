//! Why a peer's ask is refused: the peer's own fault, or too much load. Dialects give it their shape.

use std::fmt;

use crate::channel_name::NameError;
use crate::http::Methods;
use crate::window::Window;

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
        /// The status of its answer; `None` when there was no answer in time.
        status: Option<u16>,
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
    TimedOut,
    /// The message or body is over its limit.
    PayloadTooLarge {
        /// What it may have.
        max: usize,
    },
    /// The tenant asks more often than it may.
    RateLimited {
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

impl Rejection {
    /// A rejected name.
    #[must_use]
    pub fn name(field: &'static str, cause: NameError) -> Self {
        Self::InvalidName { field, cause }
    }

    /// The HTTP status that says it.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidJson
            | Self::JsonTooDeep { .. }
            | Self::MissingField { .. }
            | Self::WrongType { .. }
            | Self::InvalidName { .. }
            | Self::OutOfRange { .. }
            | Self::DuplicateKey { .. }
            | Self::InvalidHeader { .. }
            | Self::Contradiction { .. }
            | Self::TooMany { .. }
            | Self::TokenTooLarge { .. }
            | Self::Query(_)
            | Self::UnknownAction(_) => 400,
            Self::Item { cause, .. } => cause.status(),
            Self::CredentialMissing | Self::CredentialInvalid => 401,
            Self::InsufficientCredit => 402,
            Self::Forbidden | Self::NotProvisioned => 403,
            Self::NotFound | Self::ChannelNotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::TimedOut => 408,
            Self::IdempotencyConflict | Self::ChannelTypeConflict => 409,
            Self::Gone => 410,
            Self::PayloadTooLarge { .. } => 413,
            Self::UnsupportedMediaType => 415,
            Self::VendorNotConfigured { .. } => 422,
            Self::UpgradeRequired => 426,
            Self::RateLimited { .. }
            | Self::QuotaExceeded { .. }
            | Self::TooManyConnections { .. } => 429,
            Self::Internal => 500,
            Self::Unimplemented { .. } => 501,
            Self::Vendor { .. } | Self::UpstreamFailed { .. } => 502,
            Self::UpstreamTimedOut { .. } => 504,
            Self::Overloaded { .. } | Self::StorageUnavailable | Self::Draining => 503,
            Self::StorageFull => 507,
        }
    }

    /// When to try again, where that helps.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::RateLimited { retry_after_s } | Self::QuotaExceeded { retry_after_s, .. } => {
                Some(*retry_after_s)
            }
            Self::Item { cause, .. } => cause.retry_after_s(),
            Self::Overloaded { .. } | Self::StorageUnavailable | Self::Draining => Some(1),
            Self::StorageFull => Some(30),
            Self::TooManyConnections { .. } => Some(10),
            Self::InvalidJson
            | Self::JsonTooDeep { .. }
            | Self::MissingField { .. }
            | Self::WrongType { .. }
            | Self::InvalidName { .. }
            | Self::OutOfRange { .. }
            | Self::DuplicateKey { .. }
            | Self::InvalidHeader { .. }
            | Self::Contradiction { .. }
            | Self::TooMany { .. }
            | Self::TokenTooLarge { .. }
            | Self::UnknownAction(_)
            | Self::CredentialMissing
            | Self::CredentialInvalid
            | Self::InsufficientCredit
            | Self::Forbidden
            | Self::NotProvisioned
            | Self::NotFound
            | Self::ChannelNotFound
            | Self::IdempotencyConflict
            | Self::ChannelTypeConflict
            | Self::Gone
            | Self::VendorNotConfigured { .. }
            | Self::Vendor { .. }
            | Self::UpstreamFailed { .. }
            | Self::UpstreamTimedOut { .. }
            | Self::Query(_)
            | Self::Unimplemented { .. }
            | Self::MethodNotAllowed { .. }
            | Self::TimedOut
            | Self::PayloadTooLarge { .. }
            | Self::UnsupportedMediaType
            | Self::UpgradeRequired
            | Self::Internal => None,
        }
    }

    /// How long what is used up is counted, where that is why.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        match self {
            Self::RateLimited { .. } => Some(Window::UtcMinute),
            Self::QuotaExceeded { window, .. } => Some(*window),
            _ => None,
        }
    }

    /// Which field of the request is at fault, where one is.
    #[must_use]
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::MissingField { field }
            | Self::WrongType { field, .. }
            | Self::InvalidName { field, .. }
            | Self::OutOfRange { field, .. }
            | Self::DuplicateKey { field }
            | Self::InvalidHeader { name: field }
            | Self::Contradiction { field, .. }
            | Self::TooMany { field, .. }
            | Self::Item { field, .. } => Some(field),
            _ => None,
        }
    }

    /// The message for the peer.
    #[must_use]
    pub fn message(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidJson => f.write_str("Invalid JSON"),
            Self::JsonTooDeep { max } => write!(f, "JSON nests deeper than {max} levels"),
            Self::MissingField { field } => write!(f, "\"{field}\" is required"),
            Self::WrongType { field, expected } => write!(f, "\"{field}\" must be {expected}"),
            Self::InvalidName { field, cause } => write!(f, "\"{field}\" {cause}"),
            Self::OutOfRange { field, min, max } => {
                write!(f, "\"{field}\" must be from {min} to {max}")
            }
            Self::DuplicateKey { field } => write!(f, "\"{field}\" came more than once"),
            Self::InvalidHeader { name } => write!(f, "Invalid {name}"),
            Self::Contradiction { field, other } => {
                write!(f, "\"{field}\" and \"{other}\" are the same field and differ")
            }
            Self::TooMany { field, max } => write!(f, "\"{field}\" may have {max} items"),
            Self::TokenTooLarge { max } => {
                write!(f, "The channels do not fit into a token of {max} bytes")
            }
            Self::Item { field, index, cause } => write!(f, "{field}[{index}]: {cause}"),
            Self::UnknownAction(action) => write!(f, "Unknown action: \"{action}\""),
            Self::CredentialMissing => f.write_str("Authentication required"),
            Self::CredentialInvalid => f.write_str("Invalid or expired credential"),
            Self::InsufficientCredit => f.write_str("Insufficient credit"),
            Self::Forbidden => f.write_str("Not allowed"),
            Self::NotProvisioned => f.write_str("Service not provisioned"),
            Self::NotFound => f.write_str("Not found"),
            Self::ChannelNotFound => f.write_str("Channel not found"),
            Self::IdempotencyConflict => {
                f.write_str("The idempotency key was used with another request")
            }
            Self::ChannelTypeConflict => f.write_str("The channel exists with another type"),
            Self::Gone => f.write_str("Gone"),
            Self::VendorNotConfigured { vendor } => write!(f, "{vendor} is not configured"),
            Self::Vendor { vendor, status: Some(status) } => {
                write!(f, "{vendor} answered with status {status}")
            }
            Self::Vendor { vendor, status: None } => write!(f, "{vendor} did not answer"),
            Self::UpstreamFailed { upstream } => write!(f, "{upstream} could not be reached"),
            Self::UpstreamTimedOut { upstream } => write!(f, "{upstream} did not answer in time"),
            Self::Query(message) => f.write_str(message),
            Self::Unimplemented { what } => write!(f, "Not available here: {what}"),
            Self::MethodNotAllowed { allow } => write!(f, "Method not allowed. Use: {allow}"),
            Self::UpgradeRequired => f.write_str("WebSocket upgrade required"),
            Self::UnsupportedMediaType => f.write_str("Unsupported media type or coding"),
            Self::TimedOut => f.write_str("The request did not arrive in time"),
            Self::PayloadTooLarge { max } => write!(f, "Payload over limit: {max} bytes"),
            Self::RateLimited { retry_after_s } => {
                write!(f, "Rate limit reached. Retry in {retry_after_s} s")
            }
            Self::QuotaExceeded { quota, window, .. } => {
                write!(f, "Quota reached: {quota} ({})", window.name())
            }
            Self::TooManyConnections { max } => write!(f, "Connection limit reached: {max}"),
            Self::Overloaded { limit } => write!(f, "Overloaded: {limit}"),
            Self::StorageFull => f.write_str("storage is full"),
            Self::StorageUnavailable => f.write_str("storage is unavailable"),
            Self::Draining => f.write_str("Server is shutting down"),
            Self::Internal => f.write_str("Internal error"),
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("must not be empty"),
            Self::TooLong { bytes, max } => write!(f, "is over its limit: {bytes} of {max} bytes"),
            Self::Control { at } => write!(f, "has a control character at byte {at}"),
        }
    }
}
