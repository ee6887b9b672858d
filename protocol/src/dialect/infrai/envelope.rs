//! The envelope around every answer: what succeeded, or why not, and what it cost.

use std::io::Write;

use crate::dialect::write::{push_field, push_name, push_number_field};
use crate::http::{Content, HeaderLine, KeepAlive, Method, Response, write_response};
use crate::json::push_string;
use crate::rejection::{Rejection, Window};
use crate::uuid_text::push_uuid;

/// What every answer says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metadata<'a> {
    /// The UUID of the request.
    pub request_id: u128,
    /// How long it took, in milliseconds.
    pub latency_ms: u64,
    /// What it cost, in millionths of a dollar.
    pub cost_micro_usd: u64,
    /// Who did the work: [`super::VENDOR`], or the vendor that was asked.
    pub vendor: &'a str,
    /// Where the answer is from.
    pub source: Source,
}

/// Where an answer is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// This request.
    Work,
    /// An earlier request with the same idempotency key.
    Stored,
}

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
                Some("POST /v1/account/topup and open the returned checkout_url")
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
        | Rejection::UnknownAction(_) => ErrorCode::InvalidRequest,
        Rejection::Item { cause, .. } => error_code(cause),
        Rejection::CredentialMissing | Rejection::CredentialInvalid => ErrorCode::Unauthorized,
        Rejection::InsufficientCredit => ErrorCode::InsufficientCredit,
        Rejection::Forbidden | Rejection::NotProvisioned => ErrorCode::Forbidden,
        Rejection::NotFound => ErrorCode::NotFound,
        Rejection::ChannelNotFound => ErrorCode::ChannelNotFound,
        Rejection::MethodNotAllowed { .. } => ErrorCode::MethodNotAllowed,
        Rejection::TimedOut => ErrorCode::RequestTimeout,
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
        Rejection::Vendor { .. } => ErrorCode::VendorError,
        Rejection::Overloaded { .. } | Rejection::StorageUnavailable | Rejection::Draining => {
            ErrorCode::Unavailable
        }
        Rejection::StorageFull => ErrorCode::StorageFull,
    }
}

/// Appends the envelope of a success; `data` appends what the call answers.
pub fn body_success(out: &mut Vec<u8>, metadata: &Metadata<'_>, data: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"{\"ok\":true,\"data\":");
    data(out);
    out.extend_from_slice(b",\"error\":null");
    push_metadata(out, metadata);
    out.push(b'}');
}

/// Appends the envelope of a refusal.
pub fn body_rejection(out: &mut Vec<u8>, rejection: &Rejection, metadata: &Metadata<'_>) {
    let code = error_code(rejection);
    out.extend_from_slice(b"{\"ok\":false,\"data\":null,\"error\":{\"code\":");
    push_string(out, code.name());
    push_field(out, "message", &rejection.to_string());
    if let Some(hint) = code.hint() {
        push_field(out, "hint", hint);
    }
    let is_over = rejection.window() == Some(Window::Lifetime);
    push_name(out, "retryable");
    let is_retryable = code.is_retryable() && !is_over;
    out.extend_from_slice(if is_retryable { b"true" } else { b"false" });
    push_details(out, rejection);
    out.push(b'}');
    push_metadata(out, metadata);
    out.push(b'}');
}

/// Appends the answer to a request that is refused; `method` is the request's.
pub fn write_rejection(
    out: &mut Vec<u8>,
    rejection: &Rejection,
    metadata: &Metadata<'_>,
    method: Method,
    then: KeepAlive,
) {
    let mut body = Vec::new();
    body_rejection(&mut body, rejection, metadata);
    let content = Content::json(method, &body);
    let header = HeaderLine::of_rejection(rejection);
    let status = rejection.status();
    write_response(out, &Response { status, content, headers: header.as_slice(), then });
}

/// Where in the request the fault is, and when to come back.
fn push_details(out: &mut Vec<u8>, rejection: &Rejection) {
    let mut details = Vec::new();
    let mut fault = rejection;
    while let Rejection::Item { index, cause, .. } = fault {
        push_number_field(&mut details, "index", *index as u64);
        fault = cause;
    }
    if let Some(field) = fault.field() {
        push_field(&mut details, "field", field);
    }
    if let Some(window) = fault.window() {
        push_field(&mut details, "window_kind", window.name());
    }
    if let Some(seconds) = fault.retry_after_s() {
        push_number_field(&mut details, "retry_after_seconds", u64::from(seconds));
    }
    if let Some((_, fields)) = details.split_first() {
        push_name(out, "details");
        out.push(b'{');
        out.extend_from_slice(fields);
        out.push(b'}');
    }
}

fn push_metadata(out: &mut Vec<u8>, metadata: &Metadata<'_>) {
    out.extend_from_slice(b",\"metadata\":{\"cost_usd\":");
    push_micros(out, metadata.cost_micro_usd);
    push_number_field(out, "latency_ms", metadata.latency_ms);
    push_field(out, "vendor", metadata.vendor);
    out.extend_from_slice(match metadata.source {
        Source::Work => b",\"cache_hit\":false",
        Source::Stored => b",\"cache_hit\":true",
    });
    push_name(out, "request_id");
    push_uuid(out, metadata.request_id);
    out.push(b'}');
}

/// Appends millionths as a decimal number.
pub(super) fn push_micros(out: &mut Vec<u8>, micros: u64) {
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!("{whole}.{rest:06}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let written = out.write_all(text.as_bytes());
    debug_assert!(written.is_ok(), "a buffer takes everything");
}
