//! The rest of a fan-out that was too large for one turn (invariant 12). A connection whose share waits here gets everything
//! else behind it, so that nothing overtakes.

use std::collections::VecDeque;
use std::mem::size_of;

use super::by_slot::BySlot;
use crate::frame::{Frame, Piece};
use crate::ids::ConnId;
use crate::shard::effects::Outlet;

/// Bytes that take the kernel about as long as a send without any.
const BYTES_OF_A_SEND: usize = 2 * 1024;

/// What a send of so many bytes takes of a turn's budget.
pub(super) fn cost(bytes: usize) -> usize {
    1 + bytes / BYTES_OF_A_SEND
}

/// What is left for later turns, oldest first.
#[derive(Debug)]
pub(super) struct Slices {
    waiting: VecDeque<Slice>,
    /// How many were sent since the beginning.
    sent: u64,
    /// What they take of memory.
    bytes: usize,
    /// For each connection slot how many slices it waits in.
    owed: BySlot<u32>,
}

#[derive(Debug)]
enum Slice {
    Share { frame: Frame, conns: Vec<ConnId>, sent: usize },
    Gather { conn: ConnId, pieces: Vec<Piece> },
}

impl Slice {
    /// Whether it was sent, once some of it was.
    fn is_done(&self) -> bool {
        match self {
            Self::Share { conns, sent, .. } => *sent == conns.len(),
            Self::Gather { .. } => true,
        }
    }

    fn bytes(&self) -> usize {
        let content = match self {
            Self::Share { frame, conns, .. } => frame.len() + size_of::<ConnId>() * conns.len(),
            Self::Gather { pieces, .. } => pieces.iter().map(Piece::len).sum(),
        };
        size_of::<Self>() + content
    }
}

impl Default for Slices {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), sent: 0, bytes: 0, owed: BySlot::new(0) }
    }
}

impl Slices {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many were sent since the beginning.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// How many will have been sent once all of those that wait are.
    pub(super) fn made(&self) -> u64 {
        self.sent + self.waiting.len() as u64
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the connection has to wait behind something.
    pub(super) fn is_owed(&self, conn: ConnId) -> bool {
        self.owed.get(conn) > 0
    }

    /// Has these connections get the frame later.
    pub(super) fn share(&mut self, frame: &Frame, conns: Vec<ConnId>) {
        if conns.is_empty() {
            return;
        }
        for conn in &conns {
            self.owe(*conn);
        }
        self.push(Slice::Share { frame: frame.clone(), conns, sent: 0 });
    }

    /// Has the connection get its pieces later.
    pub(super) fn gather(&mut self, conn: ConnId, pieces: Vec<Piece>) {
        self.owe(conn);
        self.push(Slice::Gather { conn, pieces });
    }

    /// Sends the first so many of those that wait, as far as the budget goes. Returns what is left of the budget.
    pub(super) fn send(
        &mut self,
        count: usize,
        mut budget: usize,
        outlet: &mut impl Outlet,
    ) -> usize {
        for _ in 0..count {
            let next = if budget > 0 { self.waiting.pop_front() } else { None };
            let Some(mut slice) = next else { break };
            budget = budget.saturating_sub(self.send_slice(&mut slice, budget, outlet));
            if !slice.is_done() {
                self.waiting.push_front(slice);
                break;
            }
            self.bytes -= slice.bytes();
            self.sent += 1;
        }
        budget
    }

    /// Sends as much of a slice as the budget allows, but at least once. Returns what that took of it.
    fn send_slice(&mut self, slice: &mut Slice, budget: usize, outlet: &mut impl Outlet) -> usize {
        match slice {
            Slice::Gather { conn, pieces } => {
                self.repay(*conn);
                outlet.gather(*conn, pieces);
                cost(pieces.iter().map(Piece::len).sum())
            }
            Slice::Share { frame, conns, sent } => {
                let each = cost(frame.len());
                let left = conns.get(*sent..).unwrap_or_default();
                let count = left.len().min(budget.div_ceil(each));
                let now = left.get(..count).unwrap_or_default();
                for conn in now {
                    self.repay(*conn);
                    outlet.share(frame, *conn);
                }
                *sent += count;
                count * each
            }
        }
    }

    fn push(&mut self, slice: Slice) {
        self.bytes += slice.bytes();
        self.waiting.push_back(slice);
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
    use crate::hub::log::{Log, conn, gathered, shared};

    #[test]
    fn a_budget_is_kept_and_nothing_overtakes() {
        let mut slices = Slices::default();
        let frame = Frame::new(b"f".to_vec());
        slices.share(&frame, (0..5).map(conn).collect());
        slices.gather(conn(3), vec![Frame::new(b"g".to_vec()).whole()]);
        let mut log = Log::default();
        assert_eq!(slices.send(9, 3, &mut log), 0);
        assert_eq!(log.take(), (0..3).map(|it| shared(it, "f")).collect::<Vec<_>>());
        assert!(slices.is_owed(conn(4)) && !slices.is_owed(conn(0)));
        assert_eq!(slices.send(9, 10, &mut log), 7);
        assert_eq!(log.take(), [shared(3, "f"), shared(4, "f"), gathered(3, "g")]);
        assert!(slices.len() == 0 && !slices.is_owed(conn(3)));
    }

    #[test]
    fn a_large_frame_takes_more_of_a_budget() {
        let mut slices = Slices::default();
        let frame = Frame::new(vec![b'f'; 4 * BYTES_OF_A_SEND]);
        slices.share(&frame, (0..9).map(conn).collect());
        let mut log = Log::default();
        assert_eq!(slices.send(9, 12, &mut log), 0);
        assert_eq!(log.take().len(), 3);
        assert_eq!(slices.send(9, 100, &mut log), 70);
        assert_eq!(log.take().len(), 6);
    }

    #[test]
    fn what_waits_is_counted_until_it_is_sent() {
        let mut slices = Slices::default();
        let frame = Frame::new(vec![b'f'; 1000]);
        slices.share(&frame, (0..3).map(conn).collect());
        slices.gather(conn(7), vec![frame.whole(), frame.whole()]);
        assert!(slices.bytes() > 3000);
        let mut log = Log::default();
        slices.send(9, 2, &mut log);
        assert!(slices.bytes() > 3000, "some still get it");
        slices.send(9, 1, &mut log);
        assert!((2000..3000).contains(&slices.bytes()));
        slices.send(9, 1, &mut log);
        assert_eq!(slices.bytes(), 0);
    }
}
