//! Engine.IO over requests: a GET fetches what waits, or waits for it; a POST brings packets. What they mean is the same as on a
//! WebSocket.

use protocol::Rejection;
use protocol::engineio::{
    self, OpenFault, PAYLOAD_PACKETS_MAX, POLL_PACKETS_MAX, POSTED, Sid, Transport,
};
use protocol::http::{Content, HeaderLine, KeepAlive, Response, write_response};
use protocol::ws::CloseCode;

use super::super::Shard;
use super::super::answers::Shape;
use super::super::calls::Body;
use super::super::effects::{Effects, Ending};
use super::super::input::ReplyTo;
use super::super::polled::Waiting;
use super::origin_line;
use crate::ids::ConnId;
use crate::session::Whence;

/// What a request wants of a session without a socket.
#[derive(Debug)]
pub(in crate::shard) struct Poll {
    pub wish: PollWish,
    /// The page whose script asks.
    pub origin: Option<Box<str>>,
}

/// See [`Poll`].
#[derive(Debug)]
pub(in crate::shard) enum PollWish {
    /// A new one.
    Open { whence: Whence },
    /// What waits for it.
    Fetch(Sid),
    /// To say something.
    Bring(Sid),
}

impl Shard {
    pub(super) fn perform_poll(
        &mut self,
        conn: ConnId,
        poll: Poll,
        body: &mut Body<'_>,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let Poll { wish, origin } = poll;
        let shape = body.shape;
        let done = match wish {
            PollWish::Open { whence } => {
                let sid = self.open_polled(whence)?;
                let mut open = Vec::new();
                engineio::push_open(&mut open, sid, Transport::Polling, &self.limits.heartbeat);
                self.answer(conn, shape.then, &mut effects.closes, |out| {
                    write_packets(out, &open, origin.as_deref(), shape.then);
                });
                return Ok(());
            }
            PollWish::Fetch(sid) => self.fetch(conn, shape, (sid, &origin), effects),
            PollWish::Bring(sid) => {
                let max = self.limits.heartbeat.payload_bytes_max;
                if body.bytes.len() > max {
                    return Err(Rejection::PayloadTooLarge { max });
                }
                self.bring(conn, body, (sid, &origin), effects)
            }
        };
        if let Err(why) = done {
            self.refuse_engine(conn, shape, (why, false, origin.as_deref()), effects);
        }
        Ok(())
    }

    /// A request for what waits. It waits itself while nothing does.
    fn fetch(
        &mut self,
        conn: ConnId,
        shape: Shape,
        (sid, origin): (Sid, &Option<Box<str>>),
        effects: &mut Effects,
    ) -> Result<(), OpenFault> {
        let polled = self.polls.of(sid).ok_or(OpenFault::SessionUnknown)?;
        let pickup = self.polls.get(polled).ok_or(OpenFault::SessionUnknown)?;
        if pickup.waiting.is_some() {
            // A client has one at a time: it lost count of what it got.
            self.end_socket(polled, CloseCode::Policy, "polls overlap", effects);
            return Err(OpenFault::BadRequest);
        }
        let is_over = pickup.is_over;
        // Of one that is ending, the last words are not all there.
        let has_mail = pickup.has_mail() && pickup.ending.is_none();
        let is_moving = self.is_moving(polled);
        let waiting = self.line_up(conn, polled, shape, origin).ok_or(OpenFault::BadRequest)?;
        if is_over {
            self.hand_last(polled, &waiting, Ending::Flush, effects);
        } else if has_mail {
            self.hand_mail(polled, &waiting, effects);
        } else if is_moving {
            self.answer_poll(&waiting, engineio::NOOP, effects);
        } else if let Some(pickup) = self.polls.get(polled) {
            pickup.waiting = Some(waiting);
        }
        Ok(())
    }

    /// A request that brings packets. It is answered once all of them are read.
    fn bring(
        &mut self,
        conn: ConnId,
        body: &mut Body<'_>,
        (sid, origin): (Sid, &Option<Box<str>>),
        effects: &mut Effects,
    ) -> Result<(), OpenFault> {
        let now_ms = self.now.monotonic_ms;
        let polled = self.polls.of(sid).ok_or(OpenFault::SessionUnknown)?;
        let pickup = self.polls.get(polled).ok_or(OpenFault::SessionUnknown)?;
        if pickup.is_over || pickup.ending.is_some() {
            return Err(OpenFault::SessionUnknown);
        }
        let is_early = pickup.posting.is_some();
        let is_text = !body.bytes.is_empty() && std::str::from_utf8(body.bytes).is_ok();
        if is_early || !is_text {
            let reason = if is_early { "posts overlap" } else { "not a payload" };
            self.end_socket(polled, CloseCode::Policy, reason, effects);
            return Err(OpenFault::BadRequest);
        }
        let waiting = self.line_up(conn, polled, body.shape, origin);
        if let Some(pickup) = self.polls.get(polled) {
            pickup.posting = Some(waiting.ok_or(OpenFault::BadRequest)?);
        }
        if let Some(slot) = self.sessions.slot(polled) {
            slot.heard_at_ms = now_ms;
        }
        if let Some(socket) = self.socket(polled) {
            socket.pinged_at_ms = 0;
        }
        let used = self.read_packets(polled, body.bytes, effects);
        let rest = body.bytes.get(used..).unwrap_or_default();
        self.keep_packets(polled, rest.to_vec(), effects);
        self.watch(polled);
        Ok(())
    }

