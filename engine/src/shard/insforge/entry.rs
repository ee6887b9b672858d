//! How a client of InsForge is let in, once it said who it is, and how it goes while it stays connected. The socket of a metered
//! tenant is counted at its seat first: only then it is known whose it is.

use std::sync::Arc;

use protocol::auth::insforge::{BadCredential, Credential, Identity};
use protocol::dialect::insforge::PresentKind;
use protocol::dialect::insforge::plain::{self, PlainError};
use protocol::policy::Asker;
use protocol::{Rejection, socketio};

use super::super::Shard;
use super::super::effects::Effects;
use super::super::steps::{self, seat_answer};
use super::Work;
use crate::broker::Member;
use crate::control::{Came, SeatOp, Spend};
use crate::ids::{CallId, ConnId, TenantId};
use crate::planted::{self, Fault};
use crate::session::{Known, SocketSession, Wire};

impl Shard {
    /// A client says who it is: over Socket.IO once, on the documents' wire for the first time or as somebody else.
    pub(super) fn let_in(
        &mut self,
        conn: ConnId,
        credential: Credential<'_>,
        effects: &mut Effects,
    ) {
        let client = self.socket(conn).and_then(SocketSession::insforge);
        let whence = client.map(|it| it.whence.clone()).unwrap_or_default();
        let (tenant, identity) = match self.identify(credential, &whence.host) {
            Ok(found) => found,
            Err(why) => return self.keep_out(conn, &Unwelcome::Unknown(why)),
        };
        if let Err(why) = self.tenants.admit_page(tenant, whence.page.as_deref()) {
            return self.keep_out(conn, &Unwelcome::Refused(why));
        }
        let is_counted = self.socket(conn).is_some_and(|it| counts(it, tenant));
        if is_counted || !self.tenants.plan(tenant).is_metered() {
            return self.welcome(conn, (tenant, identity), is_counted, effects);
        }
        let call = match self.begin_frame(conn, tenant) {
            Ok(call) => call,
            Err(why) => return self.keep_out(conn, &Unwelcome::Refused(why)),
        };
        let op = SeatOp::Spend(Spend::upgrade());
        let then = steps::Work::Insforge(Work::PaidEntry(conn, Box::new(identity)));
        self.ask_seat(call, op, then, effects);
    }

    /// The seat has counted a client's socket, or does not let it.
    pub(super) fn go_on_entry(
        &mut self,
        call: CallId,
        (conn, identity): (ConnId, Identity),
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        let Some(tenant) = self.tenant_of(call) else { return };
        let is_there = self.end_frame(call, conn);
        match seat_answer(came) {
            Ok(_) if is_there => self.welcome(conn, (tenant, identity), true, effects),
            Ok(_) => self.give_socket_back(tenant, effects),
            Err(why) => self.keep_out(conn, &Unwelcome::Refused(why)),
        }
    }

    /// A client is known from now on. What it heard before was let in by who it was, so it starts anew.
    fn welcome(
        &mut self,
        conn: ConnId,
        (tenant, identity): (TenantId, Identity),
        is_counted: bool,
        effects: &mut Effects,
    ) {
        // A socket that stays its tenant's stays counted.
        if let Some(socket) = self.socket(conn).filter(|it| counts(it, tenant)) {
            socket.is_counted = false;
        }
        self.leave_all(conn, effects);
        let sid = self.new_sid();
        let limits = self.limits.wire.clone();
        let Some(socket) = self.socket(conn) else { return };
        socket.is_counted = is_counted;
        let Some(client) = socket.insforge() else { return };
        match &mut client.wire {
            Wire::Socket { standing, .. } => {
                standing.let_in();
                settle(socket, tenant, identity, (sid.as_str(), &limits));
                self.write_to(conn, |out| socketio::frame_connected(out, sid));
            }
            Wire::Plain => {
                let (own, id) = (socket.member.id.clone(), Box::<str>::from(identity.id()));
                settle(socket, tenant, identity, (&own, &limits));
                self.write_to(conn, |out| plain::frame_authenticated(out, &id));
            }
            Wire::Probe { .. } => {}
        }
    }

    pub(super) fn keep_out(&mut self, conn: ConnId, why: &Unwelcome) {
        self.counters.rejected += 1;
        let Some(client) = self.socket(conn).and_then(SocketSession::insforge) else { return };
        match (&mut client.wire, why) {
            (Wire::Socket { standing, .. }, why) => {
                standing.keep_out();
                let why = match why {
                    Unwelcome::Unknown(why) => why.to_string(),
                    Unwelcome::Refused(why) => why.to_string(),
                };
                self.write_to(conn, |out| socketio::frame_connect_error(out, &why));
            }
            (Wire::Plain, Unwelcome::Unknown(why)) => {
                let why = PlainError::Credential(*why);
                self.write_to(conn, |out| plain::frame_error(out, why));
            }
            (Wire::Plain, Unwelcome::Refused(why)) => {
                self.write_to(conn, |out| plain::frame_rejection(out, why));
            }
            (Wire::Probe { .. }, _) => {}
        }
    }

    /// A client goes, but stays connected: it hears nothing more, and may come again.
    pub(super) fn leave_all(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(socket) = self.socket(conn) else { return };
        let channels: Vec<_> =
            socket.subscriptions.list().iter().map(|it| Arc::clone(&it.channel)).collect();
        let (tenant, was_counted) = (socket.tenant, std::mem::take(&mut socket.is_counted));
        let stays = planted::is(Fault::LeaverHears);
        for channel in channels.into_iter().filter(|_| !stays) {
            // Whoever leaves awaits no answer.
            self.unsubscribe(conn, &channel, effects);
        }
        if was_counted {
            self.give_socket_back(tenant, effects);
        }
        let patience_ms = self.now.monotonic_ms + self.limits.connect_timeout_ms;
        if let Some(client) = self.socket(conn).and_then(SocketSession::insforge) {
            client.known = None;
            client.introduced_by_ms = patience_ms;
        }
    }

    /// Nor does it hear what becomes of its publishes: nothing follows the end of a namespace.
    pub(super) fn hush(&mut self, conn: ConnId) {
        if let Some(asks) = self.socket(conn).and_then(SocketSession::asks) {
            asks.hush();
        }
    }
}

/// Why a client is not let in.
pub(super) enum Unwelcome {
    /// Nobody knows it.
    Unknown(BadCredential),
    /// Its tenant has no room for it.
    Refused(Rejection),
}

/// Whether a socket is counted for a tenant.
fn counts(socket: &SocketSession, tenant: TenantId) -> bool {
    socket.is_counted && socket.tenant == tenant
}

/// Says who a client is. Who has no name of their own is shown by that of the socket.
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
