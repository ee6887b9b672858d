//! What the server is spoken to in: the dialects of ours, and the protocols of others.

use super::message::holds;
use super::native::Protocol;
use super::walk::{self, Step};
use clap::ValueEnum;
use protocol::ws::{Opcode, append_masked};

/// What connections speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// A WebSocket at /edge/realtime with a token that --key mints.
    Cohesivity,
    /// A WebSocket at /v1/realtime/ws with a token that --project-key mints. Published with --key.
    Infrai,
    /// Socket.IO over a WebSocket at /socket.io/, each subscribe answered; --api-key allows the channels.
    Insforge,
    /// Public channels of Pusher's protocol 7, published over its HTTP API.
    #[value(skip)]
    Pusher,
    /// Events of Socket.IO 4 on a server of one's own.
    #[value(skip)]
    SocketIo,
    /// Texts on a WebSocket, from templates.
    #[value(skip)]
    Raw,
    /// A protocol without WebSockets.
    #[value(skip)]
    Native(Protocol),
}

impl Dialect {
    /// As reports write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cohesivity => "cohesivity",
            Self::Infrai => "infrai",
            Self::Insforge => "insforge",
            Self::Pusher => "pusher",
            Self::SocketIo => "socketio",
            Self::Raw => "raw",
            Self::Native(protocol) => protocol.name(),
        }
    }

    /// Whether the server is one of ours.
    pub(crate) fn is_ours(self) -> bool {
        match self {
            Self::Cohesivity | Self::Infrai | Self::Insforge => true,
            Self::Pusher | Self::SocketIo | Self::Raw | Self::Native(_) => false,
        }
    }

    /// What channels are called before their number. Pusher's names have no colon.
    pub(crate) fn channel_prefix(self) -> &'static str {
        match self {
            Self::Pusher => "bench-",
            Self::Cohesivity
            | Self::Infrai
            | Self::Insforge
            | Self::SocketIo
            | Self::Raw
            | Self::Native(_) => "bench:",
        }
    }

    /// The answer to a message that asks whether the client is still there; `None`: it does not ask.
    pub(crate) fn pulse(self, text: &[u8]) -> Option<&'static [u8]> {
        match self {
            Self::Pusher => holds(text, b"\"pusher:ping\"")
                .then_some(br#"{"event":"pusher:pong","data":{}}"#.as_slice()),
            Self::Insforge | Self::SocketIo => (text == b"2").then_some(b"3".as_slice()),
            Self::Native(protocol) => protocol.pulse(text),
            Self::Cohesivity | Self::Infrai | Self::Raw => None,
        }
    }

    /// Appends a text as a connection says it.
    pub(crate) fn say(self, out: &mut Vec<u8>, text: &[u8]) {
        match self {
            Self::Native(_) => out.extend_from_slice(text),
            Self::Cohesivity
            | Self::Infrai
            | Self::Insforge
            | Self::Pusher
            | Self::SocketIo
            | Self::Raw => append_masked(out, Opcode::Text, text, [0; 4]),
        }
    }

    /// What a connection says now and then by itself, because the server closes one that is silent.
    pub(crate) fn sign_of_life(self) -> Option<&'static [u8]> {
        match self {
            Self::Pusher => Some(br#"{"event":"pusher:ping","data":{}}"#),
            Self::Cohesivity
            | Self::Infrai
            | Self::Insforge
            | Self::SocketIo
            | Self::Raw
            | Self::Native(_) => None,
        }
    }

    /// Reads the first frame, or what is one without WebSockets.
    #[inline]
    pub(crate) fn step(self, bytes: &[u8]) -> Step<'_> {
        match self {
            Self::Native(protocol) => protocol.step(bytes),
            Self::Cohesivity
            | Self::Infrai
            | Self::Insforge
            | Self::Pusher
            | Self::SocketIo
            | Self::Raw => walk::step(bytes),
        }
    }

    /// Whether connections speak without an upgrade, those that publish as well.
    #[inline]
    pub(crate) fn is_native(self) -> bool {
        matches!(self, Self::Native(_))
    }
}
