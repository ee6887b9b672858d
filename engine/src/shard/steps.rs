//! Calls that take more than one trip. A delivery may not cause a request (invariant 5), so what comes for a call is kept, and
//! [`Input::Resume`](super::input::Input::Resume), taken only while the lanes have room, does its next step.
//!
//! A call outlives its connection: what it began is finished, and its answer finds nobody.

use std::collections::VecDeque;

use hashbrown::HashMap;
use protocol::Rejection;

use super::Shard;
use super::answers::{Reply, Shape};
use super::cost::Cost;
use super::effects::Effects;
use super::input::{Delivery, Placing, PublishMany, ReplyTo, Request};
use super::line::Lines;
use super::{claiming, cohesivity, dropping, infrai, insforge, operate, publishing};
use crate::control::{self, Came, Enforce, SeatAnswer, SeatAsk, SeatOp};
use crate::hasher::ShardHasher;
use crate::ids::{CallId, ConnId, ShardId, TenantId};
use crate::planted::{self, Fault};

/// Calls that go on in one [`Input::Resume`](super::input::Input::Resume); the others follow in the next.
const STEPS_PER_RESUME: usize = 16;

/// What a call does once what it waits for has come. One variant a dialect; its arm is in that dialect's file.
#[derive(Debug)]
pub(super) enum Work {
    /// See [`cohesivity::Work`].
    Cohesivity(cohesivity::Work),
    /// See [`infrai::Work`].
    Infrai(infrai::Work),
    /// See [`insforge::Work`].
    Insforge(insforge::Work),
    /// See [`publishing::Publishing`].
    Publishing(Box<publishing::Publishing>),
    /// See [`claiming::Claiming`].
    Claiming(claiming::Claiming),
    /// See [`operate::Operating`].
    Operating(operate::Operating),
    /// See [`dropping::Dropping`].
    Dropping(dropping::Dropping),
}

/// Whom a call is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum For {
    /// A request over HTTP.
    Connection(ReplyTo),
    /// An operation of this number.
    Operator(u64),
    /// Nobody who hears of its end: it says what it has to on its way.
    Nobody,
}

/// One call that runs.
#[derive(Debug)]
struct Running {
    asker: For,
    tenant: TenantId,
    /// The idempotency key that it holds.
    claim: Option<claiming::Claim>,
    /// `None` while its step is being done.
    work: Option<Work>,
    /// How many deliveries are still to come before its next step.
    awaited: usize,
    came: Vec<Came>,
    cost: Cost,
}

/// The calls of a shard.
#[derive(Debug)]
pub(super) struct Calls {
    running: HashMap<CallId, Running, ShardHasher>,
    /// Calls whose next step is due, in the order in which that came about.
    ready: VecDeque<CallId>,
    /// Those that publish for an HTTP connection and have not sent their messages.
    pub(super) lines: Lines,
    next: u64,
    max: usize,
}

impl Calls {
    pub(super) fn new(hasher: ShardHasher, max: usize) -> Self {
        let running = HashMap::with_hasher(hasher.clone());
        let lines = Lines::new(hasher);
        Self { running, ready: VecDeque::new(), lines, next: 0, max }
    }

    /// Whether a step is due.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many run.
    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// Says what a call does next, and after how many deliveries. Without any it is due at once.
    pub(super) fn wait(&mut self, call: CallId, awaited: usize, work: Work) {
        let Some(running) = self.running.get_mut(&call) else { return };
        running.work = Some(work);
        running.awaited = awaited;
        if awaited == 0 {
            self.ready.push_back(call);
        }
    }

    /// Keeps what came for a call.
    pub(super) fn on_step(&mut self, call: CallId, came: Came) {
        let Some(running) = self.running.get_mut(&call).filter(|it| it.awaited > 0) else { return };
        running.came.push(came);
        running.awaited -= 1;
        if running.awaited == 0 {
            self.ready.push_back(call);
        }
    }

    /// A call has sent its messages, or never will: who waits in line behind it goes on.
    pub(super) fn leave_line(&mut self, call: CallId) {
        let Some(next) = self.lines.leave(call) else { return };
        if let Some(running) = self.running.get_mut(&next) {
            running.awaited = 0;
            self.ready.push_back(next);
        }
    }

    fn take(&mut self, call: CallId) -> Option<Running> {
        self.leave_line(call);
        self.running.remove(&call)
    }

    /// What a call costs.
    pub(super) fn cost(&mut self, call: CallId) -> Option<&mut Cost> {
        self.running.get_mut(&call).map(|it| &mut it.cost)
    }

