//! Connections that get the next part of something once they have taken most of what waits for them.

use std::collections::VecDeque;

use hashbrown::HashSet;

use crate::ids::ConnId;

/// Those of a core, each once, in the order in which they were named. They are at most as many as its connections.
#[derive(Debug, Default)]
pub(super) struct Thirst {
    waiting: Vec<ConnId>,
    /// They had room when the turn began.
    ready: VecDeque<ConnId>,
    known: HashSet<ConnId>,
}

impl Thirst {
    /// These got a part in the turn that was handed out.
    pub(super) fn note(&mut self, conns: &mut Vec<ConnId>) {
        let known = &mut self.known;
        self.waiting.extend(conns.drain(..).filter(|it| known.insert(*it)));
    }

    /// Begins a turn: finds those that have room. One that is gone has, and nobody misses it.
    pub(super) fn begin_turn(&mut self, has_room: impl Fn(ConnId) -> bool) {
        let ready = self.waiting.extract_if(.., |it| has_room(*it));
        self.ready.extend(ready);
    }

    /// The first that had room and still has: one may have waited here for several turns.
    pub(super) fn next(&mut self, has_room: impl Fn(ConnId) -> bool) -> Option<ConnId> {
        while let Some(conn) = self.ready.pop_front() {
            if has_room(conn) {
                self.known.remove(&conn);
                return Some(conn);
            }
            self.waiting.push(conn);
        }
        None
    }

    /// Whether none has. Room comes with a completion, which wakes the core.
    pub(super) fn is_quiet(&self, has_room: impl Fn(ConnId) -> bool) -> bool {
        !self.ready.iter().chain(&self.waiting).any(|it| has_room(*it))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn conn(slot: u32) -> ConnId {
        ConnId { slot, generation: 0 }
    }

    #[test]
    fn a_connection_is_served_once_however_often_it_is_named() {
        let mut thirst = Thirst::default();
        thirst.note(&mut vec![conn(1), conn(2), conn(1)]);
        thirst.note(&mut vec![conn(2)]);
        thirst.begin_turn(|_| true);
        let served: Vec<_> = std::iter::from_fn(|| thirst.next(|_| true)).collect();
        assert_eq!(served, [conn(1), conn(2)]);
        assert!(thirst.is_quiet(|_| true));
        thirst.note(&mut vec![conn(1)]);
        assert!(!thirst.is_quiet(|_| true));
    }

    #[test]
    fn a_turn_looks_at_each_connection_once_and_at_whom_it_serves_again() {
        let looks = Cell::new(0);
        let has_room = |it: ConnId| {
            looks.set(looks.get() + 1);
            it.slot >= 998
        };
        let mut thirst = Thirst::default();
        thirst.note(&mut (0..1_000).map(conn).collect());
        thirst.begin_turn(has_room);
        let served: Vec<_> = std::iter::from_fn(|| thirst.next(has_room)).collect();
        assert_eq!(served, [conn(998), conn(999)]);
        assert_eq!(looks.get(), 1_002);
    }

    #[test]
    fn who_lost_its_room_before_its_turn_came_waits_again() {
        let mut thirst = Thirst::default();
        thirst.note(&mut vec![conn(1), conn(2)]);
        thirst.begin_turn(|_| true);
        assert_eq!(thirst.next(|it| it == conn(2)), Some(conn(2)));
        assert_eq!(thirst.next(|_| true), None);
        thirst.begin_turn(|_| true);
        assert_eq!(thirst.next(|_| true), Some(conn(1)));
    }
}
