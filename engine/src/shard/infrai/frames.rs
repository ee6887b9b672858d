//! Clients that speak Infrai: how one connects, what its frames ask for, and what comes back.

use std::sync::Arc;

use protocol::dialect::infrai::{self, RefusedFrame};
use protocol::http::Head;
use protocol::ws::{check_handshake, write_accept};
use protocol::{
    Capability, ChannelPublish, ChannelType, Command, FrameId, KeptId, Permit, Rejection, auth,
};
use storage::Publication;

use super::super::Shard;
use super::super::calls::{keep, unplaced};
use super::super::effects::Effects;
use super::super::input::{Keep, ReplyTo, Request};
use super::super::steps::{self, seat_answer};
use super::super::subscribe::{Frame, Wanted};
use super::Work;
use super::known::Glance;
use crate::broker::Member;
use crate::control::{Came, Metered, Priced, SeatAnswer, SeatOp, Spend, TokenId};
use crate::hub::Audience;
use crate::ids::{CallId, ChannelKey, ConnId, MessageId, Offset, TenantId};
use crate::session::{InfraiClient, SocketSession, Speech, State};

/// A WebSocket that may be opened.
#[derive(Debug)]
pub(in crate::shard) struct Opening {
    /// The answer to the handshake.
    accept: Vec<u8>,
    tenant: TenantId,
    member: Arc<Member>,
    permit: Permit,
    token: TokenId,
    expires_at_s: u64,
}

impl Opening {
    pub(super) fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(super) fn token(&self) -> TokenId {
        self.token
    }
}

/// What a frame asks of a channel.
#[derive(Debug)]
pub(in crate::shard) enum Wish {
    Subscribe { channel: Arc<ChannelKey>, after: Option<Offset>, id: Option<KeptId> },
    Publish { publication: Arc<Publication>, keep: Keep, id: Option<KeptId> },
}

impl Wish {
    fn channel(&self) -> &Arc<ChannelKey> {
        match self {
            Self::Subscribe { channel, .. } => channel,
            Self::Publish { publication, .. } => publication.channel(),
        }
    }

    fn id(&self) -> Option<FrameId<'_>> {
        let (Self::Subscribe { id, .. } | Self::Publish { id, .. }) = self;
        id.as_ref().map(KeptId::id)
    }

    /// What it takes of its tenant's plan, where a message costs so much.
    fn price(&self, cost: u32) -> Spend {
        match self {
            Self::Subscribe { .. } => Spend::subscription(),
            Self::Publish { publication, .. } => {
                Spend::message(publication.payload().len()).billing(Metered::Credit, cost)
            }
        }
    }

    /// Whether a token allows it on a channel of a type.
    fn is_allowed(&self, permit: &Permit, of: ChannelType) -> bool {
        let channel = self.channel().name();
        match self {
            Self::Publish { .. } => permit.allows(Capability::Publish, channel, of),
            Self::Subscribe { after, .. } => {
                permit.allows(Capability::Subscribe, channel, of)
                    && (after.is_none() || permit.allows(Capability::History, channel, of))
            }
        }
    }
}

impl Shard {
    /// Who wants to open a socket.
    pub(super) fn infrai_opening(&self, head: &Head<'_>) -> Result<Opening, Rejection> {
        let handshake = check_handshake(head)?;
        let offered = || handshake.subprotocols();
        let is_token = |text: &&str| text.starts_with(auth::INFRAI_TOKEN_PREFIX);
        let text = match head.query("token")? {
            Some(token) => token,
            None => offered().find(is_token).ok_or(Rejection::CredentialMissing)?.into(),
        };
        let claims = self.infrai_claims(&text)?;
        let tenant = self.tenants.of_name(&claims.tenant).ok_or(Rejection::CredentialInvalid)?;
        self.admit_page(tenant, head)?;
        let token = TokenId(claims.jti);
        if self.is_revoked(tenant, token) {
            return Err(Rejection::CredentialInvalid);
        }
        // A browser that offers protocols wants one of them.
        let chosen = offered().find(|it| !is_token(it)).or_else(|| offered().next());
        let mut accept = Vec::new();
        write_accept(&mut accept, &handshake, chosen);
        let member = Arc::new(Member {
            id: claims.client_id.into_boxed_str(),
            name: None,
            user_id: claims.user_id.map(String::into_boxed_str),
            is_anonymous: false,
            state: None,
        });
        let (permit, expires_at_s) = (claims.permit, claims.expires_at_s);
        Ok(Opening { accept, tenant, member, permit, token, expires_at_s })
    }

