//! Whole answers to calls that failed.

use crate::dialect::refusal::{write_faulty, write_rejected};
use crate::dialect::write::{push_field, push_number_field};
use crate::http::{HttpFault, KeepAlive, Method};
use crate::json::push_string;
use crate::rejection::Rejection;

use super::error::{RestError, body_error};

/// Appends the answer to a call that is refused.
pub fn write_rejection(out: &mut Vec<u8>, rejection: &Rejection, method: Method, then: KeepAlive) {
    let mut body = Vec::new();
    body_error(&mut body, &RestError::Other(rejection.clone()));
    write_rejected(out, rejection, &body, method, then);
}

/// Appends the answer to a request that could not be understood. The connection closes.
pub fn write_fault(out: &mut Vec<u8>, fault: &HttpFault) {
    let mut body = Vec::new();
    body.extend_from_slice(b"{\"error\":");
    push_string(&mut body, if fault.status >= 500 { "NOT_IMPLEMENTED" } else { "INVALID_INPUT" });
    push_field(&mut body, "message", fault.message);
    push_number_field(&mut body, "statusCode", u64::from(fault.status));
    body.push(b'}');
    write_faulty(out, fault, &body);
}
