//! The JSON bodies of the calls under `/edge`.

use crate::dialect::MessageView;
use crate::dialect::write::{push_field, push_number_field};
use crate::http::HttpFault;
use crate::json::{push_string, push_u64};
use crate::rejection::Rejection;

/// Appends the answer of POST /edge/session. It goes out with [`super::TOKEN_CACHE_CONTROL`].
pub fn body_session(out: &mut Vec<u8>, token: &str, expires_in_s: u32) {
    out.extend_from_slice(b"{\"token\":");
    push_string(out, token);
    push_field(out, "token_type", "Bearer");
    push_number_field(out, "expires_in", u64::from(expires_in_s));
    out.push(b'}');
}

/// Appends the answer of POST /edge/realtime/token. It goes out with [`super::TOKEN_CACHE_CONTROL`].
pub fn body_token(out: &mut Vec<u8>, token: &str, expires_in_s: u32) {
    out.extend_from_slice(b"{\"token\":");
    push_string(out, token);
    push_number_field(out, "expires_in", u64::from(expires_in_s));
    out.push(b'}');
}

/// Appends the answer of POST /edge/realtime. `message.data` is not in it.
pub fn body_published(out: &mut Vec<u8>, message: &MessageView<'_>) {
    out.extend_from_slice(b"{\"channel\":");
    push_string(out, message.channel);
    push_field(out, "action", message.event);
    push_field(out, "event", message.event);
    push_number_field(out, "created_at_ms", message.at_ms);
    if let Some(offset) = message.offset {
        push_number_field(out, "id", offset);
    }
    out.push(b'}');
}

/// Appends the answer of GET /edge/realtime/history.
pub fn body_history<'m>(out: &mut Vec<u8>, messages: impl Iterator<Item = MessageView<'m>>) {
    out.extend_from_slice(b"{\"messages\":[");
    for (index, message) in messages.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"action\":");
        push_string(out, message.event);
        push_field(out, "event", message.event);
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(message.data);
        if let Some(offset) = message.offset {
            push_number_field(out, "id", offset);
        }
        push_number_field(out, "created_at_ms", message.at_ms);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
}

/// Appends the envelope of a refusal.
pub fn body_rejection(out: &mut Vec<u8>, rejection: &Rejection) {
    push_error(out, rejection.status(), &rejection.to_string());
    if let Some(window) = rejection.window_kind() {
        push_field(out, "window_kind", window);
    }
    out.push(b'}');
}

/// Appends the envelope of a request that could not be understood.
pub fn body_fault(out: &mut Vec<u8>, fault: &HttpFault) {
    push_error(out, fault.status, fault.message);
    out.push(b'}');
}

fn push_error(out: &mut Vec<u8>, status: u16, message: &str) {
    out.extend_from_slice(b"{\"error\":{\"code\":");
    push_u64(out, u64::from(status));
    push_field(out, "message", message);
    push_field(out, "status", status_name(status));
    out.push(b'}');
}

/// The `google.rpc.Code` of an HTTP status.
fn status_name(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 | 410 => "NOT_FOUND",
        405 | 501 | 505 => "UNIMPLEMENTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 | 422 | 426 => "FAILED_PRECONDITION",
        402 | 429 | 507 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        502 | 503 => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}
