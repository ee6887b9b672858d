//! Clients on WebSockets: how one opens, what its frames ask for, and how it ends.

use std::sync::Arc;

use protocol::dialect::{Dialect, cohesivity};
use protocol::ws::{self, CloseCode, Step};
use protocol::{Command, Publish, Rejection};

use super::Shard;
use super::calls::{keep, unplaced};
use super::effects::{Effects, Ending};
use super::input::{ReplyTo, Request};
use super::requests::Progress;
use super::side::Gone;
use super::subscribe::{Frame, Wanted};
use crate::broker::Member;
use crate::control::{OnTokenEnd, TokenId};
use crate::hub::Audience;
use crate::ids::{ChannelKey, ConnId, TenantId};
use crate::planted::{self, Fault};
use crate::session::{Lease, SocketSession, Speech, State};

/// What a client of Engine.IO is told whose packet is larger than the handshake said that one may be.
const PACKET_TOO_BIG: &str = "message over its limit: maxPayload";

/// A WebSocket that may be opened.
#[derive(Debug)]
pub(super) struct Opening {
    /// The answer to the handshake.
    pub accept: Vec<u8>,
    pub channel: Arc<ChannelKey>,
    pub member: Arc<Member>,
    /// The token that it came with.
    pub token: Option<TokenId>,
    /// The second in which that expires.
    pub expires_at_s: u64,
}

impl Shard {
    pub(super) fn open_socket(
        &mut self,
        conn: ConnId,
        opening: Opening,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let lease = self.lease(opening.channel.tenant(), opening.token, opening.expires_at_s);
        let Opening { accept, channel, member, .. } = opening;
        let Some(slot) = self.sessions.slot(conn) else { return Ok(()) };
        if let State::Http(http) = &slot.state
            && !http.tickets.is_empty()
        {
            // RFC 9110 §7.8 lets a server ignore an upgrade; here it would overtake earlier answers.
            return Err(Rejection::UpgradeRequired);
        }
        let mut socket =
            SocketSession::new(Speech::Cohesivity, channel.tenant(), Arc::clone(&member));
        socket.lease = lease;
        slot.state = State::Socket(Box::new(socket));
        self.counters.sockets += 1;
        self.turn.write(&self.hub, conn, std::iter::empty(), |out| {
            out.extend_from_slice(&accept);
            cohesivity::frame_connected(out, channel.name());
        });
        let (audience, frame) = (Audience::Cohesivity, Frame::Awaited(None));
        let wanted = Wanted { audience, after: None, frame, shown: Some(member) };
        self.subscribe(conn, &channel, wanted, effects)
    }

    /// What a socket keeps of its token: nothing, unless its tenant wants it closed with it.
    pub(super) fn lease(
        &self,
        tenant: TenantId,
        token: Option<TokenId>,
        expires_at_s: u64,
    ) -> Option<Box<Lease>> {
        let plan = self.tenants.plan(tenant);
        let token = token.filter(|_| plan.on_token_end == OnTokenEnd::Close)?;
        let left_ms = (expires_at_s * 1000).saturating_sub(self.now.wall_ms);
        Some(Box::new(Lease { token, ends_at_ms: self.now.monotonic_ms + left_ms }))
    }

