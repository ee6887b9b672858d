//! How a client of InsForge comes: by a WebSocket, over which it says afterwards who it is.

use std::sync::Arc;

use protocol::auth::hmac_sha256;
use protocol::dialect::insforge::socket::Standing;
use protocol::engineio::{self, Ask, OpenFault, Sid, Transport};
use protocol::http::{Head, Method};
use protocol::ws::{check_handshake, write_accept};
use protocol::{Rejection, page_of};

use super::super::Shard;
use super::super::answers::Shape;
use super::super::effects::Effects;
use super::Call;
use super::polling::{Poll, PollWish};
use crate::broker::Member;
use crate::ids::{ConnId, TenantId};
use crate::pressure::Pressure;
use crate::session::{InsforgeClient, SocketSession, Speech, State, Whence, Wire};

/// A WebSocket that may be opened.
#[derive(Debug)]
pub(in crate::shard) struct Opening {
    /// The answer to the handshake.
    accept: Vec<u8>,
    /// Which of the two wires.
    kind: Kind,
    whence: Whence,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Socket,
    Plain,
    /// The first, for a session that moves to it.
    Probe(Sid),
}

impl Shard {
    /// What a request to `/socket.io/` asks for.
    pub(super) fn find_engine(&mut self, head: &Head<'_>) -> Result<Call, Rejection> {
        let origin = head.header("origin").map(Box::from);
        let asked = match engineio::decode_ask(head) {
            Ok(asked) => asked,
            Err(why) => {
                let is_upgrade = head.wants_upgrade();
                return Ok(Call::RefuseEngine { why, is_upgrade, origin });
            }
        };
        let sid = match asked {
            Ask::Session { sid, .. } => Some(sid),
            Ask::Open(_) => None,
        };
        let whence = self.whence(head);
        self.admit_session_page(sid, whence.page.as_deref())?;
        let wish = match (asked, head.method()) {
            (Ask::Open(Transport::WebSocket), _) => return opening(head, Kind::Socket, whence),
            (Ask::Session { transport: Transport::WebSocket, sid }, _) => {
                return opening(head, Kind::Probe(sid), whence);
            }
            (Ask::Open(Transport::Polling), _) => PollWish::Open { whence },
            (Ask::Session { sid, .. }, Method::Get) => PollWish::Fetch(sid),
            (Ask::Session { sid, .. }, Method::Post) => PollWish::Bring(sid),
            // What waits would be lost to the answer to HEAD.
            (Ask::Session { .. }, _) => {
                let why = OpenFault::BadRequest;
                return Ok(Call::RefuseEngine { why, is_upgrade: false, origin });
            }
        };
        Ok(Call::Poll(Box::new(Poll { wish, origin })))
    }

    /// Who wants to open a socket of the documents.
    pub(super) fn plain_opening(&mut self, head: &Head<'_>) -> Result<Call, Rejection> {
        let whence = self.whence(head);
        self.admit_session_page(None, whence.page.as_deref())?;
        opening(head, Kind::Plain, whence)
    }

    fn whence(&self, head: &Head<'_>) -> Whence {
        let page = self.tenants.list_origins().then(|| page_of(head)).flatten();
        Whence { host: head.host().into(), page }
    }

    pub(super) fn open_insforge(
        &mut self,
        conn: ConnId,
        shape: Shape,
        opening: Opening,
        effects: &mut Effects,
    ) -> Result<(), Rejection> {
        let Opening { accept, kind, whence } = opening;
        let sid = self.new_sid();
        let heartbeat = self.limits.heartbeat;
        let (wire, patience_ms) = match kind {
            Kind::Socket => (self.engine_wire(sid), self.limits.connect_timeout_ms),
            Kind::Plain => (Wire::Plain, self.limits.introduction_timeout_ms),
            Kind::Probe(sid) => match self.polls.of(sid).filter(|it| self.may_move(*it)) {
                Some(session) => {
                    let wire = Wire::Probe { session, is_wanted: false };
                    (wire, self.limits.body_timeout_ms)
                }
                None => {
                    let why = self
                        .polls
                        .of(sid)
                        .map_or(OpenFault::SessionUnknown, |_| OpenFault::BadRequest);
                    self.refuse_engine(conn, shape, (why, true, None), effects);
                    return Ok(());
                }
            },
        };
        let Some(slot) = self.sessions.slot(conn) else { return Ok(()) };
        if let State::Http(http) = &slot.state
            && !http.tickets.is_empty()
        {
            // RFC 9110 §7.8 lets a server ignore an upgrade; here it would overtake earlier answers.
            return Err(Rejection::UpgradeRequired);
        }
        let introduced_by_ms = self.now.monotonic_ms + patience_ms;
        slot.state = State::Socket(stranger(wire, sid, whence, introduced_by_ms));
        self.counters.sockets += 1;
        if let Kind::Probe(sid) = kind {
            self.note_probe(sid, conn);
        }
        self.turn.write(&self.hub, conn, std::iter::empty(), |out| {
            out.extend_from_slice(&accept);
            if kind == Kind::Socket {
                engineio::frame_open(out, sid, &heartbeat);
            }
        });
        Ok(())
    }

    /// Starts a session that has no socket.
    pub(super) fn open_polled(&mut self, whence: Whence) -> Result<Sid, Rejection> {
        self.has_memory_for(Pressure::Connections)?;
        if self.polls.count() >= self.limits.polling_sessions_max {
            return Err(Rejection::Overloaded { limit: "polling_sessions_max" });
        }
        let sid = self.new_sid();
        let introduced_by_ms = self.now.monotonic_ms + self.limits.connect_timeout_ms;
        let state = State::Socket(stranger(self.engine_wire(sid), sid, whence, introduced_by_ms));
        let conn = self.polls.open(sid);
        if let Some(slot) = self.sessions.open(conn, state) {
            slot.heard_at_ms = self.now.monotonic_ms;
        }
        self.counters.sockets += 1;
        self.watch(conn);
        Ok(sid)
    }

    fn engine_wire(&self, sid: Sid) -> Wire {
        let standing = Standing::default();
        Wire::Socket { standing, sid, pinged_at_ms: self.now.monotonic_ms }
    }

    /// An id that nobody can guess, and that says on which shard it is known.
    pub(super) fn new_sid(&mut self) -> Sid {
        let id = self.ids.next(self.now.wall_ms).0;
        let mark = hmac_sha256(self.tenants.sid_key(), &id.to_be_bytes());
        let mut bytes = [0; 15];
        for (to, from) in bytes.iter_mut().zip(self.id.0.to_be_bytes().into_iter().chain(mark)) {
            *to = from;
        }
        Sid::from_random(bytes)
    }
}

/// A client that has not said who it is.
fn stranger(wire: Wire, sid: Sid, whence: Whence, introduced_by_ms: u64) -> Box<SocketSession> {
    let client = InsforgeClient::new(wire, whence, introduced_by_ms);
    let nobody = Member {
        id: sid.as_str().into(),
        name: None,
        user_id: None,
        is_anonymous: true,
        state: None,
    };
    let speech = Speech::Insforge(Box::new(client));
    Box::new(SocketSession::new(speech, TenantId::UNKNOWN, Arc::new(nobody)))
}

fn opening(head: &Head<'_>, kind: Kind, whence: Whence) -> Result<Call, Rejection> {
    let handshake = check_handshake(head)?;
    // A browser that offers protocols wants one of them.
    let chosen = handshake.subprotocols().next();
    let mut accept = Vec::new();
    write_accept(&mut accept, &handshake, chosen);
    Ok(Call::Upgrade(Box::new(Opening { accept, kind, whence })))
}