    /// Says that a call holds a key: its answer is kept before it leaves.
    pub(super) fn hold(&mut self, call: CallId, claim: claiming::Claim) {
        if let Some(running) = self.running.get_mut(&call) {
            running.claim = Some(claim);
        }
    }

    /// A name that no call has, for what goes out in parts and takes no steps.
    pub(super) fn name(&mut self) -> CallId {
        let call = CallId(self.next);
        self.next += 1;
        call
    }

    fn start(&mut self, asker: For, tenant: TenantId) -> CallId {
        let call = self.name();
        let running = Running {
            asker,
            tenant,
            claim: None,
            work: None,
            awaited: 0,
            came: Vec::new(),
            cost: Cost::default(),
        };
        self.running.insert(call, running);
        call
    }

    fn has_room(&self) -> Result<(), Rejection> {
        let is_full = self.running.len() >= self.max;
        if is_full { Err(Rejection::Overloaded { limit: "control_calls_max" }) } else { Ok(()) }
    }
}

impl Shard {
    /// Starts a call that takes steps, lined up with the connection's other requests. Every call that is started is ended with
    /// [`Shard::finish`] or [`Shard::hand_over`].
    ///
    /// # Errors
    /// When the shard has as many as it may: nothing is lined up then.
    pub(super) fn begin(
        &mut self,
        conn: ConnId,
        tenant: TenantId,
        shape: Shape,
    ) -> Result<CallId, Rejection> {
        self.calls.has_room()?;
        let Some(http) = self.http(conn) else { return Err(Rejection::Internal) };
        let reply = ReplyTo { conn, ticket: http.tickets.wait(shape.asked()) };
        Ok(self.calls.start(For::Connection(reply), tenant))
    }

    /// Starts a call that no request over HTTP waits for.
    ///
    /// # Errors
    /// When the shard has as many as it may.
    pub(super) fn begin_for(&mut self, asker: For, tenant: TenantId) -> Result<CallId, Rejection> {
        self.calls.has_room()?;
        Ok(self.calls.start(asker, tenant))
    }

    /// Asks the seat of the call's tenant. `then` goes on with its one answer.
    pub(super) fn ask_seat(&mut self, call: CallId, op: SeatOp, then: Work, effects: &mut Effects) {
        let Some(tenant) = self.tenant_of(call) else { return };
        self.calls.wait(call, 1, then);
        self.tell_seat(call, tenant, op, effects);
    }

    /// Has every shard do something. `then` goes on once all of them have.
    pub(super) fn enforce(
        &mut self,
        call: CallId,
        order: &Enforce,
        then: Work,
        effects: &mut Effects,
    ) {
        let is_hasty = planted::is(Fault::AnswerBeforeEnforced);
        let awaited = if is_hasty { 1 } else { usize::from(self.shard_count) };
        self.calls.wait(call, awaited, then);
        for shard in 0..self.shard_count {
            let order = Box::new(order.clone());
            self.send(ShardId(shard), Request::Enforce(call, order), effects);
        }
    }

    /// Publishes messages, each with its place in the batch: one request a home, which gives them to its journal together.
    /// `then` goes on once every home has answered.
    pub(super) fn publish_many(
        &mut self,
        call: CallId,
        publications: Vec<Placing>,
        then: Work,
        effects: &mut Effects,
    ) {
        let mut homes: Vec<(ShardId, Vec<Placing>)> = Vec::new();
        for placing in publications {
            let home = self.home(placing.publication.channel());
            match homes.iter_mut().find(|(it, _)| *it == home) {
                Some((_, share)) => share.push(placing),
                None => homes.push((home, vec![placing])),
            }
        }
        self.calls.wait(call, homes.len(), then);
        for (home, publications) in homes {
            let many = Box::new(PublishMany { call, publications });
            self.send(home, Request::PublishMany(many), effects);
        }
    }

    /// Ends a call with its answer. If it holds an idempotency key, the answer is kept before it leaves, and a refusal gives
    /// the key back.
    pub(super) fn finish(
        &mut self,
        call: CallId,
        result: Result<Reply, Rejection>,
        effects: &mut Effects,
    ) {
        let Some(running) = self.calls.running.get_mut(&call) else { return };
        match (running.claim.take(), result) {
            (Some(claim), Ok(reply)) => self.settle_claim(call, claim, reply, effects),
            (Some(claim), Err(why)) => {
                self.abandon_claim(call, &claim, effects);
                self.answer_call(call, Err(why), effects);
            }
            (None, result) => self.answer_call(call, result, effects),
        }
    }

