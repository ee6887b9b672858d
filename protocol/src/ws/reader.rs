//! Bytes of one WebSocket to messages. A message in one frame is unmasked and read where it lies; only fragments are
//! gathered.

use super::close::CloseCode;
use super::header::{self, Fin, FrameHeader, Opcode};
use super::mask;
use super::utf8::Utf8;
use crate::limits::Limits;

/// Which end this reader is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Reads what a client sent: masked.
    Server,
    /// Reads what a server sent: unmasked.
    Client,
}

/// A peer that broke the protocol: close with this.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fault {
    /// The code.
    pub code: CloseCode,
    /// The reason.
    pub reason: &'static str,
}

impl Fault {
    pub(super) const fn protocol(reason: &'static str) -> Self {
        Self { code: CloseCode::Protocol, reason }
    }
}

/// The payload of a message.
#[derive(Debug, Eq, PartialEq)]
pub enum Payload<'a> {
    /// It came in one frame and lies in the read buffer.
    Whole(&'a mut [u8]),
    /// It came in fragments.
    Joined(Vec<u8>),
}

impl Payload<'_> {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Joined(bytes) => bytes,
        }
    }

    /// The bytes, for a decoder that works in place.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Joined(bytes) => bytes,
        }
    }
}

/// What the bytes mean.
#[derive(Debug, Eq, PartialEq)]
pub enum Step<'a> {
    /// More bytes are needed.
    Need,
    /// A fragment was taken: go on.
    Part,
    /// A text message: valid UTF-8.
    Text(Payload<'a>),
    /// A binary message.
    Binary(Payload<'a>),
    /// A ping; answer with the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The peer closes; nothing after this is read.
    Close {
        /// Its code, if it gave one.
        code: Option<u16>,
        /// Its reason.
        reason: &'a str,
    },
    /// The peer broke the protocol; nothing after this is read.
    Fault(Fault),
}

/// One step, and how far it went.
#[derive(Debug, Eq, PartialEq)]
pub struct Read<'a> {
    /// Bytes that are done with: the next call starts behind them.
    pub consumed: usize,
    /// What they mean.
    pub step: Step<'a>,
}

/// The reading half of one WebSocket.
#[derive(Debug)]
pub struct Reader {
    gathered: Option<Box<Gathered>>,
    /// Payload bytes of the incomplete frame that are unmasked and checked already.
    done_bytes: usize,
    utf8: Utf8,
    role: Role,
}

/// The fragments of one message so far.
#[derive(Debug)]
struct Gathered {
    content: Content,
    fragments: usize,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Content {
    Text,
    Binary,
}

impl Reader {
    /// A reader of a fresh WebSocket.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { gathered: None, done_bytes: 0, utf8: Utf8::default(), role }
    }

