//! Sending. An idle connection is sent to at once, within the submission, without a completion and without a count on
//! the frame; what does not fit moves to its outbox, which one armed send at a time drains.
//!
//! At most one send of a connection is under way: two could interleave when the first falls short and the second
//! fits. So a second one in the same turn goes to the outbox as well.

use crate::frame::{Frame, Piece};
use crate::ids::ConnId;
use crate::outbox::{OutboxBound, Push, Rest};

use super::conn::{Conn, IDLE, Phase, QUEUED, Slow};
use super::driver::Driver;
use super::message::{Kept, Message, PIECES_MAX};
use super::op::{Data, Mode, Ring, SendOp};
use super::tag::{Kind, PLACES_MAX, Tag};

const SPARE_MESSAGES_MAX: usize = 256;

impl<R: Ring> Driver<R> {
    /// Sends a frame to a connection. Call it for one frame and all its connections in a row: the frame is kept
    /// alive once for the whole turn. For a connection that is closed or gone it does nothing.
    pub fn share(&mut self, frame: &Frame, conn: ConnId) {
        if frame.is_empty() || !self.is_current(conn) {
            return;
        }
        let len = u32::try_from(frame.len());
        let (Ok(len), true) = (len, self.claim(conn.slot)) else {
            return self.enqueue(conn, frame.whole());
        };
        let is_kept = matches!(self.turn.last(), Some(Kept::Frame(last)) if last.is_same(frame));
        if !is_kept {
            self.turn.push(Kept::Frame(frame.clone()));
        }
        let data = Data::Bytes { at: frame.bytes().as_ptr(), len };
        self.counters.bytes_sent += u64::from(len);
        self.send_inline(conn.slot, data);
    }