    fn answer_call(
        &mut self,
        call: CallId,
        result: Result<Reply, Rejection>,
        effects: &mut Effects,
    ) {
        self.settle_cost(call, result.is_ok(), effects);
        let Some(running) = self.calls.take(call) else { return };
        match (running.asker, result) {
            (For::Connection(to), Ok(reply)) => {
                self.answer_reply(to, &reply, &mut effects.closes);
            }
            (For::Connection(to), Err(why)) => {
                self.answer_refused(to, &why, &mut effects.closes);
            }
            (For::Operator(number), result) => {
                effects.operated.push((number, result.map(|it| it.body)));
            }
            (For::Nobody, _) => {}
        }
    }

    /// Ends a call whose answer somebody else gives.
    pub(super) fn hand_over(&mut self, call: CallId) -> Option<ReplyTo> {
        match self.calls.take(call)?.asker {
            For::Connection(reply) => Some(reply),
            For::Operator(_) | For::Nobody => None,
        }
    }

    /// Takes a call out, whose answer goes its own way.
    pub(super) fn forget(&mut self, call: CallId) {
        self.calls.take(call);
    }

    /// Where the answer of a call goes.
    pub(super) fn reply_of(&self, call: CallId) -> Option<ReplyTo> {
        match self.calls.running.get(&call)?.asker {
            For::Connection(reply) => Some(reply),
            For::Operator(_) | For::Nobody => None,
        }
    }

    /// Whose call it is.
    pub(super) fn tenant_of(&self, call: CallId) -> Option<TenantId> {
        self.calls.running.get(&call).map(|it| it.tenant)
    }

    /// Does the steps that are due.
    pub(super) fn go_on(&mut self, effects: &mut Effects) {
        for _ in 0..STEPS_PER_RESUME.min(self.calls.ready.len()) {
            let Some(call) = self.calls.ready.pop_front() else { return };
            let Some(running) = self.calls.running.get_mut(&call) else { continue };
            let came = std::mem::take(&mut running.came);
            let Some(work) = running.work.take() else { continue };
            let is_orphan = !self.tenants.contains(running.tenant);
            match (is_orphan, running.asker) {
                // What the operator wants done for a tenant that is gone goes on.
                (false, _) | (true, For::Operator(_)) => self.step(call, work, came, effects),
                (true, For::Connection(_)) => {
                    self.finish(call, Err(Rejection::CredentialInvalid), effects);
                }
                // It asked the seat, and tells whoever waits for that.
                (true, For::Nobody) => {
                    let refused = Came::Seat(Err(Rejection::CredentialInvalid));
                    self.step(call, work, vec![refused], effects);
                }
            }
        }
    }

    fn step(&mut self, call: CallId, work: Work, came: Vec<Came>, effects: &mut Effects) {
        match work {
            Work::Cohesivity(work) => self.go_on_cohesivity(call, work, came, effects),
            Work::Infrai(work) => self.go_on_infrai(call, work, came, effects),
            Work::Insforge(work) => self.go_on_insforge(call, work, came, effects),
            Work::Publishing(work) => self.go_on_publishing(call, work, came, effects),
            Work::Claiming(work) => self.go_on_claiming(call, work, came, effects),
            Work::Operating(work) => self.go_on_operating(call, work, came, effects),
            Work::Dropping(work) => self.go_on_dropping(call, work, came, effects),
        }
    }

    /// Tells a seat something on behalf of a call. What it answers finds the call, if that still waits.
    pub(super) fn tell_seat(
        &mut self,
        call: CallId,
        tenant: TenantId,
        op: SeatOp,
        effects: &mut Effects,
    ) {
        let seat = control::seat_of(tenant, self.shard_count);
        let ask = Box::new(SeatAsk { tenant, op });
        self.send(seat, Request::Seat(call, ask), effects);
    }

    /// Sends a request to a shard; one to this shard itself takes the same path, just without the trip.
    pub(super) fn send(&mut self, to: ShardId, request: Request, effects: &mut Effects) {
        if to == self.id {
            self.on_request(to, request, effects);
        } else {
            effects.requests.push((to, request));
        }
    }

    /// Tells a call what it waits for.
    pub(super) fn tell_call(
        &mut self,
        edge: ShardId,
        call: CallId,
        came: Came,
        effects: &mut Effects,
    ) {
        self.deliver(edge, Delivery::Step(call, came), effects);
    }
}

/// The one answer of a seat.
pub(super) fn seat_answer(came: Vec<Came>) -> Result<SeatAnswer, Rejection> {
    match came.into_iter().next() {
        Some(Came::Seat(answer)) => answer,
        Some(Came::Side(_) | Came::Enforced(_) | Came::Published(_) | Came::Peeked(_)) | None => {
            Err(Rejection::Internal)
        }
    }
}
