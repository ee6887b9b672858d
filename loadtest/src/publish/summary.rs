//! What became of the lines.

use std::fmt::{self, Write as _};

/// Lines that a reason is shown with.
const LINES_SHOWN: usize = 5;
/// Reasons that are told apart.
const REASONS_MAX: usize = 20;

/// Who can mend a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blame {
    /// Who wrote the line.
    Data,
    /// Time: the server had no room, again and again.
    Load,
    /// Whoever runs the server.
    Server,
    /// Who gave the key.
    Key,
}

/// Lines that were refused for one reason.
#[derive(Debug)]
struct Refusals {
    blame: Blame,
    reason: String,
    count: u64,
    first: Vec<u64>,
}

/// What became of the lines.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Lines taken that are not blank.
    pub(crate) lines: u64,
    /// Acknowledged.
    pub(crate) published: u64,
    /// Requests sent again because the server had no room.
    pub(crate) retries: u64,
    /// Lines that were taken and never sent.
    pub(crate) unsent: u64,
    /// How long it took.
    pub(crate) elapsed_ns: u64,
    refusals: Vec<Refusals>,
    unknown: Vec<u64>,
    unknown_count: u64,
}

impl Summary {
    /// Counts a refused line.
    pub(crate) fn refuse(&mut self, blame: Blame, reason: String, number: u64) {
        let known = self.refusals.iter().position(|it| it.blame == blame && it.reason == reason);
        let place = match known {
            Some(place) => place,
            None if self.refusals.len() < REASONS_MAX => {
                self.refusals.push(Refusals { blame, reason, count: 0, first: Vec::new() });
                self.refusals.len() - 1
            }
            None => self.other_reasons(blame),
        };
        let Some(refusals) = self.refusals.get_mut(place) else { return };
        refusals.count += 1;
        if refusals.first.len() < LINES_SHOWN {
            refusals.first.push(number);
        }
    }

    /// The place of all that cannot be told apart any more.
    fn other_reasons(&mut self, blame: Blame) -> usize {
        if let Some(last) = self.refusals.last_mut() {
            last.reason = "other reasons".to_owned();
            last.blame = last.blame.max(blame);
        }
        self.refusals.len() - 1
    }

    /// Counts a line whose answer never came: it may be published or not.
    pub(crate) fn lose(&mut self, number: u64) {
        self.unknown_count += 1;
        if self.unknown.len() < LINES_SHOWN {
            self.unknown.push(number);
        }
    }

    /// Whether a line was refused or lost.
    pub(crate) fn is_flawed(&self) -> bool {
        !self.refusals.is_empty() || self.unknown_count > 0
    }

    /// Whether an answer never came.
    pub(crate) fn has_lost(&self) -> bool {
        self.unknown_count > 0
    }

    /// Who is to blame most.
    pub(crate) fn blame(&self) -> Option<Blame> {
        self.refusals.iter().map(|it| it.blame).max()
    }

    /// The state so far, for the progress bar.
    pub(crate) fn line(&self, now_ns: u64) -> String {
        let mut text = format!("{} published, {}/s", self.published, self.rate(now_ns));
        let refused: u64 = self.refusals.iter().map(|it| it.count).sum();
        if refused > 0 {
            let _ = write!(text, ", {refused} refused"); // a String takes everything
        }
        text
    }

    fn rate(&self, elapsed_ns: u64) -> u64 {
        let per_second = u128::from(self.published) * 1_000_000_000 / u128::from(elapsed_ns.max(1));
        u64::try_from(per_second).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elapsed_ms = self.elapsed_ns / 1_000_000;
        writeln!(out, "lines      {}", self.lines)?;
        writeln!(
            out,
            "published  {} in {}.{:03} s, {}/s",
            self.published,
            elapsed_ms / 1000,
            elapsed_ms % 1000,
            self.rate(self.elapsed_ns)
        )?;
        for refusals in &self.refusals {
            let Refusals { count, reason, first, .. } = refusals;
            writeln!(out, "refused    {count}: {reason} ({})", places(first, *count))?;
        }
        if self.unknown_count > 0 {
            let places = places(&self.unknown, self.unknown_count);
            writeln!(out, "unknown    {}: the answer was lost ({places})", self.unknown_count)?;
        }
        for (name, count) in [("unsent     ", self.unsent), ("retries    ", self.retries)] {
            if count > 0 {
                writeln!(out, "{name}{count}")?;
            }
        }
        Ok(())
    }
}

fn places(first: &[u64], count: u64) -> String {
    let numbers: Vec<String> = first.iter().map(u64::to_string).collect();
    let more = if count > first.len() as u64 { ", …" } else { "" };
    let word = if count == 1 { "line" } else { "lines" };
    format!("{word} {}{more}", numbers.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_reasons_and_the_first_lines() {
        let mut summary = Summary {
            lines: 20,
            published: 8,
            unsent: 2,
            elapsed_ns: 2_005_000_000,
            ..Summary::default()
        };
        for number in 1..=7 {
            summary.refuse(Blame::Data, "Invalid JSON".into(), number);
        }
        summary.refuse(Blame::Load, "429 too often".into(), 9);
        summary.lose(11);
        let expected = "lines      20\npublished  8 in 2.005 s, 3/s\n\
             refused    7: Invalid JSON (lines 1, 2, 3, 4, 5, …)\n\
             refused    1: 429 too often (line 9)\n\
             unknown    1: the answer was lost (line 11)\nunsent     2\n";
        assert_eq!(summary.to_string(), expected);
        assert_eq!(summary.blame(), Some(Blame::Load));
        assert_eq!(summary.line(4_000_000_000), "8 published, 2/s, 8 refused");
    }

    #[test]
    fn reasons_have_a_bound() {
        let mut summary = Summary::default();
        for number in 0..100 {
            let blame = if number == 50 { Blame::Key } else { Blame::Data };
            summary.refuse(blame, format!("reason {number}"), number);
        }
        assert_eq!(summary.refusals.len(), REASONS_MAX);
        assert_eq!(summary.refusals.iter().map(|it| it.count).sum::<u64>(), 100);
        assert_eq!(summary.blame(), Some(Blame::Key));
    }
}
