//! Calls that take more than one trip. A delivery may not cause a request (invariant 5), so what comes for a call is kept, and
//! [`Input::Resume`](super::input::Input::Resume), taken only while the lanes have room, does its next step.
//!
//! A call outlives its connection: what it began is finished, and its answer finds nobody.

use std::collections::VecDeque;

use hashbrown::HashMap;
use protocol::Rejection;

use super::Shard;
use super::answers::Reply;
use super::cohesivity;
use super::effects::{Effects, Ending};
use super::input::{Delivery, ReplyTo, Request};
use crate::control::{self, Came, Enforce, SeatAsk, SeatOp};
use crate::hasher::ShardHasher;
use crate::ids::{CallId, ConnId, ShardId, TenantId};

/// Calls that go on in one [`Input::Resume`](super::input::Input::Resume); the others follow in the next.
const STEPS_PER_RESUME: usize = 16;

/// What a call does once what it waits for has come. One variant a dialect; its arm is in that dialect's file.
#[derive(Debug)]
pub(super) enum Work {
    /// See [`cohesivity::Work`].
    Cohesivity(cohesivity::Work),
}

/// One call that runs.
#[derive(Debug)]
struct Running {
    reply: ReplyTo,
    tenant: TenantId,
    /// `None` while its step is being done.
    work: Option<Work>,
    /// How many deliveries are still to come before its next step.
    awaited: usize,
    came: Vec<Came>,
}

/// The calls of a shard.
#[derive(Debug)]
pub(super) struct Calls {
    running: HashMap<CallId, Running, ShardHasher>,
    /// Calls whose next step is due, in the order in which that came about.
    ready: VecDeque<CallId>,
    next: u64,
    max: usize,
}

impl Calls {
    pub(super) fn new(hasher: ShardHasher, max: usize) -> Self {
        let running = HashMap::with_hasher(hasher);
        Self { running, ready: VecDeque::new(), next: 0, max }
    }

    /// Whether a step is due.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many run.
    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// Says what a call does next, and after how many deliveries.
    fn wait(&mut self, call: CallId, awaited: usize, work: Work) {
        let Some(running) = self.running.get_mut(&call) else { return };
        running.work = Some(work);
        running.awaited = awaited;
    }

    /// Keeps what came for a call.
    pub(super) fn on_step(&mut self, call: CallId, came: Came) {
        let Some(running) = self.running.get_mut(&call) else { return };
        running.came.push(came);
        running.awaited = running.awaited.saturating_sub(1);
        if running.awaited == 0 {
            self.ready.push_back(call);
        }
    }
}

impl Shard {
    /// Starts a call that takes steps, lined up with the connection's other requests. Every call that is started is ended with
    /// [`Shard::finish`].
    ///
    /// # Errors
    /// When the shard has as many as it may: nothing is lined up then.
    pub(super) fn begin(
        &mut self,
        conn: ConnId,
        tenant: TenantId,
        shape: super::answers::Shape,
    ) -> Result<CallId, Rejection> {
        if self.calls.running.len() >= self.calls.max {
            return Err(Rejection::Overloaded { limit: "control_calls_max" });
        }
        let Some(http) = self.http(conn) else { return Err(Rejection::Internal) };
        let reply = ReplyTo { conn, ticket: http.tickets.wait(shape.asked()) };
        let call = CallId(self.calls.next);
        self.calls.next += 1;
        let running = Running { reply, tenant, work: None, awaited: 0, came: Vec::new() };
        self.calls.running.insert(call, running);
        Ok(call)
    }

    /// Asks the seat of the call's tenant. `then` goes on with its one answer.
    pub(super) fn ask_seat(&mut self, call: CallId, op: SeatOp, then: Work, effects: &mut Effects) {
        let Some(tenant) = self.calls.running.get(&call).map(|it| it.tenant) else { return };
        self.calls.wait(call, 1, then);
        let seat = control::seat_of(tenant, self.shard_count);
        let ask = Box::new(SeatAsk { tenant, op });
        self.send(seat, Request::Seat(call, ask), effects);
    }

    /// Has every shard do something. `then` goes on once all of them have.
    pub(super) fn enforce(
        &mut self,
        call: CallId,
        order: &Enforce,
        then: Work,
        effects: &mut Effects,
    ) {
        self.calls.wait(call, usize::from(self.shard_count), then);
        for shard in 0..self.shard_count {
            let order = Box::new(order.clone());
            self.send(ShardId(shard), Request::Enforce(call, order), effects);
        }
    }

    /// Ends a call with its answer.
    pub(super) fn finish(
        &mut self,
        call: CallId,
        result: Result<Reply, Rejection>,
        closes: &mut Vec<(ConnId, Ending)>,
    ) {
        let Some(running) = self.calls.running.remove(&call) else { return };
        match result {
            Ok(reply) => self.answer_reply(running.reply, &reply, closes),
            Err(why) => self.answer_refused(running.reply, &why, closes),
        }
    }

    /// Takes a call out, whose answer goes its own way.
    pub(super) fn forget(&mut self, call: CallId) {
        self.calls.running.remove(&call);
    }

    /// Where the answer of a call goes.
    pub(super) fn reply_of(&self, call: CallId) -> Option<ReplyTo> {
        self.calls.running.get(&call).map(|it| it.reply)
    }

    /// Says that a call goes on once one more thing has come for it.
    pub(super) fn wait_for_one(&mut self, call: CallId, then: Work) {
        self.calls.wait(call, 1, then);
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
            match running.work.take() {
                Some(Work::Cohesivity(work)) => self.go_on_cohesivity(call, work, came, effects),
                None => {}
            }
        }
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
