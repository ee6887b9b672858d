//! A WebSocket that says again what it is told, for suites of tests that ask for one: it is read and written as any other. It is
//! built with the feature `echo` alone, and there where [`Limits::echo`](crate::limits::Limits::echo) is set.

use std::iter;
use std::sync::Arc;

use protocol::http::Head;
use protocol::ws::{Opcode, Step, append_header, check_handshake, write_accept};

use super::Shard;
use super::requests::Progress;
use crate::broker::Member;
use crate::ids::{ConnId, TenantId};
use crate::session::{SocketSession, Speech, State};

/// Where it is.
const PATH: &str = "/echo";

impl Shard {
    /// Opens one, if a head asks for it. It is nobody's, and listens to nothing.
    pub(super) fn open_echo(&mut self, conn: ConnId, head: &Head<'_>) -> Option<Progress> {
        self.limits.echo.as_ref().filter(|_| head.path() == PATH)?;
        let handshake = check_handshake(head).ok()?;
        let (id, name, user_id, state) = ("echo".into(), None, None, None);
        let member = Arc::new(Member { id, name, user_id, is_anonymous: true, state });
        let mut socket = SocketSession::new(Speech::Cohesivity, TenantId(0), member);
        socket.echoes = true;
        self.sessions.slot(conn)?.state = State::Socket(Box::new(socket));
        self.turn.write(&self.hub, conn, iter::empty(), |out| write_accept(out, &handshake, None));
        Some(Progress::Used(head.head_bytes()))
    }

    /// Says again what a message says.
    pub(super) fn echo(&mut self, conn: ConnId, message: &Step<'_>) {
        let (opcode, payload) = match message {
            Step::Text(payload) => (Opcode::Text, payload.bytes()),
            Step::Binary(payload) => (Opcode::Binary, payload.bytes()),
            Step::Need
            | Step::Part
            | Step::Ping(_)
            | Step::Pong(_)
            | Step::Close { .. }
            | Step::Fault(_) => return,
        };
        self.turn.write(&self.hub, conn, iter::empty(), |out| {
            append_header(out, opcode, payload.len());
            out.extend_from_slice(payload);
        });
    }
}
