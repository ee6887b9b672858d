//! What became of messages, counted over the endpoints of a hook: pure, and kept with the places, so that a crash changes no number.

use std::collections::VecDeque;

use super::names::{Place, Verdict};

/// How many endpoints a message was for, and how many took it. Told once every one of them has ended with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counts {
    /// Endpoints.
    pub audience: u32,
    /// Those that answered 2xx.
    pub delivered: u32,
}

/// How far one endpoint is in one feed, and which messages it did not take.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// Messages after this place are for it.
    pub since: Place,
    /// Everything up to here has ended.
    pub ended: Place,
    /// Runs of messages that it did not take, first and last of each, rising; not those that every endpoint is past.
    pub failed: VecDeque<(Place, Place)>,
    /// Up to here it is not known which messages it took: there were too many runs.
    pub unknown: Place,
    /// Whether the last message that ended is the last of the last run.
    is_in_run: bool,
}

impl Standing {
    /// An endpoint that begins after a place.
    #[must_use]
    pub fn new(since: Place) -> Self {
        Self { since, ended: since, ..Self::default() }
    }

    /// Notes how a message ended. Over `runs_max` the oldest run is let go.
    pub fn end(&mut self, place: Place, verdict: Verdict, runs_max: usize) {
        let run = self.failed.back_mut().filter(|_| self.is_in_run);
        self.is_in_run = matches!(verdict, Verdict::Dead(_));
        self.ended = self.ended.max(place);
        match (verdict, run) {
            (Verdict::Delivered, _) => {}
            (Verdict::Dead(_), Some(run)) => run.1 = run.1.max(place),
            (Verdict::Dead(_), None) => self.failed.push_back((place, place)),
        }
        self.shorten(runs_max);
    }

    /// Notes that messages were lost, from the first after a place to another.
    pub fn lose(&mut self, after: Place, until: Place, runs_max: usize) {
        self.failed.push_back((Place(after.0.saturating_add(1)), until));
        self.ended = self.ended.max(until);
        self.is_in_run = true;
        self.shorten(runs_max);
    }

    /// Notes that everything up to here has ended.
    pub fn pass(&mut self, place: Place) {
        self.ended = self.ended.max(place);
    }

    fn shorten(&mut self, runs_max: usize) {
        while self.failed.len() > runs_max
            && let Some(gone) = self.failed.pop_front()
        {
            self.is_in_run &= !self.failed.is_empty();
            self.unknown = self.unknown.max(gone.1);
        }
    }

    fn took(&self, place: Place) -> bool {
        !self.failed.iter().any(|(first, last)| *first <= place && place <= *last)
    }

    /// Lets go of runs that nobody will ask for again: every endpoint is past this place.
    pub fn forget(&mut self, until: Place) {
        while self.failed.front().is_some_and(|run| run.1 <= until) {
            let is_last = self.failed.len() == 1;
            self.is_in_run &= !is_last;
            self.failed.pop_front();
        }
    }
}

/// The counts of the message at a place, when every endpoint of its hook is past it; and the place that all of them are past. Ask
/// when one of them ends with it, and have each forget the runs before that place.
pub fn counts<'a>(
    place: Place,
    standings: impl Iterator<Item = &'a Standing>,
) -> Option<(Counts, Place)> {
    let (mut counts, mut slowest) = (Counts { audience: 0, delivered: 0 }, place);
    for standing in standings {
        slowest = slowest.min(standing.ended);
        if standing.since >= place {
            continue;
        }
        if standing.ended < place || standing.unknown >= place {
            return None;
        }
        counts.audience += 1;
        counts.delivered += u32::from(standing.took(place));
    }
    Some((counts, slowest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side::webhook::names::Reason;

    const DEAD: Verdict = Verdict::Dead(Reason::Answered(404));
    const GOOD: Verdict = Verdict::Delivered;

    fn end(all: &mut [Standing], who: usize, place: u128, verdict: Verdict) -> Option<Counts> {
        all[who].end(Place(place), verdict, 4);
        let (counts, slowest) = counts(Place(place), all.iter())?;
        all.iter_mut().for_each(|it| it.forget(slowest));
        Some(counts)
    }

    #[test]
    fn a_message_is_counted_once_when_the_last_endpoint_ends() {
        let mut all = [Standing::new(Place(0)), Standing::new(Place(0)), Standing::new(Place(2))];
        for place in 1..=4 {
            assert_eq!(end(&mut all, 0, place, if place == 3 { DEAD } else { GOOD }), None);
        }
        assert_eq!(end(&mut all, 2, 3, GOOD), None);
        assert_eq!(end(&mut all, 2, 4, DEAD), None);
        let figures = |audience, delivered| Some(Counts { audience, delivered });
        assert_eq!(end(&mut all, 1, 1, GOOD), figures(2, 2));
        assert_eq!(end(&mut all, 1, 2, DEAD), figures(2, 1));
        assert_eq!(end(&mut all, 1, 3, GOOD), figures(3, 2));
        assert_eq!(end(&mut all, 1, 4, GOOD), figures(3, 2));
        assert!(all.iter().all(|it| it.failed.is_empty()));
    }

    #[test]
    fn failures_in_a_row_are_one_run_and_runs_have_a_bound() {
        let mut one = Standing::new(Place(0));
        for place in 1..=100 {
            one.end(Place(place), DEAD, 2);
        }
        assert_eq!(one.failed, [(Place(1), Place(100))]);
        one.end(Place(101), GOOD, 2);
        one.end(Place(102), DEAD, 2);
        one.end(Place(103), GOOD, 2);
        one.end(Place(104), DEAD, 2);
        assert_eq!(one.failed, [(Place(102), Place(102)), (Place(104), Place(104))]);
        // No number is better than a wrong one.
        let mut all = [one, Standing::new(Place(0))];
        assert_eq!(end(&mut all, 1, 100, GOOD), None);
        assert_eq!(end(&mut all, 1, 101, GOOD), Some(Counts { audience: 2, delivered: 2 }));
        assert_eq!(end(&mut all, 1, 102, GOOD), Some(Counts { audience: 2, delivered: 1 }));
    }

    #[test]
    fn what_was_saved_goes_on_with_the_same_numbers() {
        let mut all = [Standing::new(Place(0)), Standing::new(Place(0))];
        end(&mut all, 0, 1, DEAD);
        all[0].is_in_run = false; // It is not saved.
        assert_eq!(end(&mut all, 0, 2, DEAD), None);
        assert_eq!(end(&mut all, 1, 1, GOOD), Some(Counts { audience: 2, delivered: 1 }));
        assert_eq!(end(&mut all, 1, 2, GOOD), Some(Counts { audience: 2, delivered: 1 }));
    }
}
