//! Frame headers (RFC 6455 §5.2).

use super::close::CloseCode;
use super::reader::{Fault, Role};

/// What a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Opcode {
    /// More of a fragmented message.
    Continuation = 0,
    /// UTF-8.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// The end.
    Close = 8,
    /// Are you there?
    Ping = 9,
    /// I am.
    Pong = 10,
}

impl Opcode {
    fn parse(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Continuation),
            1 => Some(Self::Text),
            2 => Some(Self::Binary),
            8 => Some(Self::Close),
            9 => Some(Self::Ping),
            10 => Some(Self::Pong),
            _ => None,
        }
    }

    fn is_control(self) -> bool {
        self as u8 >= Self::Close as u8
    }
}

/// Bytes that a control frame may carry (RFC 6455 §5.5).
pub(super) const CONTROL_BYTES_MAX: usize = 125;

/// Whether a frame ends its message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fin {
    More,
    Last,
}

/// A whole frame header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FrameHeader {
    pub(super) fin: Fin,
    pub(crate) opcode: Opcode,
    pub(super) mask: Option<[u8; 4]>,
    pub(crate) header_bytes: usize,
    pub(crate) payload_bytes: usize,
}

/// Reads a header. `None`: more bytes are needed. What is wrong is refused from the first byte that shows it;
/// `data_bytes_max` is the room that the message has left.
pub(crate) fn parse(
    bytes: &[u8],
    role: Role,
    data_bytes_max: usize,
) -> Result<Option<FrameHeader>, Fault> {
    let Some(first) = bytes.first() else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Fault::protocol("a reserved bit is set"));
    }
    let opcode = Opcode::parse(first & 0x0f).ok_or(Fault::protocol("unknown opcode"))?;
    let fin = if first & 0x80 == 0 { Fin::More } else { Fin::Last };
    if opcode.is_control() && fin == Fin::More {
        return Err(Fault::protocol("a control frame in fragments"));
    }
    let Some(second) = bytes.get(1) else { return Ok(None) };
    let mask_bytes = match (role, second & 0x80 != 0) {
        (Role::Server, true) => 4,
        (Role::Client, false) => 0,
        (Role::Server, false) => return Err(Fault::protocol("a client's frame is not masked")),
        (Role::Client, true) => return Err(Fault::protocol("a server's frame is masked")),
    };
    let short = second & 0x7f;
    if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
        return Err(Fault::protocol("a control frame over 125 bytes"));
    }
    let Some((length, length_end)) = length(bytes, short)? else { return Ok(None) };
    let payload_bytes = usize::try_from(length).ok().filter(|it| *it <= data_bytes_max);
    let payload_bytes = match (opcode.is_control(), payload_bytes) {
        (true, _) => usize::from(short),
        (false, Some(bytes)) => bytes,
        (false, None) => {
            let reason = "message over its limit: message_bytes_max";
            return Err(Fault { code: CloseCode::TooBig, reason });
        }
    };
    let header_bytes = length_end + mask_bytes;
    let Some(key) = bytes.get(length_end..header_bytes) else { return Ok(None) };
    let mask = key.first_chunk::<4>().copied();
    Ok(Some(FrameHeader { fin, opcode, mask, header_bytes, payload_bytes }))
}

/// The payload length, and where the header goes on behind it. It is in its shortest form, or refused.
fn length(bytes: &[u8], short: u8) -> Result<Option<(u64, usize)>, Fault> {
    let rest = bytes.get(2..).unwrap_or_default();
    let (length, end, min) = match short {
        126 => match rest.first_chunk::<2>() {
            Some(chunk) => (u64::from(u16::from_be_bytes(*chunk)), 4, 126),
            None => return Ok(None),
        },
        127 => match rest.first_chunk::<8>() {
            Some(chunk) => (u64::from_be_bytes(*chunk), 10, 1 << 16),
            None => return Ok(None),
        },
        short => (u64::from(short), 2, 0),
    };
    if length < min {
        return Err(Fault::protocol("a length is not in its shortest form"));
    }
    Ok(Some((length, end)))
}
