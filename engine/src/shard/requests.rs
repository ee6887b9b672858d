//! Bytes of connections: HTTP requests are cut out of them here, WebSocket frames next door.

use protocol::Rejection;
use protocol::dialect::cohesivity;
use protocol::http::{
    self, Content, HeaderLine, HeaderValue, HttpFault, KeepAlive, Method, Methods, Response,
    parse_head,
};

use super::Shard;
use super::calls::{Body, Call};
use super::effects::{Effects, Ending};
use crate::ids::ConnId;
use crate::session::{Answer, HttpSession, State};

/// How far reading came.
pub(super) enum Progress {
    /// So many bytes are done with; there may be more to read.
    Used(usize),
    /// So many bytes are needed before there is something to read.
    Need(usize),
    /// The rest stays unread until an earlier request is answered.
    Wait,
}

/// A request head without its borrow.
struct Outline {
    head_bytes: usize,
    content_length: usize,
    expects_continue: bool,
    shape: Shape,
}

impl Shard {
    pub(super) fn on_opened(&mut self, conn: ConnId, effects: &mut Effects) {
        self.counters.opened += 1;
        let now_ms = self.now.monotonic_ms;
        let is_full = self.sessions.count() >= self.limits.connections_max;
        let state = State::Http(Box::<HttpSession>::default());
        if let Some(slot) = self.sessions.open(conn, state) {
            slot.heard_at_ms = now_ms;
        }
        if is_full {
            let why = Rejection::Overloaded { limit: "connections_max" };
            self.answer_rejection(conn, &why, KeepAlive::Close, &mut effects.closes);
        }
        self.watch(conn);
    }

    pub(super) fn on_bytes(&mut self, conn: ConnId, bytes: &mut [u8], effects: &mut Effects) {
        let now_ms = self.now.monotonic_ms;
        let Some(slot) = self.sessions.slot(conn) else { return };
        slot.heard_at_ms = now_ms;
        if slot.carry.is_empty() {
            self.reading = Some(conn);
            let used = self.read(conn, bytes, effects);
            self.reading = None;
            self.keep(conn, bytes.get(used..).unwrap_or_default(), effects);
        } else {
            slot.carry.extend_from_slice(bytes);
            self.read_carry(conn, effects);
        }
        self.watch(conn);
    }

    pub(super) fn on_resume(&mut self, effects: &mut Effects) {
        for conn in std::mem::take(&mut self.resumable) {
            self.read_carry(conn, effects);
            self.end_half_closed(conn, effects);
            self.watch(conn);
        }
    }

    /// Closes a connection whose peer said all it will and has its answers.
    fn end_half_closed(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        let State::Http(http) = &slot.state else { return };
        if http.half_closed && http.tickets.is_empty() {
            slot.state = State::Ending;
            super::close(conn, Ending::Flush, &mut effects.closes);
        }
    }

    fn read_carry(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        if slot.carry.len() < slot.want {
            return;
        }
        let mut carry = std::mem::take(&mut slot.carry);
        self.reading = Some(conn);
        let used = self.read(conn, &mut carry, effects);
        self.reading = None;
        if used < carry.len() {
            carry.drain(..used);
            let Some(slot) = self.sessions.slot(conn) else { return };
            slot.carry = carry;
            self.check_unread(conn, effects);
        } else if let Some(slot) = self.sessions.slot(conn) {
            slot.since_ms = 0;
        }
    }

    /// Reads as far as it goes. Returns how many bytes are done with.
    fn read(&mut self, conn: ConnId, bytes: &mut [u8], effects: &mut Effects) -> usize {
        let mut used = 0;
        let mut want = 0;
        while let Some(rest) = bytes.get_mut(used..).filter(|rest| !rest.is_empty()) {
            let Some(slot) = self.sessions.slot(conn) else { return bytes.len() };
            let progress = match &slot.state {
                State::Http(http) if http.tickets.ends() => return bytes.len(),
                State::Http(_) => self.read_request(conn, rest, effects),
                State::Socket(_) => self.read_frame(conn, rest, effects),
                State::Leaving(_) | State::Ending => return bytes.len(),
            };
            match progress {
                Progress::Used(count) => used += count,
                Progress::Need(count) => {
                    want = count;
                    break;
                }
                Progress::Wait => break,
            }
        }
        if let Some(slot) = self.sessions.slot(conn) {
            slot.want = want;
            match slot.is_mid_message() {
                false if used > 0 => slot.since_ms = 0,
                true if slot.since_ms == 0 => slot.since_ms = self.now.monotonic_ms.max(1),
                true | false => {}
            }
        }
        used
    }

