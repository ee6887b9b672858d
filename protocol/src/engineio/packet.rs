//! Packets: a digit, and what it carries.

use std::fmt;

use super::handshake::Transport;
use super::sid::Sid;
use crate::json::{push_string, push_u64};
use crate::ws::{append_text, append_text_with};

/// The ping of a server, as a text packet.
pub const PING: &[u8] = b"2";
/// The answer to the ping of a WebSocket that a session wants to move to.
pub const PONG_PROBE: &[u8] = b"3probe";
/// Nothing: it ends a poll that waits while its session moves.
pub const NOOP: &[u8] = b"6";
/// The end of a session.
pub const CLOSE: &[u8] = b"1";

/// What a client's packet is.
#[derive(Debug, Eq, PartialEq)]
pub enum Packet<'a> {
    /// The session ends.
    Close,
    /// `probe`, on a WebSocket that the session wants to move to. Anywhere else a client sends none.
    Ping {
        /// Whether it is that one.
        is_probe: bool,
    },
    /// The answer to a ping.
    Pong,
    /// A packet of Socket.IO.
    Message(&'a mut [u8]),
    /// The session moves to this WebSocket.
    Upgrade,
    /// Nothing.
    Noop,
    /// Bytes that belong to an event, base64: see `socketio::Packet::BinaryEvent`.
    Binary,
}

/// A packet that is none. The session ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PacketFault {
    /// Its first character means nothing here.
    Type,
    /// It is no UTF-8.
    Utf8,
    /// More packets came together than may.
    TooMany {
        /// How many may.
        max: usize,
    },
}

impl fmt::Display for PacketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => f.write_str("unknown packet type"),
            Self::Utf8 => f.write_str("packet is not UTF-8"),
            Self::TooMany { max } => write!(f, "more than {max} packets in one payload"),
        }
    }
}

/// Reads a packet that came as text.
///
/// # Errors
/// When it is none.
pub fn decode_packet(text: &mut [u8]) -> Result<Packet<'_>, PacketFault> {
    let Some((first, rest)) = text.split_first_mut() else { return Err(PacketFault::Type) };
    match first {
        b'1' => Ok(Packet::Close),
        b'2' => Ok(Packet::Ping { is_probe: *rest == *b"probe" }),
        b'3' => Ok(Packet::Pong),
        b'4' => Ok(Packet::Message(rest)),
        b'5' => Ok(Packet::Upgrade),
        b'6' => Ok(Packet::Noop),
        b'b' => Ok(Packet::Binary),
        // Only a server opens.
        _ => Err(PacketFault::Type),
    }
}

/// How a session is kept alive, and the most that a client may send at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Heartbeat {
    /// From a pong to the next ping.
    pub interval_ms: u32,
    /// From a ping to the end of the session.
    pub timeout_ms: u32,
    /// Bytes of one payload.
    pub payload_bytes_max: usize,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { interval_ms: 25_000, timeout_ms: 20_000, payload_bytes_max: 1_000_000 }
    }
}

/// Appends the first packet of a session.
pub fn push_open(out: &mut Vec<u8>, sid: Sid, transport: Transport, heartbeat: &Heartbeat) {
    out.extend_from_slice(b"0{\"sid\":");
    push_string(out, sid.as_str());
    out.extend_from_slice(match transport {
        Transport::Polling => b",\"upgrades\":[\"websocket\"],\"pingInterval\":",
        Transport::WebSocket => b",\"upgrades\":[],\"pingInterval\":",
    });
    push_u64(out, u64::from(heartbeat.interval_ms));
    out.extend_from_slice(b",\"pingTimeout\":");
    push_u64(out, u64::from(heartbeat.timeout_ms));
    out.extend_from_slice(b",\"maxPayload\":");
    push_u64(out, heartbeat.payload_bytes_max as u64);
    out.push(b'}');
}

/// Appends the frame with the first packet of a session that begins as a WebSocket.
pub fn frame_open(out: &mut Vec<u8>, sid: Sid, heartbeat: &Heartbeat) {
    append_text_with(out, |out| push_open(out, sid, Transport::WebSocket, heartbeat));
}

/// Appends the frame with a server's ping.
pub fn frame_ping(out: &mut Vec<u8>) {
    append_text(out, PING);
}

/// Appends the frame with the answer to a probe.
pub fn frame_pong_probe(out: &mut Vec<u8>) {
    append_text(out, PONG_PROBE);
}

/// Appends the frame with nothing.
pub fn frame_noop(out: &mut Vec<u8>) {
    append_text(out, NOOP);
}

/// Appends the frame with the end of a session.
pub fn frame_close(out: &mut Vec<u8>) {
    append_text(out, CLOSE);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &Result<Packet<'_>, PacketFault>) {
        assert_eq!(decode_packet(&mut text.as_bytes().to_vec()), *expected, "{text}");
    }

    #[test]
    fn a_packet_is_told_by_its_first_character() {
        check("1", &Ok(Packet::Close));
        check("2", &Ok(Packet::Ping { is_probe: false }));
        check("2probe", &Ok(Packet::Ping { is_probe: true }));
        check("2probes", &Ok(Packet::Ping { is_probe: false }));
        check("3", &Ok(Packet::Pong));
        check("4", &Ok(Packet::Message(&mut [])));
        check("42[\"a\"]", &Ok(Packet::Message(&mut b"2[\"a\"]".to_vec())));
        check("5", &Ok(Packet::Upgrade));
        check("6", &Ok(Packet::Noop));
        check("bAQID", &Ok(Packet::Binary));
        for text in ["", "0{}", "7", "x", " 4", "ä"] {
            check(text, &Err(PacketFault::Type));
        }
    }

    #[test]
    fn a_session_begins_with_what_it_is_kept_alive_by() {
        let sid = Sid::from_random([0; 15]);
        let mut out = Vec::new();
        push_open(&mut out, sid, Transport::Polling, &Heartbeat::default());
        out.push(b'\n');
        push_open(&mut out, sid, Transport::WebSocket, &Heartbeat::default());
        let expected = r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}
0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
