//! Dead letters of one endpoint that are tried again, one at a time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use storage::Publication;

use super::Attempt;
use crate::side::webhook::names::Verdict;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Replays(VecDeque<Replay>);

#[derive(Debug)]
struct Replay {
    letter: u64,
    message: Arc<Publication>,
    attempt: Attempt,
    verdict: Option<Verdict>,
}

/// Why a dead letter is not tried again now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReplayRefused {
    /// As many wait as may.
    Full {
        /// How many.
        max: usize,
    },
    /// It waits already.
    Waits,
}

impl fmt::Display for ReplayRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { max } => write!(f, "{max} replays of this endpoint wait already"),
            Self::Waits => f.write_str("this replay waits already"),
        }
    }
}

impl Replays {
    pub(super) fn push(
        &mut self,
        letter: u64,
        message: Arc<Publication>,
        max: usize,
    ) -> Result<(), ReplayRefused> {
        if self.0.iter().any(|it| it.letter == letter) {
            return Err(ReplayRefused::Waits);
        }
        if self.0.len() >= max {
            return Err(ReplayRefused::Full { max });
        }
        self.0.push_back(Replay { letter, message, attempt: Attempt::default(), verdict: None });
        Ok(())
    }

    pub(super) fn startable(&mut self, now_ms: u64) -> Option<(&Arc<Publication>, &mut Attempt)> {
        let first = self.0.front_mut().filter(|it| it.attempt.may_begin(now_ms))?;
        Some((&first.message, &mut first.attempt))
    }

    pub(super) fn calling(&mut self, call: u64) -> Option<(&mut Attempt, &mut Option<Verdict>)> {
        let first = self.0.front_mut().filter(|it| it.attempt.is_call(call))?;
        Some((&mut first.attempt, &mut first.verdict))
    }

    pub(super) fn pop_ended(&mut self) -> Option<(u64, Verdict)> {
        let verdict = self.0.front()?.verdict?;
        self.0.pop_front().map(|it| (it.letter, verdict))
    }

    /// When the first may begin.
    pub(super) fn start_due_ms(&self) -> Option<u64> {
        self.0.front()?.attempt.start_due_ms()
    }
}
