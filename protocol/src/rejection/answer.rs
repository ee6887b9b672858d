//! What the answer to a refused request says: its status, and when and where to try again.

use super::{Rejection, Window};
use crate::channel_name::NameError;

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
            Self::Forbidden | Self::OriginDenied { .. } | Self::NotProvisioned => 403,
            Self::NotFound | Self::ChannelNotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::TimedOut { .. } => 408,
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
            Self::RateLimited { retry_after_s, .. } | Self::QuotaExceeded { retry_after_s, .. } => {
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
            | Self::OriginDenied { .. }
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
            | Self::TimedOut { .. }
            | Self::PayloadTooLarge { .. }
            | Self::UnsupportedMediaType
            | Self::UpgradeRequired
            | Self::Internal => None,
        }
    }

    /// How long what is used up is counted, where that is why.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        if let Self::QuotaExceeded { window, .. } = self { Some(*window) } else { None }
    }

    /// Over which time the limit holds that was reached, as it is called on the wire.
    #[must_use]
    pub fn window_kind(&self) -> Option<&'static str> {
        if matches!(self, Self::RateLimited { .. }) {
            Some("second")
        } else if matches!(self, Self::TooManyConnections { .. }) {
            Some("concurrent")
        } else {
            self.window().map(Window::name)
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
            Self::InvalidJson
            | Self::JsonTooDeep { .. }
            | Self::TokenTooLarge { .. }
            | Self::UnknownAction(_)
            | Self::CredentialMissing
            | Self::CredentialInvalid
            | Self::InsufficientCredit
            | Self::Forbidden
            | Self::OriginDenied { .. }
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
            | Self::UpgradeRequired
            | Self::UnsupportedMediaType
            | Self::TimedOut { .. }
            | Self::PayloadTooLarge { .. }
            | Self::RateLimited { .. }
            | Self::QuotaExceeded { .. }
            | Self::TooManyConnections { .. }
            | Self::Overloaded { .. }
            | Self::StorageFull
            | Self::StorageUnavailable
            | Self::Draining
            | Self::Internal => None,
        }
    }

    /// The message for the peer.
    #[must_use]
    pub fn message(&self) -> String {
        self.to_string()
    }
}
