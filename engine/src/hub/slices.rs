//! The rest of a fan-out that was too large for one turn (invariant 12). A connection whose share waits here gets everything
//! else behind it, so that nothing overtakes.

use std::collections::VecDeque;

use super::by_slot::BySlot;
use crate::frame::{Frame, Piece};
use crate::ids::ConnId;
use crate::shard::effects::Outlet;

/// With more than this waiting, a turn sends everything, however long it takes.
const WAITING_MAX: usize = 64;
/// With so many large fan-outs waiting, what would bring more has to wait.
const FAN_OUTS_MAX: usize = 2;

/// How many a frame is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Size {
    /// So few that they wait for nobody.
    Few,
    /// So many that they may be served in several turns.
    Many,
}

/// What is left for later turns, oldest first.
#[derive(Debug)]
pub(super) struct Slices {
    waiting: VecDeque<Slice>,
    /// How many of them are large fan-outs.
    fan_outs: usize,
    /// For each connection slot how many slices it waits in.
    owed: BySlot<u16>,
}

#[derive(Debug)]
enum Slice {
    Share { frame: Frame, conns: Vec<ConnId>, sent: usize, size: Size },
    Gather { conn: ConnId, pieces: Vec<Piece> },
}

impl Default for Slices {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), fan_outs: 0, owed: BySlot::new(0) }
    }
}

impl Slices {
    /// Whether anything waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether there is room for one more large fan-out.
    pub(super) fn has_room(&self) -> bool {
        self.fan_outs < FAN_OUTS_MAX
    }

    /// Whether the connection has to wait behind something.
    pub(super) fn is_owed(&self, conn: ConnId) -> bool {
        self.owed.get(conn) > 0
    }

    /// Has these connections get the frame later.
    pub(super) fn share(&mut self, frame: &Frame, conns: Vec<ConnId>, size: Size) {
        if conns.is_empty() {
            return;
        }
        for conn in &conns {
            self.owe(*conn);
        }
        self.fan_outs += usize::from(size == Size::Many);
        self.waiting.push_back(Slice::Share { frame: frame.clone(), conns, sent: 0, size });
    }

    /// Has the connection get its pieces later.
    pub(super) fn gather(&mut self, conn: ConnId, pieces: Vec<Piece>) {
        self.owe(conn);
        self.waiting.push_back(Slice::Gather { conn, pieces });
    }

    /// Sends what waits, as far as the budget goes. Returns what is left of the budget.
    pub(super) fn send(&mut self, mut budget: usize, outlet: &mut impl Outlet) -> usize {
        while let Some(slice) = self.waiting.pop_front() {
            let must = self.waiting.len() >= WAITING_MAX;
            if budget == 0 && !must {
                self.waiting.push_front(slice);
                break;
            }
            let most = if must { usize::MAX } else { budget };
            budget = budget.saturating_sub(self.send_slice(slice, most, outlet));
        }
        budget
    }

    /// Sends at most so many of a slice; the rest waits in front. Returns how many.
    fn send_slice(&mut self, slice: Slice, most: usize, outlet: &mut impl Outlet) -> usize {
        let (frame, conns, sent, size) = match slice {
            Slice::Share { frame, conns, sent, size } => (frame, conns, sent, size),
            Slice::Gather { conn, pieces } => {
                self.repay(conn);
                outlet.gather(conn, &pieces);
                return 1;
            }
        };
        let now = conns.get(sent..).unwrap_or_default();
        let now = now.get(..most).unwrap_or(now);
        for conn in now {
            self.repay(*conn);
            outlet.share(&frame, *conn);
        }
        let count = now.len();
        if sent + count < conns.len() {
            self.waiting.push_front(Slice::Share { frame, conns, sent: sent + count, size });
        } else {
            self.fan_outs -= usize::from(size == Size::Many);
        }
        count
    }

    fn owe(&mut self, conn: ConnId) {
        *self.owed.slot(conn) += 1;
    }

    fn repay(&mut self, conn: ConnId) {
        *self.owed.slot(conn) -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Log(Vec<(u32, Vec<u8>)>);

    impl Outlet for Log {
        fn share(&mut self, frame: &Frame, conn: ConnId) {
            self.0.push((conn.slot, frame.bytes().to_vec()));
        }

        fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
            self.0.push((conn.slot, pieces.iter().flat_map(|it| it.bytes().to_vec()).collect()));
        }
    }

    fn conn(slot: u32) -> ConnId {
        ConnId { slot, generation: 0 }
    }

    #[test]
    fn a_budget_is_kept_and_nothing_overtakes() {
        let mut slices = Slices::default();
        let frame = Frame::new(b"f".to_vec());
        slices.share(&frame, (0..5).map(conn).collect(), Size::Many);
        slices.gather(conn(3), vec![Frame::new(b"g".to_vec()).whole()]);
        let mut log = Log::default();
        assert_eq!(slices.send(3, &mut log), 0);
        assert_eq!(log.0.len(), 3);
        assert!(slices.is_owed(conn(4)) && !slices.is_owed(conn(0)));
        assert_eq!(slices.send(10, &mut log), 7);
        let to_three: Vec<_> = log.0.iter().filter(|it| it.0 == 3).map(|it| it.1.clone()).collect();
        assert_eq!(to_three, [b"f".to_vec(), b"g".to_vec()]);
        assert!(slices.is_empty() && !slices.is_owed(conn(3)));
    }

    #[test]
    fn the_last_send_of_a_fan_out_makes_room_for_another() {
        let mut slices = Slices::default();
        let frame = Frame::new(b"f".to_vec());
        for _ in 0..FAN_OUTS_MAX {
            assert!(slices.has_room());
            slices.share(&frame, (0..3).map(conn).collect(), Size::Many);
        }
        slices.gather(conn(7), vec![frame.whole()]);
        let mut log = Log::default();
        slices.send(2, &mut log);
        assert!(!slices.has_room());
        slices.send(1, &mut log);
        assert!(slices.has_room() && !slices.is_empty());
    }

    #[test]
    fn too_many_slices_are_sent_whatever_the_budget() {
        let mut slices = Slices::default();
        let frame = Frame::new(b"f".to_vec());
        for _ in 0..=WAITING_MAX {
            slices.share(&frame, vec![conn(0), conn(1)], Size::Many);
        }
        let mut log = Log::default();
        slices.send(0, &mut log);
        assert_eq!(log.0.len(), 2);
    }
}
