//! Messages to bytes. A server's frames carry no per-connection state; a client's are masked.

use super::close::CloseCode;
use super::header::Opcode;

/// Bytes of the longest header a server writes.
pub const FRAME_HEADER_BYTES_MAX: usize = 10;

/// Appends the header of an unmasked, whole frame.
pub fn append_header(out: &mut Vec<u8>, opcode: Opcode, payload_bytes: usize) {
    let _ = (out, opcode, payload_bytes);
}

/// Appends a text frame.
pub fn append_text(out: &mut Vec<u8>, payload: &[u8]) {
    let _ = (out, payload);
}

/// Appends a ping. What is over 125 bytes is cut off.
pub fn append_ping(out: &mut Vec<u8>, payload: &[u8]) {
    let _ = (out, payload);
}

/// Appends a pong. What is over 125 bytes is cut off.
pub fn append_pong(out: &mut Vec<u8>, payload: &[u8]) {
    let _ = (out, payload);
}

/// Appends a close frame. A reason over 123 bytes is cut off.
pub fn append_close(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    let _ = (out, code, reason);
}

/// Appends a client's frame.
pub fn append_masked(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    let _ = (out, opcode, payload, mask);
}
