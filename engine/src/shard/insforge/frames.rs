//! What clients of InsForge say: packets of Socket.IO, and the frames of the documents.

use std::sync::Arc;

use protocol::auth::insforge::{BadCredential, Credential, Identity};
use protocol::dialect::insforge::PresentKind;
use protocol::dialect::insforge::plain::{self, PlainCommand, PlainError};
use protocol::dialect::insforge::socket::{self, Broken, Next, PublishError};
use protocol::engineio::{self, Packet};
use protocol::policy::Asker;
use protocol::ws::CloseCode;
use protocol::{ChannelPublish, Command, FrameId, Rejection, socketio};

use super::super::Shard;
use super::super::calls::unplaced;
use super::super::effects::Effects;
use super::encode::encode_not_joined;
use super::wishes::Wish;
use crate::broker::Member;
use crate::ids::{ConnId, TenantId};
use crate::planted::{self, Fault};
use crate::session::{Known, SocketSession, Stage, Wire};

impl Shard {
    /// A text frame of a client came.
    pub(in crate::shard) fn read_insforge(
        &mut self,
        conn: ConnId,
        text: &mut [u8],
        effects: &mut Effects,
    ) {
        let Some(client) = self.socket(conn).and_then(SocketSession::insforge) else { return };
        match &client.wire {
            Wire::Socket { .. } => self.hear_packet(conn, text, effects),
            Wire::Plain => self.hear_plain(conn, text, effects),
            Wire::Probe { session, .. } => {
                let session = *session;
                self.hear_probe(conn, session, text, effects);
            }
        }
    }

    /// A binary frame of a client came: Socket.IO announces those that it has to skip.
    pub(in crate::shard) fn read_insforge_binary(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(client) = self.socket(conn).and_then(SocketSession::insforge) else { return };
        match &mut client.wire {
            Wire::Socket { standing, .. } => {
                let next = standing.take_binary();
                self.follow(conn, next, effects);
            }
            Wire::Plain | Wire::Probe { .. } => {
                self.end_socket(conn, CloseCode::Unsupported, "text frames only", effects);
            }
        }
    }

    /// A packet of Engine.IO came, by whatever carries it.
    pub(in crate::shard) fn hear_packet(
        &mut self,
        conn: ConnId,
        text: &mut [u8],
        effects: &mut Effects,
    ) {
        match engineio::decode_packet(text) {
            Ok(Packet::Message(message)) => self.hear_message(conn, message, effects),
            Ok(Packet::Close) => self.end_socket(conn, CloseCode::Normal, "", effects),
            Ok(Packet::Binary) => self.read_insforge_binary(conn, effects),
            // A pong is heard of like anything else that comes; the others mean nothing here.
            Ok(Packet::Pong | Packet::Noop | Packet::Upgrade) => {}
            Ok(Packet::Ping { .. }) => {
                self.end_socket(conn, CloseCode::Policy, "only the server pings", effects);
            }
            Err(why) => self.end_socket(conn, CloseCode::Policy, &why.to_string(), effects),
        }
    }

    fn hear_message(&mut self, conn: ConnId, message: &mut [u8], effects: &mut Effects) {
        let limits = self.limits.wire.clone();
        let Some(client) = self.socket(conn).and_then(SocketSession::insforge) else { return };
        let Wire::Socket { standing, .. } = &mut client.wire else { return };
        let next = standing.take(message, &limits);
        self.follow(conn, next, effects);
    }

    fn follow(&mut self, conn: ConnId, next: Next<'_>, effects: &mut Effects) {
        match next {
            Next::Identify(credential) => self.let_in(conn, credential),
            Next::Perform(command) => self.obey_insforge(conn, command, effects),
            Next::Refuse(refused) => {
                self.counters.rejected += 1;
                self.write_to(conn, |out| socket::frame_refused(out, &refused));
            }
            Next::RefuseNamespace(name) => {
                self.counters.rejected += 1;
                self.write_to(conn, |out| socketio::frame_namespace_refused(out, &name));
            }
            Next::Leave => {
                self.leave_all(conn, effects);
                // Nor does it hear what becomes of its publishes: nothing follows the end of a namespace.
                if let Some(asks) = self.socket(conn).and_then(SocketSession::asks) {
                    asks.hush();
                }
            }
            Next::Nothing => {}
            Next::Close(why) => {
                self.counters.rejected += 1;
                let reason = match why {
                    Broken::Packet => "not a packet of Socket.IO",
                    Broken::OutOfTurn => "connect first, and once",
                    Broken::Attachment => "attachments do not come as announced",
                };
                self.end_socket(conn, CloseCode::Policy, reason, effects);
            }
        }
    }

