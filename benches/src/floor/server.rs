//! Two bare servers that the load generator can drive: one answers publishes, one hands them to everybody who is
//! connected. Both parse just enough to do that.

#![expect(clippy::rc_buffer, reason = "the memory of a frame is written again")]

use std::io;
use std::rc::Rc;

use protocol::ws::{accept_key, append_text};

use super::http::{self, find};
use super::{Outlet, Service};

/// What a publish is answered with.
pub(crate) const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 82\r\n\r\n\
    {\"channel\":\"bench-0\",\"action\":\"m\",\"event\":\"message\",\"created_at_ms\":1700000000000}";
/// What a subscriber hears first.
pub(crate) const SUBSCRIBED: &str =
    "{\"action\":\"subscribed\",\"channel\":\"bench-0\",\"presence\":[]}";

/// What is done with a publish.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Then {
    /// It is answered.
    Answer,
    /// It is sent to every subscriber, and answered.
    Broadcast,
}

/// A bare server.
pub(crate) struct Bare {
    then: Then,
    conns: Vec<Conn>,
    subscribers: Vec<u32>,
    /// Connections that become subscribers after this turn.
    joining: Vec<u32>,
    /// Messages of this turn, encoded.
    pending: Vec<u8>,
    /// Connections with answers.
    answering: Vec<u32>,
    /// The answer that nearly all get.
    shared: Rc<Vec<u8>>,
    /// A frame that was sent, for the next turn to write into.
    spare: Option<Rc<Vec<u8>>>,
}

#[derive(Default)]
struct Conn {
    carry: Vec<u8>,
    due: usize,
    own: Vec<u8>,
    is_socket: bool,
}

impl Bare {
    /// A server that nobody is connected to.
    pub(crate) fn new(then: Then) -> Self {
        Self {
            then,
            conns: Vec::new(),
            subscribers: Vec::new(),
            joining: Vec::new(),
            pending: Vec::new(),
            answering: Vec::new(),
            shared: Rc::new(ANSWER.to_vec()),
            spare: None,
        }
    }

    fn read(&mut self, slot: u32, bytes: &[u8]) -> usize {
        let mut done = 0;
        while let Some(request) = bytes.get(done..).and_then(http::first) {
            done += request.bytes;
            self.answer(slot, &request);
        }
        done
    }

    fn answer(&mut self, slot: u32, request: &http::Request<'_>) {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        if conn.due == 0 && conn.own.is_empty() {
            self.answering.push(slot);
        }
        if request.head.starts_with(b"POST /edge/realtime?") {
            conn.due += 1;
            if self.then == Then::Broadcast {
                append_frame(&mut self.pending, request.body);
            }
        } else if request.head.starts_with(b"POST /edge/realtime/token") {
            append_json(&mut conn.own, "{\"token\":\"t\"}");
        } else if append_upgrade(&mut conn.own, request.head) {
            append_text(&mut conn.own, SUBSCRIBED.as_bytes());
            conn.is_socket = true;
            self.joining.push(slot);
        } else {
            append_json(&mut conn.own, "{\"name\":\"floor\"}");
        }
    }

    fn send(&mut self, ring: &mut impl Outlet) -> io::Result<()> {
        if !self.pending.is_empty() {
            let frame = Rc::new(std::mem::take(&mut self.pending));
            let place = ring.frame(Rc::clone(&frame));
            for slot in &self.subscribers {
                ring.send(*slot, place)?;
            }
            // The frame before this one is free again, unless somebody has a backlog.
            if let Some(Ok(mut spare)) = self.spare.replace(frame).map(Rc::try_unwrap) {
                spare.clear();
                self.pending = spare;
            }
        }
        let shared = ring.frame(Rc::clone(&self.shared));
        for slot in self.answering.drain(..) {
            let Some(conn) = self.conns.get_mut(slot as usize) else { continue };
            let due = std::mem::take(&mut conn.due);
            if conn.own.is_empty() && due == 1 {
                ring.send(slot, shared)?;
                continue;
            }
            let mut own = std::mem::take(&mut conn.own);
            own.extend_from_slice(&ANSWER.repeat(due));
            let frame = ring.frame(Rc::new(own));
            ring.send(slot, frame)?;
        }
        self.subscribers.append(&mut self.joining);
        Ok(())
    }
}