    /// Whether a message has begun and not ended, in fragments or in an incomplete frame.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        self.gathered.is_some() || self.done_bytes > 0
    }

    /// Reads one frame from the start of `bytes`. Bytes not consumed must come again, as they were left, with more behind
    /// them.
    pub fn next<'a>(&mut self, bytes: &'a mut [u8], limits: &Limits) -> Read<'a> {
        self.frame(bytes, limits)
            .unwrap_or_else(|fault| Read { consumed: 0, step: Step::Fault(fault) })
    }

    fn frame<'a>(&mut self, bytes: &'a mut [u8], limits: &Limits) -> Result<Read<'a>, Fault> {
        let gathered_bytes = self.gathered.as_ref().map_or(0, |it| it.bytes.len());
        let room = limits.message_bytes_max.saturating_sub(gathered_bytes);
        let Some(header) = header::parse(bytes, self.role, room)? else {
            return Ok(Read { consumed: 0, step: Step::Need });
        };
        let consumed = header.header_bytes + header.payload_bytes;
        let available = consumed.min(bytes.len());
        let payload = bytes.get_mut(header.header_bytes..available).unwrap_or_default();
        let step = match header.opcode {
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                self.data(header, payload, limits)?
            }
            Opcode::Close | Opcode::Ping | Opcode::Pong => control(header, payload)?,
        };
        let is_need = matches!(step, Step::Need);
        Ok(Read { consumed: if is_need { 0 } else { consumed }, step })
    }

    fn data<'a>(
        &mut self,
        header: FrameHeader,
        payload: &'a mut [u8],
        limits: &Limits,
    ) -> Result<Step<'a>, Fault> {
        let content = self.content(header.opcode)?;
        let is_fragment = header.fin == Fin::More || self.gathered.is_some();
        let fragments = self.gathered.as_ref().map_or(0, |it| it.fragments);
        if is_fragment && fragments >= limits.fragments_max {
            return Err(Fault {
                code: CloseCode::Policy,
                reason: "too many fragments: fragments_per_message_max",
            });
        }
        self.unmask_and_check(header, payload, content)?;
        if payload.len() < header.payload_bytes {
            return Ok(Step::Need);
        }
        self.done_bytes = 0;
        if header.fin == Fin::Last && content == Content::Text && !self.utf8.is_whole() {
            return Err(NOT_UTF8);
        }
        if !is_fragment {
            return Ok(message(content, Payload::Whole(payload)));
        }
        let mut gathered = self
            .gathered
            .take()
            .unwrap_or_else(|| Box::new(Gathered { content, fragments: 0, bytes: Vec::new() }));
        gathered.bytes.extend_from_slice(payload);
        gathered.fragments += 1;
        match header.fin {
            Fin::Last => Ok(message(content, Payload::Joined(gathered.bytes))),
            Fin::More => {
                self.gathered = Some(gathered);
                Ok(Step::Part)
            }
        }
    }

    /// RFC 6455 §5.4: the fragments of two messages never mix.
    fn content(&self, opcode: Opcode) -> Result<Content, Fault> {
        match (opcode, &self.gathered) {
            (Opcode::Text, None) => Ok(Content::Text),
            (Opcode::Binary, None) => Ok(Content::Binary),
            (Opcode::Continuation, Some(gathered)) => Ok(gathered.content),
            (Opcode::Continuation, None) => Err(Fault::protocol("nothing to continue")),
            (_, _) => Err(Fault::protocol("a message inside another")),
        }
    }

    fn unmask_and_check(
        &mut self,
        header: FrameHeader,
        payload: &mut [u8],
        content: Content,
    ) -> Result<(), Fault> {
        let done_bytes = self.done_bytes;
        let fresh = payload.get_mut(done_bytes..).unwrap_or_default();
        if let Some(key) = header.mask {
            mask::apply(fresh, key, done_bytes);
        }
        self.done_bytes = done_bytes + fresh.len();
        match content {
            Content::Text => self.utf8.feed(fresh).map_err(|_| NOT_UTF8),
            Content::Binary => Ok(()),
        }
    }
}

const NOT_UTF8: Fault = Fault { code: CloseCode::InvalidData, reason: "text is not UTF-8" };

fn message(content: Content, payload: Payload<'_>) -> Step<'_> {
    match content {
        Content::Text => Step::Text(payload),
        Content::Binary => Step::Binary(payload),
    }
}

/// Control frames are short: they are read once they are whole.
fn control(header: FrameHeader, payload: &mut [u8]) -> Result<Step<'_>, Fault> {
    if payload.len() < header.payload_bytes {
        return Ok(Step::Need);
    }
    if let Some(key) = header.mask {
        mask::apply(payload, key, 0);
    }
    match header.opcode {
        Opcode::Ping => Ok(Step::Ping(payload)),
        Opcode::Pong => Ok(Step::Pong(payload)),
        Opcode::Close | Opcode::Continuation | Opcode::Text | Opcode::Binary => close(payload),
    }
}

fn close(payload: &[u8]) -> Result<Step<'_>, Fault> {
    let Some((number, reason)) = payload.split_first_chunk::<2>() else {
        return match payload {
            [] => Ok(Step::Close { code: None, reason: "" }),
            _ => Err(Fault::protocol("half a close code")),
        };
    };
    let number = u16::from_be_bytes(*number);
    if !CloseCode::may_be_sent(number) {
        return Err(Fault::protocol("a close code that may not be sent"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Fault {
        code: CloseCode::InvalidData,
        reason: "a close reason is not UTF-8",
    })?;
    Ok(Step::Close { code: Some(number), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_reader_is_small() {
        assert!(size_of::<Reader>() <= 24, "{} bytes", size_of::<Reader>());
    }

    #[test]
    fn a_peer_owes_the_rest_of_what_it_began() {
        let mut reader = Reader::new(Role::Client);
        let mut owes = |bytes: &[u8]| {
            reader.next(&mut bytes.to_vec(), &Limits::default());
            reader.is_mid_message()
        };
        assert!(!owes(b"\x81\x01a"), "a message is whole");
        assert!(owes(b"\x81\x02a"), "a frame is not");
        assert!(!owes(b"\x81\x02ab"));
        assert!(owes(b"\x01\x01a"), "a fragment is the first");
        assert!(owes(b"\x89\x00"), "a ping in between changes nothing");
        assert!(!owes(b"\x80\x01b"));
    }
}
