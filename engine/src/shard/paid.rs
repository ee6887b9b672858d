//! What a metered tenant does is counted at its seat first; everybody else's is done at once. Either way it is done here.

use std::sync::Arc;

use protocol::Rejection;
use protocol::auth::{self, EdgeClaims, RealtimeClaims};
use protocol::dialect::cohesivity;
use storage::Publication;

use super::Shard;
use super::answers::{Reply, Shape};
use super::cohesivity::{HistoryCall, Work};
use super::effects::Effects;
use super::input::{HistoryAsk, Keep, ReplyTo, Request};
use super::sockets::Opening;
use super::steps;
use super::streams::Streaming;
use crate::control::{Metered, SeatOp, Spend, TokenId, seat_of};
use crate::ids::{CallId, ConnId, MessageId, TenantId};

/// Life of a server's bearer token.
const SESSION_TTL_S: u32 = 60;
/// A token is for whoever asked, and for now.
const NO_STORE: &str = "private, no-store, max-age=0";

/// What is done once it is paid for.
#[derive(Debug)]
pub(super) enum Paid {
    /// Make a bearer token for a server.
    Session,
    /// Make a token for a client.
    Token { user_id: Box<str>, user_name: Option<Box<str>>, ttl_s: u32 },
    /// Publish for a server.
    Publish(Arc<Publication>, Keep),
    /// Publish for a client on this connection.
    SocketPublish(ConnId, Arc<Publication>, Keep),
    /// Read history.
    History(HistoryCall),
    /// Ask the side threads.
    Stream(Box<Streaming>),
    /// Open a socket.
    Upgrade(Box<Opening>),
}

impl Paid {
    /// What it takes of a plan.
    fn price(&self) -> Spend {
        let request = Spend::request();
        let message = |it: &Publication| Spend::message(it.payload().len());
        match self {
            Self::Session => request,
            Self::Token { .. } => request.billing(Metered::Mints, 1),
            Self::Publish(publication, _) => request.and(message(publication)),
            Self::SocketPublish(_, publication, _) => message(publication),
            Self::History(_) => request.billing(Metered::HistoryReads, 1),
            Self::Stream(it) if it.is_for_participant => {
                request.billing(Metered::ParticipantTokens, 1)
            }
            Self::Stream(_) => request,
            Self::Upgrade(_) => Spend::upgrade().and(Spend::subscription()),
        }
    }
}

impl Shard {
    /// Does something for a server, once it is paid for.
    pub(super) fn buy(
        &mut self,
        conn: ConnId,
        shape: Shape,
        (tenant, paid): (TenantId, Paid),
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let shape = match &paid {
            Paid::Stream(it) => {
                self.has_room_for(it)?;
                it.shape(shape)
            }
            Paid::Session
            | Paid::Token { .. }
            | Paid::Publish(..)
            | Paid::SocketPublish(..)
            | Paid::History(_)
            | Paid::Upgrade(_) => shape,
        };
        if !self.tenants.plan(tenant).is_metered() {
            return self.do_at_once(conn, shape, (tenant, paid), effects);
        }
        if let Paid::Upgrade(_) = &paid
            && self.http(conn).is_some_and(|it| !it.tickets.is_empty())
        {
            return Err(Rejection::UpgradeRequired);
        }
        let call = self.begin(conn, tenant, shape)?;
        self.pay(call, paid, effects);
        Ok(())
    }

    /// Publishes for a client of a metered tenant, once it is paid for.
    pub(super) fn buy_publish(
        &mut self,
        conn: ConnId,
        (publication, keep): (Arc<Publication>, Keep),
        effects: &mut Effects,
    ) {
        match self.begin_for(steps::For::Nobody, publication.channel().tenant()) {
            Ok(call) => {
                if let Some(socket) = self.socket(conn) {
                    socket.unanswered += 1;
                }
                self.pay(call, Paid::SocketPublish(conn, publication, keep), effects);
            }
            Err(why) => self.write_to(conn, |out| cohesivity::frame_rejection(out, &why)),
        }
    }

    fn pay(&mut self, call: CallId, paid: Paid, effects: &mut Effects) {
        let op = SeatOp::Spend(paid.price());
        let then = steps::Work::Cohesivity(Work::Paid(Box::new(paid)));
        self.ask_seat(call, op, then, effects);
    }

    /// Nobody counts: no trip, no call.
    fn do_at_once(
        &mut self,
        conn: ConnId,
        shape: Shape,
        (tenant, paid): (TenantId, Paid),
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        match paid {
            Paid::Session | Paid::Token { .. } => {
                let Reply { body, cache, .. } = self.mint(tenant, &paid);
                let shape = Shape { cache, ..shape };
                self.answer_json(conn, shape, &mut effects.closes, |out| {
                    out.extend_from_slice(&body);
                });
            }
            Paid::Publish(publication, keep) => {
                let Some(http) = self.http(conn) else { return Ok(()) };
                let reply = ReplyTo { conn, ticket: http.tickets.wait(shape.asked()) };
                self.send_publish(publication, keep, reply, effects);
            }
            Paid::SocketPublish(..) => {}
            Paid::History(ask) => {
                let Some(http) = self.http(conn) else { return Ok(()) };
                let reply = ReplyTo { conn, ticket: http.tickets.wait(shape.asked()) };
                self.send_history(ask, reply, effects);
            }
            Paid::Stream(it) => {
                let call = self.begin(conn, tenant, shape)?;
                if let Err(why) = self.stream(call, *it) {
                    self.finish(call, Err(why), effects);
                }
            }
            Paid::Upgrade(opening) => return self.open_socket(conn, *opening, effects),
        }
        Ok(())
    }