    pub(super) fn open_infrai(&mut self, conn: ConnId, opening: Opening) -> Result<(), Rejection> {
        let Opening { accept, tenant, member, permit, token, expires_at_s } = opening;
        let lease = self.lease(tenant, Some(token), expires_at_s);
        let MessageId(connection_id) = self.ids.next(self.now.wall_ms);
        let Some(slot) = self.sessions.slot(conn) else { return Ok(()) };
        if let State::Http(http) = &slot.state
            && !http.tickets.is_empty()
        {
            // RFC 9110 §7.8 lets a server ignore an upgrade; here it would overtake earlier answers.
            return Err(Rejection::UpgradeRequired);
        }
        let speech = Speech::Infrai(Box::new(InfraiClient::new(permit)));
        let mut socket = SocketSession::new(speech, tenant, Arc::clone(&member));
        socket.lease = lease;
        slot.state = State::Socket(Box::new(socket));
        self.counters.sockets += 1;
        self.turn.write(&self.hub, conn, std::iter::empty(), |out| {
            out.extend_from_slice(&accept);
            infrai::frame_connected(out, connection_id, &member.id, expires_at_s * 1000);
        });
        Ok(())
    }

    pub(in crate::shard) fn read_infrai(
        &mut self,
        conn: ConnId,
        text: &mut [u8],
        effects: &mut Effects,
    ) {
        // Each counts, whatever it is. One too many is read all the same: what is told has the name that the client gave it.
        let paced = self.pace_request(conn);
        let limits = self.limits.wire.clone();
        match (infrai::decode_frame(text, &limits), paced) {
            (Ok(command), Ok(())) => self.obey_infrai(conn, command, effects),
            (Ok(command), Err(why)) => self.refuse_frame(conn, &why, command.id(), None),
            (Err(RefusedFrame { id, why }), paced) => {
                let why = paced.err().unwrap_or(why);
                self.refuse_frame(conn, &why, id.as_ref().map(KeptId::id), None);
            }
        }
    }

    fn obey_infrai(&mut self, conn: ConnId, command: Command<'_>, effects: &mut Effects) {
        let Some(socket) = self.socket(conn) else { return };
        let tenant = socket.tenant;
        let (member, has_unanswered) = (Arc::clone(&socket.member), socket.unanswered > 0);
        match command {
            Command::Ping { id } => self.write_to(conn, |out| infrai::frame_pong(out, id)),
            Command::Unsubscribe { channel, id } => {
                let key = self.channel_key(tenant, channel.as_str());
                let frames = self.unsubscribe(conn, &key, effects).unwrap_or_default();
                let frames = frames.iter().map(|it| it.as_ref().map(KeptId::id));
                let answers = frames.chain(std::iter::once(id));
                let name = channel.as_str();
                self.write_to(conn, |out| {
                    answers.for_each(|id| infrai::frame_unsubscribed(out, name, id));
                });
            }
            Command::Subscribe { channel, after, id } => {
                let channel = self.channel_key(tenant, channel.as_str());
                let (after, id) = (after.map(Offset), id.map(FrameId::keep));
                self.wish(conn, Wish::Subscribe { channel, after, id }, effects);
            }
            Command::PublishTo { publish: ChannelPublish { channel, publish }, id } => {
                if let Err(why) = self.pace_publishes(conn, 1, publish.data.len()) {
                    return self.refuse_frame(conn, &why, id, Some(channel.as_str()));
                }
                let channel = self.channel_key(tenant, channel.as_str());
                let publication = unplaced(&channel, &member.id, &publish);
                let keep = keep(publish.keep, has_unanswered);
                let id = id.map(FrameId::keep);
                self.wish(conn, Wish::Publish { publication, keep, id }, effects);
            }
            // Its frames name their channel.
            Command::Publish(_) => {
                let why = Rejection::MissingField { field: "channel" };
                self.refuse_frame(conn, &why, None, None);
            }
        }
    }

    /// Does what a frame asks of a channel, once it is known what the channel is.
    fn wish(&mut self, conn: ConnId, wish: Wish, effects: &mut Effects) {
        let waiting_max = self.limits.unanswered_frames_max;
        let Some(socket) = self.socket(conn) else { return };
        let tenant = socket.tenant;
        let Some(client) = socket.infrai() else { return };
        let refused = if client.asks.waiting() >= waiting_max {
            Some(Rejection::Overloaded { limit: "unanswered_frames_max" })
        } else if wish.is_allowed(&client.permit, ChannelType::Public) {
            None
        } else {
            Some(Rejection::Forbidden)
        };
        if let Some(why) = refused {
            return self.refuse_wish(conn, &wish, &why);
        }
        if let Some(known) = self.known.get(wish.channel()) {
            return self.grant(conn, wish, known.channel_type, effects);
        }
        let call = match self.begin_frame(conn, tenant) {
            Ok(call) => call,
            Err(why) => return self.refuse_wish(conn, &wish, &why),
        };
        let op = self.enrol(wish.channel().name());
        let glance = self.known.glance();
        let then = Work::Wish(conn, Box::new(wish), glance);
        self.ask_seat(call, op, steps::Work::Infrai(then), effects);
    }

