//! The reader against RFC 6455, case by case, and at every split of the bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use proptest::prelude::*;
use protocol::Limits;
use protocol::ws::{CloseCode, Opcode, Reader, Role, Step, append_masked};

/// What a peer would see of each step.
fn steps(role: Role, chunks: &[&[u8]], limits: &Limits) -> Vec<String> {
    let mut reader = Reader::new(role);
    let mut buffer = Vec::new();
    let mut seen = Vec::new();
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        loop {
            let read = reader.next(&mut buffer, limits);
            let text = match read.step {
                Step::Need => break,
                Step::Part => String::new(),
                Step::Text(payload) => format!("text {}", payload.bytes().escape_ascii()),
                Step::Binary(payload) => format!("binary {}", payload.bytes().escape_ascii()),
                Step::Ping(payload) => format!("ping {}", payload.escape_ascii()),
                Step::Pong(payload) => format!("pong {}", payload.escape_ascii()),
                Step::Close { code, reason } => format!("close {code:?} {reason}"),
                Step::Fault(fault) => format!("fault {}", fault.code.number()),
            };
            let consumed = read.consumed;
            let is_last = text.starts_with("close") || text.starts_with("fault");
            if !text.is_empty() {
                seen.push(text);
            }
            if is_last {
                return seen;
            }
            assert!(consumed > 0, "a step without progress");
            buffer.drain(..consumed);
        }
    }
    seen
}

/// A frame of a client: first byte and payload, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_masked(&mut bytes, Opcode::Text, payload, [0x37, 0xfa, 0x21, 0x3d]);
    bytes[0] = first;
    bytes
}

fn check(frames: &[Vec<u8>], expected: &[&str]) {
    let limits = Limits { message_bytes_max: 70_000, fragments_max: 4, ..Limits::default() };
    let bytes = frames.concat();
    assert_eq!(steps(Role::Server, &[&bytes], &limits), expected, "{bytes:x?} whole");
    let single: Vec<_> = bytes.chunks(1).collect();
    if bytes.len() < 1000 {
        assert_eq!(steps(Role::Server, &single, &limits), expected, "{bytes:x?} byte by byte");
    }
}

#[test]
fn the_examples_of_the_standard() {
    // RFC 6455 §5.7.
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    check(&[hello.to_vec()], &["text Hello"]);
    let limits = Limits::default();
    let read = |bytes: &[u8]| steps(Role::Client, &[bytes], &limits);
    assert_eq!(read(b"\x81\x05Hello"), ["text Hello"]);
    assert_eq!(read(b"\x01\x03Hel\x80\x02lo"), ["text Hello"]);
    assert_eq!(read(b"\x89\x05Hello"), ["ping Hello"]);
}

#[test]
fn messages_and_control_frames() {
    check(&[frame(0x81, b"")], &["text "]);
    check(&[frame(0x82, b"\xff")], &["binary \\xff"]);
    check(&[frame(0x81, b"a"), frame(0x81, b"b")], &["text a", "text b"]);
    check(&[frame(0x89, b""), frame(0x8a, b"x")], &["ping ", "pong x"]);
    check(&[frame(0x89, &[b'p'; 125])], &[&format!("ping {}", "p".repeat(125))]);
    for length in [125, 126, 127, 65_535, 65_536, 70_000] {
        check(&[frame(0x82, &vec![b'x'; length])], &[&format!("binary {}", "x".repeat(length))]);
    }
    let parts = [frame(0x01, b"a"), frame(0x00, b""), frame(0x89, b"?"), frame(0x80, b"b")];
    check(&parts, &["ping ?", "text ab"]);
    check(
        &[frame(0x02, b"a"), frame(0x80, b"\xff"), frame(0x81, b"c")],
        &["binary a\\xff", "text c"],
    );
}

