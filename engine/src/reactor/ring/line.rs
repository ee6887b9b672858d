//! What waits for the core, in two lines: who comes or goes waits apart, lest a crowd that does so at once hold up everybody else.
//! The events of one slot keep their order: as long as one of them waits, the others follow it into its line.

use std::collections::VecDeque;

use super::conn::Conn;
use super::driver::Driver;
use super::event::Event;
use super::op::Ring;

/// Of so many events in a row one is of somebody who comes or goes, however many others wait.
const ROW: u32 = 8;
/// A connection has come once so much was received of it: a handshake, who it is, and what it listens to.
const RECEPTIONS_TO_COME: u8 = 3;

/// One of the two lines.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Line {
    /// Of connections that are here.
    #[default]
    Here,
    /// Of those that come or go.
    Comings,
}

/// What the lines have of a slot. Belongs to the slot, not to the connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Events that wait.
    waiting: u32,
    /// Where they do.
    line: Line,
}

/// Both lines.
#[derive(Default)]
pub(super) struct Lines {
    here: VecDeque<Event>,
    /// With whether it counts: what follows others of its slot into this line, and would not be in it otherwise, does not.
    comings: VecDeque<(Event, bool)>,
    /// Events of those who come or go that the turn may still take.
    comings_left: usize,
    /// Others that were taken since the last of them.
    row: u32,
}

impl Lines {
    /// Lets the next turn take so many events of connections that come or go.
    pub(super) fn begin_turn(&mut self, comings_max: usize) {
        self.comings_left = comings_max;
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.here.is_empty() && self.comings.is_empty()
    }

    /// Has an event wait in a line. It counts if that is where it belongs.
    fn push(&mut self, line: Line, event: Event, belongs: Line) {
        match line {
            Line::Here => self.here.push_back(event),
            Line::Comings => self.comings.push_back((event, belongs == Line::Comings)),
        }
    }

    /// The next event, and whether it counted.
    fn pop(&mut self) -> Option<(Event, bool)> {
        let is_due = self.row >= ROW - 1 || self.here.is_empty();
        let next =
            self.comings.pop_front_if(|(_, counts)| is_due && (self.comings_left > 0 || !*counts));
        if let Some((event, counts)) = next {
            (self.comings_left, self.row) = (self.comings_left - usize::from(counts), 0);
            return Some((event, counts));
        }
        self.row = self.row.saturating_add(1);
        Some((self.here.pop_front()?, false))
    }
}

impl Conn {
    /// Whether it is here, rather than about to come.
    pub(super) fn has_come(&self) -> bool {
        self.receptions > RECEPTIONS_TO_COME
    }

    /// Which line an event waits in if nothing else of its slot does.
    fn line_of(&self, event: &Event) -> Line {
        match event {
            Event::Received(_) if self.has_come() => Line::Here,
            Event::Stayed(_) | Event::Doorbell => Line::Here,
            Event::Received(_)
            | Event::Opened(_)
            | Event::Arrived(..)
            | Event::Overrun(_)
            | Event::PeerClosed(_)
            | Event::Closed(..)
            | Event::Passed(_) => Line::Comings,
        }
    }
}

impl<R: Ring> Driver<R> {
    /// Has the core hear of something.
    pub(super) fn tell(&mut self, event: Event) {
        let conn = event.conn().and_then(|it| self.conns.get_mut(it.index()));
        let Some(conn) = conn else { return self.lines.push(Line::Here, event, Line::Here) };
        let belongs = conn.line_of(&event);
        if conn.place.waiting == 0 {
            conn.place.line = belongs;
        }
        conn.place.waiting += 1;
        self.lines.push(conn.place.line, event, belongs);
    }

    /// The next event that is due, and whether it counted as one of a connection that comes or goes.
    pub(super) fn take_told(&mut self) -> Option<(Event, bool)> {
        let (event, counted) = self.lines.pop()?;
        let conn = event.conn().and_then(|it| self.conns.get_mut(it.index()));
        if let Some(conn) = conn {
            conn.place.waiting -= 1;
        }
        Some((event, counted))
    }

    /// An event that nobody wants to hear of any more takes nothing of the turn.
    pub(super) fn skip_told(&mut self, counted: bool) {
        self.lines.comings_left += usize::from(counted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ConnId;

    fn of(event: &Event) -> u32 {
        event.conn().unwrap().slot
    }

    fn stayed(slot: u32) -> Event {
        Event::Stayed(ConnId { slot, generation: 0 })
    }

    fn opened(slot: u32) -> Event {
        Event::Opened(ConnId { slot, generation: 0 })
    }

    #[test]
    fn a_crowd_that_comes_takes_one_place_in_a_row_and_no_more_than_its_share_of_a_turn() {
        let mut lines = Lines::default();
        lines.begin_turn(3);
        (100..110).for_each(|slot| lines.push(Line::Comings, opened(slot), Line::Comings));
        (0..10).for_each(|slot| lines.push(Line::Here, stayed(slot), Line::Here));
        let taken: Vec<u32> =
            std::iter::from_fn(|| lines.pop()).map(|(event, _)| of(&event)).collect();
        assert_eq!(taken, [0, 1, 2, 3, 4, 5, 6, 100, 7, 8, 9, 101, 102]);
        assert!(!lines.is_empty());
        lines.begin_turn(100);
        assert_eq!(std::iter::from_fn(|| lines.pop()).count(), 7);
        assert!(lines.is_empty());
    }

    #[test]
    fn what_only_follows_into_the_line_of_a_crowd_does_not_count() {
        let mut lines = Lines::default();
        lines.begin_turn(1);
        lines.push(Line::Comings, opened(1), Line::Comings);
        (0..5).for_each(|_| lines.push(Line::Comings, stayed(1), Line::Here));
        lines.push(Line::Comings, opened(2), Line::Comings);
        assert_eq!(std::iter::from_fn(|| lines.pop()).count(), 6);
        assert!(!lines.is_empty());
    }
}
