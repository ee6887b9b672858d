//! What a core does about short memory, in rounds: it gives back what nobody uses, waits until memory was read again, and only if
//! that was not enough gives up on consumers, once. What they had counts as used until the next round.

use crate::pressure::{Pressure, Shown};

/// Readings after memory was given back until one of them began after it: the first may have been under way.
const READINGS: u64 = 2;

/// What is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
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
    /// How often memory had been read when it gave back, until it gives up on somebody.
    gave_back_at: Option<u64>,
}

impl Relief {
    /// What is due now. It counts as done.
    pub(super) fn next(&mut self, shown: Shown) -> Due {
        if shown.rounds != self.round {
            self.round = shown.rounds;
            self.gave_back_at = Some(shown.readings);
            return Due::GiveBack;
        }
        let is_read = self.gave_back_at.is_some_and(|it| shown.readings >= it + READINGS);
        if is_read && shown.level == Pressure::Consumers {
            self.gave_back_at = None;
            return Due::Shed;
        }
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(relief: &mut Relief, shown: (Pressure, u64, u64), due: Due) {
        let (level, readings, rounds) = shown;
        let shown = Shown { level, readings, rounds };
        assert_eq!(relief.next(shown), due, "{shown:?}");
    }

    #[test]
    fn nobody_is_given_up_before_memory_was_given_back_and_read_again() {
        let mut relief = Relief::default();
        let level = Pressure::Consumers;
        check(&mut relief, (Pressure::Calm, 7, 0), Due::Nothing);
        check(&mut relief, (level, 8, 1), Due::GiveBack);
        check(&mut relief, (level, 8, 1), Due::Nothing);
        check(&mut relief, (level, 9, 1), Due::Nothing);
        check(&mut relief, (level, 10, 1), Due::Shed);
    }

    #[test]
    fn a_round_gives_up_on_somebody_once() {
        let mut relief = Relief::default();
        let level = Pressure::Consumers;
        let mut shed = 0;
        for readings in 0..100 {
            let shown = Shown { level, readings, rounds: 1 + readings / 25 };
            shed += usize::from(relief.next(shown) == Due::Shed);
        }
        assert_eq!(shed, 4);
    }

    #[test]
    fn a_peak_that_is_over_once_memory_was_given_back_costs_nobody() {
        let mut relief = Relief::default();
        check(&mut relief, (Pressure::Consumers, 8, 1), Due::GiveBack);
        for readings in 9..40 {
            check(&mut relief, (Pressure::Publishes, readings, 1), Due::Nothing);
        }
    }
}