#[test]
fn what_breaks_the_protocol_is_told_by_its_code() {
    let mut unmasked = frame(0x81, b"");
    unmasked[1] = 0;
    check(&[unmasked], &["fault 1002"]);
    for reserved in [0xc1, 0xa1, 0x91, 0xf1] {
        check(&[frame(reserved, b"x")], &["fault 1002"]);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        check(&[frame(0x80 | opcode, b"")], &["fault 1002"]);
    }
    for opcode in [0x08, 0x09, 0x0a] {
        check(&[frame(opcode, b"")], &["fault 1002"]);
        check(&[frame(0x80 | opcode, &[b'x'; 126])], &["fault 1002"]);
    }
    check(&[frame(0x80, b"x")], &["fault 1002"]);
    check(&[frame(0x00, b"x")], &["fault 1002"]);
    check(&[frame(0x01, b"x"), frame(0x81, b"y")], &["fault 1002"]);
    check(&[frame(0x01, b"x"), frame(0x02, b"y")], &["fault 1002"]);
}

#[test]
fn a_length_is_in_its_shortest_form() {
    let header = |bytes: &[u8]| [bytes, &[0; 4][..]].concat();
    for length in [0_u16, 1, 125] {
        let bytes = [&[0x82, 0xfe][..], &length.to_be_bytes()].concat();
        check(&[header(&bytes)], &["fault 1002"]);
    }
    for length in [0_u64, 125, 126, 65_535] {
        let bytes = [&[0x82, 0xff][..], &length.to_be_bytes()].concat();
        check(&[header(&bytes)], &["fault 1002"]);
    }
}

#[test]
fn an_oversize_message_is_refused_from_its_header() {
    for length in [70_001_u64, 1 << 30, 1 << 63, u64::MAX] {
        let bytes = [&[0x81, 0xff][..], &length.to_be_bytes()].concat();
        check(&[bytes], &["fault 1009"]);
    }
    check(&[frame(0x02, &[0; 60_000]), frame(0x80, &[0; 10_001])], &["fault 1009"]);
}

#[test]
fn a_message_has_a_bounded_number_of_fragments() {
    let part = |first| frame(first, b"");
    check(&[part(0x01), part(0), part(0), part(0x80)], &["text "]);
    check(&[part(0x01), part(0), part(0), part(0), part(0x80)], &["fault 1008"]);
}

#[test]
fn text_that_is_not_utf8_fails_at_its_first_wrong_byte() {
    check(&[frame(0x81, b"\xff")], &["fault 1007"]);
    check(&[frame(0x81, b"\xc3")], &["fault 1007"]);
    check(&[frame(0x01, b"\xc3"), frame(0x80, b"\xa4")], &["text \\xc3\\xa4"]);
    check(&[frame(0x01, b"\xc3"), frame(0x80, b"")], &["fault 1007"]);
    check(&[frame(0x01, b"ok\xed"), frame(0x00, b"\xa0")], &["fault 1007"]);
    // The rest of the frame never comes.
    let mut long = frame(0x81, &[&b"ok \xf4\x90"[..], &[b'x'; 100]].concat());
    long.truncate(6 + 5);
    check(&[long], &["fault 1007"]);
}

#[test]
fn close_frames() {
    let close = |code: u16, reason: &[u8]| frame(0x88, &[&code.to_be_bytes(), reason].concat());
    check(&[frame(0x88, b"")], &["close None "]);
    check(&[frame(0x88, b"\x03")], &["fault 1002"]);
    check(&[close(1000, "käse".as_bytes())], &["close Some(1000) käse"]);
    check(&[close(1000, b"\xff")], &["fault 1007"]);
    check(&[close(1000, &[b'r'; 123])], &[&format!("close Some(1000) {}", "r".repeat(123))]);
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1014, 3000, 4999] {
        check(&[close(code, b"")], &[&format!("close Some({code}) ")]);
        assert!(CloseCode::may_be_sent(code));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        check(&[close(code, b"")], &["fault 1002"]);
    }
}

/// One frame, mostly a sensible one.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zé☃😀]{0,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    (first, payload).prop_map(|(first, payload)| frame(first, &payload))
}

proptest! {
    #[test]
    fn any_split_gives_the_same_steps(
        frames in prop::collection::vec(any_frame(), 1..12),
        sizes in prop::collection::vec(1..40_usize, 1..200),
    ) {
        let limits = Limits { fragments_max: 5, message_bytes_max: 150, ..Limits::default() };
        let bytes = frames.concat();
        let mut rest = &bytes[..];
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        prop_assert_eq!(
            steps(Role::Server, &chunks, &limits),
            steps(Role::Server, &[&bytes], &limits)
        );
    }
}
