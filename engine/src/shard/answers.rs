//! Answers to HTTP requests: each goes out once nobody before it on its connection is still waiting.

use std::sync::Arc;

use protocol::Rejection;
use protocol::dialect::infrai::{Metadata, Source};
use protocol::dialect::insforge::rest;
use protocol::dialect::{cohesivity, infrai};
use protocol::http::{Content, HeaderLine, HttpFault, KeepAlive, Method, Response, write_response};
use storage::Publication;

use super::Shard;
use super::edge::view;
use super::effects::{Effects, Ending};
use super::input::ReplyTo;
use crate::control::Priced;
use crate::ids::ConnId;
use crate::session::{Answer, Asked, HttpSession, Next, State, Surface};

/// The shape of an answer around its body.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Whose errors and envelopes it has.
    pub surface: Surface,
    /// What became of the request.
    pub status: u16,
    /// What becomes of the connection.
    pub then: KeepAlive,
    /// How it was asked: HEAD gets no body.
    pub method: Method,
    /// Who may keep a copy.
    pub cache: Option<&'static str>,
}

impl Shape {
    pub(super) fn ok(then: KeepAlive) -> Self {
        let surface = Surface::default();
        Self { surface, status: 200, then, method: Method::Post, cache: None }
    }

    /// What a request that waits for its answer says of it.
    pub(super) fn asked(&self) -> Asked {
        Asked { surface: self.surface, method: self.method, then: self.then }
    }

    pub(super) fn of(asked: Asked) -> Self {
        Self { surface: asked.surface, method: asked.method, ..Self::ok(asked.then) }
    }
}

/// What a call that takes steps answers, before its surface gives it a shape.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    /// What the dialect calls its result.
    pub body: Vec<u8>,
    /// Who may keep a copy.
    pub cache: Option<&'static str>,
    /// Whether this request was worked on, or an earlier one of its idempotency key.
    pub source: Source,
}

impl Reply {
    /// What an earlier request was answered.
    pub(super) fn stored(body: Vec<u8>) -> Self {
        Self { status: 200, body, cache: None, source: Source::Stored }
    }

    /// A result that nobody may keep a copy of.
    pub(super) fn data(encode: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut body = Vec::new();
        encode(&mut body);
        Self { status: 200, body, cache: None, source: Source::Work }
    }
}

impl Shard {
    /// Sends an answer, or lines it up behind those that are still awaited.
    pub(super) fn answer(
        &mut self,
        conn: ConnId,
        then: KeepAlive,
        closes: &mut Vec<(ConnId, Ending)>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        let State::Http(http) = &mut slot.state else { return };
        if http.tickets.is_empty() {
            self.turn.write(&self.hub, conn, std::iter::empty(), encode);
            if then == KeepAlive::Close {
                slot.state = State::Ending;
                super::close(conn, Ending::Linger, closes);
            }
        } else {
            let mut bytes = Vec::new();
            encode(&mut bytes);
            http.tickets.ready(Answer { bytes, then });
        }
    }

    pub(super) fn answer_json(
        &mut self,
        conn: ConnId,
        shape: Shape,
        closes: &mut Vec<(ConnId, Ending)>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let body = self.body(encode);
        self.answer(conn, shape.then, closes, |out| write_json(out, &shape, &body));
        self.scratch = body;
    }

    /// Refuses a request.
    pub(super) fn reject(
        &mut self,
        conn: ConnId,
        why: &Rejection,
        asked: Shape,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        self.counters.rejected += 1;
        let now_ms = self.now.monotonic_ms;
        self.answer(conn, asked.then, closes, |out| {
            write_rejection(out, why, asked.asked(), now_ms);
        });
    }

    /// Refuses whatever comes, and closes.
    pub(super) fn reject_and_close(
        &mut self,
        conn: ConnId,
        why: &Rejection,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        self.reject(conn, why, Shape::ok(KeepAlive::Close), closes);
    }

    pub(super) fn answer_fault(
        &mut self,
        conn: ConnId,
        (fault, surface): (&HttpFault, Surface),
        effects: &mut Effects,
    ) {
        self.counters.rejected += 1;
        let now_ms = self.now.monotonic_ms;
        self.answer(conn, KeepAlive::Close, &mut effects.closes, |out| match surface {
            Surface::Infrai { .. } => infrai::write_fault(out, fault, &surface.metadata(now_ms)),
            Surface::Insforge => rest::write_fault(out, fault),
            Surface::Cohesivity => cohesivity::write_fault(out, fault),
        });
    }

    pub(super) fn answer_published(
        &mut self,
        to: ReplyTo,
        publication: &Publication,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let now_ms = self.now.monotonic_ms;
        let mut body = std::mem::take(&mut self.scratch);
        let message = view(publication);
        let data = |out: &mut Vec<u8>| infrai::data_published(out, &message);
        // It was not counted, and costs what it costs.
        let plan = self.tenants.plan(publication.channel().tenant());
        let cost = plan.costs.of(Priced::Publish);
        self.answer_ticket(to, closes, |asked, out| match asked.surface {
            Surface::Infrai { .. } => {
                let asked = Asked { surface: asked.surface.costing(cost), ..asked };
                write_enveloped(out, asked, (now_ms, Source::Work), &mut body, data);
            }
            // Nobody publishes so in InsForge.
            Surface::Cohesivity | Surface::Insforge => {
                body.clear();
                cohesivity::body_published(&mut body, &message);
                write_json(out, &Shape::of(asked), &body);
            }
        });
        self.scratch = body;
    }