    fn keep(&mut self, conn: ConnId, rest: &[u8], effects: &mut Effects) {
        if rest.is_empty() {
            return;
        }
        if let Some(slot) = self.sessions.slot(conn) {
            slot.carry.reserve_exact(rest.len().max(slot.want));
            slot.carry.extend_from_slice(rest);
        }
        self.check_unread(conn, effects);
    }

    /// Notes since when something is incomplete, and ends a peer that sends faster than it lets itself be answered.
    fn check_unread(&mut self, conn: ConnId, effects: &mut Effects) {
        let now_ms = self.now.monotonic_ms;
        let unread_bytes_max = self.limits.unread_bytes_max;
        let Some(slot) = self.sessions.slot(conn) else { return };
        if slot.since_ms == 0 {
            slot.since_ms = now_ms.max(1);
        }
        // A socket has no more than one incomplete frame, which its own limit bounds.
        let is_http = matches!(slot.state, State::Http(_));
        if is_http && slot.carry.len() > unread_bytes_max {
            slot.carry = Vec::new();
            let why = Rejection::Overloaded { limit: "pipelined_requests_max" };
            self.answer_rejection(conn, &why, KeepAlive::Close, &mut effects.closes);
        }
    }

    fn read_request(&mut self, conn: ConnId, bytes: &mut [u8], effects: &mut Effects) -> Progress {
        let (call, outline) = {
            let head = match parse_head(bytes, &self.limits.wire) {
                Ok(Some(head)) => head,
                Ok(None) => return Progress::Need(bytes.len() + 1),
                Err(fault) => {
                    self.answer_fault(conn, &fault, effects);
                    return Progress::Used(bytes.len());
                }
            };
            let then = if self.health.draining { KeepAlive::Close } else { head.keep_alive() };
            let outline = Outline {
                head_bytes: head.head_bytes(),
                content_length: head.content_length(),
                expects_continue: head.expects_continue(),
                shape: Shape { method: head.method(), ..Shape::ok(then) },
            };
            if let Some(progress) = self.admit(conn, &outline, bytes.len(), effects) {
                return progress;
            }
            self.counters.requests += 1;
            (self.find(conn, &head).unwrap_or_else(Call::Reject), outline)
        };
        let body = bytes.get_mut(outline.head_bytes..).unwrap_or_default();
        let body = body.get_mut(..outline.content_length).unwrap_or_default();
        self.perform(conn, call, Body { bytes: body, shape: outline.shape }, effects);
        Progress::Used(outline.head_bytes + outline.content_length)
    }

    /// Decides whether a request can be read now. `None`: it can.
    fn admit(
        &mut self,
        conn: ConnId,
        outline: &Outline,
        at_hand: usize,
        effects: &mut Effects,
    ) -> Option<Progress> {
        let max = self.limits.wire.body_bytes_max;
        let pipelined_max = self.limits.pipelined_requests_max;
        let State::Http(http) = &mut self.sessions.slot(conn)?.state else { return None };
        if http.tickets.len() >= pipelined_max {
            return Some(Progress::Wait);
        }
        if outline.content_length > max {
            let why = Rejection::PayloadTooLarge { max };
            self.answer_rejection(conn, &why, KeepAlive::Close, &mut effects.closes);
            return Some(Progress::Used(at_hand));
        }
        let whole = outline.head_bytes + outline.content_length;
        if at_hand >= whole {
            http.continued = false;
            return None;
        }
        if outline.expects_continue && !http.continued && http.tickets.is_empty() {
            http.continued = true;
            let out = http::CONTINUE;
            self.turn.write(&self.hub, conn, std::iter::empty(), |it| it.extend_from_slice(out));
        }
        Some(Progress::Need(whole))
    }

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

