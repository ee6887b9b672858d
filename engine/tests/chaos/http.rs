//! A connection of HTTP that stays, with several requests under way at once.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use protocol::client::{Target, parse_response, write_get, write_post};
use serde_json::Value;

use super::socket::{Room, dial};

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Whether nothing came of what was asked: it was refused before it was done.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.status, 400..=499 | 503 | 507)
    }
}

pub(crate) struct Http {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Http {
    pub(crate) fn open(port: u16) -> Option<Self> {
        Some(Self { stream: dial(port, Room::Usual)?, unread: Vec::new() })
    }

    /// Whether a request was taken. With a body it is a POST.
    pub(crate) fn ask(&mut self, path: &str, bearer: Option<&str>, body: Option<&str>) -> bool {
        let target = Target { host: "localhost", path, bearer };
        let mut bytes = Vec::new();
        match body {
            Some(body) => write_post(&mut bytes, &target, body.as_bytes()),
            None => write_get(&mut bytes, &target),
        }
        self.stream.write_all(&bytes).is_ok()
    }

    /// The next answer; `None` when the connection ended before.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        loop {
            if let Some(answer) = self.whole() {
                return Some(answer);
            }
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(count) if count > 0 => self.unread.extend_from_slice(&buffer[..count]),
                Ok(_) | Err(_) => return None,
            }
        }
    }

    /// The first answer of what was read, once all of it is there.
    fn whole(&mut self) -> Option<Answer> {
        let head = parse_response(&self.unread).ok()??;
        let end = head.head_bytes + head.content_length;
        let body = self.unread.get(head.head_bytes..end)?.to_vec();
        self.unread.drain(..end);
        Some(Answer { status: head.status, body: String::from_utf8(body).ok()? })
    }

    /// One request on a connection of its own.
    pub(crate) fn once(
        port: u16,
        path: &str,
        bearer: Option<&str>,
        body: Option<&str>,
    ) -> Option<Answer> {
        let mut http = Self::open(port)?;
        http.ask(path, bearer, body).then_some(())?;
        http.answer()
    }
}
