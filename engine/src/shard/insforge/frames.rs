//! What clients of InsForge say: packets of Socket.IO, and the frames of the documents.

use protocol::dialect::insforge::plain::{self, PlainCommand, PlainError};
use protocol::dialect::insforge::socket::{self, Broken, Next, PublishError, RefusedCommand};
use protocol::engineio::{self, Packet};
use protocol::ws::CloseCode;
use protocol::{ChannelPublish, Command, FrameId, Rejection, socketio};

use super::super::Shard;
use super::super::calls::unplaced;
use super::super::effects::Effects;
use super::encode::encode_not_joined;
use super::entry::Unwelcome;
use super::wishes::Wish;
use crate::ids::{ConnId, TenantId};
use crate::session::{SocketSession, Stage, Wire};

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
                self.follow(conn, (next, Ok(())), effects);
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

    /// Each message counts, whatever it is. One too many is read all the same: what is told has the name that the client gave
    /// it, and how many bytes follow is in it.
    fn hear_message(&mut self, conn: ConnId, message: &mut [u8], effects: &mut Effects) {
        let paced = self.pace_request(conn);
        let limits = self.limits.wire.clone();
        let Some(client) = self.socket(conn).and_then(SocketSession::insforge) else { return };
        let Wire::Socket { standing, .. } = &mut client.wire else { return };
        let next = standing.take(message, &limits);
        self.follow(conn, (next, paced), effects);
    }

    fn follow(
        &mut self,
        conn: ConnId,
        (next, paced): (Next<'_>, Result<(), Rejection>),
        effects: &mut Effects,
    ) {
        match next {
            Next::Identify(credential) => match paced {
                Ok(()) => self.let_in(conn, credential, effects),
                Err(why) => self.keep_out(conn, &Unwelcome::Refused(why)),
            },
            Next::Perform(command) => match paced {
                Ok(()) => self.obey_insforge(conn, command, effects),
                Err(why) => self.slow_down(conn, command, why, effects),
            },
            Next::Refuse(refused) => {
                let why = paced.err().unwrap_or(refused.why);
                self.refuse_command(conn, &RefusedCommand { why, ..refused });
            }
            Next::RefuseNamespace(name) => {
                self.counters.rejected += 1;
                self.write_to(conn, |out| socketio::frame_namespace_refused(out, &name));
            }
            Next::Leave => {
                self.leave_all(conn, effects);
                self.hush(conn);
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

    /// A client goes too fast. Out of a channel it is let all the same: it awaits no answer to that, and ends no more than it was
    /// let begin.
    fn slow_down(
        &mut self,
        conn: ConnId,
        command: Command<'_>,
        why: Rejection,
        effects: &mut Effects,
    ) {
        let (id, channel) = match &command {
            Command::Unsubscribe { .. } => return self.obey_insforge(conn, command, effects),
            Command::Subscribe { channel, id, .. } => (id.map(FrameId::keep), channel),
            Command::PublishTo { publish, .. } => (None, &publish.channel),
            Command::Publish(_) | Command::Ping { .. } => return,
        };
        let channel = Some(channel.as_str().into());
        self.refuse_command(conn, &RefusedCommand { id, channel, why });
    }

    fn refuse_command(&mut self, conn: ConnId, refused: &RefusedCommand) {
        self.counters.rejected += 1;
        self.write_to(conn, |out| socket::frame_refused(out, refused));
    }

    fn obey_insforge(&mut self, conn: ConnId, command: Command<'_>, effects: &mut Effects) {
        let Some(tenant) = self.socket(conn).map(|it| it.tenant) else { return };
        match command {
            Command::Subscribe { channel, id, .. } => {
                let channel = self.channel_key(tenant, channel.as_str());
                let wish = Wish::Subscribe { channel, id: id.map(FrameId::keep) };
                self.wish_insforge(conn, wish, effects);
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

    /// A frame of the documents came. Each counts, whatever it is: one too many is not even read.
    fn hear_plain(&mut self, conn: ConnId, text: &mut [u8], effects: &mut Effects) {
        let limits = self.limits.wire.clone();
        let paced = self.pace_request(conn);
        let command = match paced.and_then(|()| plain::decode_frame(text, &limits)) {
            Ok(command) => command,
            Err(why) => return self.refuse_plain(conn, |out| plain::frame_rejection(out, &why)),
        };
        let Some(socket) = self.socket(conn) else { return };
        let tenant = socket.tenant;
        let is_known = socket.insforge().is_some_and(|it| it.known.is_some());
        if !is_known && !matches!(command, PlainCommand::Authenticate(_)) {
            let why = PlainError::NotAuthenticated;
            return self.refuse_plain(conn, |out| plain::frame_error(out, why));
        }
        self.obey_plain(conn, tenant, command, effects);
    }

    fn obey_plain(
        &mut self,
        conn: ConnId,
        tenant: TenantId,
        command: PlainCommand<'_>,
        effects: &mut Effects,
    ) {
        match command {
            PlainCommand::Authenticate(credential) => self.let_in(conn, credential, effects),
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
            PlainCommand::Publish(publish) => {
                self.publish_insforge(conn, &publish, effects);
            }
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