    pub(super) fn answer_history_read(
        &mut self,
        to: ReplyTo,
        publications: &[Arc<Publication>],
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let messages = publications.iter().map(|it| view(it));
        let body = self.body(|out| cohesivity::body_history(out, messages));
        self.answer_at_length(to, &body, closes);
        if body.len() <= self.limits.side_part_bytes_max {
            self.scratch = body;
        }
    }

    pub(super) fn answer_refused(
        &mut self,
        to: ReplyTo,
        why: &Rejection,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let now_ms = self.now.monotonic_ms;
        self.answer_ticket(to, closes, |asked, out| {
            write_rejection(out, why, asked, now_ms);
        });
    }

    pub(super) fn answer_reply(
        &mut self,
        to: ReplyTo,
        reply: &Reply,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let now_ms = self.now.monotonic_ms;
        let mut body = std::mem::take(&mut self.scratch);
        self.answer_ticket(to, closes, |asked, out| match asked.surface {
            Surface::Infrai { .. } => {
                let data = |out: &mut Vec<u8>| out.extend_from_slice(&reply.body);
                write_enveloped(out, asked, (now_ms, reply.source), &mut body, data);
            }
            Surface::Cohesivity | Surface::Insforge => {
                let Reply { status, cache, .. } = *reply;
                write_json(out, &Shape { status, cache, ..Shape::of(asked) }, &reply.body);
            }
        });
        self.scratch = body;
    }

    pub(super) fn http(&mut self, conn: ConnId) -> Option<&mut HttpSession> {
        self.sessions.http(conn)
    }

    /// Answers the request of a ticket, and everyone who only waited for it.
    pub(super) fn answer_ticket(
        &mut self,
        to: ReplyTo,
        closes: &mut Vec<(ConnId, Ending)>,
        encode: impl FnOnce(Asked, &mut Vec<u8>),
    ) {
        let Some(http) = self.sessions.http(to.conn) else { return };
        let Some(asked) = http.tickets.asked(to.ticket) else { return };
        if asked.then == KeepAlive::Keep && http.tickets.leave_first(to.ticket) {
            self.turn.write(&self.hub, to.conn, std::iter::empty(), |out| encode(asked, out));
        } else {
            let mut bytes = Vec::new();
            encode(asked, &mut bytes);
            http.tickets.answer(to.ticket, Answer { bytes, then: asked.then });
        }
        self.release(to.conn, closes);
    }

    /// Sends every answer that nobody else has to wait for.
    pub(super) fn release(&mut self, conn: ConnId, closes: &mut Vec<(ConnId, Ending)>) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        let State::Http(http) = &mut slot.state else { return };
        while let Some(next) = http.tickets.pop() {
            let (bytes, then) = match next {
                Next::Answer(Answer { bytes, then }) => (bytes, then),
                Next::Piece(call, bytes, parts) => {
                    match self.lists.has(call) || self.long_answers.has(call) {
                        true => self.arrivals.note_thirst(conn),
                        false => self.sides.went_out(call, parts),
                    }
                    (bytes, KeepAlive::Keep)
                }
                Next::Cut => {
                    slot.state = State::Ending;
                    return super::close(conn, Ending::Now, closes);
                }
            };
            self.turn.write(&self.hub, conn, std::iter::empty(), |out| {
                out.extend_from_slice(&bytes);
            });
            if then == KeepAlive::Close {
                slot.state = State::Ending;
                return super::close(conn, Ending::Linger, closes);
            }
        }
        let is_last = http.tickets.is_empty() && (http.half_closed || self.health.draining);
        // While it is being read, more requests may follow that the carry does not show.
        if is_last && slot.carry.is_empty() && self.reading != Some(conn) {
            slot.state = State::Ending;
            return super::close(conn, Ending::Flush, closes);
        }
        if !slot.carry.is_empty() {
            self.resumable.push(conn);
        }
        // While it waited it had no deadline.
        self.watch(conn);
    }

    /// A body, in memory that is used again.
    fn body(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut body = std::mem::take(&mut self.scratch);
        body.clear();
        encode(&mut body);
        body
    }
}

fn write_enveloped(
    out: &mut Vec<u8>,
    asked: Asked,
    (now_ms, source): (u64, Source),
    body: &mut Vec<u8>,
    data: impl FnOnce(&mut Vec<u8>),
) {
    body.clear();
    let metadata = Metadata { source, ..asked.surface.metadata(now_ms) };
    infrai::body_success(body, &metadata, data);
    write_json(out, &Shape::of(asked), body);
}

fn write_rejection(out: &mut Vec<u8>, why: &Rejection, asked: Asked, now_ms: u64) {
    match asked.surface {
        Surface::Infrai { .. } => {
            let metadata = asked.surface.metadata(now_ms);
            infrai::write_rejection(out, why, &metadata, asked.method, asked.then);
        }
        Surface::Insforge => rest::write_rejection(out, why, asked.method, asked.then),
        Surface::Cohesivity => cohesivity::write_rejection(out, why, asked.method, asked.then),
    }
}

pub(super) fn write_json(out: &mut Vec<u8>, shape: &Shape, body: &[u8]) {
    let content = Content::json(shape.method, body);
    let header = shape.cache.map(HeaderLine::CacheControl);
    let headers = header.as_slice();
    write_response(out, &Response { status: shape.status, content, headers, then: shape.then });
}