    /// Has a channel registered that nobody knows yet: as a public one.
    pub(in crate::shard) fn enrol(&mut self, name: &str) -> SeatOp {
        let id = self.ids.next(self.now.wall_ms);
        SeatOp::CreateChannel { name: name.into(), kind: None, id }
    }

    /// The seat said what the channel is: the frame goes on, and those behind it.
    pub(super) fn go_on_wish(
        &mut self,
        call: CallId,
        (conn, wish, glance): (ConnId, Wish, Glance),
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        if !self.end_frame(call, conn) {
            return;
        }
        match seat_answer(came) {
            Ok(SeatAnswer::Channel(found)) => {
                let channel_type = self.known.learn(wish.channel(), found, glance);
                self.grant(conn, wish, channel_type, effects);
            }
            Ok(_) => self.refuse_wish(conn, &wish, &Rejection::Internal),
            Err(why) => self.refuse_wish(conn, &wish, &why),
        }
    }

    fn grant(&mut self, conn: ConnId, wish: Wish, of: ChannelType, effects: &mut Effects) {
        let Some(socket) = self.socket(conn) else { return };
        let Some(client) = socket.infrai() else { return };
        if !wish.is_allowed(&client.permit, of) {
            return self.refuse_wish(conn, &wish, &Rejection::Forbidden);
        }
        if self.tenants.plan(wish.channel().tenant()).is_metered() {
            return self.pay_for_wish(conn, (wish, of), effects);
        }
        self.fulfil(conn, wish, of, effects);
    }

    /// Publishes or subscribes once it is counted. What comes behind waits.
    fn pay_for_wish(
        &mut self,
        conn: ConnId,
        (wish, of): (Wish, ChannelType),
        effects: &mut Effects,
    ) {
        let tenant = wish.channel().tenant();
        let spend = wish.price(self.tenants.plan(tenant).costs.of(Priced::Publish));
        let call = match self.begin_frame(conn, tenant) {
            Ok(call) => call,
            Err(why) => return self.refuse_wish(conn, &wish, &why),
        };
        let then = steps::Work::Infrai(Work::PaidWish(conn, Box::new(wish), of));
        self.ask_seat(call, SeatOp::Spend(spend), then, effects);
    }

    /// The seat has counted what a frame publishes, or does not let it.
    pub(super) fn go_on_paid_wish(
        &mut self,
        call: CallId,
        (conn, wish, of): (ConnId, Wish, ChannelType),
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        let is_there = self.end_frame(call, conn);
        match seat_answer(came) {
            Ok(_) if is_there => self.fulfil(conn, wish, of, effects),
            Ok(_) => {
                if let Wish::Publish { publication, .. } = &wish {
                    self.owe_publish(publication.channel().tenant());
                }
            }
            Err(why) => self.refuse_wish(conn, &wish, &why),
        }
    }

    fn fulfil(&mut self, conn: ConnId, wish: Wish, of: ChannelType, effects: &mut Effects) {
        let Some(socket) = self.socket(conn) else { return };
        let Some(client) = socket.infrai() else { return };
        match wish {
            Wish::Subscribe { channel, after, id } => {
                let is_member = client.permit.allows(Capability::Presence, channel.name(), of);
                let audience = if is_member { Audience::InfraiMembers } else { Audience::Infrai };
                let shown = is_member.then(|| Arc::clone(&socket.member));
                let frame = Frame::Awaited(id.clone());
                let wanted = Wanted { audience, after, frame, shown };
                let done = self.subscribe(conn, &channel, wanted, effects);
                if let Err(why) = done {
                    let id = id.as_ref().map(KeptId::id);
                    self.refuse_frame(conn, &why, id, Some(channel.name()));
                }
            }
            Wish::Publish { publication, keep, id } => {
                let channel = Arc::clone(publication.channel());
                let ticket = client.asks.wait_for_publish(&channel, id);
                socket.unanswered += 1;
                let reply = ReplyTo { conn, ticket };
                self.request(&channel, Request::Publish(publication, keep, reply), effects);
            }
        }
    }

    fn refuse_wish(&mut self, conn: ConnId, wish: &Wish, why: &Rejection) {
        self.refuse_frame(conn, why, wish.id(), Some(wish.channel().name()));
    }

    fn refuse_frame(
        &mut self,
        conn: ConnId,
        why: &Rejection,
        id: Option<FrameId<'_>>,
        channel: Option<&str>,
    ) {
        self.counters.rejected += 1;
        self.write_to(conn, |out| infrai::frame_rejection(out, why, id, channel));
    }
}
