//! This shard as the seat of tenants: it decides, has the catalog keep it, and then answers.

use super::Shard;
use super::effects::Effects;
use crate::control::{Asker, Came, CatalogAnswer, Outcome, SeatAnswer, SeatAsk};
use crate::ids::{CallId, ShardId};

impl Shard {
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
            if let Ok(SeatAnswer::Ruling(ruling)) = &answer {
                self.spread(ruling, effects);
            }
            self.tell_call(edge, call, Came::Seat(answer), effects);
        }
    }
}
