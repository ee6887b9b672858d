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
    /// Stentor's median; `None` if it failed.
    pub(crate) ours: Option<f64>,
    /// The other's name and median.
    pub(crate) other: Option<(String, f64)>,
    /// Of the rounds' ratios (or numbers), median, lowest and highest.
    pub(crate) spread: Option<[f64; 3]>,
    /// Whether the median is what was to be reached; `None` if there is nobody to compare with.
    pub(crate) is_reached: Option<bool>,
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

    /// All values of a figure, by round. Who failed in one round has none: a server that loses messages now and then is not
    /// one that is fast.
    pub(crate) fn values(&self, load: usize, entrant: usize, figure: Figure) -> Vec<(u32, f64)> {
        let came: Result<Vec<_>, _> = self
            .runs(load, entrant)
            .map(|it| Ok::<_, &String>((it.round, it.came.as_ref()?)))
            .collect();
        let came = came.unwrap_or_default().into_iter();
        came.filter_map(|(round, figures)| Some((round, figures.get(figure)?))).collect()
    }

    fn runs(&self, load: usize, entrant: usize) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |it| it.load == load && it.entrant == entrant)
    }

    /// What makes the whole comparison worth nothing: Stentor failed, or somebody never came to an end.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (entrant, it) in self.entrants.iter().enumerate() {
            let mut runs = self.samples.iter().filter(|it| it.entrant == entrant).peekable();
            let is_there = runs.peek().is_some();
            let (failed, all) = runs.fold((0, 0), |(failed, all), it| {
                (failed + usize::from(it.came.is_err()), all + 1)
            });
            if is_there && (failed == all || (it.kind.is_none() && failed > 0)) {
                lines.push(format!("{} failed in {failed} of {all} runs", it.name));
            }
        }
        lines
    }

    /// The median, lowest and highest value.
    pub(crate) fn spread(&self, load: usize, entrant: usize, figure: Figure) -> Option<[f64; 3]> {
        let values = self.values(load, entrant, figure);
        spread(values.into_iter().map(|(_, value)| value).collect())
    }

    /// Bytes of a frame of Stentor's, once it was measured.
    pub(crate) fn frame_bytes(&self, load: usize) -> Option<f64> {
        let ours = self.entrants.iter().position(|it| it.name == PASSED)?;
        let bytes = |it: &Sample| it.came.as_ref().ok()?.bytes;
        self.runs(load, ours).find_map(bytes).map(f64::round)
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

    /// How a goal stands; `None` where Stentor was not asked.
    pub(crate) fn standing(&self, goal: &Goal) -> Option<Standing> {
        let load = LOADS.iter().position(|it| it.name == goal.load)?;
        let ours = self.entrants.iter().position(|it| it.name == goal.ours)?;
        self.runs(load, ours).next()?;
        let own = self.values(load, ours, goal.figure);
        let other = match goal.beside {
            Nothing => None,
            Named(name) => self.entrants.iter().position(|it| it.name == name),
            Best => self.best(load, goal.figure),
        };
        let values = match (other, goal.beside) {
            (_, Nothing) => own.iter().map(|(_, value)| *value).collect(),
            (None, Named(_) | Best) => Vec::new(),
            (Some(other), Named(_) | Best) => {
                let beside = self.values(load, other, goal.figure);
                let of_round = |round| beside.iter().find(|(other, _)| *other == round);
                own.iter().filter_map(|(round, value)| Some(value / of_round(*round)?.1)).collect()
            }
        };
        let spread = spread(values);
        let is_reached = match (spread, goal.bound) {
            (Some([middle, ..]), AtLeast(least)) => Some(middle >= least),
            (Some([middle, ..]), AtMost(most)) => Some(middle <= most),
            // Who failed has reached nothing.
            (None, _) => self.runs(load, ours).any(|it| it.came.is_err()).then_some(false),
        };
        let middle = |entrant| self.spread(load, entrant, goal.figure).map(|it| it[0]);
        let other = other.and_then(|it| Some((self.entrants.get(it)?.name.clone(), middle(it)?)));
        Some(Standing { ours: middle(ours), other, spread, is_reached })
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
            (it.other.unwrap().0, (it.spread.unwrap()[0] * 100.0).round(), it.is_reached)
        };
        assert_eq!(stands(&GOALS[0]), ("fast".to_owned(), 110.0, Some(true)));
        assert_eq!(stands(&GOALS[1]), ("ring floor".to_owned(), 55.0, Some(false)));
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
    fn who_fails_once_has_no_figure_and_reaches_nothing() {
        let mut results = results(&[
            (PASSED, None, &[11.0, 12.0]),
            ("fast", Some(Kind::Peer), &[10.0, 10.0]),
            ("losing", Some(Kind::Peer), &[20.0, 20.0]),
        ]);
        results.keep((0, 2), 2, Err("it lost 3 messages".into()));
        let it = results.standing(&GOALS[0]).unwrap();
        assert_eq!((it.other.unwrap().0.as_str(), it.is_reached), ("fast", Some(true)));
        assert!(results.broken().is_empty(), "a peer may fail: {:?}", results.broken());
        results.keep((0, 0), 2, Err("it lost 1 message".into()));
        let it = results.standing(&GOALS[0]).unwrap();
        assert_eq!((it.ours, it.spread, it.is_reached), (None, None, Some(false)));
        assert_eq!(results.broken(), [format!("{PASSED} failed in 1 of 3 runs")]);
    }

    #[test]
    fn who_never_came_to_an_end_is_named() {
        let mut results = results(&[("a", Some(Kind::Peer), &[]), ("b", Some(Kind::Peer), &[])]);
        results.keep((0, 0), 0, Err("it ended".into()));
        assert_eq!(results.broken(), ["a failed in 1 of 1 runs"]);
    }

    #[test]
    fn a_goal_without_a_peer_is_open() {
        let results = results(&[(PASSED, None, &[11.0])]);
        assert_eq!(results.standing(&GOALS[0]).unwrap().is_reached, None);
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
