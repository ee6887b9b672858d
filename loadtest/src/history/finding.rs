//! What a check finds.

use std::fmt;

/// Findings that a verdict lists; of more it has the count.
pub const FINDINGS_MAX: usize = 100;

/// A promise that a history may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Something accepted is not there.
    Lost,
    /// Something is there more than once.
    Duplicate,
    /// Something stands before what it has to follow.
    Order,
    /// Something was left out, and nobody was told.
    Gap,
    /// Something was shown that is not there.
    Phantom,
    /// Something of an earlier epoch was shown in a later one.
    StaleEpoch,
    /// A payload is not what was published.
    Damaged,
    /// Who is said to be there is not who is there.
    Presence,
    /// A revoked token had an effect.
    Revoked,
    /// Something of another tenant was shown.
    Canary,
    /// The log itself makes no sense.
    Log,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which promise.
    pub rule: Rule,
    /// The line of the log that shows it, from 1; the last one for what shows only in the end.
    pub line: u64,
    /// What, in words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}, line {}: {}", self.rule, self.line, self.what)
    }
}

/// What is to be said of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong, in the order of the lines: at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub wrong: u64,
    /// Lines of the log.
    pub lines: u64,
    /// Publishes that were acknowledged, refused, and of which nobody knows.
    pub accepted: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Those of which nobody knows.
    pub unknown: u64,
    /// Messages that came to subscribers.
    pub delivered: u64,
    /// Subscriptions that stood.
    pub subscriptions: u64,
    /// Those that went on behind a place.
    pub resumed: u64,
    /// Those that were told that they could not.
    pub gapped: u64,
    /// Messages in the history at the end.
    pub kept: u64,
    /// Tokens that were revoked.
    pub revoked: u64,
    /// Comings and goings that were told.
    pub moves: u64,
    /// Lives of the node.
    pub lives: u64,
}

impl Verdict {
    /// Whether every promise was kept.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.wrong == 0
    }

    /// Notes something wrong.
    pub(super) fn find(&mut self, rule: Rule, line: u64, what: String) {
        self.wrong += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { rule, line, what });
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(out, "{finding}")?;
        }
        write!(out, "{} lines, {} findings", self.lines, self.wrong)
    }
}
