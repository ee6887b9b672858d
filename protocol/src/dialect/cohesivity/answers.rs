//! Whole HTTP answers that refuse.

use super::bodies::{body_fault, body_rejection};
use crate::http::{Content, HeaderLine, HttpFault, KeepAlive, Method, Response, write_response};
use crate::rejection::Rejection;

/// Appends the answer to a request that is refused; `method` is the request's.
pub fn write_rejection(out: &mut Vec<u8>, rejection: &Rejection, method: Method, then: KeepAlive) {
    let mut body = Vec::new();
    body_rejection(&mut body, rejection);
    let content = Content::json(method, &body);
    let header = HeaderLine::of_rejection(rejection);
    let status = rejection.status();
    write_response(out, &Response { status, content, headers: header.as_slice(), then });
}

/// Appends the answer to a request that could not be understood. The connection closes.
pub fn write_fault(out: &mut Vec<u8>, fault: &HttpFault) {
    let mut body = Vec::new();
    body_fault(&mut body, fault);
    let content = Content::Json(&body);
    let then = KeepAlive::Close;
    write_response(out, &Response { status: fault.status, content, headers: &[], then });
}