    /// Sends every answer that nobody else has to wait for.
    pub(super) fn release(&mut self, conn: ConnId, closes: &mut Vec<(ConnId, Ending)>) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        let State::Http(http) = &mut slot.state else { return };
        while let Some(answer) = http.tickets.pop() {
            self.turn.write(&self.hub, conn, std::iter::empty(), |out| {
                out.extend_from_slice(&answer.bytes);
            });
            if answer.then == KeepAlive::Close {
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

    pub(super) fn answer_json(
        &mut self,
        conn: ConnId,
        shape: Shape,
        closes: &mut Vec<(ConnId, Ending)>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut body = std::mem::take(&mut self.scratch);
        body.clear();
        encode(&mut body);
        self.answer(conn, shape.then, closes, |out| write_json(out, &shape, &body));
        self.scratch = body;
    }

    pub(super) fn answer_rejection(
        &mut self,
        conn: ConnId,
        why: &Rejection,
        then: KeepAlive,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        self.counters.rejected += 1;
        let shape = Shape::of(why, then);
        self.answer_json(conn, shape, closes, |out| cohesivity::body_rejection(out, why));
    }

    /// As [`Shard::answer_rejection`], for a request that was read whole.
    pub(super) fn reject(
        &mut self,
        conn: ConnId,
        why: &Rejection,
        asked: Shape,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        self.counters.rejected += 1;
        let shape = Shape { method: asked.method, ..Shape::of(why, asked.then) };
        self.answer_json(conn, shape, closes, |out| cohesivity::body_rejection(out, why));
    }

    fn answer_fault(&mut self, conn: ConnId, fault: &HttpFault, effects: &mut Effects) {
        self.counters.rejected += 1;
        let shape = Shape { status: fault.status, ..Shape::ok(KeepAlive::Close) };
        let closes = &mut effects.closes;
        self.answer_json(conn, shape, closes, |out| cohesivity::body_fault(out, fault));
    }
}

/// The shape of an answer around its body.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub status: u16,
    pub then: KeepAlive,
    pub method: Method,
    pub retry_after_s: Option<u32>,
    pub allow: Option<Methods>,
    pub cache: Option<&'static str>,
    pub upgrade: bool,
}

impl Shape {
    pub(super) fn ok(then: KeepAlive) -> Self {
        Self {
            status: 200,
            then,
            method: Method::Post,
            retry_after_s: None,
            allow: None,
            cache: None,
            upgrade: false,
        }
    }

    pub(super) fn of(why: &Rejection, then: KeepAlive) -> Self {
        let allow =
            if let Rejection::MethodNotAllowed { allow } = why { Some(*allow) } else { None };
        let upgrade = *why == Rejection::UpgradeRequired;
        let retry_after_s = why.retry_after_s();
        Self { status: why.status(), retry_after_s, allow, upgrade, ..Self::ok(then) }
    }
}

fn write_json(out: &mut Vec<u8>, shape: &Shape, body: &[u8]) {
    let content = match shape.method {
        Method::Head => Content::JsonLength(body.len()),
        Method::Get
        | Method::Post
        | Method::Put
        | Method::Patch
        | Method::Delete
        | Method::Options => Content::Json(body),
    };
    let lines = [
        shape.retry_after_s.map(HeaderLine::RetryAfter),
        shape.allow.map(HeaderLine::Allow),
        shape.cache.map(HeaderLine::CacheControl),
        shape.upgrade.then(version_line),
    ];
    let headers: Vec<_> = lines.into_iter().flatten().collect();
    let response = Response { status: shape.status, content, headers: &headers, then: shape.then };
    http::write_response(out, &response);
}

/// RFC 6455 §4.4: which version to come back with.
fn version_line() -> HeaderLine<'static> {
    HeaderLine::Other { name: "Sec-WebSocket-Version", value: HeaderValue::number(13) }
}

impl Shape {
    /// Appends an answer with a JSON body.
    pub(super) fn write(&self, out: &mut Vec<u8>, body: &[u8]) {
        write_json(out, self, body);
    }
}
