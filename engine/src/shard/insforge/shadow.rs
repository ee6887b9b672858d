//! What the log says of policies that are tried: what they would deny, so many lines a second.

use protocol::policy::{Explanation, Question};

/// Lines of one second. What they leave out is counted, and said with the next line.
const LINES_PER_S_MAX: u32 = 20;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::shard) struct Shadow {
    second: u64,
    lines: u32,
    left_out: u64,
}

impl Shadow {
    /// Whether there is room for a line, and then how many were left out since the last.
    fn admit(&mut self, now_s: u64) -> Option<u64> {
        if self.second != now_s {
            (self.second, self.lines) = (now_s, 0);
        }
        if self.lines >= LINES_PER_S_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    /// Says what would have been denied, and why.
    pub(super) fn tell(
        &mut self,
        now_s: u64,
        (tenant, who): (&str, &str),
        question: &Question<'_>,
        explain: impl FnOnce() -> Explanation,
    ) {
        let Some(left_out) = self.admit(now_s) else { return };
        let (action, channel) = (question.action.name(), question.channel);
        // The log has a line for it, and it has one for each policy.
        let why = explain().to_string().replace("\n  ", "; ");
        tracing::info!(
            tenant, who, action, channel, event = question.event, left_out, %why,
            "policies would deny this"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_what_it_left_out_is_said_later() {
        let mut shadow = Shadow::default();
        for _ in 0..LINES_PER_S_MAX {
            assert_eq!(shadow.admit(1), Some(0));
        }
        assert_eq!((shadow.admit(1), shadow.admit(1)), (None, None));
        assert_eq!((shadow.admit(2), shadow.admit(2)), (Some(2), Some(0)));
    }
}
