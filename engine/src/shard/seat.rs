//! This shard as the seat of tenants: it decides, has the catalog keep it, and then answers.

use super::Shard;
use super::effects::Effects;
use crate::control::{
    Asker, Came, CatalogAnswer, Outcome, Seat, SeatAnswer, SeatAsk, TokenId, seat_of,
};
use crate::ids::{CallId, ShardId, TenantId};

impl Shard {
    /// Says that the catalog has a token for revoked. Every shard is told.
    pub fn restore_revocation(&mut self, tenant: TenantId, token: TokenId, until_s: u64) {
        self.revoked.insert(tenant, token, until_s);
        if let Some(seat) = self.seat(tenant) {
            seat.restore_revocation(token, until_s);
        }
    }

    /// A tenant's seat, if it is here: to say what the catalog and the journal have.
    pub fn seat(&mut self, tenant: TenantId) -> Option<&mut Seat> {
        let is_here = seat_of(tenant, self.shard_count) == self.id;
        is_here.then(|| self.seats.seat(tenant))
    }

    pub(super) fn on_ask(
        &mut self,
        edge: ShardId,
        call: CallId,
        ask: SeatAsk,
        effects: &mut Effects,
    ) {
        let mut outcome = Outcome::default();
        let context = (self.now, &*self.tenants);
        self.seats.ask(context, Asker { edge, call }, ask, &mut outcome);
        self.say_outcome(outcome, effects);
    }

    pub(super) fn on_catalog(&mut self, answer: &CatalogAnswer, effects: &mut Effects) {
        let mut outcome = Outcome::default();
        self.seats.settle((self.now, &self.tenants), answer, &mut outcome);
        self.say_outcome(outcome, effects);
    }

    fn say_outcome(&mut self, outcome: Outcome, effects: &mut Effects) {
        effects.catalog.extend(outcome.commits);
        for (Asker { edge, call }, answer) in outcome.answers {
            if let Ok(SeatAnswer::Ruling(ruling) | SeatAnswer::Provisioning { ruling, .. }) =
                &answer
            {
                self.spread(ruling, effects);
            }
            self.tell_call(edge, call, Came::Seat(answer), effects);
        }
    }
}
