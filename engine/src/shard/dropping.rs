//! Letting messages go so that nothing that was on its way outlives them: every shard closes what leads to them, then every lane
//! is seen empty of what came before, and only then do their homes let go of them.

use super::Shard;
use super::cohesivity::enforced;
use super::effects::Effects;
use super::input::Request;
use super::steps::Work;
use crate::control::{Came, Enforce, Enforced};
use crate::ids::{CallId, ShardId};
use crate::planted::{self, Fault};

/// What a call that lets messages go does next.
#[derive(Debug)]
pub(super) enum Dropping {
    /// Every shard closes; then what was on its way arrives.
    Closed(Enforce, Box<Work>),
    /// Everything has arrived; then the homes let go.
    Arrived(Enforce, Box<Work>),
}

impl Shard {
    /// Has every shard do `close`, then every home do `drop`. `then` goes on with what came of that.
    pub(super) fn let_go(
        &mut self,
        call: CallId,
        (close, drop): (&Enforce, Enforce),
        then: Work,
        effects: &mut Effects,
    ) {
        let next = Dropping::Closed(drop, Box::new(then));
        self.enforce(call, close, Work::Dropping(next), effects);
    }

    /// Waits until all that any shard has sent to any other has arrived, then has every home do `drop`.
    ///
    /// What a shard sent goes by as many lanes as there are homes, and an order comes by others: a publish may still be on its way
    /// to its home when that lets go already.
    pub(super) fn arrive(
        &mut self,
        call: CallId,
        drop: Enforce,
        then: Box<Work>,
        effects: &mut Effects,
    ) {
        if planted::is(Fault::DropOvertakes) {
            return self.enforce(call, &drop, *then, effects);
        }
        let shards = usize::from(self.shard_count);
        self.calls.wait(call, shards * shards, Work::Dropping(Dropping::Arrived(drop, then)));
        for shard in 0..self.shard_count {
            self.send(ShardId(shard), Request::Enforce(call, Box::new(Enforce::Arrive)), effects);
        }
    }

    pub(super) fn go_on_dropping(
        &mut self,
        call: CallId,
        work: Dropping,
        came: Vec<Came>,
        effects: &mut Effects,
    ) {
        if let Err(why) = enforced(came) {
            return self.finish(call, Err(why), effects);
        }
        match work {
            Dropping::Closed(drop, then) => self.arrive(call, drop, then, effects),
            Dropping::Arrived(drop, then) => self.enforce(call, &drop, *then, effects),
        }
    }

    /// Sends a mark behind everything that went to each shard before. Each tells the call of another shard that it came.
    pub(super) fn mark_lanes(&mut self, edge: ShardId, call: CallId, effects: &mut Effects) {
        for shard in 0..self.shard_count {
            self.send(ShardId(shard), Request::Mark(edge, call), effects);
        }
    }

    pub(super) fn on_mark(&mut self, edge: ShardId, call: CallId, effects: &mut Effects) {
        self.tell_call(edge, call, Came::Enforced(Ok(Enforced::default())), effects);
    }
}
