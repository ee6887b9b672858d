//! The client's side of the wire, for the load test.

use crate::command::Keep;

/// Where a client connects.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Value of `Host`.
    pub host: &'a str,
    /// Path and query, percent-encoded.
    pub path: &'a str,
    /// Sent as `Authorization: Bearer`, when present.
    pub bearer: Option<&'a str>,
}

/// The head of a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResponseHead {
    /// The status.
    pub status: u16,
    /// Bytes of the head: where the body starts.
    pub head_bytes: usize,
    /// Bytes of the body.
    pub content_length: usize,
}

/// A response that is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadResponse;

/// Appends a request to open a WebSocket. The nonce becomes its key.
pub fn write_upgrade(out: &mut Vec<u8>, target: &Target<'_>, nonce: [u8; 16]) {
    let _ = (out, target, nonce);
}

/// Appends a request with a JSON body.
pub fn write_post(out: &mut Vec<u8>, target: &Target<'_>, body: &[u8]) {
    let _ = (out, target, body);
}

/// Appends a request without a body.
pub fn write_get(out: &mut Vec<u8>, target: &Target<'_>) {
    let _ = (out, target);
}

/// Appends the body of POST /edge/realtime.
pub fn write_publish_body(out: &mut Vec<u8>, channel: &str, event: &str, data: &[u8], keep: Keep) {
    let _ = (out, channel, event, data, keep);
}

/// Appends a masked frame that publishes.
pub fn write_publish_frame(out: &mut Vec<u8>, event: &str, data: &[u8], keep: Keep, mask: [u8; 4]) {
    let _ = (out, event, data, keep, mask);
}

/// Appends a text, percent-encoded for a query or a path segment.
pub fn write_percent_encoded(out: &mut String, text: &str) {
    out.push_str(text);
}

/// Reads the head of a response. `None`: more bytes are needed.
///
/// # Errors
/// When it is no response.
pub fn parse_response(bytes: &[u8]) -> Result<Option<ResponseHead>, BadResponse> {
    let _ = bytes;
    Ok(None)
}
