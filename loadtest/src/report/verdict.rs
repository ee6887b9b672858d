//! Whether a result stands, and the exit code that says so.

use super::figures::{Figures, grouped, real};
use crate::cli::{EXIT_GENERATOR, EXIT_WRONG};
use crate::pace::Pace;
use crate::record::books::Books;
use crate::record::check::Tally;
use crate::scenario::load::Load;

/// The generator is hot when it uses this part of its core.
const HOT: f64 = 0.95;
/// How much cooler than the generator the server may be and still count as saturated.
const MARGIN: f64 = 0.15;
/// The part of the due messages that must have been sent.
const HELD: f64 = 0.99;

/// What kind of result it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It stands.
    Sound,
    /// It stands: a closed loop in which both sides were busy all the time.
    BothSaturated,
    /// Something went wrong on the wire.
    Wrong,
    /// It measures the generator.
    GeneratorBound,
    /// The rate was not held, because the server did not take it.
    RateNotHeld,
}

/// Whether a result stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The kind.
    pub(crate) kind: Kind,
    /// The reasons, for people.
    pub(crate) text: String,
}

impl Verdict {
    /// Judges a run.
    pub(crate) fn of(load: &Load, figures: &Figures, tally: &Tally, books: &Books) -> Self {
        let wrong = complaints(tally, books);
        if !wrong.is_empty() {
            return Self { kind: Kind::Wrong, text: wrong.join(", ") };
        }
        let (kind, text) = match load.pace {
            Pace::Open { .. } => open_loop(figures, books.untouched),
            // A run that only listens has no speed to be judged.
            Pace::Closed { outstanding: 0 } => (Kind::Sound, None),
            Pace::Closed { .. } => closed_loop(figures),
        };
        let text = match (kind, text) {
            (_, Some(text)) => text,
            (_, None) if books.counts.deliveries == 0 => "nothing was refused or closed".to_owned(),
            (_, None) => {
                let count = grouped(books.counts.deliveries);
                format!("each of {count} deliveries came once, in order and undamaged")
            }
        };
        Self { kind, text }
    }

    /// Judges comings and goings: complaints with their counts, and what was due and happened.
    pub(crate) fn of_scene(
        figures: &Figures,
        complaints: &[(u64, &str)],
        due: Option<(u64, u64)>,
        praise: String,
    ) -> Self {
        let wrong = counted(complaints);
        if !wrong.is_empty() {
            return Self { kind: Kind::Wrong, text: wrong.join(", ") };
        }
        if is_hot(figures) {
            return Self { kind: Kind::GeneratorBound, text: own_use(figures) };
        }
        if let Some((due, done)) = due.filter(|(due, done)| real(*done) < real(*due) * HELD) {
            let part = percent(real(done) / real(due));
            let text = format!("{part} of what was due happened in time");
            return Self { kind: Kind::RateNotHeld, text };
        }
        Self { kind: Kind::Sound, text: praise }
    }

    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Sound | Kind::BothSaturated => 0,
            Kind::Wrong => EXIT_WRONG,
            Kind::GeneratorBound | Kind::RateNotHeld => EXIT_GENERATOR,
        }
    }

    /// The kind in a word or two.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Sound => "sound",
            Kind::BothSaturated => "both saturated",
            Kind::Wrong => "wrong",
            Kind::GeneratorBound => "the generator was the bottleneck",
            Kind::RateNotHeld => "the rate was not held",
        }
    }
}

fn complaints(tally: &Tally, books: &Books) -> Vec<String> {
    let refused: u64 = books.refused_by.values().sum();
    let counts = [
        (tally.lost, "deliveries lost"),
        (tally.duplicated, "doubled"),
        (tally.reordered, "out of order"),
        (tally.foreign, "at a subscriber of another channel"),
        (tally.damaged, "damaged"),
        (refused, "publishes refused"),
        (books.closed, "connections closed by the server"),
        (books.stalls, "times nothing came for 2 s"),
    ];
    counted(&counts)
}

fn counted(counts: &[(u64, &str)]) -> Vec<String> {
    let present = counts.iter().filter(|(count, _)| *count > 0);
    present.map(|(count, what)| format!("{} {what}", grouped(*count))).collect()
}

fn open_loop(figures: &Figures, untouched: u64) -> (Kind, Option<String>) {
    if is_hot(figures) {
        return (Kind::GeneratorBound, Some(own_use(figures)));
    }
    let due = real(figures.due.unwrap_or(0));
    let sent = real(figures.sent);
    if sent < due * HELD {
        let part = percent(sent / due);
        let is_own_fault = real(untouched) > (due - sent) / 2.0;
        let (kind, why) = if is_own_fault {
            (Kind::GeneratorBound, "the generator did not get to send the rest")
        } else {
            (Kind::RateNotHeld, "the server did not acknowledge fast enough (see --pipeline)")
        };
        return (kind, Some(format!("{part} of the due messages were sent: {why}")));
    }
    (Kind::Sound, None)
}

