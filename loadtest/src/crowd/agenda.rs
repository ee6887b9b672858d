//! Places to which something is due after the same time each: who was noted first is first.

use std::collections::VecDeque;

/// What is due when.
#[derive(Debug)]
pub(super) struct Agenda {
    after_ns: u64,
    due: VecDeque<(u64, usize)>,
}

impl Agenda {
    /// Nothing yet; each will be due so long after it was noted.
    pub(super) fn after(after_ns: u64) -> Self {
        Self { after_ns, due: VecDeque::new() }
    }

    /// How long after it was noted each is due.
    pub(super) fn after_ns(&self) -> u64 {
        self.after_ns
    }

    /// Notes a place.
    pub(super) fn note(&mut self, at: usize, now_ns: u64) {
        self.due.push_back((now_ns.saturating_add(self.after_ns), at));
    }

    /// Takes a place that is due.
    pub(super) fn take(&mut self, now_ns: u64) -> Option<usize> {
        self.due.pop_front_if(|(due_ns, _)| *due_ns <= now_ns).map(|(_, at)| at)
    }

    /// Forgets a place.
    pub(super) fn forget(&mut self, at: usize) {
        self.due.retain(|(_, place)| *place != at);
    }

    /// Whether a place is noted.
    pub(super) fn has(&self, at: usize) -> bool {
        self.due.iter().any(|(_, place)| *place == at)
    }

    /// When the next is due.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.due.front().map(|(due_ns, _)| *due_ns)
    }

    /// Whether nothing is due any more.
    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_due_in_the_order_in_which_they_were_noted() {
        let mut agenda = Agenda::after(10);
        for (at, now_ns) in [(7, 0), (3, 0), (5, 4)] {
            agenda.note(at, now_ns);
        }
        assert_eq!((agenda.next_ns(), agenda.take(9)), (Some(10), None));
        assert_eq!((agenda.take(10), agenda.has(7), agenda.has(3)), (Some(7), false, true));
        agenda.forget(3);
        assert_eq!((agenda.take(13), agenda.next_ns()), (None, Some(14)));
        assert_eq!((agenda.take(14), agenda.is_empty()), (Some(5), true));
    }
}
