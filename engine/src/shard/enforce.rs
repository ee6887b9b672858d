//! What every shard does for a call before that is answered: so an answer is never older than what it says.
//!
//! An order may end connections, whose leaving sends requests to homes. So it waits for
//! [`Input::Resume`](super::input::Input::Resume), which is taken while the lanes have room, and looks at a part of the
//! connections at a time (invariant 12).

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::Rejection;
use protocol::dialect::Dialect;
use protocol::ws::CloseCode;

use super::Shard;
use super::effects::Effects;
use super::input::{DropAsk, LetGo};
use super::told::{self, Left};
use crate::control::{Came, Enforce, Enforced, OnTokenEnd, RuleChange, Ruling};
use crate::ids::{CallId, ChannelKey, ConnId, ShardId, TenantId};
use crate::planted::{self, Fault};
use crate::session::{SocketSession, Stage, Subscription};
use crate::tenants::Tenants;

/// Connections that one [`Input::Resume`](super::input::Input::Resume) looks at.
const LOOKED_AT_PER_RESUME: usize = 1024;
/// Channels of one order that the journal is letting go at a time.
const DROPS_AT_ONCE: usize = 64;

/// The orders of a shard, oldest first. Each belongs to a running call of some shard, so they are at most
/// `control_calls_max` a shard.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// Those that can go on.
    line: VecDeque<Order>,
    /// Those that wait for the journal alone.
    waiting: VecDeque<Order>,
    /// The number of the next one.
    next: u64,
    /// Those whose change of rules has not come yet.
    behind: Vec<(Arc<Ruling>, Order)>,
}

/// One order under way.
#[derive(Debug)]
struct Order {
    /// What the journal's answers find it by.
    number: u64,
    /// Who waits; `None` for what the node itself ordered.
    asker: Option<(ShardId, CallId)>,
    what: Enforce,
    /// How many appends the journal has to have answered before it lets go of anything: it may do so ahead of those that wait.
    after_appends: u64,
    /// Slots of connections that were looked at; `None` once all of them were.
    looked_at: Option<usize>,
    /// Channels whose messages have to go, the next one last.
    to_drop: Vec<Arc<ChannelKey>>,
    /// Only what was taken up to this time goes.
    until_ms: Option<u64>,
    /// Those with the journal.
    dropping: Vec<Arc<ChannelKey>>,
    done: Enforced,
    failed: Option<Rejection>,
}

impl Orders {
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// So many appends are answered: whoever waited for them goes on.
    pub(super) fn wake(&mut self, appends_answered: u64) {
        let is_due = |it: &Order| it.dropping.is_empty() && it.after_appends <= appends_answered;
        while let Some(place) = self.waiting.iter().position(is_due) {
            self.line.extend(self.waiting.remove(place));
        }
    }

    fn of_number(&mut self, number: u64) -> Option<&mut Order> {
        self.waiting.iter_mut().chain(&mut self.line).find(|it| it.number == number)
    }

    /// More rules are in force: whoever waited for them goes on.
    pub(super) fn catch_up(&mut self, is_in_force: impl Fn(&Ruling) -> bool) {
        let due = self.behind.extract_if(.., |(ruling, _)| is_in_force(ruling));
        self.line.extend(due.map(|(_, order)| order));
    }

    /// The webhooks that a change of patterns, or one before it, brings could not be set.
    pub(super) fn fail(&mut self, tenant: TenantId, number: u64, why: &Rejection) {
        for (ruling, order) in &mut self.behind {
            let is_meant = ruling.tenant == tenant && ruling.number <= number;
            if is_meant && ruling.change.is_of_patterns() {
                order.failed = Some(why.clone());
            }
        }
    }
}

impl Shard {
    pub(super) fn on_enforce(&mut self, edge: ShardId, call: CallId, what: Enforce) {
        self.order(Some((edge, call)), what);
    }

    /// The node has other tenants now.
    pub(super) fn on_tenants(&mut self, tenants: Arc<Tenants>) {
        self.order(None, Enforce::Tenants(tenants));
    }

