//! Whether a core that did something looks into its ring before it sleeps. Where work comes in a row it finds more, and is spared the
//! sleep; where each message comes alone the look is a call and a turn for nothing, as to sleep submits too, and ends at once if
//! something is there.

/// After a look in vain so many times of work end without one.
const SKIPPED: u8 = 7;

/// What the looks of a core have found.
#[derive(Debug, Default)]
pub(super) struct Looks {
    to_skip: u8,
}

impl Looks {
    /// After work: whether to look.
    pub(super) fn are_worth_it(&mut self) -> bool {
        let is_worth_it = self.to_skip == 0;
        self.to_skip = self.to_skip.saturating_sub(1);
        is_worth_it
    }

    /// What came of a look.
    pub(super) fn note(&mut self, has_found: bool) {
        self.to_skip = if has_found { 0 } else { SKIPPED };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_looks_as_long_as_it_finds_something_and_now_and_then() {
        let mut looks = Looks::default();
        for _ in 0..20 {
            assert!(looks.are_worth_it());
            looks.note(true);
        }
        for _ in 0..20 {
            assert!(looks.are_worth_it());
            looks.note(false);
            assert!((0..SKIPPED).all(|_| !looks.are_worth_it()));
        }
        assert!(looks.are_worth_it());
        looks.note(true);
        assert!(looks.are_worth_it());
    }
}
