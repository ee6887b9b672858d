//! What a core does about short memory, in rounds: it gives back what nobody uses, waits until the others had time to do so and memory
//! was read again, and only if that was not enough gives up on consumers, once. What they had counts as used until the next round.

use crate::pressure::{Gauge, Pressure, Shown};

/// Readings after a core has given back until it gives up on somebody: 300 ms, as memory is read every 20 ms while it is short. Every
/// other core ticks within it, twice, so that one that first gives up on somebody for the round before has given back too.
const READINGS: u64 = 15;

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Due {
    /// Nothing.
    Nothing,
    /// To give memory back.
    GiveBack,
    /// To give up on the slowest consumers.
    Shed,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Relief {
    /// The round that this core takes part in.
    round: u64,
    /// How often memory had been read once it had given back, until it gives up on somebody.
    gave_back_at: Option<u64>,
}

impl Relief {
    /// Gives back if that is due. Says whether it is due to give up on the slowest consumers.
    pub(super) fn is_to_shed(&mut self, gauge: &Gauge) -> bool {
        let due = self.next(gauge.shown());
        if due == Due::GiveBack {
            gauge.give_back();
            self.gave_back(gauge.shown());
        }
        due == Due::Shed
    }

    /// What is due now. It counts as done; of what was given back [`gave_back`](Self::gave_back) tells when.
    fn next(&mut self, shown: Shown) -> Due {
        if shown.level == Pressure::Calm {
            // What was given back then says nothing of the next time.
            self.gave_back_at = None;
        }
        let is_read = self.gave_back_at.is_some_and(|it| shown.readings >= it + READINGS);
        if is_read && shown.level == Pressure::Consumers {
            // Also when the next round has begun: a core with long turns would come to nothing else.
            self.gave_back_at = None;
            return Due::Shed;
        }
        if shown.rounds != self.round {
            self.round = shown.rounds;
            return Due::GiveBack;
        }
        Due::Nothing
    }

    /// It has given back, which may have taken a while. This is shown since.
    fn gave_back(&mut self, shown: Shown) {
        self.gave_back_at = Some(shown.readings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is due; what is to be given back takes so many readings.
    fn next(relief: &mut Relief, shown: (Pressure, u64, u64), readings_of_giving_back: u64) -> Due {
        let (level, readings, rounds) = shown;
        let due = relief.next(Shown { level, readings, rounds });
        if due == Due::GiveBack {
            relief.gave_back(Shown { level, readings: readings + readings_of_giving_back, rounds });
        }
        due
    }

    fn check(relief: &mut Relief, shown: (Pressure, u64, u64), due: Due) {
        assert_eq!(next(relief, shown, 10), due, "{shown:?}");
    }

    #[test]
    fn nobody_is_given_up_before_memory_was_given_back_and_read_again() {
        let mut relief = Relief::default();
        let level = Pressure::Consumers;
        check(&mut relief, (Pressure::Calm, 7, 0), Due::Nothing);
        check(&mut relief, (level, 8, 1), Due::GiveBack);
        for readings in [8, 18, 18 + READINGS - 1] {
            check(&mut relief, (level, readings, 1), Due::Nothing);
        }
        check(&mut relief, (level, 18 + READINGS, 1), Due::Shed);
    }

    /// Two cores tick, each as many readings after its last tick. Neither gives up on somebody in a round before the other has given
    /// back in it.
    fn check_two(apart: u64, begins: [u64; 2]) {
        let mut cores = begins.map(|it| (it, Relief::default(), 0));
        let mut shed = 0;
        for (readings, core) in (0..1_000).flat_map(|it| [(it, 0), (it, 1)]) {
            let (begin, relief, round) = &mut cores[core];
            if readings % apart != *begin {
                continue;
            }
            let rounds = 1 + readings / 25;
            match next(relief, (Pressure::Consumers, readings, rounds), 0) {
                Due::GiveBack => *round = rounds,
                Due::Nothing => {}
                Due::Shed => {
                    let mine = *round;
                    shed += 1;
                    assert!(cores[1 - core].2 >= mine, "{apart} {begins:?} {readings}");
                }
            }
        }
        assert!(shed > 40, "{apart} {begins:?}: {shed}");
    }

    #[test]
    fn no_core_gives_up_on_somebody_before_all_have_given_back() {
        for apart in 1..=7 {
            let pairs = (0..apart * apart).map(|it| [it / apart, it % apart]);
            pairs.for_each(|begins| check_two(apart, begins));
        }
    }

    #[test]
    fn a_round_gives_up_on_somebody_once() {
        let mut relief = Relief::default();
        let level = Pressure::Consumers;
        let shed =
            (0..100).filter(|it| next(&mut relief, (level, *it, 1 + it / 25), 0) == Due::Shed);
        assert_eq!(shed.count(), 4);
    }

    #[test]
    fn a_core_that_looks_seldom_gives_up_on_somebody_all_the_same() {
        let mut relief = Relief::default();
        let looks = (0..40).map(|it| it * 20);
        let shed = looks.filter(|it| {
            next(&mut relief, (Pressure::Consumers, *it, 1 + it / 25), 0) == Due::Shed
        });
        assert!(shed.count() > 10);
    }

    #[test]
    fn what_was_given_back_before_memory_sufficed_does_not_count() {
        let mut relief = Relief::default();
        check(&mut relief, (Pressure::Publishes, 8, 1), Due::GiveBack);
        check(&mut relief, (Pressure::Calm, 40, 1), Due::Nothing);
        check(&mut relief, (Pressure::Consumers, 80, 2), Due::GiveBack);
        check(&mut relief, (Pressure::Consumers, 91, 2), Due::Nothing);
    }

    #[test]
    fn a_peak_that_is_over_once_memory_was_given_back_costs_nobody() {
        let mut relief = Relief::default();
        check(&mut relief, (Pressure::Consumers, 8, 1), Due::GiveBack);
        for readings in 9..60 {
            check(&mut relief, (Pressure::Publishes, readings, 1), Due::Nothing);
        }
    }
}
