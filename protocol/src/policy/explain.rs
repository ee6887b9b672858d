//! How an answer reads, for whoever asks why.

use std::fmt;

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
            Self::Granted { policy } => write!(f, "\"{policy}\" grants it"),
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
            Self::Failed { message } => write!(f, "grants nothing: {message}"),
        }
    }
}

/// The answer and why, and below it what each policy said.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.verdict, self.reason)?;
        for step in &self.steps {
            write!(f, "\n  \"{}\" {}", step.policy, step.outcome)?;
        }
        Ok(())
    }
}
