//! Packets mean the same, whichever way they come and go.

use protocol::dialect::MessageView;
use protocol::dialect::insforge::socket;
use protocol::engineio::{Packet, decode_packet, decode_payload, push_frames, push_packet};
use protocol::ws::{Opcode, Reader, Role, Step, append_masked};

use crate::said::{self, limits};

const PACKETS: [&str; 6] = [
    "40{\"token\":\"anon_1\"}",
    "420[\"realtime:subscribe\",{\"channel\":\"käse ☃\"}]",
    "42[\"realtime:publish\",{\"channel\":\"käse ☃\",\"event\":\"upd\",\"payload\":{\"a\":\"\\u001e\"}}]",
    "3",
    "41",
    "1",
];

/// What the next frame in the buffer means, if it is whole.
fn next_packet(reader: &mut Reader, buffer: &mut Vec<u8>) -> Option<String> {
    let read = reader.next(buffer, &limits());
    let consumed = read.consumed;
    let found = match read.step {
        Step::Need => return None,
        Step::Text(text) => said::packet(std::str::from_utf8(text.bytes()).unwrap()),
        Step::Part
        | Step::Binary(_)
        | Step::Ping(_)
        | Step::Pong(_)
        | Step::Close { .. }
        | Step::Fault(_) => panic!("only whole text frames were sent"),
    };
    buffer.drain(..consumed);
    Some(found)
}

#[test]
fn a_post_brings_what_frames_bring_however_they_are_cut() {
    let mut stream = Vec::new();
    for packet in PACKETS {
        append_masked(&mut stream, Opcode::Text, packet.as_bytes(), [1, 2, 3, 4]);
    }
    let expected: Vec<String> = PACKETS.iter().map(|it| said::packet(it)).collect();
    for cut in 1..stream.len() {
        let (mut reader, mut buffer) = (Reader::new(Role::Server), Vec::new());
        let mut found = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            buffer.extend_from_slice(part);
            while let Some(packet) = next_packet(&mut reader, &mut buffer) {
                found.push(packet);
            }
        }
        assert_eq!(found, expected, "cut at {cut}");
    }
    let mut body = Vec::new();
    PACKETS.iter().for_each(|it| push_packet(&mut body, it.as_bytes()));
    let mut count = 0;
    for (packet, text) in decode_payload(&mut body).unwrap().zip(PACKETS) {
        let mut alone = text.as_bytes().to_vec();
        assert_eq!(packet, decode_packet(&mut alone));
        count += 1;
    }
    assert_eq!(count, PACKETS.len());
}

#[test]
fn a_poll_gets_what_a_socket_gets() {
    let mut frames = Vec::new();
    for data in ["{}", "\"\\u001e\"", &format!("\"{}\"", "x".repeat(70_000))] {
        let message = MessageView {
            id: 7,
            channel: "order:1",
            event: "upd",
            data: data.as_bytes(),
            sender: None,
            at_ms: 0,
            offset: None,
        };
        socket::frame_message(&mut frames, &message);
    }
    let mut body = Vec::new();
    let mut packets_left = usize::MAX;
    push_frames(&mut body, &frames, &mut packets_left);
    let mut polled = decode_payload(&mut body).unwrap();
    let mut reader = Reader::new(Role::Client);
    let mut rest = &mut frames[..];
    for _ in 0..3 {
        let read = reader.next(rest, &limits());
        let consumed = read.consumed;
        let Step::Text(mut text) = read.step else { panic!("no text frame") };
        let Some(Ok(Packet::Message(message))) = polled.next() else { panic!("no message") };
        assert_eq!(message, &text.bytes_mut()[1..]);
        rest = &mut rest[consumed..];
    }
    assert!(polled.next().is_none());
}
