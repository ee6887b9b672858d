//! The envelope around every answer: what succeeded, or why not, and what it cost.

use std::io::Write;

use super::error_code::{error_code, fault_code};
use crate::auth::vendor::VendorFault;
use crate::dialect::refusal::{write_faulty, write_rejected};
use crate::dialect::write::{push_field, push_name, push_number_field};
use crate::http::{HttpFault, KeepAlive, Method};
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
    push_name(out, "retryable");
    let is_retryable = code.is_retryable() && !is_final(rejection);
    out.extend_from_slice(if is_retryable { b"true" } else { b"false" });
    push_details(out, rejection);
    out.push(b'}');
    push_metadata(out, metadata);
    out.push(b'}');
}

/// Appends the answer to a request whose head is refused, after which the connection closes.
pub fn write_fault(out: &mut Vec<u8>, fault: &HttpFault, metadata: &Metadata<'_>) {
    let mut body = b"{\"ok\":false,\"data\":null,\"error\":{\"code\":".to_vec();
    push_string(&mut body, fault_code(fault.status).name());
    push_field(&mut body, "message", fault.message);
    body.extend_from_slice(b",\"retryable\":false}");
    push_metadata(&mut body, metadata);
    body.push(b'}');
    write_faulty(out, fault, &body);
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
    write_rejected(out, rejection, &body, method, then);
}

/// Whether nothing changes, however long the client waits, although most errors of this code pass.
fn is_final(rejection: &Rejection) -> bool {
    if let Rejection::Vendor { cause: VendorFault::Status(status), .. } = rejection {
        return (400..500).contains(status) && !matches!(status, 408 | 429);
    }
    rejection.window() == Some(Window::Lifetime)
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
    if let Some(window) = fault.window_kind() {
        push_field(&mut details, "window_kind", window);
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
