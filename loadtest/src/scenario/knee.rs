//! `--find-knee`: an open loop at rising rates, until the 99th percentile breaks.

use super::{Outcome, Plan, Session};
use crate::client::opening::Opened;
use crate::failure::Failure;
use crate::pace::Pace;
use crate::record::latency::Times;
use crate::report::figures::Figures;
use crate::report::progress::Watch;
use crate::report::verdict::{Kind, Verdict};
use crate::server::Target;

/// Rates that are tried at most.
const STEPS_MAX: usize = 40;
/// Without `--p99-max`: so many times the first rate's, and no less than this.
const BREAKS_AT_TIMES: u64 = 10;
const BREAKS_AT_NS_MIN: u64 = 5_000_000;
/// The knee is narrowed down until the rates are so close.
const CLOSE: f64 = 1.1;

/// How to look for the knee.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    /// The first rate.
    pub(crate) first: u64,
    /// How much faster each step is than the one before.
    pub(crate) factor: f64,
    /// What the 99th percentile may be; `None`: ten times the first.
    pub(crate) p99_max_ns: Option<u64>,
}

/// What one rate gave.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// Messages a second.
    pub(crate) rate: u64,
    /// 50th, 99th and 99.9th percentile.
    pub(crate) times_ns: [u64; 3],
    /// What was used.
    pub(crate) figures: Figures,
    /// Whether it stands.
    pub(crate) verdict: Verdict,
    /// Whether it stands and its percentile holds.
    pub(crate) holds: bool,
}

/// What the search left.
#[derive(Debug)]
pub(crate) struct Found {
    /// How the opening went.
    pub(crate) opened: Opened,
    /// What each rate gave, in the order in which they were tried.
    pub(crate) steps: Vec<Step>,
    /// What the 99th percentile was held to.
    pub(crate) limit_ns: u64,
}

/// Looks for the knee with one generator.
pub(crate) fn find(
    plan: &mut Plan,
    search: Search,
    (at, watch): (&Target, &mut Watch),
) -> Result<Found, Failure> {
    let mut session = Session::open(plan, at, watch)?;
    let run = |plan: &Plan| session.run(&plan.load, watch);
    let (steps, limit_ns) = climb((plan, search), at.cores, run)?;
    Ok(Found { opened: session.opened(), steps, limit_ns })
}

/// Runs rate after rate, until the knee is known or cannot be. Gives them, and what the 99th percentile was held to.
pub(crate) fn climb(
    (plan, search): (&mut Plan, Search),
    server_cores: Option<usize>,
    mut run: impl FnMut(&Plan) -> Result<Outcome, Failure>,
) -> Result<(Vec<Step>, u64), Failure> {
    let mut steps: Vec<Step> = Vec::new();
    let mut limit_ns = search.p99_max_ns.unwrap_or(0);
    while let Some(rate) = next_rate(&steps, search) {
        plan.load.pace = Pace::Open { per_second: rate };
        let outcome = run(plan)?;
        let mut step = judge(plan, rate, &outcome, server_cores);
        if limit_ns == 0 {
            let [_, p99_ns, _] = step.times_ns;
            limit_ns = (p99_ns * BREAKS_AT_TIMES).max(BREAKS_AT_NS_MIN);
        }
        let [_, p99_ns, _] = step.times_ns;
        step.holds = step.verdict.kind == Kind::Sound && p99_ns <= limit_ns;
        steps.push(step);
    }
    Ok((steps, limit_ns))
}

fn judge(plan: &Plan, rate: u64, outcome: &Outcome, cores: Option<usize>) -> Step {
    let figures = Figures::new(outcome, cores);
    let verdict = Verdict::of(&plan.load, &figures, &outcome.tally, &outcome.books);
    let latency = &outcome.books.latency;
    let is_heard = latency.from_due.count() > 0;
    let times: &Times = if is_heard { &latency.from_due } else { &latency.acknowledged };
    let times_ns = [0.5, 0.99, 0.999].map(|part| times.quantile_ns(part));
    Step { rate, times_ns, figures, verdict, holds: false }
}

/// The rate to try next; `None`: the knee is known, or cannot be.
fn next_rate(steps: &[Step], search: Search) -> Option<u64> {
    if steps.len() >= STEPS_MAX {
        return None;
    }
    let Some(last) = steps.last() else { return Some(search.first) };
    // What was lost does not come back, and a tired generator tells nothing of the server.
    match last.verdict.kind {
        Kind::Wrong | Kind::GeneratorBound => return None,
        Kind::Sound | Kind::BothSaturated | Kind::RateNotHeld => {}
    }
    let held = best(steps)?;
    let broke = steps.iter().filter(|step| !step.holds).map(|step| step.rate).min();
    match broke {
        None => Some(times(held, search.factor).max(held + 1)),
        Some(broke) => {
            let middle = times(held, (ratio(broke, held)).sqrt());
            (ratio(broke, held) > CLOSE && middle > held && middle < broke).then_some(middle)
        }
    }
}

/// The highest rate that held.
pub(crate) fn best(steps: &[Step]) -> Option<u64> {
    steps.iter().filter(|step| step.holds).map(|step| step.rate).max()
}

fn ratio(one: u64, other: u64) -> f64 {
    crate::report::figures::real(one) / crate::report::figures::real(other.max(1))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate: rates that a machine reaches are far from the bounds"
)]
fn times(rate: u64, factor: f64) -> u64 {
    (crate::report::figures::real(rate) * factor).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(rate: u64, kind: Kind, holds: bool) -> Step {
        let figures = Figures {
            seconds: 1.0,
            due: None,
            sent: 0,
            acknowledged: 0,
            deliveries: 0,
            bytes: 0,
            own_cpu: 0.0,
            own_wait: 0.0,
            server_cpu: None,
            server_cores: 1,
        };
        let verdict = Verdict { kind, text: String::new() };
        Step { rate, times_ns: [0; 3], figures, verdict, holds }
    }

    #[test]
    fn rates_rise_until_one_breaks_and_then_close_in() {
        let search = Search { first: 100, factor: 2.0, p99_max_ns: None };
        let knee = 730;
        let mut steps = Vec::new();
        while let Some(rate) = next_rate(&steps, search) {
            steps.push(step(rate, Kind::Sound, rate <= knee));
        }
        let rates: Vec<u64> = steps.iter().map(|step| step.rate).collect();
        assert_eq!(rates, [100, 200, 400, 800, 566, 673, 734]);
        assert_eq!(best(&steps), Some(673));
    }

    #[test]
    fn a_generator_that_breaks_first_ends_the_search() {
        let search = Search { first: 100, factor: 2.0, p99_max_ns: None };
        for kind in [Kind::Wrong, Kind::GeneratorBound] {
            let steps = [step(100, Kind::Sound, true), step(200, kind, false)];
            assert_eq!(next_rate(&steps, search), None);
        }
        assert_eq!(next_rate(&[step(100, Kind::RateNotHeld, false)], search), None);
    }
}
