//! How an answer reads, for whoever asks why.

use std::fmt::{self, Write as _};

use super::decide::{Explanation, Outcome, Reason, Verdict};

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str("no policy holds for a project_admin"),
            Self::Open => f.write_str("there is no policy for this action"),
            Self::Granted { policy } => write!(f, "\"{}\" grants it", Shown(policy)),
            Self::NotGranted => f.write_str("no policy grants it"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherRole => f.write_str("is for other roles"),
            Self::OtherChannel => f.write_str("is for other channels"),
            Self::True => f.write_str("is true"),
            Self::False => f.write_str("is false"),
            Self::Failed { message } => write!(f, "grants nothing: {}", Shown(message)),
        }
    }
}

/// The answer and why, and below it what each policy said.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.verdict, self.reason)?;
        for step in &self.steps {
            write!(f, "\n  \"{}\" {}", Shown(&step.policy), step.outcome)?;
        }
        Ok(())
    }
}

/// A text of whoever wrote a policy: one that could end its line, or be heard by a terminal, is shown by its number.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|it| match it.is_control() {
            true => write!(f, "{}", it.escape_default()),
            false => f.write_char(it),
        })
    }
}
