//! Memory of a core that has nothing to do. Its allocator returns what is free to the system only when it is asked for more: after a
//! crowd came and went, or came and only listens, that would be never.

/// Whether a core has had nothing to do since the last look, but before.
#[derive(Debug, Default)]
pub(super) struct Leisure {
    /// Since the last look.
    has_worked: bool,
    /// Since it gave back.
    is_owing: bool,
}

impl Leisure {
    /// A turn is over that did something, or did not.
    pub(super) fn note(&mut self, has_worked: bool) {
        self.has_worked |= has_worked;
    }

    /// A look, once in a while. Says whether to give memory back: once for each time of work.
    pub(super) fn is_due(&mut self) -> bool {
        let has_worked = std::mem::take(&mut self.has_worked);
        let is_due = self.is_owing && !has_worked;
        self.is_owing = has_worked;
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_once_after_work_and_not_amid_it() {
        let mut leisure = Leisure::default();
        let looks = [(false, false), (true, false), (true, false), (false, true), (false, false)];
        for (turn, (has_worked, is_due)) in looks.into_iter().chain(looks).enumerate() {
            leisure.note(has_worked);
            leisure.note(false);
            assert_eq!(leisure.is_due(), is_due, "{turn}");
        }
    }
}
