//! Messages to bytes. A server's frames carry no per-connection state; a client's are masked.

use super::close::CloseCode;
use super::header::{CONTROL_BYTES_MAX, Opcode};
use super::mask;

/// Bytes of the longest header a server writes.
pub const FRAME_HEADER_BYTES_MAX: usize = 10;

const MASKED: u8 = 0x80;
const UNMASKED: u8 = 0;

/// Appends the header of an unmasked, whole frame.
pub fn append_header(out: &mut Vec<u8>, opcode: Opcode, payload_bytes: usize) {
    write_header(out, opcode, payload_bytes, UNMASKED);
}

/// Appends a text frame.
pub fn append_text(out: &mut Vec<u8>, payload: &[u8]) {
    append_header(out, Opcode::Text, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a ping. What is over 125 bytes is cut off.
pub fn append_ping(out: &mut Vec<u8>, payload: &[u8]) {
    append_control(out, Opcode::Ping, payload);
}

/// Appends a pong. What is over 125 bytes is cut off.
pub fn append_pong(out: &mut Vec<u8>, payload: &[u8]) {
    append_control(out, Opcode::Pong, payload);
}

/// Appends a close frame. A reason over 123 bytes is cut off.
pub fn append_close(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    append_close_number(out, code.number(), reason);
}

/// Appends a close frame with any number: the answer to a peer's close repeats the peer's.
pub fn append_close_number(out: &mut Vec<u8>, number: u16, reason: &str) {
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    append_header(out, Opcode::Close, 2 + reason.len());
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Appends a client's frame.
pub fn append_masked(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    write_header(out, opcode, payload.len(), MASKED);
    out.extend_from_slice(&mask);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(out.get_mut(start..).unwrap_or_default(), mask, 0);
}

/// Appends a text frame whose payload is written in place. Most payloads need a header of four bytes: only others move.
pub(crate) fn append_text_with(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    const GUESS_BYTES: usize = 4;
    let start = out.len();
    out.extend_from_slice(&[0; GUESS_BYTES]);
    write(out);
    let payload_bytes = out.len() - start - GUESS_BYTES;
    let (header, length) = header(Opcode::Text, payload_bytes, UNMASKED);
    out.splice(start..start + GUESS_BYTES, header.into_iter().take(length));
}

fn append_control(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let payload = payload.get(..CONTROL_BYTES_MAX).unwrap_or(payload);
    append_header(out, opcode, payload.len());
    out.extend_from_slice(payload);
}

fn write_header(out: &mut Vec<u8>, opcode: Opcode, payload_bytes: usize, masked: u8) {
    let (header, length) = header(opcode, payload_bytes, masked);
    out.extend_from_slice(header.get(..length).unwrap_or_default());
}

/// The header of a whole frame, without the mask, and how many of the bytes it has.
fn header(
    opcode: Opcode,
    payload_bytes: usize,
    masked: u8,
) -> ([u8; FRAME_HEADER_BYTES_MAX], usize) {
    let first = 0x80 | opcode as u8;
    let [a, b, c, d, e, f, g, h] = (payload_bytes as u64).to_be_bytes();
    match payload_bytes {
        0..=125 => ([first, masked | h, 0, 0, 0, 0, 0, 0, 0, 0], 2),
        126..=0xffff => ([first, masked | 126, g, h, 0, 0, 0, 0, 0, 0], 4),
        _ => ([first, masked | 127, a, b, c, d, e, f, g, h], 10),
    }
}
