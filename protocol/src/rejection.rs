//! Why a peer's ask is refused: the peer's own fault, or too much load. Dialects give it their shape.

use std::fmt;

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
    /// A frame asks for something that does not exist.
    UnknownAction(Box<str>),
    /// No credential came.
    CredentialMissing,
    /// The credential is wrong, expired or revoked: deliberately one answer.
    CredentialInvalid,
    /// The credential does not allow this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The path exists, with other methods.
    MethodNotAllowed {
        /// Which ones.
        allow: Methods,
    },
    /// The path is for WebSockets alone.
    UpgradeRequired,
    /// The body is of a type or coding that nobody reads here.
    UnsupportedMediaType,
    /// The tenant has no credentials of the vendor who should sign.
    VendorNotConfigured {
        /// The vendor, or the setting.
        what: &'static str,
    },
    /// The vendor who should sign did not.
    VendorFailed {
        /// Its name.
        vendor: &'static str,
        /// What happened.
        cause: VendorFault,
    },
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
            | Self::UnknownAction(_) => 400,
            Self::CredentialMissing | Self::CredentialInvalid => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::TimedOut => 408,
            Self::PayloadTooLarge { .. } => 413,
            Self::UnsupportedMediaType => 415,
            Self::VendorNotConfigured { .. } => 422,
            Self::UpgradeRequired => 426,
            Self::RateLimited { .. } | Self::TooManyConnections { .. } => 429,
            Self::Internal => 500,
            Self::VendorFailed { .. } => 502,
            Self::Overloaded { .. } | Self::StorageUnavailable | Self::Draining => 503,
            Self::StorageFull => 507,
        }
    }

    /// When to try again, where that helps.
    #[must_use]
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::RateLimited { retry_after_s } => Some(*retry_after_s),
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
            | Self::UnknownAction(_)
            | Self::CredentialMissing
            | Self::CredentialInvalid
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed { .. }
            | Self::TimedOut
            | Self::PayloadTooLarge { .. }
            | Self::UnsupportedMediaType
            | Self::UpgradeRequired
            | Self::VendorNotConfigured { .. }
            | Self::VendorFailed { .. }
            | Self::Internal => None,
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
            Self::UnknownAction(action) => write!(f, "Unknown action: \"{action}\""),
            Self::CredentialMissing => f.write_str("Authentication required"),
            Self::CredentialInvalid => f.write_str("Invalid or expired credential"),
            Self::Forbidden => f.write_str("Not allowed"),
            Self::NotFound => f.write_str("Not found"),
            Self::MethodNotAllowed { allow } => write!(f, "Method not allowed. Use: {allow}"),
            Self::UpgradeRequired => f.write_str("WebSocket upgrade required"),
            Self::UnsupportedMediaType => f.write_str("Unsupported media type or coding"),
            Self::VendorNotConfigured { what } => write!(f, "{what} is not configured"),
            Self::VendorFailed { vendor, cause } => write!(f, "{vendor} {cause}"),
            Self::TimedOut => f.write_str("The request did not arrive in time"),
            Self::PayloadTooLarge { max } => write!(f, "Payload over limit: {max} bytes"),
            Self::RateLimited { retry_after_s } => {
                write!(f, "Rate limit reached. Retry in {retry_after_s} s")
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