    /// Reads on where a packet had to wait.
    pub(in crate::shard) fn read_post(&mut self, polled: ConnId, effects: &mut Effects) {
        let Some(slot) = self.sessions.slot(polled) else { return };
        let mut rest = std::mem::take(&mut slot.carry);
        let used = self.read_packets(polled, &mut rest, effects);
        rest.drain(..used);
        self.keep_packets(polled, rest, effects);
    }

    /// Reads packets as far as it goes. Returns how many bytes are done with.
    fn read_packets(&mut self, polled: ConnId, bytes: &mut [u8], effects: &mut Effects) -> usize {
        let mut used = 0;
        for _ in 0..PAYLOAD_PACKETS_MAX {
            let rest = bytes.get_mut(used..).unwrap_or_default();
            match self.socket(polled) {
                Some(socket) if socket.waits() => return used,
                Some(_) if rest.is_empty() => return used,
                Some(_) => {}
                None => return bytes.len(),
            }
            let first_bytes = engineio::packet_bytes(rest);
            let Some(packet) = rest.get_mut(..first_bytes) else { return used };
            self.hear_packet(polled, packet, effects);
            used = bytes.len().min(used + first_bytes + 1);
        }
        self.end_socket(polled, CloseCode::Policy, "too many packets at once", effects);
        bytes.len()
    }

    /// Keeps what has to wait, or answers the request that brought it.
    fn keep_packets(&mut self, polled: ConnId, rest: Vec<u8>, effects: &mut Effects) {
        if !rest.is_empty()
            && let Some(slot) = self.sessions.slot(polled)
        {
            slot.carry = rest;
            return;
        }
        if let Some(posting) = self.polls.get(polled).and_then(|it| it.posting.take()) {
            self.answer_poll(&posting, POSTED.as_bytes(), effects);
        }
    }

    fn line_up(
        &mut self,
        conn: ConnId,
        polled: ConnId,
        shape: Shape,
        origin: &Option<Box<str>>,
    ) -> Option<Waiting> {
        let http = self.http(conn)?;
        http.polled = Some(polled);
        let to = ReplyTo { conn, ticket: http.tickets.wait(shape.asked()) };
        Some(Waiting { to, origin: origin.clone() })
    }

    /// Answers a request with what waits. What is too much for one answer is there for the next request.
    pub(in crate::shard) fn hand_mail(
        &mut self,
        polled: ConnId,
        waiting: &Waiting,
        effects: &mut Effects,
    ) {
        let mut body = Vec::new();
        self.polls.take_payload(polled, POLL_PACKETS_MAX, &mut body);
        if body.is_empty() {
            body.extend_from_slice(engineio::NOOP);
        }
        self.answer_poll(waiting, &body, effects);
    }

    /// Answers a request with what is left of a session that is over, and forgets that with its last words. What is too much for
    /// one answer is there for the next request.
    pub(in crate::shard) fn hand_last(
        &mut self,
        polled: ConnId,
        waiting: &Waiting,
        ending: Ending,
        effects: &mut Effects,
    ) {
        let mut body = Vec::new();
        let has_more = ending.is_last() && {
            // The last word is a packet as well.
            self.polls.take_payload(polled, POLL_PACKETS_MAX - 1, &mut body);
            self.polls.get(polled).is_some_and(|it| it.has_mail())
        };
        if !has_more {
            engineio::push_packet(&mut body, engineio::CLOSE);
            self.polls.close(polled);
        }
        self.answer_poll(waiting, &body, effects);
    }

    /// Answers a request that waits.
    pub(in crate::shard) fn answer_poll(
        &mut self,
        waiting: &Waiting,
        body: &[u8],
        effects: &mut Effects,
    ) {
        let origin = waiting.origin.as_deref();
        self.answer_ticket(waiting.to, &mut effects.closes, |asked, out| {
            write_packets(out, body, origin, asked.then);
        });
    }
}

fn write_packets(out: &mut Vec<u8>, body: &[u8], origin: Option<&str>, then: KeepAlive) {
    let mut headers = origin_line(origin);
    headers.push(HeaderLine::CacheControl("no-store"));
    let content = Content::Packets(body);
    write_response(out, &Response { status: 200, content, headers: &headers, then });
}
