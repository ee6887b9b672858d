//! The client's side of the wire, for the load test and `stentor publish`.

mod line;

pub use line::Line;

use crate::command::Keep;
use crate::json::{push_string, push_u64};
use crate::ws::{Opcode, append_masked};

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
    /// What `Retry-After` says, in seconds.
    pub retry_after_s: Option<u64>,
}

/// A response that is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadResponse;

/// Header lines that a response may have.
const HEADERS_MAX: usize = 64;

/// Appends a request to open a WebSocket. The nonce becomes its key.
pub fn write_upgrade(out: &mut Vec<u8>, target: &Target<'_>, nonce: [u8; 16]) {
    write_start(out, "GET", target);
    out.extend_from_slice(
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
          Sec-WebSocket-Key: ",
    );
    write_base64(out, nonce);
    out.extend_from_slice(b"\r\n\r\n");
}

/// Appends a request with a JSON body.
pub fn write_post(out: &mut Vec<u8>, target: &Target<'_>, body: &[u8]) {
    write_start(out, "POST", target);
    out.extend_from_slice(b"Content-Type: application/json\r\nContent-Length: ");
    push_u64(out, body.len() as u64);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}

/// Appends a request without a body.
pub fn write_get(out: &mut Vec<u8>, target: &Target<'_>) {
    write_start(out, "GET", target);
    out.extend_from_slice(b"\r\n");
}

/// Appends the body of POST /edge/realtime.
pub fn write_publish_body(out: &mut Vec<u8>, channel: &str, event: &str, data: &[u8], keep: Keep) {
    out.extend_from_slice(b"{\"channel\":");
    push_string(out, channel);
    write_publish_rest(out, event, data, keep);
}

/// Appends a masked frame that publishes.
pub fn write_publish_frame(out: &mut Vec<u8>, event: &str, data: &[u8], keep: Keep, mask: [u8; 4]) {
    let mut text = Vec::with_capacity(64 + event.len() + data.len());
    text.extend_from_slice(b"{\"action\":\"publish\"");
    write_publish_rest(&mut text, event, data, keep);
    append_masked(out, Opcode::Text, &text, mask);
}

fn write_publish_rest(out: &mut Vec<u8>, event: &str, data: &[u8], keep: Keep) {
    out.extend_from_slice(b",\"event\":");
    push_string(out, event);
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(data);
    match keep {
        Keep::Persist => out.push(b'}'),
        Keep::Pass => out.extend_from_slice(b",\"persist\":false}"),
    }
}

/// Appends a text, percent-encoded for a query or a path segment.
pub fn write_percent_encoded(out: &mut String, text: &str) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        // RFC 3986 §2.3: what needs no encoding anywhere.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
            continue;
        }
        out.push('%');
        for nibble in [byte >> 4, byte & 15] {
            out.extend(DIGITS.get(usize::from(nibble)));
        }
    }
}

/// Reads the head of a response. `None`: more bytes are needed.
///
/// # Errors
/// When it is no response.
pub fn parse_response(bytes: &[u8]) -> Result<Option<ResponseHead>, BadResponse> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let head_bytes = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BadResponse),
    };
    let status = response.code.ok_or(BadResponse)?;
    let value = |name: &str| {
        let header = response.headers.iter().find(|it| it.name.eq_ignore_ascii_case(name))?;
        Some(std::str::from_utf8(header.value).unwrap_or_default().trim())
    };
    let content_length = match value("content-length") {
        Some(text) => text.parse().map_err(|_| BadResponse)?,
        None => 0,
    };
    // A date is as good as nothing here: then the client waits as long as it thinks right.
    let retry_after_s = value("retry-after").and_then(|it| it.parse().ok());
    Ok(Some(ResponseHead { status, head_bytes, content_length, retry_after_s }))
}

fn write_start(out: &mut Vec<u8>, method: &'static str, target: &Target<'_>) {
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(target.host.as_bytes());
    out.extend_from_slice(b"\r\n");
    if let Some(token) = target.bearer {
        out.extend_from_slice(b"Authorization: Bearer ");
        out.extend_from_slice(token.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// 16 bytes in base64 (RFC 4648 §4): 22 digits and two pads.
fn write_base64(out: &mut Vec<u8>, nonce: [u8; 16]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = u128::from_be_bytes(nonce);
    for index in 0..22_u32 {
        let sextet = if index < 21 { bits >> (122 - 6 * index) } else { bits << 4 };
        let digit = DIGITS.get(usize::try_from(sextet & 63).unwrap_or_default());
        out.extend(digit);
    }
    out.extend_from_slice(b"==");
}
