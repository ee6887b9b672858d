//! All seats of a shard. A seat works in rounds: what is asked while a round is on its way to the disk waits for the next, so a
//! tenant has one commit at a time, and what came meanwhile shares the next one.

use std::collections::VecDeque;

use hashbrown::HashMap;
use protocol::Rejection;

use super::ask::{SeatAnswer, SeatAsk, SeatOp};
use super::catalog::{CatalogAnswer, CatalogAsk};
use super::seat::{Done, Seat, Undo};
use crate::hasher::ShardHasher;
use crate::ids::{CallId, Now, ShardId, TenantId};

/// Which call of which shard asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asker {
    /// The shard of its connection.
    pub edge: ShardId,
    /// The call.
    pub call: CallId,
}

type Said = (Asker, Result<SeatAnswer, Rejection>);

/// What seats want said and made durable.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answers that may leave now.
    pub answers: Vec<Said>,
    /// What has to be made durable.
    pub commits: Vec<CatalogAsk>,
}

/// See the module.
#[derive(Debug)]
pub struct Seats {
    tenants: HashMap<TenantId, Turns, ShardHasher>,
    /// Whose rounds are with the catalog, in the order in which it answers.
    committing: VecDeque<(u64, TenantId)>,
    next_token: u64,
    queue_max: usize,
}

/// A seat and who waits for it.
#[derive(Debug)]
struct Turns {
    seat: Seat,
    round: Option<Round>,
    waiting: VecDeque<(Asker, SeatOp)>,
}

/// What waits for the disk.
#[derive(Debug)]
struct Round {
    answers: Vec<Said>,
    undo: Vec<Undo>,
}

impl Seats {
    /// Seats of which nothing is known. At most `queue_max` asks of a tenant wait; over it they are refused.
    #[must_use]
    pub fn new(hasher: ShardHasher, queue_max: usize) -> Self {
        Self {
            tenants: HashMap::with_hasher(hasher),
            committing: VecDeque::new(),
            next_token: 0,
            queue_max,
        }
    }

    /// The seat of a tenant, made if it is new: to say what the catalog has.
    pub fn seat(&mut self, tenant: TenantId) -> &mut Seat {
        &mut self.turns(tenant).seat
    }

    /// Somebody asks.
    pub fn ask(&mut self, now: Now, asker: Asker, ask: SeatAsk, outcome: &mut Outcome) {
        let queue_max = self.queue_max;
        let turns = self.turns(ask.tenant);
        if turns.waiting.len() >= queue_max {
            let why = Rejection::Overloaded { limit: "seat_queue_max" };
            return outcome.answers.push((asker, Err(why)));
        }
        turns.waiting.push_back((asker, ask.op));
        self.go_on(now, ask.tenant, outcome);
    }

    /// The catalog answered.
    ///
    /// # Panics
    /// When it answers out of order.
    pub fn settle(&mut self, now: Now, answer: &CatalogAnswer, outcome: &mut Outcome) {
        let Some((token, tenant)) = self.committing.pop_front() else { return };
        assert_eq!(token, answer.token, "the catalog answers in the order of the asks");
        let turns = self.turns(tenant);
        let Some(round) = turns.round.take() else { return };
        match &answer.result {
            Ok(()) => outcome.answers.extend(round.answers),
            Err(why) => {
                turns.seat.take_back(round.undo);
                let refused = round.answers.into_iter().map(|(it, _)| (it, Err(why.clone())));
                outcome.answers.extend(refused);
            }
        }
        self.go_on(now, tenant, outcome);
    }

    /// Does what waits, unless a round is on its way.
    fn go_on(&mut self, now: Now, tenant: TenantId, outcome: &mut Outcome) {
        let token = self.next_token;
        let turns = self.turns(tenant);
        if turns.round.is_some() {
            return;
        }
        let mut done = Done::default();
        let mut answers = Vec::new();
        for (asker, op) in turns.waiting.drain(..) {
            answers.push((asker, turns.seat.perform(now, op, &mut done)));
        }
        if done.changes.is_empty() {
            return outcome.answers.append(&mut answers);
        }
        turns.round = Some(Round { answers, undo: done.undo });
        self.next_token += 1;
        self.committing.push_back((token, tenant));
        outcome.commits.push(CatalogAsk { token, changes: done.changes });
    }

    fn turns(&mut self, tenant: TenantId) -> &mut Turns {
        self.tenants.entry(tenant).or_insert_with(|| Turns {
            seat: Seat::new(tenant),
            round: None,
            waiting: VecDeque::new(),
        })
    }
}
