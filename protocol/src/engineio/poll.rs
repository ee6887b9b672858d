//! Payloads: the packets of one poll or one post, with a separator between them.

use super::packet::{Packet, PacketFault, decode_packet};
use crate::ws::{Opcode, Role, parse_header};

/// Packets that may come in one post.
pub const PAYLOAD_PACKETS_MAX: usize = 4096;
/// Packets in the answer to a poll. With more of them `python-engineio` takes the connection for broken.
pub const POLL_PACKETS_MAX: usize = 16;
/// The body of the answer to a post.
pub const POSTED: &str = "ok";

/// Between two packets. JSON has it only escaped, and base64 not at all.
const SEPARATOR: u8 = 0x1e;

/// The packets of a post, one by one.
#[derive(Debug)]
pub struct Payload<'a> {
    rest: Option<&'a mut [u8]>,
    packets_left: usize,
}

/// Reads the body of a post.
///
/// # Errors
/// When it is no UTF-8.
pub fn decode_payload(body: &mut [u8]) -> Result<Payload<'_>, PacketFault> {
    std::str::from_utf8(body).map_err(|_| PacketFault::Utf8)?;
    Ok(Payload { rest: Some(body), packets_left: PAYLOAD_PACKETS_MAX })
}

impl<'a> Iterator for Payload<'a> {
    type Item = Result<Packet<'a>, PacketFault>;

    /// The next packet. After a fault there is none.
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        if self.packets_left == 0 {
            return Some(Err(PacketFault::TooMany { max: PAYLOAD_PACKETS_MAX }));
        }
        self.packets_left -= 1;
        let first_bytes = packet_bytes(rest);
        let (packet, behind) = rest.split_at_mut(first_bytes);
        self.rest = behind.get_mut(1..);
        let packet = decode_packet(packet);
        if packet.is_err() {
            self.rest = None;
        }
        Some(packet)
    }
}

/// How long the first packet of a payload is. The separator follows, if anything does.
#[must_use]
pub fn packet_bytes(payload: &[u8]) -> usize {
    payload.iter().position(|it| *it == SEPARATOR).unwrap_or(payload.len())
}

/// Appends a packet to the answer to a poll.
pub fn push_packet(out: &mut Vec<u8>, packet: &[u8]) {
    if !out.is_empty() {
        out.push(SEPARATOR);
    }
    out.extend_from_slice(packet);
}

/// Appends the packets of unmasked, whole WebSocket frames, one behind the other: what waits for a session is kept as frames,
/// whatever carries it in the end. Control frames say nothing to a poll. Stops after `packets_left` packets, and returns how many
/// bytes of the frames it is done with.
pub fn push_frames(out: &mut Vec<u8>, frames: &[u8], packets_left: &mut usize) -> usize {
    let mut rest = frames;
    while *packets_left > 0
        && let Some((opcode, payload, behind)) = split_frame(rest)
    {
        if opcode == Opcode::Text {
            push_packet(out, payload);
            *packets_left -= 1;
        }
        rest = behind;
    }
    debug_assert!(*packets_left == 0 || rest.is_empty(), "only whole frames wait");
    frames.len() - rest.len()
}

/// What the first frame is, its payload, and what is behind it.
fn split_frame(frames: &[u8]) -> Option<(Opcode, &[u8], &[u8])> {
    // They were written here, under the limits of the outbox.
    let header = parse_header(frames, Role::Client, usize::MAX).ok()??;
    let (payload, behind) =
        frames.get(header.header_bytes..)?.split_at_checked(header.payload_bytes)?;
    Some((header.opcode, payload, behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::{append_ping, append_text};

    fn check(body: &str, expected: &[Result<&str, PacketFault>]) {
        let mut bytes = body.as_bytes().to_vec();
        let found: Vec<_> = decode_payload(&mut bytes)
            .unwrap()
            .map(|it| it.map(|packet| format!("{packet:?}")))
            .collect();
        let found: Vec<_> = found.iter().map(|it| it.as_deref().map_err(|fault| *fault)).collect();
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn packets_come_one_by_one() {
        check("3", &[Ok("Pong")]);
        check("3\u{1e}1", &[Ok("Pong"), Ok("Close")]);
        check("4a\u{1e}4\u{1e}bAQID", &[Ok("Message([97])"), Ok("Message([])"), Ok("Binary")]);
        check("", &[Err(PacketFault::Type)]);
        check("3\u{1e}", &[Ok("Pong"), Err(PacketFault::Type)]);
        check("3\u{1e}\u{1e}3", &[Ok("Pong"), Err(PacketFault::Type)]);
        assert_eq!(decode_payload(&mut [b'4', 0xff]).err(), Some(PacketFault::Utf8));
    }

    #[test]
    fn a_payload_has_so_many_packets() {
        let body = |count: usize| vec!["3"; count].join("\u{1e}");
        for (count, is_over) in [
            (PAYLOAD_PACKETS_MAX - 1, false),
            (PAYLOAD_PACKETS_MAX, false),
            (PAYLOAD_PACKETS_MAX + 1, true),
        ] {
            let mut bytes = body(count).into_bytes();
            let faults = decode_payload(&mut bytes).unwrap().filter(Result::is_err).count();
            assert_eq!(faults == 1, is_over, "{count}");
        }
    }

    #[test]
    fn frames_become_packets() {
        let texts = ["42[\"a\"]".to_owned(), "x".repeat(126), "y".repeat(70_000)];
        let mut frames = Vec::new();
        for text in &texts {
            append_text(&mut frames, text.as_bytes());
            append_ping(&mut frames, b"not for a poll");
        }
        let fetch = |frames: &[u8], mut packets_left: usize| {
            let mut out = Vec::new();
            let used = push_frames(&mut out, frames, &mut packets_left);
            (used, String::from_utf8(out).unwrap(), packets_left)
        };
        assert_eq!(fetch(&frames, 4), (frames.len(), texts.join("\u{1e}"), 1));
        let (used, first, left) = fetch(&frames, 2);
        assert_eq!((first, left), (texts[..2].join("\u{1e}"), 0));
        // The last ping of those two goes with what is behind it.
        assert_eq!(fetch(&frames[used..], 2), (frames.len() - used, texts[2].clone(), 1));
    }
}
