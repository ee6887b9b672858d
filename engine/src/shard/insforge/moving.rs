//! A session without a socket moves to a WebSocket: what waits for it goes out there first, and its places in the fan-out become
//! those of the new connection within one step. Nothing is missed or said twice.
//!
//! Answers find a client by its connection. So a session moves only when it waits for none, and until then what its client says
//! on the new connection stays unread.

use protocol::engineio::{self, Packet, Sid};
use protocol::ws::CloseCode;

use super::super::Shard;
use super::super::effects::Effects;
use crate::ids::ConnId;
use crate::session::{SocketSession, Stage, State, Subscription, Wire};

impl Shard {
    /// Whether a session may move to one more WebSocket.
    pub(super) fn may_move(&mut self, polled: ConnId) -> bool {
        let Some(pickup) = self.polls.get(polled) else { return false };
        let is_over = pickup.is_over || pickup.ending.is_some();
        !is_over && !self.is_moving(polled)
    }

    /// Whether a WebSocket is open that a session wants to move to.
    pub(super) fn is_moving(&mut self, polled: ConnId) -> bool {
        let probe = self.polls.get(polled).and_then(|it| it.probe);
        let probed = probe.and_then(|it| self.probed(it));
        probed.is_some_and(|(session, _)| session == polled)
    }

    /// Which session wants to move to a connection, and whether its client has said so.
    fn probed(&mut self, conn: ConnId) -> Option<(ConnId, bool)> {
        match self.socket(conn)?.insforge()?.wire {
            Wire::Probe { session, is_wanted } => Some((session, is_wanted)),
            Wire::Socket { .. } | Wire::Plain => None,
        }
    }

    /// A session wants to move to a connection.
    pub(super) fn note_probe(&mut self, sid: Sid, conn: ConnId) {
        if let Some(polled) = self.polls.of(sid)
            && let Some(pickup) = self.polls.get(polled)
        {
            pickup.probe = Some(conn);
        }
    }

    /// A packet came on a WebSocket that a session wants to move to.
    pub(super) fn hear_probe(
        &mut self,
        conn: ConnId,
        polled: ConnId,
        text: &mut [u8],
        effects: &mut Effects,
    ) {
        match engineio::decode_packet(text) {
            Ok(Packet::Ping { is_probe: true }) => {
                self.write_to(conn, engineio::frame_pong_probe);
                self.end_wait(polled, effects);
            }
            Ok(Packet::Upgrade) => {
                if let Some(client) = self.socket(conn).and_then(SocketSession::insforge) {
                    client.wire = Wire::Probe { session: polled, is_wanted: true };
                    client.asks.waits = true;
                }
                self.polls.move_later(polled);
            }
            Ok(Packet::Noop) => {}
            Ok(
                Packet::Close
                | Packet::Ping { .. }
                | Packet::Pong
                | Packet::Message(_)
                | Packet::Binary,
            )
            | Err(_) => self.end_socket(conn, CloseCode::Policy, "not a probe", effects),
        }
    }

    /// Nothing comes by requests any more: the one that waits is told so.
    fn end_wait(&mut self, polled: ConnId, effects: &mut Effects) {
        let Some(pickup) = self.polls.get(polled) else { return };
        let Some(waiting) = pickup.waiting.take() else { return };
        self.hand_mail(polled, &waiting, effects);
    }

    /// Moves sessions that are ready to.
    pub(in crate::shard) fn move_polled(&mut self, effects: &mut Effects) {
        for polled in self.polls.take_movers() {
            let conn = self.polls.get(polled).and_then(|it| it.probe);
            let Some(conn) = conn.filter(|it| self.probed(*it) == Some((polled, true))) else {
                continue;
            };
            if !self.is_settled(polled) {
                self.polls.move_later(polled);
            } else if self.polls.get(polled).is_some_and(|it| it.ending.is_none()) {
                self.move_session(polled, conn, effects);
            }
        }
    }

    /// Says which sessions that want to move can.
    pub(in crate::shard) fn wake_movers(&mut self) {
        for polled in self.polls.movers() {
            if self.is_settled(polled) {
                self.polls.move_now(polled);
            }
        }
    }

    /// Whether nothing is on its way that names the connection.
    fn is_settled(&mut self, polled: ConnId) -> bool {
        let is_owed = self.turn.is_owed(polled);
        let Some(slot) = self.sessions.slot(polled) else { return true };
        let State::Socket(socket) = &mut slot.state else { return true };
        let is_answered = socket.unanswered == 0 && !socket.waits() && slot.carry.is_empty();
        let mut subscriptions = socket.subscriptions.list().iter();
        let is_live = subscriptions.all(|it| match it.stage {
            Stage::Live(_) | Stage::Refused => true,
            Stage::Joining | Stage::Behind { .. } => false,
        });
        let waiting = socket.asks().map_or(0, |it| it.waiting());
        is_answered && is_live && waiting == 0 && !is_owed
    }

    fn move_session(&mut self, polled: ConnId, conn: ConnId, effects: &mut Effects) {
        self.end_wait(polled, effects);
        let Some(slot) = self.sessions.slot(polled) else { return };
        let buckets = slot.buckets.take();
        let Some(State::Socket(mut socket)) = self.sessions.close(polled) else { return };
        let mut waiting = Vec::new();
        self.polls.take_frames(polled, &mut waiting);
        self.polls.close(polled);
        let seats: Vec<_> =
            socket.subscriptions.list().iter().filter_map(Subscription::seat).collect();
        self.turn.write(&self.hub, conn, std::iter::empty(), |out| out.extend_from_slice(&waiting));
        for seat in &seats {
            self.turn.settle(&self.hub, polled, seat.group);
        }
        self.turn.hand_over(polled, conn);
        seats.into_iter().for_each(|it| self.hub.replace(it, conn));
        let Some(slot) = self.sessions.slot(conn) else { return };
        if let State::Socket(probe) = &mut slot.state {
            std::mem::swap(&mut probe.reader, &mut socket.reader);
        }
        slot.state = State::Socket(socket);
        slot.buckets = buckets;
        self.resumable.push(conn);
        self.watch(conn);
    }
}
