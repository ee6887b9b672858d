//! All seats of a shard. A seat works in rounds: what is asked while a round is on its way to the disk waits for the next, so a
//! tenant has one commit at a time, and what came meanwhile shares the next one, as far as that has room.

use std::collections::VecDeque;

use hashbrown::HashMap;
use protocol::Rejection;

use super::ask::{SeatAnswer, SeatAsk, SeatOp};
use super::catalog::{CatalogAnswer, CatalogAsk, CatalogChange, ROUND_BYTES_MAX};
use super::round::{Asker, Context, Done, Said, SeatLimits, Undo};
use super::seat::Seat;
use crate::hasher::ShardHasher;
use crate::ids::{Now, TenantId};
use crate::planted::{self, Fault};
use crate::tenants::Tenants;

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
    limits: SeatLimits,
    hasher: ShardHasher,
}

/// A seat and who waits for it.
#[derive(Debug)]
struct Turns {
    seat: Seat,
    round: Option<Round>,
    waiting: VecDeque<(Asker, SeatOp)>,
    /// Whether the tenant is gone, and nothing is known of it.
    is_forgotten: bool,
}

/// What waits for the disk.
#[derive(Debug)]
struct Round {
    answers: Vec<Said>,
    undo: Vec<Undo>,
}

impl Seats {
    /// Seats of which nothing is known.
    #[must_use]
    pub fn new(hasher: ShardHasher, limits: SeatLimits) -> Self {
        Self {
            tenants: HashMap::with_hasher(hasher.clone()),
            committing: VecDeque::new(),
            next_token: 0,
            limits,
            hasher,
        }
    }

    /// The seat of a tenant, made if it is new: to say what the catalog has.
    pub fn seat(&mut self, tenant: TenantId) -> &mut Seat {
        &mut self.turns(tenant).seat
    }

    /// Sockets that were granted are closed. That needs no answer and no disk: no socket outlives the node.
    pub fn release(&mut self, tenant: TenantId, count: u32) {
        if let Some(turns) = self.tenants.get_mut(&tenant) {
            turns.seat.release(count);
        }
    }

    /// Somebody asks.
    pub fn ask(
        &mut self,
        (now, tenants): (Now, &Tenants),
        asker: Asker,
        ask: SeatAsk,
        outcome: &mut Outcome,
    ) {
        let (queue_max, tenant) = (self.limits.queue_max, ask.tenant);
        if !self.tenants.contains_key(&tenant) && !tenants.contains(tenant) {
            // What comes late for a tenant that is gone makes no seat: nobody would take it away again.
            let is_forget = matches!(ask.op, SeatOp::Forget { .. });
            let gone = Err(Rejection::CredentialInvalid);
            let answer = if is_forget { Ok(SeatAnswer::Forgotten) } else { gone };
            return outcome.answers.push((asker, answer));
        }
        let turns = self.turns(tenant);
        if turns.waiting.len() >= queue_max && !ask.op.is_owed() {
            let why = Rejection::Overloaded { limit: "seat_queue_max" };
            return outcome.answers.push((asker, Err(why)));
        }
        turns.waiting.push_back((asker, ask.op));
        self.go_on(now, tenants, tenant, outcome);
    }

    /// The catalog answered.
    ///
    /// # Panics
    /// When it answers out of order.
    pub fn settle(
        &mut self,
        (now, tenants): (Now, &Tenants),
        answer: &CatalogAnswer,
        outcome: &mut Outcome,
    ) {
        let Some((token, tenant)) = self.committing.pop_front() else { return };
        assert_eq!(token, answer.token, "the catalog answers in the order of the asks");
        let turns = self.turns(tenant);
        let Some(round) = turns.round.take() else { return };
        match &answer.result {
            Ok(()) => outcome.answers.extend(round.answers),
            Err(why) => {
                let waited = turns.seat.take_back(round.undo);
                let refused = round.answers.into_iter().map(|(it, _)| it).chain(waited);
                outcome.answers.extend(refused.map(|it| (it, Err(why.clone()))));
            }
        }
        self.go_on(now, tenants, tenant, outcome);
        // What asked last was forgotten with the tenant: the number is given to nobody again.
        let is_over = |it: &Turns| it.is_forgotten && it.round.is_none() && it.waiting.is_empty();
        if self.tenants.get(&tenant).is_some_and(is_over) {
            self.tenants.remove(&tenant);
        }
    }