fn closed_loop(figures: &Figures) -> (Kind, Option<String>) {
    if !is_hot(figures) {
        return (Kind::Sound, None);
    }
    let own = own_use(figures);
    match figures.server_use() {
        Some(server_use) if server_use >= figures.own_use() + figures.own_wait() - MARGIN => {
            (Kind::BothSaturated, None)
        }
        Some(server_use) => {
            let server = percent(server_use);
            let text = format!("{own}, the server {server} of each of its own");
            (Kind::GeneratorBound, Some(text))
        }
        None => {
            let text = format!("{own}, and the server's use is not known (--server-pid)");
            (Kind::GeneratorBound, Some(text))
        }
    }
}

/// Whether the generator used its core all the time, or wanted to.
fn is_hot(figures: &Figures) -> bool {
    figures.own_use() + figures.own_wait() >= HOT
}

fn own_use(figures: &Figures) -> String {
    let text = format!("the generator used {} of its core", percent(figures.own_use()));
    if figures.own_wait() < 0.01 {
        return text;
    }
    format!("{text} and waited {} of the time for it", percent(figures.own_wait()))
}

fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::check::Checker;

    const OPEN: Pace = Pace::Open { per_second: 100 };
    const CLOSED: Pace = Pace::Closed { outstanding: 4 };

    fn figures(sent: u64, own_cpu: f64, server_cpu: Option<f64>) -> Figures {
        Figures {
            seconds: 10.0,
            due: Some(1000),
            sent,
            acknowledged: sent,
            deliveries: 0,
            bytes: 0,
            own_cpu,
            own_wait: 0.0,
            server_cpu,
            server_cores: 1,
        }
    }

    fn judge(pace: Pace, figures: Figures, tally: Tally, change: impl Fn(&mut Books)) -> Verdict {
        let load = Load { pace, ..Load::sample() };
        let mut books = Books::new(Checker::new(load.layout), 0, 0..1);
        change(&mut books);
        Verdict::of(&load, &figures, &tally, &books)
    }

    #[test]
    fn an_open_loop_is_held_to_its_rate_and_to_a_cool_generator() {
        let check = |sent, own_cpu, untouched, kind| {
            let figures = figures(sent, own_cpu, None);
            let verdict = judge(OPEN, figures, Tally::default(), |books| {
                books.untouched = untouched;
            });
            assert_eq!(verdict.kind, kind, "{sent} {own_cpu} {untouched}: {}", verdict.text);
        };
        check(1000, 9.4, 0, Kind::Sound);
        check(990, 1.0, 10, Kind::Sound);
        check(989, 1.0, 5, Kind::RateNotHeld);
        check(989, 1.0, 6, Kind::GeneratorBound);
        check(1000, 9.5, 0, Kind::GeneratorBound);
    }

    #[test]
    fn a_closed_loop_may_run_hot_if_the_server_does() {
        let check = |own_cpu, server_cpu, kind| {
            let verdict = judge(CLOSED, figures(1, own_cpu, server_cpu), Tally::default(), |_| ());
            assert_eq!(verdict.kind, kind, "{own_cpu} {server_cpu:?}: {}", verdict.text);
        };
        check(9.4, Some(1.0), Kind::Sound);
        check(9.4, None, Kind::Sound);
        check(9.9, Some(9.8), Kind::BothSaturated);
        check(9.9, Some(8.5), Kind::BothSaturated);
        check(9.9, Some(8.3), Kind::GeneratorBound);
        check(9.9, None, Kind::GeneratorBound);
        let listening = Pace::Closed { outstanding: 0 };
        let verdict = judge(listening, figures(0, 9.9, None), Tally::default(), |_| ());
        assert_eq!(verdict.kind, Kind::Sound);
    }

    #[test]
    fn a_generator_that_waits_for_its_core_is_as_bad_as_a_busy_one() {
        let starved = Figures { own_wait: 6.0, ..figures(1000, 3.6, Some(5.0)) };
        for pace in [OPEN, CLOSED] {
            let verdict = judge(pace, starved, Tally::default(), |_| ());
            assert_eq!(verdict.kind, Kind::GeneratorBound);
            assert!(verdict.text.contains("36.0 % of its core and waited 60.0 %"), "{verdict:?}");
        }
    }

    #[test]
    fn anything_wrong_on_the_wire_comes_first() {
        let hot = figures(1, 10.0, None);
        for tally in [
            Tally { lost: 1, ..Tally::default() },
            Tally { duplicated: 1, ..Tally::default() },
            Tally { reordered: 1, ..Tally::default() },
            Tally { foreign: 1, ..Tally::default() },
            Tally { damaged: 1, ..Tally::default() },
        ] {
            let verdict = judge(OPEN, hot, tally, |_| ());
            assert_eq!((verdict.kind, verdict.exit_code()), (Kind::Wrong, 2), "{tally:?}");
        }
        let closed = judge(OPEN, hot, Tally::default(), |books| books.closed = 3);
        assert_eq!(closed.text, "3 connections closed by the server");
        assert_eq!(judge(OPEN, hot, Tally::default(), |_| ()).exit_code(), 3);
    }
}
