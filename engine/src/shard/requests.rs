//! Bytes of connections: HTTP requests are cut out of them here, WebSocket frames next door.

use protocol::Rejection;
use protocol::dialect::Dialect;
use protocol::http::{self, KeepAlive, parse_head};
use protocol::ws::CloseCode;

use super::Shard;
use super::answers::Shape;
use super::calls::{Body, Call};
use super::cohesivity;
use super::effects::{Effects, Ending};
use crate::ids::ConnId;
use crate::session::{HttpSession, State, Surface};

/// How far reading came.
pub(super) enum Progress {
    /// So many bytes are done with; there may be more to read.
    Used(usize),
    /// So many bytes are needed before there is something to read.
    Need(usize),
    /// More is needed, and any byte may be the last of it.
    More,
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
        let full = self.open(conn, State::Http(Box::<HttpSession>::default()));
        if let Err(why) = full.and_then(|()| self.greet(conn)) {
            self.refuse_conn(conn, &why, effects);
        }
        self.watch(conn);
    }

    /// Takes a connection.
    ///
    /// # Errors
    /// When there is one too many: then it is to be refused.
    pub(super) fn open(&mut self, conn: ConnId, state: State) -> Result<(), Rejection> {
        self.counters.opened += 1;
        let count = self.sessions.count();
        let full = match (self.limits.connections_max, self.room) {
            (max, _) if count >= max => Some("connections_max"),
            (_, room) if count >= room => Some("RLIMIT_NOFILE"),
            _ => None,
        };
        if let Some(slot) = self.sessions.open(conn, state) {
            slot.heard_at_ms = self.now.monotonic_ms;
        }
        full.map_or(Ok(()), |limit| Err(Rejection::Overloaded { limit }))
    }

    /// Refuses a connection for which there is no room.
    pub(super) fn refuse_conn(&mut self, conn: ConnId, why: &Rejection, effects: &mut Effects) {
        if let Some(slot) = self.sessions.slot(conn) {
            slot.state = State::Http(Box::<HttpSession>::default());
        }
        self.reject_and_close(conn, why, &mut effects.closes);
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
        self.obey(effects);
        self.go_on(effects);
        self.pay_back(effects);
        self.serve_polls(effects);
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
        if conn.is_polled() {
            return self.read_post(conn, effects);
        }
        let Some(slot) = self.sessions.slot(conn) else { return };
        if slot.carry.len() < slot.want {
            self.end_large(conn, effects);
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
        } else if let Some(slot) = self.sessions.slot(conn)
            && !slot.is_mid_message()
        {
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
                State::Socket(socket) if socket.waits() => break,
                State::Socket(_) => self.read_frame(conn, rest, effects),
                State::Passing(..) | State::Arriving => break,
                State::Leaving(_) | State::Ending => return bytes.len(),
            };
            match progress {
                Progress::Used(count) => used += count,
                Progress::Need(count) => {
                    want = count;
                    break;
                }
                Progress::More | Progress::Wait => break,
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
        if self.end_large(conn, effects) {
            return;
        }
        let now_ms = self.now.monotonic_ms;
        let unread_bytes_max = self.limits.unread_bytes_max;
        let Some(slot) = self.sessions.slot(conn) else { return };
        if slot.since_ms == 0 {
            slot.since_ms = now_ms.max(1);
        }
        if slot.carry.len() <= unread_bytes_max {
            return;
        }
        match &slot.state {
            State::Http(_) => {
                slot.carry = Vec::new();
                let why = Rejection::Overloaded { limit: "pipelined_requests_max" };
                self.reject_and_close(conn, &why, &mut effects.closes);
            }
            State::Socket(socket) if socket.waits() => {
                slot.carry = Vec::new();
                let why = "too many frames at once: head_bytes_max and body_bytes_max";
                self.end_socket(conn, CloseCode::TryAgain, why, effects);
            }
            State::Passing(..) | State::Arriving => self.end_passing(conn, effects),
            // No more than one incomplete frame, which its own limit bounds.
            State::Socket(_) | State::Leaving(_) | State::Ending => {}
        }
    }

    fn read_request(&mut self, conn: ConnId, bytes: &mut [u8], effects: &mut Effects) -> Progress {
        let known = self.known_publish(conn, bytes, effects);
        let (call, outline) = match known.unwrap_or_else(|| self.read_head(conn, bytes, effects)) {
            Ok(found) => found,
            Err(progress) => return progress,
        };
        if call.publishes_at_once() && self.calls.lines.has(conn) {
            return Progress::Wait;
        }
        self.counters.requests += 1;
        let paced = self.pace_request(conn);
        let call = paced.map_or_else(Call::Reject, |()| call);
        let body = bytes.get_mut(outline.head_bytes..).unwrap_or_default();
        let body = body.get_mut(..outline.content_length).unwrap_or_default();
        self.perform(conn, call, Body { bytes: body, shape: outline.shape }, effects);
        Progress::Used(outline.head_bytes + outline.content_length)
    }

    /// A publish whose head is the last one's, but for the length of its body: nothing of it has to be read again.
    fn known_publish(
        &mut self,
        conn: ConnId,
        bytes: &[u8],
        effects: &mut Effects,
    ) -> Option<Result<(Call, Outline), Progress>> {
        if self.health.draining {
            return None;
        }
        let since = (self.now.wall_ms / 1000, self.tenants_generation);
        let http = self.sessions.http(conn)?;
        let known = http.publishes_again(bytes, &self.limits.wire, since)?;
        let outline = Outline {
            head_bytes: known.head_bytes,
            content_length: known.content_length,
            expects_continue: false,
            shape: Shape::ok(known.then),
        };
        if let Some(progress) = self.admit(conn, &outline, bytes.len(), effects) {
            return Some(Err(progress));
        }
        let publish = |it| Call::Cohesivity(cohesivity::Call::Publish(it));
        let call = self.served(known.tenant).map_or_else(Call::Reject, publish);
        Some(Ok((call, outline)))
    }

    /// Reads a head, and finds what it asks for.
    fn read_head(
        &mut self,
        conn: ConnId,
        bytes: &[u8],
        effects: &mut Effects,
    ) -> Result<(Call, Outline), Progress> {
        let head = match parse_head(bytes, &self.limits.wire) {
            Ok(Some(head)) => head,
            Ok(None) => return Err(Progress::More),
            Err(fault) => {
                let surface = self.surface(Dialect::of_unread_head(bytes));
                self.answer_fault(conn, (&fault, surface), effects);
                return Err(Progress::Used(bytes.len()));
            }
        };
        if self.turn_away(conn, &head, effects) {
            return Err(Progress::Used(bytes.len()));
        }
        #[cfg(feature = "echo")]
        if let Some(progress) = self.open_echo(conn, &head) {
            return Err(progress);
        }
        if let Some(to) = self.elsewhere(&head) {
            return Err(self.pass(conn, to, effects));
        }
        let then = if self.health.draining { KeepAlive::Close } else { head.keep_alive() };
        let surface = self.surface(Dialect::of_path(head.path()));
        let outline = Outline {
            head_bytes: head.head_bytes(),
            content_length: head.content_length(),
            expects_continue: head.expects_continue(),
            shape: Shape { surface, method: head.method(), ..Shape::ok(then) },
        };
        if let Some(progress) = self.admit(conn, &outline, bytes.len(), effects) {
            return Err(progress);
        }
        let call = self.find(conn, &head).unwrap_or_else(Call::Reject);
        if matches!(call, Call::Cohesivity(cohesivity::Call::Publish(_)))
            && let Some(http) = self.http(conn)
        {
            http.remember_publish(bytes, &head);
        }
        Ok((call, outline))
    }

    /// Whose shape the answer to a request has.
    pub(super) fn surface(&mut self, dialect: Dialect) -> Surface {
        match dialect {
            Dialect::Cohesivity => Surface::Cohesivity,
            Dialect::Infrai => {
                let request_id = self.ids.next(self.now.wall_ms);
                Surface::Infrai { request_id, began_ms: self.now.monotonic_ms, cost_micro_usd: 0 }
            }
            Dialect::Insforge | Dialect::InsforgePlain => Surface::Insforge,
        }
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
        let slot = self.sessions.slot(conn)?;
        let State::Http(http) = &mut slot.state else { return None };
        if http.tickets.len() >= pipelined_max {
            return Some(Progress::Wait);
        }
        if outline.content_length > max {
            let why = Rejection::PayloadTooLarge { max };
            self.reject_and_close(conn, &why, &mut effects.closes);
            return Some(Progress::Used(at_hand));
        }
        let whole = outline.head_bytes + outline.content_length;
        if at_hand >= whole {
            http.continued = false;
            return None;
        }
        if outline.expects_continue && !http.continued {
            if !http.tickets.is_empty() {
                // The interim answer may not overtake those of earlier requests.
                return Some(Progress::Wait);
            }
            http.continued = true;
            // It sends the body from now on, however long it waited to be asked for it.
            slot.since_ms = self.now.monotonic_ms.max(1);
            let out = http::CONTINUE;
            self.turn.write(&self.hub, conn, std::iter::empty(), |it| it.extend_from_slice(out));
        }
        Some(Progress::Need(whole))
    }
}