    /// What new connections must obey is so at once; those that are there follow.
    fn order(&mut self, asker: Option<(ShardId, CallId)>, what: Enforce) {
        let (mut to_drop, mut until_ms) = (Vec::new(), None);
        match &what {
            Enforce::Revoke { tenant, token, until_s } => {
                self.revoked.insert(*tenant, *token, *until_s);
            }
            Enforce::CloseChannel(channel) => self.known.forget(channel),
            Enforce::DropChannel(channel) => {
                if self.home(channel) == self.id {
                    to_drop.push(Arc::clone(channel));
                }
            }
            Enforce::DropTenant(tenant) => to_drop = self.broker.channels_of(*tenant),
            Enforce::DropUntil(tenant, until) => {
                to_drop = self.broker.channels_of(*tenant);
                // Whatever was answered before the call began has a time that is not after this one.
                until_ms = Some(self.now.wall_ms.max(*until));
            }
            Enforce::Disconnect { .. } | Enforce::Arrive | Enforce::Rules(_) => {}
            Enforce::Tenants(_) if planted::is(Fault::KeysUnseen) => {}
            Enforce::Tenants(tenants) => {
                self.tenants = Arc::clone(tenants);
                self.tenants_generation = self.tenants_generation.wrapping_add(1);
                self.forget_tenants(tenants);
            }
        }
        // What is only on its way to the journal is not meant by who says until when.
        let is_hasty = planted::is(Fault::DropBeforeAppends) || until_ms.is_some();
        let waiting = if is_hasty { 0 } else { self.broker.appended() as u64 };
        let number = self.orders.next;
        self.orders.next += 1;
        let order = Order {
            number,
            asker,
            after_appends: self.appends_answered + waiting,
            looked_at: self.closes_sockets(&what).then_some(0),
            what,
            to_drop,
            until_ms,
            dropping: Vec::new(),
            done: Enforced::default(),
            failed: None,
        };
        match &order.what {
            Enforce::Rules(ruling) if !self.is_in_force(ruling) => {
                self.orders.behind.push((Arc::clone(ruling), order));
            }
            Enforce::Rules(_)
            | Enforce::Revoke { .. }
            | Enforce::CloseChannel(_)
            | Enforce::DropChannel(_)
            | Enforce::DropTenant(_)
            | Enforce::DropUntil(..)
            | Enforce::Arrive
            | Enforce::Disconnect { .. }
            | Enforce::Tenants(_) => self.orders.line.push_back(order),
        }
    }

    /// Nothing is kept of tenants that are gone.
    fn forget_tenants(&mut self, tenants: &Tenants) {
        self.known.forget_tenants(|it| tenants.contains(it));
        self.rules.forget_tenants(|it| tenants.contains(it));
        self.forget_hooks(tenants);
        self.orders.catch_up(|it| !tenants.contains(it.tenant));
    }

    /// Goes on with the oldest order that can.
    pub(super) fn obey(&mut self, effects: &mut Effects) {
        let Some(mut order) = self.orders.line.pop_front() else { return };
        if let Some(start) = order.looked_at {
            order.looked_at = self.look(&mut order, start, effects);
        }
        let is_early = self.appends_answered < order.after_appends && !order.to_drop.is_empty();
        while !is_early && order.dropping.len() < DROPS_AT_ONCE {
            let Some(channel) = order.to_drop.pop() else { break };
            let (order_number, until_ms) = (order.number, order.until_ms);
            order.dropping.push(Arc::clone(&channel));
            effects.drops.push(DropAsk { order: order_number, channel, until_ms });
        }
        match (order.looked_at, order.dropping.is_empty() && !is_early) {
            (Some(_), _) => self.orders.line.push_front(order),
            (None, false) => self.orders.waiting.push_back(order),
            (None, true) => self.report(order, effects),
        }
    }

    /// Looks at some connections. Returns where to go on.
    fn look(&mut self, order: &mut Order, start: usize, effects: &mut Effects) -> Option<usize> {
        let end = start + LOOKED_AT_PER_RESUME;
        let some: Vec<ConnId> = self.sessions.range(start..end).collect();
        for conn in some {
            let Some(socket) = self.sessions.socket(conn) else { continue };
            let Some(end) = order.what.ends(socket) else { continue };
            order.done.count += 1;
            match end {
                End::Close(code, reason) => self.end_socket(conn, code, reason, effects),
                End::Leave(channel, why) => self.end_subscription(conn, &channel, why, effects),
            }
        }
        (end < self.sessions.slots()).then_some(end)
    }

    fn end_subscription(
        &mut self,
        conn: ConnId,
        channel: &ChannelKey,
        why: Left,
        effects: &mut Effects,
    ) {
        let frames = self.unsubscribe(conn, channel, effects).unwrap_or_default();
        let Some(dialect) = self.socket(conn).map(|it| it.dialect()) else { return };
        self.write_to(conn, |out| told::tell_left(out, dialect, (channel, &frames), why));
    }

    /// The journal let a channel's messages go, or could not.
    pub(super) fn on_dropped(
        &mut self,
        ask: &DropAsk,
        result: Result<LetGo, Rejection>,
        effects: &mut Effects,
    ) {
        // The journal answers in the order of its work: the tail is what it has taken before.
        match &result {
            // What was appended before the order is answered: the tail has nothing of it that is not let go.
            Ok(LetGo::All) => self.broker.forget_tail(&ask.channel),
            Ok(LetGo::Before { .. }) if planted::is(Fault::TailUncut) => {}
            Ok(LetGo::Before { first_retained, .. }) => {
                self.broker.cut_tail(&ask.channel, *first_retained);
            }
            Err(_) => {}
        }
        let Some(order) = self.orders.of_number(ask.order) else { return };
        if let Some(place) = order.dropping.iter().position(|it| *it == ask.channel) {
            order.dropping.swap_remove(place);
        }
        match result {
            Ok(LetGo::All) => {}
            Ok(LetGo::Before { messages, .. }) => order.done.count += messages,
            Err(why) => {
                order.failed = Some(why);
                order.to_drop.clear();
            }
        }
        let can_go_on = |it: &Order| it.dropping.is_empty() || !it.to_drop.is_empty();
        if let Some(place) = self.orders.waiting.iter().position(can_go_on)
            && let Some(order) = self.orders.waiting.remove(place)
        {
            match (order.to_drop.is_empty(), order.dropping.is_empty()) {
                (true, true) => self.report(order, effects),
                (false, _) | (true, false) => self.orders.line.push_back(order),
            }
        }
    }