    pub(super) fn read_frame(
        &mut self,
        conn: ConnId,
        bytes: &mut [u8],
        effects: &mut Effects,
    ) -> Progress {
        let at_hand = bytes.len();
        let now_ms = self.now.monotonic_ms;
        let control_max = self.limits.control_frames_per_second_max;
        let Some(slot) = self.sessions.slot(conn) else { return Progress::Used(at_hand) };
        let State::Socket(socket) = &mut slot.state else { return Progress::Used(at_hand) };
        socket.pinged_at_ms = 0;
        let wire = socket.wire(&self.limits, &self.packet_limits);
        let read = socket.reader.next(bytes, wire);
        let consumed = read.consumed;
        let is_control = matches!(read.step, Step::Ping(_) | Step::Pong(_));
        if is_control && !socket.admit_control(now_ms, control_max) {
            let why = "too many control frames: control_frames_per_s_max";
            self.end_socket(conn, CloseCode::Policy, why, effects);
            return Progress::Used(at_hand);
        }
        match read.step {
            Step::Need => return Progress::Need(at_hand + 1),
            Step::Part => self.end_fragmented(conn, effects),
            Step::Pong(_) => {}
            Step::Ping(payload) => {
                self.turn.write(&self.hub, conn, socket.groups(), |out| {
                    ws::append_pong(out, payload);
                });
            }
            #[cfg(feature = "echo")]
            message @ (Step::Text(_) | Step::Binary(_)) if socket.echoes => {
                slot.since_ms = 0;
                self.echo(conn, &message);
            }
            Step::Text(mut payload) => {
                slot.since_ms = 0;
                self.read_text(conn, payload.bytes_mut(), effects);
            }
            Step::Binary(_) if socket.dialect() == Dialect::Insforge => {
                slot.since_ms = 0;
                self.read_insforge_binary(conn, effects);
            }
            Step::Binary(_) => {
                self.end_socket(conn, CloseCode::Unsupported, "text frames only", effects);
            }
            // RFC 6455 §5.5.1: the answer has the peer's own code.
            Step::Close { code, .. } => {
                let number = code.unwrap_or_else(|| CloseCode::Normal.number());
                self.part(conn, effects, |out| ws::append_close_number(out, number, ""));
            }
            Step::Fault(ws::Fault { code, reason }) => {
                let is_packet = code == CloseCode::TooBig && socket.dialect() == Dialect::Insforge;
                let why = if is_packet { PACKET_TOO_BIG } else { reason };
                self.end_socket(conn, code, why, effects);
            }
        }
        Progress::Used(consumed)
    }

    fn read_text(&mut self, conn: ConnId, text: &mut [u8], effects: &mut Effects) {
        let Some(dialect) = self.socket(conn).map(|it| it.dialect()) else { return };
        match dialect {
            Dialect::Cohesivity => self.read_cohesivity(conn, text, effects),
            Dialect::Infrai => self.read_infrai(conn, text, effects),
            Dialect::Insforge | Dialect::InsforgePlain => self.read_insforge(conn, text, effects),
        }
    }

    fn read_cohesivity(&mut self, conn: ConnId, text: &mut [u8], effects: &mut Effects) {
        let paced = self.pace_request(conn);
        let decoded = paced.and_then(|()| cohesivity::decode_frame(text, &self.limits.wire));
        let command = match decoded {
            Ok(Command::Publish(publish)) => {
                self.pace_publishes(conn, 1, publish.data.len()).map(|()| publish)
            }
            // Its sockets have one channel, and no other frame.
            Ok(
                Command::PublishTo { .. }
                | Command::Subscribe { .. }
                | Command::Unsubscribe { .. }
                | Command::Ping { .. },
            ) => Err(Rejection::Internal),
            Err(why) => Err(why),
        };
        match command {
            Ok(publish) => self.publish_from(conn, &publish, effects),
            Err(why) => {
                self.counters.rejected += 1;
                self.write_to(conn, |out| cohesivity::frame_rejection(out, &why));
            }
        }
    }

    fn publish_from(&mut self, conn: ConnId, publish: &Publish<'_>, effects: &mut Effects) {
        let Some(socket) = self.sessions.socket(conn) else { return };
        let Some(subscription) = socket.subscriptions.list().first() else { return };
        let channel = Arc::clone(&subscription.channel);
        let publication = unplaced(&channel, &socket.member.id, publish);
        let keep = keep(publish.keep, socket.unanswered > 0);
        if self.tenants.plan(channel.tenant()).is_metered() {
            return self.buy_publish(conn, (publication, keep), effects);
        }
        socket.unanswered += 1;
        let reply = ReplyTo { conn, ticket: 0 };
        self.request(&channel, Request::Publish(publication, keep, reply), effects);
    }

