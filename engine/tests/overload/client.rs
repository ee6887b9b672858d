//! A WebSocket client of a few lines, of which one thread can have thousands: it never waits by itself.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};

use protocol::ws::{Opcode, append_masked};

use super::socket::{Room, dial};

/// What came.
#[derive(Debug)]
pub(crate) enum Frame {
    /// An answer of HTTP: its first line and what follows.
    Head(String),
    Text(String),
    /// It is answered already.
    Ping(Vec<u8>),
    Pong,
    /// With its code and reason.
    Close(u16, String),
    Other,
}

pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
    /// How much of `unread` was taken.
    taken: usize,
    unsent: Vec<u8>,
    /// How many bytes the kernel took.
    pub(crate) sent_bytes: usize,
    /// It takes no more; what it said before can still be read.
    is_deaf: bool,
    /// It is a WebSocket.
    pub(crate) is_open: bool,
    /// The node closed, or is gone.
    pub(crate) has_ended: bool,
}

/// What a handshake is asked for with: RFC 6455, section 1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What one read takes at most.
const READ_BYTES: usize = 16 * 1024;

impl Client {
    /// A connection on which nothing was said.
    pub(crate) fn connect(port: u16, room: Room) -> Option<Self> {
        let stream = dial(port, room)?;
        stream.set_nonblocking(true).ok()?;
        Some(Self {
            stream,
            unread: Vec::new(),
            taken: 0,
            unsent: Vec::new(),
            sent_bytes: 0,
            is_deaf: false,
            is_open: false,
            has_ended: false,
        })
    }

    /// Asks for a WebSocket.
    pub(crate) fn upgrade(&mut self, target: &str) {
        self.send(
            format!(
                "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
            )
            .as_bytes(),
        );
    }

    /// Says a text.
    pub(crate) fn say(&mut self, text: &str) {
        let mut bytes = Vec::new();
        append_masked(&mut bytes, Opcode::Text, text.as_bytes(), [0; 4]);
        self.send(&bytes);
    }

    /// Sends bytes; what the kernel does not take waits for [`Client::flush`].
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if !self.is_deaf {
            self.unsent.extend_from_slice(bytes);
            self.flush();
        }
    }

    pub(crate) fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(count) => {
                    self.unsent.drain(..count);
                    self.sent_bytes += count;
                }
                Err(why) if why.kind() == ErrorKind::WouldBlock => return,
                // Its end comes behind what it said before.
                Err(_) => {
                    self.unsent.clear();
                    self.is_deaf = true;
                }
            }
        }
    }

    /// Whether the kernel has yet to take something.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Takes what is there.
    pub(crate) fn read(&mut self) {
        self.unread.drain(..self.taken);
        self.taken = 0;
        let mut buffer = [0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.has_ended = true,
            Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
            Err(why) if why.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.has_ended = true,
        }
    }

    /// The next frame of what was read.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let rest = &self.unread[self.taken..];
        let (frame, count) = if self.is_open { frame(rest)? } else { head(rest)? };
        self.taken += count;
        if let Frame::Ping(said) = &frame {
            let mut bytes = Vec::new();
            append_masked(&mut bytes, Opcode::Pong, said, [0; 4]);
            self.send(&bytes);
        }
        self.is_open |= matches!(&frame, Frame::Head(head) if head.starts_with("HTTP/1.1 101"));
        Some(frame)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// A whole answer of HTTP and its length.
fn head(bytes: &[u8]) -> Option<(Frame, usize)> {
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..end]).unwrap();
    let length = text.split("Content-Length: ").nth(1).and_then(|it| it.lines().next());
    let whole = end + length.map_or(0, |it| it.parse::<usize>().unwrap());
    let text = String::from_utf8(bytes.get(..whole)?.to_vec()).unwrap();
    Some((Frame::Head(text), whole))
}

/// A whole frame and its length. Servers do not mask.
fn frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let number = |range: std::ops::Range<usize>| {
        let bytes = bytes.get(range)?;
        Some(bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))
    };
    let (start, length) = match bytes.get(1)? {
        126 => (4, number(2..4)?),
        127 => (10, number(2..10)?),
        short => (2, usize::from(*short)),
    };
    let payload = bytes.get(start..start + length)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let frame = match bytes[0] {
        0x81 => Frame::Text(text(payload)),
        0x89 => Frame::Ping(payload.to_vec()),
        0x8a => Frame::Pong,
        0x88 if length >= 2 => {
            Frame::Close(u16::from_be_bytes([payload[0], payload[1]]), text(&payload[2..]))
        }
        _ => Frame::Other,
    };
    Some((frame, start + length))
}
