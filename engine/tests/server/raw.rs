//! Bytes over a socket, for what no client would send.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use super::node::{Node, PATIENCE};

/// A connection to a node.
pub(crate) struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Raw {
    pub(crate) fn open(node: &Node) -> Self {
        Self::to(&node.address().to_string())
    }

    /// To whatever is at an address.
    pub(crate) fn to(address: &str) -> Self {
        Self::on(TcpStream::connect(address).unwrap())
    }

    /// Over this one.
    pub(crate) fn on(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends to a node that may be gone; whether it took it.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends no more.
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Everything until the node closes.
    pub(crate) fn read_to_end(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.unread);
        self.stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// The same, whatever it is.
    pub(crate) fn read_to_end_lossy(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.unread);
        self.stream.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Everything up to and with `end`. `None` when the connection ends before.
    pub(crate) fn try_read_until(&mut self, end: &str) -> Option<String> {
        let end = end.as_bytes();
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|it| it == end) {
                let bytes: Vec<u8> = self.unread.drain(..at + end.len()).collect();
                return Some(String::from_utf8_lossy(&bytes).into_owned());
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(count) if count > 0 => self.unread.extend_from_slice(&buffer[..count]),
                Ok(_) | Err(_) => return None,
            }
        }
    }

    /// So many bytes.
    pub(crate) fn read_exactly(&mut self, count: usize) -> String {
        while self.unread.len() < count {
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).unwrap();
            assert!(read > 0, "{} of {count} bytes", self.unread.len());
            self.unread.extend_from_slice(&buffer[..read]);
        }
        let bytes: Vec<u8> = self.unread.drain(..count).collect();
        String::from_utf8(bytes).unwrap()
    }

    /// The text of the next WebSocket frame.
    pub(crate) fn read_frame(&mut self) -> String {
        while self.unread.len() < 4 {
            let mut buffer = [0; 4096];
            let read = self.stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the socket was closed");
            self.unread.extend_from_slice(&buffer[..read]);
        }
        assert_eq!(self.unread[0], 0x81, "a text frame: {:?}", self.unread);
        let (header, length) = match self.unread[1] {
            126 => (4, usize::from(u16::from_be_bytes([self.unread[2], self.unread[3]]))),
            short => (2, usize::from(short)),
        };
        self.unread.drain(..header);
        self.read_exactly(length)
    }

    /// Everything up to and with `end`, which must come.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let read = self.try_read_until(end);
        read.unwrap_or_else(|| panic!("no {end:?}: {:?}", String::from_utf8_lossy(&self.unread)))
    }
}

/// A request with a JSON body.
pub(crate) fn request(method: &str, target: &str, body: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Sends bytes, no more, and reads what comes until the end.
pub(crate) fn exchange(node: &Node, bytes: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::open(node);
    raw.send(bytes);
    raw.finish();
    raw.read_to_end()
}

/// A masked text frame.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    protocol::ws::append_masked(&mut bytes, protocol::ws::Opcode::Text, text.as_bytes(), [0; 4]);
    bytes
}

/// What asks for a WebSocket.
pub(crate) fn upgrade(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A WebSocket.
pub(crate) fn open(node: &Node, target: &str) -> Raw {
    let mut raw = Raw::open(node);
    raw.send(upgrade(target));
    assert!(raw.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
    raw
}
