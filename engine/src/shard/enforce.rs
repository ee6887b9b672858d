//! What every shard does for a call before that is answered: so an answer is never older than what it says.
//!
//! An order may end connections, whose leaving sends requests to homes. So it waits for
//! [`Input::Resume`](super::input::Input::Resume), which is taken while the lanes have room, and looks at a part of the
//! connections at a time (invariant 12).

use std::collections::VecDeque;

use protocol::ws::CloseCode;

use super::Shard;
use super::effects::Effects;
use crate::control::{Came, Enforce, Enforced, Provisioning};
use crate::ids::{CallId, ConnId, ShardId, TenantId};
use crate::session::{SocketSession, State};

/// Connections that one [`Input::Resume`](super::input::Input::Resume) looks at.
const LOOKED_AT_PER_RESUME: usize = 1024;

/// The orders of a shard, oldest first. Each belongs to a running call of some shard, so they are at most
/// `control_calls_max` a shard.
#[derive(Debug, Default)]
pub(super) struct Orders {
    line: VecDeque<Order>,
}

/// One order under way.
#[derive(Debug)]
struct Order {
    edge: ShardId,
    call: CallId,
    what: Enforce,
    /// Slots of connections that were looked at.
    looked_at: usize,
    done: Enforced,
}

impl Orders {
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }
}

impl Shard {
    pub(super) fn on_enforce(&mut self, edge: ShardId, call: CallId, what: Enforce) {
        match &what {
            Enforce::Provisioning(tenant, provisioning) => {
                self.provision(*tenant, *provisioning);
            }
        }
        let order = Order { edge, call, what, looked_at: 0, done: Enforced::default() };
        self.orders.line.push_back(order);
    }

    /// Says whether a tenant has its resource.
    pub(super) fn provision(&mut self, tenant: TenantId, provisioning: Provisioning) {
        if provisioning.is_active() {
            self.unprovisioned.remove(&tenant);
        } else {
            self.unprovisioned.insert(tenant);
        }
    }

    /// Goes on with the oldest order.
    pub(super) fn obey(&mut self, effects: &mut Effects) {
        let Some(mut order) = self.orders.line.pop_front() else { return };
        let end = order.looked_at + LOOKED_AT_PER_RESUME;
        let some: Vec<ConnId> = self.sessions.range(order.looked_at..end).collect();
        for conn in some {
            let Some(slot) = self.sessions.slot(conn) else { continue };
            let State::Socket(socket) = &slot.state else { continue };
            if let Some((code, reason)) = order.what.ends(socket) {
                order.done.count += 1;
                self.end_socket(conn, code, reason, effects);
            }
        }
        order.looked_at = end;
        if end < self.sessions.slots() {
            self.orders.line.push_front(order);
        } else {
            let Order { edge, call, done, .. } = order;
            self.tell_call(edge, call, Came::Enforced(Ok(done)), effects);
        }
    }
}

impl Enforce {
    /// Whether a socket has to go, and what it is told.
    fn ends(&self, socket: &SocketSession) -> Option<(CloseCode, &'static str)> {
        match self {
            Self::Provisioning(tenant, provisioning) => {
                let goes = !provisioning.is_active() && socket.tenant == *tenant;
                goes.then_some((CloseCode::Policy, "resource deleted"))
            }
        }
    }
}
