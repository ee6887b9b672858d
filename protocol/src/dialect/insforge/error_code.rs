//! The names that errors have on the wire.

use crate::rejection::Rejection;

/// The name of an error.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ErrorCode {
    InvalidInput,
    AuthInvalidCredentials,
    AuthInvalidApiKey,
    AuthUnauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    AlreadyExists,
    DatabaseDuplicate,
    PayloadTooLarge,
    RateLimited,
    InternalError,
    ServiceUnavailable,
    NotImplemented,
    RealtimeUnauthorized,
    RealtimeNotSubscribed,
    RealtimeChannelNotFound,
    RealtimeInvalidChannelRequest,
    RealtimeInvalidChannelPattern,
}

impl ErrorCode {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "INVALID_INPUT",
            Self::AuthInvalidCredentials => "AUTH_INVALID_CREDENTIALS",
            Self::AuthInvalidApiKey => "AUTH_INVALID_API_KEY",
            Self::AuthUnauthorized => "AUTH_UNAUTHORIZED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::DatabaseDuplicate => "DATABASE_DUPLICATE",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::RateLimited => "RATE_LIMITED",
            Self::InternalError => "INTERNAL_ERROR",
            Self::ServiceUnavailable => "SERVICE_UNAVAILABLE",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::RealtimeUnauthorized => "REALTIME_UNAUTHORIZED",
            Self::RealtimeNotSubscribed => "REALTIME_NOT_SUBSCRIBED",
            Self::RealtimeChannelNotFound => "REALTIME_CHANNEL_NOT_FOUND",
            Self::RealtimeInvalidChannelRequest => "REALTIME_INVALID_CHANNEL_REQUEST",
            Self::RealtimeInvalidChannelPattern => "REALTIME_INVALID_CHANNEL_PATTERN",
        }
    }
}

/// The name of a rejection that is not this dialect's own.
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
        | Rejection::UnsupportedMediaType
        | Rejection::UpgradeRequired
        | Rejection::TimedOut { .. }
        | Rejection::VendorNotConfigured { .. }
        | Rejection::UnknownAction(_) => ErrorCode::InvalidInput,
        Rejection::Item { cause, .. } => error_code(cause),
        Rejection::CredentialMissing | Rejection::CredentialInvalid => {
            ErrorCode::AuthInvalidCredentials
        }
        Rejection::InsufficientCredit
        | Rejection::Forbidden
        | Rejection::OriginDenied { .. }
        | Rejection::NotProvisioned => ErrorCode::Forbidden,
        Rejection::NotFound | Rejection::Gone => ErrorCode::NotFound,
        Rejection::ChannelNotFound => ErrorCode::RealtimeChannelNotFound,
        Rejection::MethodNotAllowed { .. } => ErrorCode::MethodNotAllowed,
        Rejection::IdempotencyConflict | Rejection::ChannelTypeConflict => ErrorCode::AlreadyExists,
        Rejection::PayloadTooLarge { .. } => ErrorCode::PayloadTooLarge,
        Rejection::RateLimited { .. }
        | Rejection::QuotaExceeded { .. }
        | Rejection::TooManyConnections { .. } => ErrorCode::RateLimited,
        Rejection::Overloaded { .. }
        | Rejection::StorageFull
        | Rejection::StorageUnavailable
        | Rejection::Draining => ErrorCode::ServiceUnavailable,
        Rejection::Unimplemented { .. } => ErrorCode::NotImplemented,
        Rejection::Vendor { .. }
        | Rejection::UpstreamFailed { .. }
        | Rejection::UpstreamTimedOut { .. }
        | Rejection::Internal => ErrorCode::InternalError,
    }
}
