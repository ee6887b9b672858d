//! What all runs came to, and what was to be reached.

use super::loads::{About, Figure, Figures, LOADS};
use super::peers::Kind;
use crate::ratio::{figure, median};

/// One run, or why there is none.
struct Sample {
    load: usize,
    entrant: usize,
    round: u32,
    came: Result<Figures, String>,
}

/// What takes part.
pub(crate) struct Entered {
    /// Its name.
    pub(crate) name: String,
    /// `None` is Stentor.
    pub(crate) kind: Option<Kind>,
    /// What it is and how it is set.
    pub(crate) about: String,
    /// Its version.
    pub(crate) version: String,
}

/// Everything that is known at the end.
#[derive(Default)]
pub(crate) struct Results {
    /// Who took part, in the order of the tables.
    pub(crate) entrants: Vec<Entered>,
    /// Who did not, and why.
    pub(crate) absent: Vec<(String, String)>,
    samples: Vec<Sample>,
}

/// What Stentor is held beside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Beside {
    /// Whoever is best; no floor, and of publishes no library.
    Best,
    /// Somebody by name.
    Named(&'static str),
    /// A number alone.
    Nothing,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// A ratio, or a number, of at least so much.
    AtLeast(f64),
    /// Of at most so much.
    AtMost(f64),
}

/// One goal.
pub(crate) struct Goal {
    /// The load's name.
    pub(crate) load: &'static str,
    /// Stentor's name: how it keeps messages.
    pub(crate) ours: &'static str,
    /// What is compared.
    pub(crate) figure: Figure,
    /// With whom.
    pub(crate) beside: Beside,
    /// What is to be reached.
    pub(crate) bound: Bound,
}

/// Stentor without a journal for what is published.
pub(crate) const PASSED: &str = "Stentor";
/// Stentor when it keeps each message, synced.
pub(crate) const KEPT: &str = "Stentor, kept";

use Beside::{Best, Named, Nothing};
use Bound::{AtLeast, AtMost};

/// All of them.
pub(crate) const GOALS: &[Goal] = &[
    goal("1 outstanding", PASSED, Figure::PerCpu, Best, AtLeast(1.0)),
    goal("1 outstanding", PASSED, Figure::PerCpu, Named("ring floor"), AtLeast(0.9)),
    goal("4 outstanding", PASSED, Figure::PerCpu, Best, AtLeast(1.2)),
    goal("64 outstanding", PASSED, Figure::PerCpu, Best, AtLeast(2.0)),
    goal("HTTP publish", PASSED, Figure::PerCpu, Best, AtLeast(1.2)),
    goal("HTTP publish", KEPT, Figure::PerCpu, Best, AtLeast(0.8)),
    goal("16 KiB", PASSED, Figure::PerCpu, Named("epoll floor"), AtLeast(1.0)),
    goal("isolated", PASSED, Figure::P50, Best, AtMost(1.0)),
    goal("isolated", PASSED, Figure::PerCpu, Best, AtLeast(1.0)),
    goal("isolated", PASSED, Figure::P50, Named("epoll floor"), AtMost(1.0)),
    goal("isolated", PASSED, Figure::PerCpu, Named("epoll floor"), AtLeast(1.0)),
    goal("idle", PASSED, Figure::Kib, Nothing, AtMost(0.5)),
];

const fn goal(
    load: &'static str,
    ours: &'static str,
    figure: Figure,
    beside: Beside,
    bound: Bound,
) -> Goal {
    Goal { load, ours, figure, beside, bound }
}

/// How a goal stands.
pub(crate) struct Standing {
    /// Stentor's median.
    pub(crate) ours: f64,
    /// The other's name and median.
    pub(crate) other: Option<(String, f64)>,
    /// Of the rounds' ratios (or numbers), lowest, median and highest.
    pub(crate) spread: [f64; 3],
    /// Whether the median is what was to be reached.
    pub(crate) is_reached: bool,
}

impl Results {
    /// Keeps what a run came to.
    pub(crate) fn keep(
        &mut self,
        (load, entrant): (usize, usize),
        round: u32,
        came: Result<Figures, String>,
    ) {
        self.samples.push(Sample { load, entrant, round, came });
    }

    /// All values of a figure, by round.
    pub(crate) fn values(&self, load: usize, entrant: usize, figure: Figure) -> Vec<(u32, f64)> {
        let of = |it: &&Sample| it.load == load && it.entrant == entrant;
        let runs = self.samples.iter().filter(of);
        runs.filter_map(|it| Some((it.round, it.came.as_ref().ok()?.get(figure)?))).collect()
    }

    /// The median, lowest and highest value.
    pub(crate) fn spread(&self, load: usize, entrant: usize, figure: Figure) -> Option<[f64; 3]> {
        let values = self.values(load, entrant, figure);
        spread(values.into_iter().map(|(_, value)| value).collect())
    }