    /// Does what the seat has counted. Meanwhile much may have happened.
    pub(super) fn go_on_paid(&mut self, call: CallId, paid: Paid, effects: &mut Effects) {
        let Some(tenant) = self.tenant_of(call) else { return };
        if let Err(why) = self.served(tenant) {
            if let Paid::Upgrade(_) = &paid {
                self.give_socket_back(tenant, effects);
            }
            return self.refuse_paid(call, &paid, why, effects);
        }
        match paid {
            Paid::Session | Paid::Token { .. } => {
                let reply = self.mint(tenant, &paid);
                self.finish(call, Ok(reply), effects);
            }
            Paid::Publish(publication, keep) => {
                if let Some(reply) = self.hand_over(call) {
                    self.send_publish(publication, keep, reply, effects);
                }
            }
            Paid::SocketPublish(conn, publication, keep) => {
                self.hand_over(call);
                self.send_publish(publication, keep, ReplyTo { conn, ticket: 0 }, effects);
            }
            Paid::History(ask) => {
                if let Some(reply) = self.hand_over(call) {
                    self.send_history(ask, reply, effects);
                }
            }
            Paid::Stream(it) => {
                if let Err(why) = self.stream(call, *it) {
                    self.finish(call, Err(why), effects);
                }
            }
            Paid::Upgrade(opening) => {
                let who = (opening.channel.tenant(), opening.token);
                let open = |shard: &mut Self, conn, effects: &mut Effects| {
                    shard.open_socket(conn, *opening, effects)
                };
                self.open_paid(call, who, open, effects);
            }
        }
    }

    /// Opens a socket that its seat counts already, in either dialect: it is given back if there is none after all.
    pub(super) fn open_paid(
        &mut self,
        call: CallId,
        (tenant, token): (TenantId, Option<TokenId>),
        open: impl FnOnce(&mut Self, ConnId, &mut Effects) -> Result<(), Rejection>,
        effects: &mut Effects,
    ) {
        if token.is_some_and(|it| self.revoked.contains(tenant, it)) {
            self.give_socket_back(tenant, effects);
            return self.finish(call, Err(Rejection::CredentialInvalid), effects);
        }
        let Some(to) = self.hand_over(call) else { return };
        let is_alone = self.http(to.conn).is_some_and(|it| {
            it.tickets.len() == 1 && !it.half_closed && it.tickets.leave_first(to.ticket)
        });
        if !is_alone {
            self.give_socket_back(tenant, effects);
            return self.answer_refused(to, &Rejection::UpgradeRequired, &mut effects.closes);
        }
        match open(self, to.conn, effects) {
            Ok(()) => {
                if let Some(socket) = self.socket(to.conn) {
                    socket.is_counted = true;
                }
                self.watch(to.conn);
            }
            Err(_) => self.give_socket_back(tenant, effects),
        }
    }

    pub(super) fn refuse_paid(
        &mut self,
        call: CallId,
        paid: &Paid,
        why: Rejection,
        effects: &mut Effects,
    ) {
        if let &Paid::SocketPublish(conn, ..) = paid {
            self.hand_over(call);
            if let Some(socket) = self.socket(conn) {
                socket.unanswered = socket.unanswered.saturating_sub(1);
            }
            self.write_to(conn, |out| cohesivity::frame_rejection(out, &why));
        } else {
            self.finish(call, Err(why), effects);
        }
    }

    /// Tells the seat that a socket which it counts is no more.
    pub(super) fn give_socket_back(&mut self, tenant: TenantId, effects: &mut Effects) {
        self.send(seat_of(tenant, self.shard_count), Request::Release(tenant, 1), effects);
    }

    fn send_publish(
        &mut self,
        publication: Arc<Publication>,
        keep: Keep,
        reply: ReplyTo,
        effects: &mut Effects,
    ) {
        let channel = Arc::clone(publication.channel());
        self.request(&channel, Request::Publish(publication, keep, reply), effects);
    }

    fn send_history(&mut self, ask: HistoryCall, reply: ReplyTo, effects: &mut Effects) {
        let HistoryCall { channel, after, limit } = ask;
        let request = HistoryAsk { channel: Arc::clone(&channel), after, limit, reply };
        self.request(&channel, Request::History(Box::new(request)), effects);
    }

    /// A token, as the answer has it.
    fn mint(&mut self, tenant: TenantId, paid: &Paid) -> Reply {
        let mut body = Vec::new();
        let issued_at_s = self.now.wall_ms / 1000;
        let name = self.tenants.name(tenant).to_owned();
        if let Paid::Token { user_id, user_name, ttl_s } = paid {
            let MessageId(token_id) = self.ids.next(self.now.wall_ms);
            let claims = RealtimeClaims {
                tenant: name,
                user_id: user_id.to_string(),
                user_name: user_name.as_ref().map(ToString::to_string),
                issued_at_s,
                expires_at_s: issued_at_s + u64::from(*ttl_s),
                token_id: format!("{token_id:032x}"),
            };
            let token = auth::sign_realtime(&claims, self.tenants.signing_key(tenant));
            cohesivity::body_token(&mut body, &token, *ttl_s);
        } else {
            let expires_at_s = issued_at_s + u64::from(SESSION_TTL_S);
            let claims = EdgeClaims { tenant: name, expires_at_s };
            let token = auth::sign_edge(&claims, self.tenants.signing_key(tenant));
            cohesivity::body_session(&mut body, &token, SESSION_TTL_S);
        }
        Reply { cache: Some(NO_STORE), ..Reply::data(|out| *out = body) }
    }
}
