//! Whole HTTP answers that refuse.

use super::bodies::{body_fault, body_rejection};
use crate::dialect::refusal::{write_faulty, write_rejected};
use crate::http::{HttpFault, KeepAlive, Method};
use crate::rejection::Rejection;

/// Appends the answer to a request that is refused; `method` is the request's.
pub fn write_rejection(out: &mut Vec<u8>, rejection: &Rejection, method: Method, then: KeepAlive) {
    let mut body = Vec::new();
    body_rejection(&mut body, rejection);
    write_rejected(out, rejection, &body, method, then);
}

/// Appends the answer to a request that could not be understood. The connection closes.
pub fn write_fault(out: &mut Vec<u8>, fault: &HttpFault) {
    let mut body = Vec::new();
    body_fault(&mut body, fault);
    write_faulty(out, fault, &body);
}
