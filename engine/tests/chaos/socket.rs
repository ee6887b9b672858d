//! A WebSocket by the reference implementation, on a connection that may take little.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use tungstenite::{Error, HandshakeError, Message, WebSocket};

use super::node::PATIENCE;

/// How much a connection takes that nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// What the kernel thinks right.
    Usual,
    /// As little as it allows.
    Little,
}

/// What the receive buffer of a connection with little room holds.
const LITTLE_BYTES: usize = 16 * 1024;

/// What came.
#[derive(Debug)]
pub(crate) enum Got {
    Text(String),
    Nothing,
    /// It is over.
    Closed,
}

pub(crate) struct Socket(WebSocket<TcpStream>);

impl Socket {
    /// `None`: nobody is there, or does not let it in.
    pub(crate) fn open(port: u16, target: &str, room: Room) -> Option<Self> {
        let stream = dial(port, room)?;
        let url = format!("ws://127.0.0.1:{port}{target}");
        match tungstenite::client(url, stream) {
            Ok((socket, _)) => Some(Self(socket)),
            Err(HandshakeError::Failure(_) | HandshakeError::Interrupted(_)) => None,
        }
    }

    /// Whether it was taken.
    pub(crate) fn say(&mut self, text: String) -> bool {
        self.0.send(Message::text(text)).is_ok()
    }

    /// What comes within this time.
    pub(crate) fn next(&mut self, patience: Duration) -> Got {
        if self.0.get_ref().set_read_timeout(Some(patience)).is_err() {
            return Got::Closed;
        }
        match self.0.read() {
            Ok(Message::Text(text)) => Got::Text(text.to_string()),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_)) => {
                Got::Nothing
            }
            Err(Error::Io(why)) if is_early(why.kind()) => Got::Nothing,
            Ok(Message::Close(_)) | Err(_) => Got::Closed,
        }
    }

    /// Says goodbye; what was on its way is not read any more.
    pub(crate) fn leave(&mut self) {
        let _ = self.0.close(None); // it may be gone
        let _ = self.0.flush(); // the same
    }
}

fn is_early(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// A connection to the node.
pub(crate) fn dial(port: u16, room: Room) -> Option<TcpStream> {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
    if room == Room::Little {
        sockopt::set_socket_recv_buffer_size(&socket, LITTLE_BYTES).unwrap();
    }
    connect(&socket, &to).ok()?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}