impl Service for Bare {
    fn opened(&mut self, slot: u32) {
        if self.conns.len() <= slot as usize {
            self.conns.resize_with(slot as usize + 1, Conn::default);
        }
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            *conn = Conn::default();
        }
    }

    fn received(&mut self, slot: u32, bytes: &mut [u8]) -> bool {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return false };
        // A subscriber says nothing that matters here, but goodbye.
        if conn.is_socket {
            return bytes.first().is_none_or(|first| first & 15 != 8);
        }
        let mut carry = std::mem::take(&mut conn.carry);
        let rest = if carry.is_empty() {
            let done = self.read(slot, bytes);
            bytes.get(done..).unwrap_or_default().to_vec()
        } else {
            carry.extend_from_slice(bytes);
            let done = self.read(slot, &carry);
            carry.split_off(done)
        };
        if let Some(conn) = self.conns.get_mut(slot as usize) {
            conn.carry = rest;
        }
        true
    }

    fn closed(&mut self, slot: u32) {
        self.subscribers.retain(|it| *it != slot);
        self.answering.retain(|it| *it != slot);
        self.joining.retain(|it| *it != slot);
    }

    fn flush(&mut self, ring: &mut impl Outlet) {
        // A ring that breaks does so at its next call as well, and ends the loop.
        let _ = self.send(ring);
    }
}

/// The frame that Stentor would make of a publish.
fn append_frame(out: &mut Vec<u8>, body: &[u8]) {
    let parts = message_parts(body);
    let length = parts.iter().map(|it| it.len()).sum();
    protocol::ws::append_header(out, protocol::ws::Opcode::Text, length);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// The text in that frame.
pub(crate) fn append_message(out: &mut Vec<u8>, body: &[u8]) {
    message_parts(body).iter().for_each(|part| out.extend_from_slice(part));
}

/// A publish as its subscribers see it, with the same bytes around the payload as Stentor's.
fn message_parts(body: &[u8]) -> [&[u8]; 8] {
    const DATA: &[u8] = b",\"data\":";
    let at = find(body, DATA).unwrap_or_default();
    let channel = find(body, b",\"event\":").and_then(|end| body.get(1..end)).unwrap_or_default();
    let event = body.get(1 + channel.len() + 9..at).unwrap_or_default();
    let rest = body.get(at..).unwrap_or_default();
    let rest = rest.strip_suffix(b"}").unwrap_or(rest);
    let data = rest.strip_suffix(b",\"persist\":false").unwrap_or(rest);
    [
        b"{\"action\":",
        event,
        b",\"event\":",
        event,
        b",",
        channel,
        data,
        b",\"created_at_ms\":1700000000000}",
    ]
}

/// The answer to an upgrade; whether the request is one.
pub(crate) fn append_upgrade(out: &mut Vec<u8>, head: &[u8]) -> bool {
    let Some(at) = find(head, b"Sec-WebSocket-Key: ") else { return false };
    let key = head.get(at + 19..at + 43).and_then(|it| std::str::from_utf8(it).ok());
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(accept_key(key.unwrap_or_default()).as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    true
}

/// An answer with a JSON text.
pub(crate) fn append_json(out: &mut Vec<u8>, body: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Keep;
    use protocol::client::write_publish_body;
    use protocol::dialect::MessageView;
    use protocol::dialect::cohesivity::frame_message;

    #[test]
    fn a_bare_frame_is_the_frame_of_stentor() {
        let (mut body, mut bare, mut own) = (Vec::new(), Vec::new(), Vec::new());
        write_publish_body(&mut body, "bench-0", "message", b"\"abc\"", Keep::Pass);
        append_frame(&mut bare, &body);
        let view = MessageView {
            id: 1,
            sender: None,
            channel: "bench-0",
            event: "message",
            data: b"\"abc\"",
            at_ms: 1_700_000_000_000,
            offset: None,
        };
        frame_message(&mut own, &view);
        assert_eq!(String::from_utf8_lossy(&bare), String::from_utf8_lossy(&own));
    }

    #[test]
    fn the_fixed_answer_has_the_length_that_it_says() {
        let request = http::first(ANSWER).map(|it| it.bytes);
        assert_eq!(request, Some(ANSWER.len()));
    }
}
