//! Shows a run: on the way as a progress bar, at its end as a screen, JSON and a page.

pub(crate) mod baseline;
mod chart;
mod drift;
pub(crate) mod figures;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod knee;
mod plot;
pub(crate) mod progress;
pub(crate) mod scene;
pub(crate) mod screen;
pub(crate) mod verdict;

use crate::record::check::Tally;
use crate::scenario::{Measured, Plan};
use drift::Drift;
use figures::Figures;
use serde_json::Value;
use verdict::Verdict;

/// Memory of fewer connections is not told from that of the first requests.
const CONNECTIONS_WEIGHED_MIN: usize = 100;

/// Where a measurement was made.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    /// The kernel's release.
    pub(crate) kernel: String,
    /// The processor.
    pub(crate) processor: String,
    /// Its cores.
    pub(crate) cores: usize,
    /// The command line.
    pub(crate) command: String,
    /// What the server says of its version and commit.
    pub(crate) server: Value,
}

/// A finished measurement.
#[derive(Debug)]
pub(crate) struct Report {
    /// What was to be measured.
    pub(crate) plan: Plan,
    /// What was measured.
    pub(crate) measured: Measured,
    /// Figures of the window.
    pub(crate) figures: Figures,
    /// What was wrong.
    pub(crate) tally: Tally,
    /// Whether the result stands.
    pub(crate) verdict: Verdict,
    /// Where it was made.
    pub(crate) environment: Environment,
}

impl Report {
    /// Draws the conclusions.
    pub(crate) fn new(
        plan: Plan,
        measured: Measured,
        server_cores: Option<usize>,
        environment: Environment,
    ) -> Self {
        let outcome = &measured.outcome;
        let figures = Figures::new(outcome, server_cores);
        let tally = outcome.tally;
        let verdict = Verdict::of(&plan.load, &figures, &tally, &outcome.books);
        Self { figures, tally, verdict, plan, measured, environment }
    }

    /// How the end differs from the beginning, where that is the question.
    pub(crate) fn drift(&self) -> Option<Drift> {
        let outcome = &self.measured.outcome;
        let is_asked = self.plan.name == "soak";
        is_asked.then(|| Drift::of(&outcome.books.slices.all(), &outcome.resident))?
    }

    /// Server memory for each connection, resident and proportional; `None` also for so few
    /// connections that one page more or less would decide.
    pub(crate) fn bytes_per_connection(&self) -> Option<(f64, f64)> {
        let grown = self.measured.memory?;
        if self.plan.load.connections() < CONNECTIONS_WEIGHED_MIN {
            return None;
        }
        let connections = figures::real(self.plan.load.connections() as u64);
        let each =
            |after: u64, before: u64| (figures::real(after) - figures::real(before)) / connections;
        Some((each(grown.after.rss, grown.before.rss), each(grown.after.pss, grown.before.pss)))
    }
}