    /// Sends several pieces to one connection, in order, with one operation. For a connection that is closed or
    /// gone it does nothing.
    pub fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
        if pieces.is_empty() || !self.is_current(conn) {
            return;
        }
        let (now, later) = pieces.split_at(pieces.len().min(PIECES_MAX));
        if self.claim(conn.slot) {
            let mut message = self.messages.pop().unwrap_or_else(Message::new);
            message.fill(now.iter());
            let data = message.data();
            self.counters.bytes_sent += message.bytes() as u64;
            self.turn.push(Kept::Message(message));
            self.send_inline(conn.slot, data);
        } else {
            now.iter().for_each(|piece| self.enqueue(conn, piece.clone()));
        }
        later.iter().for_each(|piece| self.enqueue(conn, piece.clone()));
    }

    /// Bytes that a connection has waiting; none when it is gone.
    #[must_use]
    pub fn waiting_bytes(&self, conn: ConnId) -> usize {
        let found = self.conns.get(conn.index()).filter(|_| self.is_current(conn));
        found.and_then(|it| it.slow.as_ref()).map_or(0, |it| it.outbox.bytes())
    }

    /// What a connection was over when it was found too slow.
    #[must_use]
    pub fn overrun_bound(&self, conn: ConnId) -> Option<OutboxBound> {
        let found = self.conns.get(conn.index()).filter(|_| self.is_current(conn));
        found.and_then(|it| it.slow.as_ref()).and_then(|it| it.over)
    }

    fn is_current(&self, conn: ConnId) -> bool {
        self.generations.get(conn.index()) == Some(&conn.generation)
    }

    /// Whether the connection may be sent to at once. If so, it is not a second time in this turn.
    fn claim(&mut self, slot: u32) -> bool {
        let has_place = self.turn.len() < PLACES_MAX;
        match self.marks.get_mut(slot as usize) {
            Some(mark) if *mark != QUEUED && *mark != self.mark && has_place => {
                *mark = self.mark;
                true
            }
            _ => false,
        }
    }

    /// Sends from what was kept last in this turn.
    fn send_inline(&mut self, slot: u32, data: Data) {
        self.counters.sends += 1;
        let tag = self.tag(Kind::Inline, slot).placed(self.turn.len() - 1);
        self.push_send(SendOp { slot, data, mode: Mode::Inline }, tag);
        // Only now: making room for it may have submitted everything before it.
        self.is_turn_queued = true;
    }

    #[expect(unsafe_code, reason = "hands memory to the kernel")]
    fn push_send(&mut self, send: SendOp, tag: Tag) {
        loop {
            // SAFETY: inline sends read from `self.turn`, which is cleared only once the queue was submitted as a
            // whole and all completions were taken; armed ones read from the connection's flight, which is dropped
            // only with its completion. Both hold the frames, and frames never change. The ring is dropped first.
            if unsafe { self.ring.push_send(send, tag.0) }.is_ok() {
                return;
            }
            self.make_room();
        }
    }

    /// An inline send did not take everything: what is left waits in front of all that came later.
    pub(super) fn fell_short(&mut self, tag: Tag, result: i32) {
        let Some(conn) = self.known(tag) else { return };
        let Some(kept) = self.turn.get(tag.place()) else {
            self.counters.strays += 1;
            return;
        };
        self.counters.sends_short += 1;
        let sent = match (usize::try_from(result), -result) {
            (Ok(sent), _) => sent,
            (Err(_), libc::EAGAIN | libc::EINTR | libc::ENOBUFS | libc::ENOMEM) => 0,
            (Err(_), errno) => return self.fail(conn.slot, errno),
        };
        let rests = kept.rests(sent);
        self.counters.bytes_sent -= kept.bytes().saturating_sub(sent) as u64;
        self.put_back(conn, rests);
    }

    fn put_back(&mut self, conn: ConnId, rests: Vec<Rest>) {
        let (now_ms, bytes_max) = (self.now_ms, self.settings.outbox.bytes_max);
        let mut left = 0;
        let Some(slow) = self.slow(conn.slot) else { return };
        let was_sealed = slow.outbox.is_sealed();
        let mut push = Push::Queued;
        for rest in rests.into_iter().rev() {
            left += rest.piece.len() as u64;
            push = slow.outbox.push_front(rest, now_ms, bytes_max);
        }
        // Who was given up in the same turn gets no more than what was begun.
        let dropped = if was_sealed { slow.outbox.drop_unbegun() } else { 0 };
        self.counters.backlog_bytes = self.counters.backlog_bytes + left - dropped as u64;
        self.settle_later(conn.slot);
        if push == Push::Full && !was_sealed {
            self.give_up(conn, OutboxBound::Bytes);
        }
    }

    fn enqueue(&mut self, conn: ConnId, piece: Piece) {
        let is_open = self.conn(conn).is_some_and(|found| found.phase == Phase::Open);
        if !is_open || piece.is_empty() {
            return;
        }
        let (now_ms, bytes_max) = (self.now_ms, self.settings.outbox.bytes_max);
        let len = piece.len() as u64;
        let Some(slow) = self.slow(conn.slot).filter(|it| !it.outbox.is_sealed()) else { return };
        if slow.outbox.bytes() + piece.len() > bytes_max {
            return self.give_up(conn, OutboxBound::Bytes);
        }
        let has_room = self.make_room_for(len);
        let Some(slow) = self.slow(conn.slot).filter(|it| !it.outbox.is_sealed()) else { return };
        if !has_room {
            return self.give_up(conn, OutboxBound::TotalBytes);
        }
        match slow.outbox.push(piece, now_ms, bytes_max) {
            Push::Queued => {
                self.counters.backlog_bytes += len;
                self.settle_later(conn.slot);
            }
            Push::Full => self.give_up(conn, OutboxBound::Bytes),
        }
    }

    /// The rare state of a connection, made when it is needed; from then on its bytes go through the outbox.
    pub(super) fn slow(&mut self, slot: u32) -> Option<&mut Slow> {
        self.set_mark(slot, QUEUED);
        let conn = self.conns.get_mut(slot as usize)?;
        if !conn.is_listed {
            conn.is_listed = true;
            self.slow.push(slot);
        }
        Some(conn.slow.get_or_insert_with(Box::default))
    }

    /// Arms one send of what waits longest. Nothing to send and nothing in flight makes the connection idle again.
    pub(super) fn drain(&mut self, slot: u32) {
        let Some(conn) = self.conns.get_mut(slot as usize) else { return };
        let is_open = conn.phase == Phase::Open;
        let Some(slow) = conn.slow.as_mut().filter(|slow| slow.flight.is_none()) else { return };
        if is_open && slow.outbox.is_sealed() {
            // What was begun ends with the last words, when the core closes it.
            return;
        }
        if slow.outbox.is_empty() {
            if is_open {
                conn.slow = None;
                self.set_mark(slot, IDLE);
            }
            return;
        }
        let mut message = self.messages.pop().unwrap_or_else(Message::new);
        message.fill(slow.outbox.pieces());
        let data = message.data();
        slow.flight = Some(message);
        self.counters.sends += 1;
        let tag = self.tag(Kind::Armed, slot);
        self.push_send(SendOp { slot, data, mode: Mode::Armed }, tag);
    }

    /// The armed send of a connection is done, wholly or in part.
    pub(super) fn sent(&mut self, tag: Tag, result: i32) {
        let Some(conn) = self.known(tag) else { return };
        let Some(found) = self.conns.get_mut(conn.index()) else { return };
        let Some(flight) = land(found) else {
            self.counters.strays += 1;
            return;
        };
        self.shelve(flight);
        match (usize::try_from(result), -result) {
            (Ok(sent), _) => self.advance(conn.slot, sent),
            (Err(_), libc::EAGAIN | libc::EINTR | libc::ECANCELED) => {}
            (Err(_), libc::ENOBUFS | libc::ENOMEM) => {}
            (Err(_), errno) => return self.fail(conn.slot, errno),
        }
        self.cut_short(conn.slot);
        self.settle_later(conn.slot);
    }

    fn advance(&mut self, slot: u32, sent: usize) {
        let slow = self.conns.get_mut(slot as usize).and_then(|conn| conn.slow.as_mut());
        let Some(slow) = slow else { return };
        slow.outbox.advance(sent);
        self.counters.shed_bytes -= if slow.is_cut { sent as u64 } else { 0 };
        self.counters.bytes_sent += sent as u64;
        self.counters.backlog_bytes -= sent as u64;
    }

    /// Keeps the box of a send that is done for the next one.
    pub(super) fn shelve(&mut self, mut message: Box<Message>) {
        message.clear();
        if self.messages.len() < SPARE_MESSAGES_MAX {
            self.messages.push(message);
        }
    }
}

fn land(conn: &mut Conn) -> Option<Box<Message>> {
    let slow = conn.slow.as_mut()?;
    slow.is_cancelling = false;
    slow.flight.take()
}
