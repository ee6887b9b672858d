//! One HTTP response with its body, from bytes that may hold more or less than that.

use protocol::client::{BadResponse, parse_response};

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    /// The status.
    pub(crate) status: u16,
    /// When to try again, in seconds.
    pub(crate) retry_after_s: Option<u64>,
    /// The body.
    pub(crate) body: &'a [u8],
    /// Bytes of head and body.
    pub(crate) bytes: usize,
}

/// Reads the first response of `bytes`; `None` if it is not complete.
pub(crate) fn first(bytes: &[u8]) -> Result<Option<Response<'_>>, BadResponse> {
    let Some(head) = parse_response(bytes)? else { return Ok(None) };
    let end = head.head_bytes + head.content_length;
    let body = bytes.get(head.head_bytes..end);
    let (status, retry_after_s) = (head.status, head.retry_after_s);
    Ok(body.map(|body| Response { status, retry_after_s, body, bytes: end }))
}