    fn report(&mut self, order: Order, effects: &mut Effects) {
        if let Some((edge, call)) = order.asker {
            let result = order.failed.map_or(Ok(order.done), Err);
            match order.what {
                Enforce::Arrive => self.mark_lanes(edge, call, effects),
                Enforce::Revoke { .. }
                | Enforce::Rules(_)
                | Enforce::CloseChannel(_)
                | Enforce::DropChannel(_)
                | Enforce::DropTenant(_)
                | Enforce::DropUntil(..)
                | Enforce::Disconnect { .. }
                | Enforce::Tenants(_) => {
                    self.tell_call(edge, call, Came::Enforced(result), effects);
                }
            }
        }
    }

    fn closes_sockets(&self, what: &Enforce) -> bool {
        match what {
            Enforce::Rules(ruling) => takes_resource(ruling),
            Enforce::Revoke { tenant, .. } => {
                self.tenants.plan(*tenant).on_token_end == OnTokenEnd::Close
            }
            Enforce::CloseChannel(_) | Enforce::Disconnect { .. } | Enforce::Tenants(_) => true,
            Enforce::DropChannel(_)
            | Enforce::DropTenant(_)
            | Enforce::DropUntil(..)
            | Enforce::Arrive => false,
        }
    }
}

/// Whether a change of rules takes the Cohesivity resource from its tenant.
fn takes_resource(ruling: &Ruling) -> bool {
    match ruling.change {
        RuleChange::Provisioning(it) => !it.is_active(),
        RuleChange::Pattern(_)
        | RuleChange::Deleted(_)
        | RuleChange::Retention(_)
        | RuleChange::Policies(_) => false,
    }
}

/// What becomes of a socket that an order is about.
enum End {
    Close(CloseCode, &'static str),
    Leave(Arc<ChannelKey>, Left),
}

impl Enforce {
    /// Whether a socket has to go, and what it is told.
    fn ends(&self, socket: &SocketSession) -> Option<End> {
        let policy = |goes: bool, reason| goes.then_some(End::Close(CloseCode::Policy, reason));
        // Whoever was refused heard so, and has nothing to leave.
        let is_in = |it: &&Subscription| it.stage != Stage::Refused;
        match self {
            Self::Rules(ruling) => {
                let is_theirs = socket.tenant == ruling.tenant && takes_resource(ruling);
                policy(is_theirs && socket.dialect() == Dialect::Cohesivity, "resource deleted")
            }
            Self::Revoke { tenant, token, .. } => {
                let has_it = socket.lease.as_ref().is_some_and(|it| it.token == *token);
                policy(socket.tenant == *tenant && has_it, "token revoked")
            }
            Self::DropChannel(_) | Self::DropTenant(_) | Self::DropUntil(..) | Self::Arrive => None,
            Self::CloseChannel(channel) => {
                let found = socket.subscriptions.of(channel).filter(is_in)?;
                Some(match socket.dialect() {
                    Dialect::Cohesivity => End::Close(CloseCode::Policy, "channel deleted"),
                    Dialect::Infrai | Dialect::Insforge | Dialect::InsforgePlain => {
                        End::Leave(Arc::clone(&found.channel), Left::Deleted)
                    }
                })
            }
            Self::Disconnect { tenant, member, channel } => {
                if socket.tenant != *tenant || socket.member.id != *member {
                    return None;
                }
                let Some(name) = channel else {
                    return Some(End::Close(CloseCode::Disconnected, "disconnected"));
                };
                let mut all = socket.subscriptions.list().iter().filter(is_in);
                let found = all.find(|it| it.channel.name() == &**name)?;
                Some(match socket.dialect() {
                    Dialect::Cohesivity => End::Close(CloseCode::Disconnected, "disconnected"),
                    Dialect::Infrai | Dialect::Insforge | Dialect::InsforgePlain => {
                        End::Leave(Arc::clone(&found.channel), Left::Disconnected)
                    }
                })
            }
            Self::Tenants(tenants) => {
                let is_known = socket.tenant != TenantId::UNKNOWN;
                policy(is_known && !tenants.contains(socket.tenant), "tenant removed")
            }
        }
    }
}