    /// A client of Socket.IO says who it is.
    fn let_in(&mut self, conn: ConnId, credential: Credential<'_>) {
        let found = self.introduce(conn, credential);
        let sid = self.new_sid();
        let limits = self.limits.wire.clone();
        let Some(socket) = self.socket(conn) else { return };
        let Some(client) = socket.insforge() else { return };
        let Wire::Socket { standing, .. } = &mut client.wire else { return };
        match found {
            Ok((tenant, identity)) => {
                standing.let_in();
                settle(socket, tenant, identity, (sid.as_str(), &limits));
                self.write_to(conn, |out| socketio::frame_connected(out, sid));
            }
            Err(why) => {
                standing.keep_out();
                self.counters.rejected += 1;
                let why = why.to_string();
                self.write_to(conn, |out| socketio::frame_connect_error(out, &why));
            }
        }
    }

    fn introduce(
        &mut self,
        conn: ConnId,
        credential: Credential<'_>,
    ) -> Result<(TenantId, Identity), BadCredential> {
        let client = self.socket(conn).and_then(SocketSession::insforge);
        let host = client.map(|it| it.host.clone()).unwrap_or_default();
        self.identify(credential, &host)
    }

    /// A client goes, but stays connected: it hears nothing more, and may come again.
    fn leave_all(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(socket) = self.socket(conn) else { return };
        let channels: Vec<_> =
            socket.subscriptions.list().iter().map(|it| Arc::clone(&it.channel)).collect();
        let stays = planted::is(Fault::LeaverHears);
        for channel in channels.into_iter().filter(|_| !stays) {
            // Whoever leaves awaits no answer.
            self.unsubscribe(conn, &channel, effects);
        }
        let patience_ms = self.now.monotonic_ms + self.limits.connect_timeout_ms;
        if let Some(client) = self.socket(conn).and_then(SocketSession::insforge) {
            client.known = None;
            client.introduced_by_ms = patience_ms;
        }
    }

    fn obey_insforge(&mut self, conn: ConnId, command: Command<'_>, effects: &mut Effects) {
        let Some(tenant) = self.socket(conn).map(|it| it.tenant) else { return };
        match command {
            Command::Subscribe { channel, id, .. } => {
                let channel = self.channel_key(tenant, channel.as_str());
                let id = id.map(FrameId::keep);
                self.wish_insforge(conn, Wish::Subscribe { channel, id }, effects);
            }
            Command::Unsubscribe { channel, .. } => {
                let key = self.channel_key(tenant, channel.as_str());
                let frames = self.unsubscribe(conn, &key, effects).unwrap_or_default();
                let why = Rejection::Internal;
                self.write_to(conn, |out| encode_not_joined(out, &key, &frames, &why));
            }
            Command::PublishTo { publish, .. } => {
                let hears = |socket: &mut SocketSession, name: &str| {
                    let mut all = socket.subscriptions.list().iter();
                    all.any(|it| it.channel.name() == name && it.stage != Stage::Refused)
                };
                let name = publish.channel.as_str();
                if !self.socket(conn).is_some_and(|it| hears(it, name)) {
                    self.counters.rejected += 1;
                    let why = PublishError::NotSubscribed;
                    return self.write_to(conn, |out| socket::frame_error(out, name, why));
                }
                self.publish_insforge(conn, &publish, effects);
            }
            // Its messages name their channel, and no ping comes as an event.
            Command::Publish(_) | Command::Ping { .. } => {}
        }
    }

    fn publish_insforge(
        &mut self,
        conn: ConnId,
        publish: &ChannelPublish<'_>,
        effects: &mut Effects,
    ) {
        let ChannelPublish { channel, publish } = publish;
        let Some(socket) = self.socket(conn) else { return };
        let tenant = socket.tenant;
        let sender = socket.insforge().and_then(|it| it.known.as_ref());
        let sender: Box<str> = sender.and_then(|it| it.identity.sender()).unwrap_or("").into();
        let channel = self.channel_key(tenant, channel.as_str());
        let paced = self.pace_publishes(conn, 1, publish.data.len());
        let publication = unplaced(&channel, &sender, publish);
        let wish = Wish::Publish { publication };
        match paced {
            Ok(()) => self.wish_insforge(conn, wish, effects),
            Err(why) => self.refuse_insforge(conn, &wish, &why),
        }
    }

