//! Whole answers that refuse, for every dialect: it says the body, the rest is the same.

use crate::http::{Content, HeaderLine, HttpFault, KeepAlive, Method, Response, write_response};
use crate::rejection::Rejection;

/// Appends the answer to a request that is refused; `method` is the request's.
pub(super) fn write_rejected(
    out: &mut Vec<u8>,
    rejection: &Rejection,
    body: &[u8],
    method: Method,
    then: KeepAlive,
) {
    let content = Content::json(method, body);
    let header = HeaderLine::of_rejection(rejection);
    let status = rejection.status();
    write_response(out, &Response { status, content, headers: header.as_slice(), then });
}

/// Appends the answer to a request that could not be understood. The connection closes.
pub(super) fn write_faulty(out: &mut Vec<u8>, fault: &HttpFault, body: &[u8]) {
    let (content, then) = (Content::Json(body), KeepAlive::Close);
    write_response(out, &Response { status: fault.status, content, headers: &[], then });
}
