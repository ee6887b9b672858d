//! The errors of the dialect: what each refusal is called, and what a client can do about it.

use crate::rejection::Rejection;

/// What an error is called on the wire.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ErrorCode {
    /// 400.
    InvalidRequest,
    /// 401.
    Unauthorized,
    /// 402.
    InsufficientCredit,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 404.
    ChannelNotFound,
    /// 405.
    MethodNotAllowed,
    /// 408.
    RequestTimeout,
    /// 409.
    IdempotencyConflict,
    /// 409.
    ChannelTypeConflict,
    /// 410.
    Gone,
    /// 413.
    PayloadTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 422.
    VendorNotConfigured,
    /// 426.
    UpgradeRequired,
    /// 429.
    RateLimited,
    /// 500.
    Internal,
    /// 501.
    Unimplemented,
    /// 502.
    VendorError,
    /// 503.
    Unavailable,
    /// 507.
    StorageFull,
}

impl ErrorCode {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::InsufficientCredit => "INSUFFICIENT_CREDIT",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::ChannelNotFound => "CHANNEL_NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::RequestTimeout => "REQUEST_TIMEOUT",
            Self::IdempotencyConflict => "IDEMPOTENCY_CONFLICT",
            Self::ChannelTypeConflict => "CHANNEL_TYPE_CONFLICT",
            Self::Gone => "GONE",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::VendorNotConfigured => "VENDOR_NOT_CONFIGURED",
            Self::UpgradeRequired => "UPGRADE_REQUIRED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Internal => "INTERNAL",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::VendorError => "VENDOR_ERROR",
            Self::Unavailable => "UNAVAILABLE",
            Self::StorageFull => "STORAGE_FULL",
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Unauthorized => 401,
            Self::InsufficientCredit => 402,
            Self::Forbidden => 403,
            Self::NotFound | Self::ChannelNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::IdempotencyConflict | Self::ChannelTypeConflict => 409,
            Self::Gone => 410,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::VendorNotConfigured => 422,
            Self::UpgradeRequired => 426,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Unimplemented => 501,
            Self::VendorError => 502,
            Self::Unavailable => 503,
            Self::StorageFull => 507,
        }
    }

    /// Whether the same request may succeed later, without anything done about it.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::RequestTimeout
            | Self::RateLimited
            | Self::VendorError
            | Self::Unavailable
            | Self::StorageFull => true,
            Self::InvalidRequest
            | Self::Unauthorized
            | Self::InsufficientCredit
            | Self::Forbidden
            | Self::NotFound
            | Self::ChannelNotFound
            | Self::MethodNotAllowed
            | Self::IdempotencyConflict
            | Self::ChannelTypeConflict
            | Self::Gone
            | Self::PayloadTooLarge
            | Self::UnsupportedMediaType
            | Self::VendorNotConfigured
            | Self::UpgradeRequired
            | Self::Internal
            | Self::Unimplemented => false,
        }
    }

    /// What to do about it, where that is not plain.
    #[must_use]
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::Unauthorized => Some("Send Authorization: Bearer with a project key"),
            Self::InsufficientCredit => {
                Some("Ask the operator of this server to raise credit_micro_usd")
            }
            Self::IdempotencyConflict => Some("Use a new idempotency key for a new request"),
            Self::RateLimited => Some("Wait as long as Retry-After says"),
            Self::VendorNotConfigured => Some("Give the tenant the keys of the vendor"),
            Self::InvalidRequest
            | Self::Forbidden
            | Self::NotFound
            | Self::ChannelNotFound
            | Self::MethodNotAllowed
            | Self::RequestTimeout
            | Self::ChannelTypeConflict
            | Self::Gone
            | Self::PayloadTooLarge
            | Self::UnsupportedMediaType
            | Self::UpgradeRequired
            | Self::Internal
            | Self::Unimplemented
            | Self::VendorError
            | Self::Unavailable
            | Self::StorageFull => None,
        }
    }
}

/// What a fault in a request's head is called on the wire, by its status.
#[must_use]
pub const fn fault_code(status: u16) -> ErrorCode {
    match status {
        413 => ErrorCode::PayloadTooLarge,
        415 => ErrorCode::UnsupportedMediaType,
        501 | 505 => ErrorCode::Unimplemented,
        _ => ErrorCode::InvalidRequest,
    }
}

/// What a refusal is called on the wire.
#[must_use]
pub fn error_code(rejection: &Rejection) -> ErrorCode {
    match rejection {
        Rejection::InvalidJson
        | Rejection::JsonTooDeep { .. }
        | Rejection::MissingField { .. }
        | Rejection::WrongType { .. }
        | Rejection::InvalidName { .. }
        | Rejection::OutOfRange { .. }
        | Rejection::DuplicateKey { .. }
        | Rejection::InvalidHeader { .. }
        | Rejection::Contradiction { .. }
        | Rejection::TooMany { .. }
        | Rejection::TokenTooLarge { .. }
        | Rejection::Query(_)
        | Rejection::UnknownAction(_) => ErrorCode::InvalidRequest,
        Rejection::Item { cause, .. } => error_code(cause),
        Rejection::CredentialMissing | Rejection::CredentialInvalid => ErrorCode::Unauthorized,
        Rejection::InsufficientCredit => ErrorCode::InsufficientCredit,
        Rejection::Forbidden | Rejection::OriginDenied { .. } | Rejection::NotProvisioned => {
            ErrorCode::Forbidden
        }
        Rejection::NotFound => ErrorCode::NotFound,
        Rejection::ChannelNotFound => ErrorCode::ChannelNotFound,
        Rejection::MethodNotAllowed { .. } => ErrorCode::MethodNotAllowed,
        Rejection::TimedOut { .. } => ErrorCode::RequestTimeout,
        Rejection::IdempotencyConflict => ErrorCode::IdempotencyConflict,
        Rejection::ChannelTypeConflict => ErrorCode::ChannelTypeConflict,
        Rejection::Gone => ErrorCode::Gone,
        Rejection::PayloadTooLarge { .. } => ErrorCode::PayloadTooLarge,
        Rejection::UnsupportedMediaType => ErrorCode::UnsupportedMediaType,
        Rejection::VendorNotConfigured { .. } => ErrorCode::VendorNotConfigured,
        Rejection::UpgradeRequired => ErrorCode::UpgradeRequired,
        Rejection::RateLimited { .. }
        | Rejection::QuotaExceeded { .. }
        | Rejection::TooManyConnections { .. } => ErrorCode::RateLimited,
        Rejection::Internal => ErrorCode::Internal,
        Rejection::Unimplemented { .. } => ErrorCode::Unimplemented,
        Rejection::Vendor { .. }
        | Rejection::UpstreamFailed { .. }
        | Rejection::UpstreamTimedOut { .. } => ErrorCode::VendorError,
        Rejection::Overloaded { .. } | Rejection::StorageUnavailable | Rejection::Draining => {
            ErrorCode::Unavailable
        }
        Rejection::StorageFull => ErrorCode::StorageFull,
    }
}
