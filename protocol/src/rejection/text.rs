//! The messages for the peer.

use std::fmt;

use super::Rejection;
use crate::channel_name::NameError;

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
            Self::OriginDenied { origin } => write!(f, "Origin not allowed: \"{origin}\""),
            Self::NotProvisioned => f.write_str("Service not provisioned"),
            Self::NotFound => f.write_str("Not found"),
            Self::ChannelNotFound => f.write_str("Channel not found"),
            Self::IdempotencyConflict => {
                f.write_str("The idempotency key was used with another request")
            }
            Self::ChannelTypeConflict => f.write_str("The channel exists with another type"),
            Self::Gone => f.write_str("Gone"),
            Self::VendorNotConfigured { vendor } => write!(f, "{vendor} is not configured"),
            Self::Vendor { vendor, cause } => write!(f, "{vendor} {cause}"),
            Self::UpstreamFailed { upstream } => write!(f, "{upstream} could not be reached"),
            Self::UpstreamTimedOut { upstream } => write!(f, "{upstream} did not answer in time"),
            Self::Query(message) => f.write_str(message),
            Self::Unimplemented { what } => write!(f, "Not available here: {what}"),
            Self::MethodNotAllowed { allow } => write!(f, "Method not allowed. Use: {allow}"),
            Self::UpgradeRequired => f.write_str("WebSocket upgrade required"),
            Self::UnsupportedMediaType => f.write_str("Unsupported media type or coding"),
            Self::TimedOut { limit } => write!(f, "The request did not arrive in time: {limit}"),
            Self::PayloadTooLarge { max } => write!(f, "Payload over limit: {max} bytes"),
            Self::RateLimited { limit, retry_after_s } => {
                write!(f, "Rate limit reached: {limit}. Retry in {retry_after_s} s")
            }
            Self::QuotaExceeded { quota, window, .. } => {
                write!(f, "Quota reached: {quota} ({})", window.name())
            }
            Self::TooManyConnections { max } => {
                write!(f, "Connection limit reached: sockets_max is {max}")
            }
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
