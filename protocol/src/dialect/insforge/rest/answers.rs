//! Whole answers to calls that failed.

use crate::dialect::write::{push_field, push_number_field};
use crate::http::{Content, HeaderLine, HttpFault, KeepAlive, Method, Response, write_response};
use crate::json::push_string;
use crate::rejection::Rejection;

use super::error::{RestError, body_error};

/// Appends the answer to a call that is refused.
pub fn write_rejection(out: &mut Vec<u8>, rejection: &Rejection, method: Method, then: KeepAlive) {
    let mut body = Vec::new();
    body_error(&mut body, &RestError::Other(rejection.clone()));
    let content = Content::json(method, &body);
    let header = HeaderLine::of_rejection(rejection);
    let status = rejection.status();
    write_response(out, &Response { status, content, headers: header.as_slice(), then });
}

/// Appends the answer to a request that could not be understood. The connection closes.
pub fn write_fault(out: &mut Vec<u8>, fault: &HttpFault) {
    let mut body = Vec::new();
    body.extend_from_slice(b"{\"error\":");
    push_string(&mut body, if fault.status >= 500 { "NOT_IMPLEMENTED" } else { "INVALID_INPUT" });
    push_field(&mut body, "message", fault.message);
    push_number_field(&mut body, "statusCode", u64::from(fault.status));
    body.push(b'}');
    let content = Content::Json(&body);
    let then = KeepAlive::Close;
    write_response(out, &Response { status: fault.status, content, headers: &[], then });
}