    /// Does what waits, unless a round is on its way.
    fn go_on(&mut self, now: Now, tenants: &Tenants, tenant: TenantId, outcome: &mut Outcome) {
        let (token, limits) = (self.next_token, self.limits);
        let context = Context { now, plan: tenants.plan(tenant), limits: &limits };
        let turns = self.turns(tenant);
        if turns.round.is_some() {
            return;
        }
        let mut done = Done::default();
        let (mut bytes, mut counted) = (0, 0);
        while bytes < ROUND_BYTES_MAX
            && let Some((asker, op)) = turns.waiting.pop_front()
        {
            if let Some(answer) = turns.seat.perform(&context, asker, op, &mut done) {
                turns.is_forgotten |= matches!(answer, Ok(SeatAnswer::Forgotten));
                done.said.push((asker, answer));
            }
            let more = done.changes.get(counted..).unwrap_or_default();
            bytes += more.iter().map(CatalogChange::bytes).sum::<usize>();
            counted = done.changes.len();
        }
        turns.seat.count_up(&mut done);
        if done.changes.is_empty() {
            return outcome.answers.append(&mut done.said);
        }
        if planted::is(Fault::AnswerBeforeKept) {
            outcome.answers.append(&mut done.said);
        }
        turns.round = Some(Round { answers: done.said, undo: done.undo });
        self.next_token += 1;
        self.committing.push_back((token, tenant));
        outcome.commits.push(CatalogAsk { token, changes: done.changes });
    }