    /// Says goodbye with a code of ours.
    pub(super) fn end_socket(
        &mut self,
        conn: ConnId,
        code: CloseCode,
        reason: &str,
        effects: &mut Effects,
    ) {
        self.part(conn, effects, |out| ws::append_close(out, code, reason));
    }

    /// Says goodbye: the client is out of the channel at once, its connection follows. It lingers, because what the peer
    /// sent meanwhile would turn a plain close into a reset and lose the goodbye.
    pub(super) fn part(
        &mut self,
        conn: ConnId,
        effects: &mut Effects,
        encode: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(slot) = self.sessions.slot(conn) else { return };
        match std::mem::replace(&mut slot.state, State::Ending) {
            State::Socket(socket) => {
                self.turn.write(&self.hub, conn, socket.groups(), encode);
                super::close(conn, Ending::Linger, &mut effects.closes);
                self.unsubscribe_all(conn, &socket, effects);
            }
            state @ (State::Http(_)
            | State::Leaving(_)
            | State::Passing(..)
            | State::Arriving
            | State::Ending) => slot.state = state,
        }
    }

    /// A client that stops sending is gone; a server may still wait for its answers.
    pub(super) fn on_half_closed(&mut self, conn: ConnId, effects: &mut Effects) {
        self.sides.abandon(conn, Gone::HalfClosed);
        let polled = self.http(conn).and_then(|it| it.polled);
        if let Some(polled) = polled.filter(|it| self.waits_on(*it, conn)) {
            // No browser does that to a request that it still wants.
            self.abandon_poll(polled, effects);
            return super::close(conn, Ending::Now, &mut effects.closes);
        }
        let Some(slot) = self.sessions.slot(conn) else { return };
        match &mut slot.state {
            State::Http(http) if !http.tickets.is_empty() || self.resumable.contains(&conn) => {
                http.half_closed = true;
            }
            State::Http(_) => {
                slot.state = State::Ending;
                super::close(conn, Ending::Flush, &mut effects.closes);
            }
            State::Socket(_) => {
                let state = std::mem::replace(&mut slot.state, State::Ending);
                super::close(conn, Ending::Flush, &mut effects.closes);
                if let State::Socket(socket) = state {
                    self.unsubscribe_all(conn, &socket, effects);
                }
            }
            // The shard that gets it hears of the end as well.
            State::Leaving(_) | State::Passing(..) | State::Arriving | State::Ending => {}
        }
    }

    pub(super) fn on_closed(&mut self, conn: ConnId, effects: &mut Effects) {
        self.sides.abandon(conn, Gone::Closed);
        self.lists.abandon(conn);
        self.long_answers.abandon(conn);
        self.squeeze.forget(conn);
        match self.sessions.close(conn) {
            Some(State::Socket(socket) | State::Leaving(socket)) => {
                self.unsubscribe_all(conn, &socket, effects);
            }
            Some(State::Http(http)) => {
                if let Some(polled) = http.polled.filter(|it| self.waits_on(*it, conn)) {
                    self.abandon_poll(polled, effects);
                }
            }
            Some(State::Passing(..) | State::Arriving | State::Ending) | None => {}
        }
    }

    pub(super) fn on_overrun(&mut self, conn: ConnId, effects: &mut Effects) {
        self.counters.overrun += 1;
        let Some(slot) = self.sessions.slot(conn) else { return };
        let state = std::mem::replace(&mut slot.state, State::Ending);
        match state {
            State::Socket(socket) => {
                super::close(conn, Ending::Shed(CloseCode::TryAgain), &mut effects.closes);
                if !planted::is(Fault::ShedStays) {
                    self.unsubscribe_all(conn, &socket, effects);
                }
            }
            State::Leaving(socket) => {
                super::close(conn, Ending::Now, &mut effects.closes);
                self.unsubscribe_all(conn, &socket, effects);
            }
            State::Http(_) | State::Passing(..) | State::Arriving | State::Ending => {
                super::close(conn, Ending::Now, &mut effects.closes);
            }
        }
    }
}