    /// What went wrong, once for each entrant and load.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for sample in &self.samples {
            let (Err(why), Some(entrant), Some(load)) =
                (&sample.came, self.entrants.get(sample.entrant), LOADS.get(sample.load))
            else {
                continue;
            };
            let line = format!("{}, {}: {why}", entrant.name, load.name);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// How a goal stands; `None` where one of its sides was not measured.
    pub(crate) fn standing(&self, goal: &Goal) -> Option<Standing> {
        let load = LOADS.iter().position(|it| it.name == goal.load)?;
        let ours = self.entrants.iter().position(|it| it.name == goal.ours)?;
        let own = self.values(load, ours, goal.figure);
        let other = match goal.beside {
            Nothing => None,
            Named(name) => Some(self.entrants.iter().position(|it| it.name == name)?),
            Best => Some(self.best(load, goal.figure)?),
        };
        let values = match other {
            None => own.iter().map(|(_, value)| *value).collect(),
            Some(other) => {
                let beside = self.values(load, other, goal.figure);
                let of_round = |round| beside.iter().find(|(other, _)| *other == round);
                own.iter().filter_map(|(round, value)| Some(value / of_round(*round)?.1)).collect()
            }
        };
        let spread = spread(values)?;
        let is_reached = match goal.bound {
            AtLeast(least) => spread[0] >= least,
            AtMost(most) => spread[0] <= most,
        };
        let middle = |entrant| self.spread(load, entrant, goal.figure).map(|it| it[0]);
        let other = other.and_then(|it| Some((self.entrants.get(it)?.name.clone(), middle(it)?)));
        Some(Standing { ours: middle(ours)?, other, spread, is_reached })
    }

    /// Who has the best median of those that count.
    fn best(&self, load: usize, figure: Figure) -> Option<usize> {
        let others = self.entrants.iter().enumerate();
        let publishes = LOADS.get(load).is_some_and(|it| it.about == About::Publishes);
        let counts = |kind| match kind {
            Some(Kind::Peer) => true,
            Some(Kind::Library) => !publishes,
            Some(Kind::Floor) | None => false,
        };
        let peers = others.filter(|(_, it)| counts(it.kind)).map(|(at, _)| at);
        let measured = peers.filter_map(|at| Some((at, self.spread(load, at, figure)?[0])));
        let is_small = matches!(
            figure,
            Figure::P50 | Figure::P99 | Figure::P999 | Figure::Bytes | Figure::Kib
        );
        let order = |one: f64, other: f64| {
            if is_small { other.total_cmp(&one) } else { one.total_cmp(&other) }
        };
        measured.max_by(|one, other| order(one.1, other.1)).map(|(at, _)| at)
    }
}

impl Bound {
    /// For a table.
    pub(crate) fn text(self) -> String {
        match self {
            AtLeast(least) => format!("at least {}", figure(least)),
            AtMost(most) => format!("at most {}", figure(most)),
        }
    }
}

/// Median, lowest and highest.
fn spread(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let (first, last) = (values.first().copied()?, values.last().copied()?);
    Some([median(&values), first, last])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(of: &[(&str, Option<Kind>, &[f64])]) -> Results {
        let mut results = Results::default();
        for (at, (name, kind, values)) in of.iter().enumerate() {
            let (about, version) = (String::new(), String::new());
            results.entrants.push(Entered { name: (*name).into(), kind: *kind, about, version });
            for (round, value) in values.iter().zip(0..).map(|(value, round)| (round, value)) {
                let figures = Figures { per_cpu: Some(*value), ..Figures::default() };
                results.keep((0, at), round, Ok(figures));
            }
        }
        results
    }

    #[test]
    fn a_goal_is_held_beside_the_best_peer_and_no_floor() {
        let (peer, floor) = (Some(Kind::Peer), Some(Kind::Floor));
        let results = results(&[
            (PASSED, None, &[10.0, 12.0, 11.0]),
            ("ring floor", floor, &[20.0, 20.0, 20.0]),
            ("slow", peer, &[1.0, 1.0, 1.0]),
            ("fast", peer, &[10.0, 10.0, 10.0]),
        ]);
        let stands = |goal: &Goal| {
            let it = results.standing(goal).unwrap();
            (it.other.unwrap().0, (it.spread[0] * 100.0).round(), it.is_reached)
        };
        assert_eq!(stands(&GOALS[0]), ("fast".to_owned(), 110.0, true));
        assert_eq!(stands(&GOALS[1]), ("ring floor".to_owned(), 55.0, false));
        assert!(results.standing(&GOALS[2]).is_none(), "nothing was measured there");
    }

    #[test]
    fn the_publishes_of_a_library_count_for_nobody() {
        let (about, version) = (String::new(), String::new());
        let mut results = Results::default();
        let at = LOADS.iter().position(|it| it.about == About::Publishes).unwrap();
        for (entrant, (name, kind)) in
            [(PASSED, None), ("tungstenite", Some(Kind::Library)), ("ws", Some(Kind::Peer))]
                .into_iter()
                .enumerate()
        {
            let (about, version) = (about.clone(), version.clone());
            results.entrants.push(Entered { name: name.into(), kind, about, version });
            let figures = Figures { per_cpu: Some(10.0 - entrant as f64), ..Figures::default() };
            results.keep((at, entrant), 0, Ok(figures));
        }
        let goal = GOALS.iter().find(|it| it.load == LOADS[at].name).unwrap();
        assert_eq!(results.standing(goal).unwrap().other.unwrap().0, "ws");
    }

    #[test]
    fn a_goal_names_a_load_that_there_is() {
        for goal in GOALS {
            assert!(LOADS.iter().any(|it| it.name == goal.load), "{}", goal.load);
        }
    }

    #[test]
    fn a_failure_is_told_once() {
        let mut results = results(&[("a", None, &[])]);
        for round in 0..3 {
            results.keep((0, 0), round, Err("it lost 3 messages".into()));
        }
        assert_eq!(results.failures(), ["a, 1 outstanding: it lost 3 messages"]);
    }
}