    fn turns(&mut self, tenant: TenantId) -> &mut Turns {
        let hasher = &self.hasher;
        self.tenants.entry(tenant).or_insert_with(|| Turns {
            seat: Seat::new(tenant, hasher),
            round: None,
            waiting: VecDeque::new(),
            is_forgotten: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use protocol::dialect::insforge::Pattern;

    use super::*;
    use crate::control::{ClaimKey, PatternDraft, ROWS_PER_COMMIT, Registered, RulesOp};
    use crate::hasher;
    use crate::ids::{CallId, MessageId, ShardId};
    use crate::limits::Limits;
    use crate::tenants::TenantSpec;

    const TENANT: TenantId = TenantId(7);

    fn ask(seats: &mut Seats, tenants: &Tenants, op: SeatOp) -> Outcome {
        let mut outcome = Outcome::default();
        let asker = Asker { edge: ShardId(0), call: CallId(1) };
        let ask = SeatAsk { tenant: TENANT, op };
        seats.ask((Now::default(), tenants), asker, ask, &mut outcome);
        outcome
    }

    fn answer(outcome: Outcome) -> Result<SeatAnswer, Rejection> {
        outcome.answers.into_iter().next().unwrap().1
    }

    #[test]
    fn a_round_takes_no_more_than_fits_into_a_commit() {
        let spec = TenantSpec { id: TENANT, name: "shop".to_owned(), ..TenantSpec::default() };
        let tenants = Tenants::new(&[spec], [0; 32]);
        let mut seats = Seats::new(hasher::seeded(1), Limits::default().seat);
        let create = |id: u32| {
            let draft = PatternDraft {
                id: MessageId(id.into()),
                pattern: Pattern::parse(&format!("a:{id}")).unwrap(),
                description: Some("d".repeat(22_000).into()),
                webhook_urls: None,
                enabled: true,
            };
            SeatOp::Rules(RulesOp::Create(Box::new(draft)))
        };
        // The first is on its way while the others come.
        let mut commits = ask(&mut seats, &tenants, create(0)).commits;
        for id in 1..200 {
            assert_eq!(ask(&mut seats, &tenants, create(id)).commits, []);
        }
        let (mut answered, mut sizes) = (Vec::new(), Vec::new());
        while let Some(commit) = commits.pop() {
            sizes.push(commit.changes.iter().map(CatalogChange::bytes).sum::<usize>());
            let kept = CatalogAnswer { token: commit.token, result: Ok(()) };
            let mut outcome = Outcome::default();
            seats.settle((Now::default(), &tenants), &kept, &mut outcome);
            answered.extend(outcome.answers.into_iter().map(|(_, answer)| match answer {
                Ok(SeatAnswer::Ruling(ruling)) => ruling.number,
                other => unreachable!("{other:?}"),
            }));
            commits = outcome.commits;
        }
        assert_eq!(answered, (1..=200).collect::<Vec<_>>());
        let (last, full) = sizes.split_last().unwrap();
        assert!(*last > 0 && full.len() == 9, "{sizes:?}");
        assert!(
            full[1..].iter().all(|it| (ROUND_BYTES_MAX..ROUND_BYTES_MAX + 23_000).contains(it))
        );
    }

    /// A tenant that is gone may have as many channels as it may, with names as long as they may be.
    #[test]
    fn the_rows_of_a_tenant_that_is_gone_go_as_many_at_a_time_as_fit_into_a_commit() {
        const CHANNELS: usize = 2_000;
        const NAME_BYTES: usize = 1_024;
        let tenants = Tenants::new(&[], [0; 32]);
        let mut seats = Seats::new(hasher::seeded(1), Limits::default().seat);
        let kind = protocol::ChannelType::Public;
        for number in 0..CHANNELS {
            let channel = Registered { id: MessageId(1), kind, created_at_ms: 1 };
            let name = format!("{number:0NAME_BYTES$}");
            seats.seat(TENANT).restore_channel(&name, channel);
        }
        let mut rows = 0;
        loop {
            let forget = SeatOp::Forget { rows_max: ROWS_PER_COMMIT };
            let mut outcome = ask(&mut seats, &tenants, forget);
            let commit = outcome.commits.pop().unwrap();
            let bytes = commit.changes.iter().map(CatalogChange::bytes).sum::<usize>();
            assert!(bytes < ROUND_BYTES_MAX + 4 * NAME_BYTES, "{bytes} bytes in one commit");
            let is_channel = |it: &&CatalogChange| it.bytes() > NAME_BYTES;
            rows += commit.changes.iter().filter(is_channel).count();
            let kept = CatalogAnswer { token: commit.token, result: Ok(()) };
            let mut outcome = Outcome::default();
            seats.settle((Now::default(), &tenants), &kept, &mut outcome);
            if answer(outcome) == Ok(SeatAnswer::Forgotten) {
                break;
            }
        }
        assert_eq!(rows, CHANNELS);
    }

    #[test]
    fn what_comes_late_for_a_tenant_that_is_gone_makes_no_seat() {
        let mut seats = Seats::new(hasher::seeded(1), Limits::default().seat);
        let spec = TenantSpec { id: TENANT, name: "shop".to_owned(), ..TenantSpec::default() };
        let (here, gone) = (Tenants::new(&[spec], [0; 32]), Tenants::new(&[], [0; 32]));
        let abandon = || SeatOp::Abandon(ClaimKey(1));
        let forget = || SeatOp::Forget { rows_max: 9 };
        assert_eq!(answer(ask(&mut seats, &here, abandon())), Ok(SeatAnswer::Settled));
        let commits = ask(&mut seats, &gone, forget()).commits;
        let kept = CatalogAnswer { token: commits[0].token, result: Ok(()) };
        let mut outcome = Outcome::default();
        seats.settle((Now::default(), &gone), &kept, &mut outcome);
        assert_eq!(answer(outcome), Ok(SeatAnswer::Forgotten));
        assert!(seats.tenants.is_empty());
        let late = [abandon(), SeatOp::Refund(1), SeatOp::FindChannel("a".into())];
        for op in late {
            assert_eq!(answer(ask(&mut seats, &gone, op)), Err(Rejection::CredentialInvalid));
        }
        seats.release(TENANT, 1);
        assert_eq!(answer(ask(&mut seats, &gone, forget())), Ok(SeatAnswer::Forgotten));
        assert!(seats.tenants.is_empty());
    }
}
