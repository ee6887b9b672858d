//! How a client of InsForge comes: by a WebSocket, over which it says afterwards who it is.

use std::sync::Arc;

use protocol::Rejection;
use protocol::auth::hmac_sha256;
use protocol::dialect::insforge::socket::Standing;
use protocol::engineio::{self, Ask, Sid, Transport};
use protocol::http::Head;
use protocol::ws::{check_handshake, write_accept};

use super::super::Shard;
use super::Call;
use crate::broker::Member;
use crate::ids::{ConnId, TenantId};
use crate::session::{InsforgeClient, SocketSession, Speech, State, Wire};

/// A WebSocket that may be opened.
#[derive(Debug)]
pub(in crate::shard) struct Opening {
    /// The answer to the handshake.
    accept: Vec<u8>,
    /// Which of the two wires.
    kind: Kind,
    host: Box<str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Socket,
    Plain,
}

impl Shard {
    /// What a request to `/socket.io/` asks for.
    pub(super) fn find_engine(&mut self, head: &Head<'_>) -> Result<Call, Rejection> {
        let is_upgrade = head.wants_upgrade();
        match engineio::decode_ask(head) {
            Err(why) => Ok(Call::RefuseEngine { why, is_upgrade }),
            Ok(Ask::Open(Transport::WebSocket)) => opening(head, Kind::Socket),
            Ok(Ask::Open(Transport::Polling) | Ask::Session { .. }) => {
                Err(Rejection::Unimplemented { what: "polling" })
            }
        }
    }

    /// Who wants to open a socket of the documents.
    pub(super) fn plain_opening(&mut self, head: &Head<'_>) -> Result<Call, Rejection> {
        opening(head, Kind::Plain)
    }

    pub(super) fn open_insforge(
        &mut self,
        conn: ConnId,
        opening: Opening,
    ) -> Result<(), Rejection> {
        let Opening { accept, kind, host } = opening;
        let now_ms = self.now.monotonic_ms;
        let sid = self.new_sid();
        let heartbeat = self.limits.heartbeat;
        let (wire, patience_ms) = match kind {
            Kind::Socket => {
                let standing = Standing::default();
                (
                    Wire::Socket { standing, sid, pinged_at_ms: now_ms },
                    self.limits.connect_timeout_ms,
                )
            }
            Kind::Plain => (Wire::Plain, self.limits.introduction_timeout_ms),
        };
        let Some(slot) = self.sessions.slot(conn) else { return Ok(()) };
        if let State::Http(http) = &slot.state
            && !http.tickets.is_empty()
        {
            // RFC 9110 §7.8 lets a server ignore an upgrade; here it would overtake earlier answers.
            return Err(Rejection::UpgradeRequired);
        }
        let client = InsforgeClient::new(wire, &host, now_ms + patience_ms);
        let nobody =
            Member { id: sid.as_str().into(), name: None, user_id: None, is_anonymous: true };
        let speech = Speech::Insforge(Box::new(client));
        let socket = SocketSession::new(speech, TenantId::UNKNOWN, Arc::new(nobody));
        slot.state = State::Socket(Box::new(socket));
        self.counters.sockets += 1;
        self.turn.write(&self.hub, conn, std::iter::empty(), |out| {
            out.extend_from_slice(&accept);
            if kind == Kind::Socket {
                engineio::frame_open(out, sid, &heartbeat);
            }
        });
        Ok(())
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

fn opening(head: &Head<'_>, kind: Kind) -> Result<Call, Rejection> {
    let handshake = check_handshake(head)?;
    // A browser that offers protocols wants one of them.
    let chosen = handshake.subprotocols().next();
    let mut accept = Vec::new();
    write_accept(&mut accept, &handshake, chosen);
    Ok(Call::Upgrade(Box::new(Opening { accept, kind, host: head.host().into() })))
}