    /// A frame of the documents came.
    fn hear_plain(&mut self, conn: ConnId, text: &mut [u8], effects: &mut Effects) {
        let limits = self.limits.wire.clone();
        let command = match plain::decode_frame(text, &limits) {
            Ok(command) => command,
            Err(why) => return self.refuse_plain(conn, |out| plain::frame_rejection(out, &why)),
        };
        let Some(socket) = self.socket(conn) else { return };
        let tenant = socket.tenant;
        let is_known = socket.insforge().is_some_and(|it| it.known.is_some());
        match command {
            PlainCommand::Authenticate(credential) => self.let_in_plain(conn, credential, effects),
            _ if !is_known => {
                let why = PlainError::NotAuthenticated;
                self.refuse_plain(conn, |out| plain::frame_error(out, why));
            }
            PlainCommand::Subscribe { channel, filter } => {
                let channel = self.channel_key(tenant, channel.as_str());
                self.wish_insforge(conn, Wish::PlainSubscribe { channel, filter }, effects);
            }
            PlainCommand::Unsubscribe { channel } => {
                let key = self.channel_key(tenant, channel.as_str());
                self.unsubscribe(conn, &key, effects);
                let name = channel.as_str();
                self.write_to(conn, |out| plain::frame_unsubscribed(out, name));
            }
            PlainCommand::Publish(publish) => self.publish_insforge(conn, &publish, effects),
            PlainCommand::Ping => self.write_to(conn, plain::frame_pong),
            PlainCommand::Track { channel, state } => {
                let channel = self.channel_key(tenant, channel.as_str());
                self.track(conn, &channel, Some(state), effects);
            }
            PlainCommand::Untrack { channel } => {
                let channel = self.channel_key(tenant, channel.as_str());
                self.track(conn, &channel, None, effects);
            }
        }
    }

    /// A client of the documents' wire says who it is, for the first time or as somebody else: what it hears was let in by who
    /// it was, so it starts anew.
    fn let_in_plain(&mut self, conn: ConnId, credential: Credential<'_>, effects: &mut Effects) {
        let found = self.introduce(conn, credential);
        let limits = self.limits.wire.clone();
        match found {
            Ok((tenant, identity)) => {
                self.leave_all(conn, effects);
                let Some(socket) = self.socket(conn) else { return };
                let id: Box<str> = identity.id().into();
                let own = socket.member.id.clone();
                settle(socket, tenant, identity, (&own, &limits));
                self.write_to(conn, |out| plain::frame_authenticated(out, &id));
            }
            Err(why) => {
                let why = PlainError::Credential(why);
                self.refuse_plain(conn, |out| plain::frame_error(out, why));
            }
        }
    }

    /// The node ends: clients of Socket.IO are told so in words.
    pub(in crate::shard) fn warn_of_end(&mut self, conn: ConnId) {
        let at_ms = self.now.wall_ms;
        let id = self.ids.next(at_ms).0;
        let Some(client) = self.socket(conn).and_then(SocketSession::insforge) else { return };
        if client.known.is_some() && matches!(client.wire, Wire::Socket { .. }) {
            self.write_to(conn, |out| socket::frame_shutdown(out, id, at_ms));
        }
    }

    fn refuse_plain(&mut self, conn: ConnId, encode: impl FnOnce(&mut Vec<u8>)) {
        self.counters.rejected += 1;
        self.write_to(conn, encode);
    }
}

/// A client is known from now on. Who has no name of their own is shown by that of the socket.
fn settle(
    socket: &mut SocketSession,
    tenant: TenantId,
    identity: Identity,
    (own, limits): (&str, &protocol::Limits),
) {
    let is_anonymous = PresentKind::of(&identity) == PresentKind::Anonymous;
    let id = if is_anonymous { own } else { identity.id() };
    let member = Member { id: id.into(), name: None, user_id: None, is_anonymous, state: None };
    socket.tenant = tenant;
    socket.member = Arc::new(member);
    let asker = Asker::of(&identity, limits);
    if let Some(client) = socket.insforge() {
        client.known = Some(Box::new(Known { asker, identity }));
    }
}
