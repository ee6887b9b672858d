//! Walks over server frames by their headers alone; payloads are neither copied nor validated.

/// What one frame is to a load test.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A whole message.
    Message(&'a [u8]),
    /// To be answered with the same payload.
    Ping(&'a [u8]),
    /// An answer to a ping; nothing to do.
    Pong,
    /// The server closes, with this code.
    Close(Option<u16>),
}

/// One step over the bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A frame, and how many bytes it took.
    Frame(Frame<'a>, usize),
    /// The next frame is not complete.
    NeedMore,
    /// No server of ours sends this: masked, fragmented, reserved bits or longer than [`FRAME_BYTES_MAX`].
    Bad,
}

/// The longest frame that is walked over.
pub(crate) const FRAME_BYTES_MAX: usize = 1 << 20;

/// Reads the first frame of `bytes`.
#[inline]
pub(crate) fn step(bytes: &[u8]) -> Step<'_> {
    let &[first, second, ref rest @ ..] = bytes else { return Step::NeedMore };
    // RFC 6455 §5.2: the low seven bits are the length, or say how many bytes after them hold it.
    let (header, length) = match (second, rest) {
        (0..=125, _) => (2, usize::from(second)),
        (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
        (127, [0, 0, 0, 0, a, b, c, d, ..]) => {
            (10, usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX))
        }
        (126, _) => return Step::NeedMore,
        (127, _) if rest.len() < 8 => return Step::NeedMore,
        _ => return Step::Bad,
    };
    if length > FRAME_BYTES_MAX {
        return Step::Bad;
    }
    let end = header + length;
    let Some(payload) = bytes.get(header..end) else { return Step::NeedMore };
    match first {
        0x81 | 0x82 => Step::Frame(Frame::Message(payload), end),
        0x88 => Step::Frame(Frame::Close(close_code(payload)), end),
        0x89 => Step::Frame(Frame::Ping(payload), end),
        0x8a => Step::Frame(Frame::Pong, end),
        _ => Step::Bad,
    }
}

fn close_code(payload: &[u8]) -> Option<u16> {
    payload.first_chunk().map(|code| u16::from_be_bytes(*code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
    use tungstenite::protocol::frame::{CloseFrame, Frame as Oracle};

    /// What the walk finds, with the bytes cut at `cuts` and unconsumed bytes carried over.
    fn walk_in_pieces(bytes: &[u8], cuts: &[usize]) -> Vec<String> {
        let mut found = Vec::new();
        let mut carried: Vec<u8> = Vec::new();
        let mut from = 0;
        for &cut in cuts.iter().chain([&bytes.len()]) {
            carried.extend_from_slice(&bytes[from..cut]);
            from = cut;
            let mut at = 0;
            while let Step::Frame(frame, taken) = step(&carried[at..]) {
                found.push(format!("{frame:?}"));
                at += taken;
            }
            carried.drain(..at);
        }
        assert!(carried.is_empty(), "{} bytes left", carried.len());
        found
    }

    fn transcript() -> Vec<u8> {
        let close = CloseFrame { code: CloseCode::Away, reason: "bye".into() };
        let mut bytes = Vec::new();
        for frame in [
            Oracle::message(vec![b'x'; 125], OpCode::Data(Data::Text), true),
            Oracle::message(vec![b'y'; 126], OpCode::Data(Data::Text), true),
            Oracle::message(Vec::new(), OpCode::Data(Data::Binary), true),
            Oracle::ping(vec![b'p'; 3]),
            Oracle::message(vec![b'z'; 65_536], OpCode::Data(Data::Text), true),
            Oracle::pong(Vec::new()),
            Oracle::close(Some(close)),
        ] {
            frame.format(&mut bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn the_walk_agrees_with_another_implementation() {
        let found = walk_in_pieces(&transcript(), &[]);
        assert_eq!(found.len(), 7);
        assert_eq!(found[3], "Ping([112, 112, 112])");
        assert_eq!(found[6], "Close(Some(1001))");
    }

    #[test]
    fn a_cut_at_any_byte_changes_nothing() {
        let bytes = transcript();
        let whole = walk_in_pieces(&bytes, &[]);
        let long = 127 + 130 + 2 + 5 + 20..bytes.len() - 20;
        for cut in (0..=bytes.len()).filter(|cut| !long.contains(cut)) {
            assert_eq!(walk_in_pieces(&bytes, &[cut]), whole, "cut at {cut}");
        }
        let every: Vec<usize> = (0..400).collect();
        assert_eq!(walk_in_pieces(&bytes, &every), whole);
    }

    #[test]
    fn what_a_server_must_not_send_is_bad() {
        for bytes in [
            &[0x81, 0x80, 0, 0, 0, 0][..],
            &[0x01, 0x00],
            &[0xc1, 0x00],
            &[0x83, 0x00],
            &[0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0],
            &[0x81, 127, 0, 0, 0, 0, 0, 0x10, 0, 1],
        ] {
            assert_eq!(step(bytes), Step::Bad, "{bytes:?}");
        }
    }
}
