//! How connections without a socket end, and how what waits for them is fetched: what the reactor does for the others.

use protocol::engineio::POSTED;
use protocol::ws::CloseCode;

use super::Shard;
use super::effects::{Effects, Ending, Outlet};
use super::polled::Polls;
use crate::frame::{Frame, Piece};
use crate::ids::ConnId;
use crate::limits::Limits;

/// What a turn hands out: to the reactor, but for connections without a socket.
pub(super) struct Mail<'a, O> {
    pub outlet: &'a mut O,
    pub polls: &'a mut Polls,
    pub limits: &'a Limits,
}

impl<O: Outlet> Outlet for Mail<'_, O> {
    fn share(&mut self, frame: &Frame, conn: ConnId) {
        if conn.is_polled() {
            self.polls.put(conn, &[frame.whole()], self.limits);
        } else {
            self.outlet.share(frame, conn);
        }
    }

    fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
        if conn.is_polled() {
            self.polls.put(conn, pieces, self.limits);
        } else {
            self.outlet.gather(conn, pieces);
        }
    }
}

impl Shard {
    /// Takes what this input ended out of what the reactor closes, where there is nothing for it to close.
    pub(super) fn keep_polled(&mut self, before: usize, closes: &mut Vec<(ConnId, Ending)>) {
        let new = closes.get(before..).unwrap_or_default().iter();
        let polled: Vec<_> = new.copied().filter(|it| it.0.is_polled()).collect();
        if polled.is_empty() {
            return;
        }
        closes.retain(|(conn, _)| !conn.is_polled());
        polled.into_iter().for_each(|(conn, ending)| self.polls.end(conn, ending));
    }

    /// Looks at everyone without a socket who got something in the last turn, or was ended.
    pub(super) fn serve_polls(&mut self, effects: &mut Effects) {
        for conn in self.polls.take_due() {
            self.serve_poll(conn, effects);
        }
        self.move_polled(effects);
    }

    fn serve_poll(&mut self, conn: ConnId, effects: &mut Effects) {
        let Some(pickup) = self.polls.get(conn) else { return };
        match pickup.ending {
            Some(ending) if ending.is_last() && self.turn.is_owed(conn) => self.polls.note(conn),
            Some(ending) if pickup.is_said && !pickup.is_over => {
                self.end_poll(conn, ending, effects);
            }
            Some(_) => {}
            None if pickup.is_overrun() => self.on_overrun(conn, effects),
            None if pickup.has_mail() => {
                if let Some(waiting) = pickup.waiting.take() {
                    self.hand_mail(conn, &waiting, effects);
                }
            }
            None => {}
        }
    }

    /// Ends the session behind a connection. Its last words wait for the next requests, or for a while.
    fn end_poll(&mut self, conn: ConnId, ending: Ending, effects: &mut Effects) {
        let linger_ms = self.limits.body_timeout_ms;
        self.on_closed(conn, effects);
        let Some(pickup) = self.polls.get(conn) else { return };
        let has_words = ending.is_last();
        pickup.is_over = true;
        let (posting, probe) = (pickup.posting.take(), pickup.probe.take());
        let waiting = pickup.waiting.take();
        if let Some(posting) = posting {
            self.answer_poll(&posting, POSTED.as_bytes(), effects);
        }
        if let Some(probe) = probe {
            self.end_socket(probe, CloseCode::Normal, "", effects);
        }
        if let Some(waiting) = waiting {
            self.hand_last(conn, &waiting, ending, effects);
        }
        match self.polls.get(conn) {
            Some(_) if has_words => self.polls.linger(conn, self.now.monotonic_ms + linger_ms),
            Some(_) => _ = self.polls.close(conn),
            None => {}
        }
    }

    /// Whether a request of a connection waits for one without a socket.
    pub(super) fn waits_on(&mut self, polled: ConnId, conn: ConnId) -> bool {
        let Some(pickup) = self.polls.get(polled) else { return false };
        let mut waiting = pickup.waiting.iter().chain(&pickup.posting);
        waiting.any(|it| it.to.conn == conn)
    }

    /// A connection is gone with a request that waited on it: so is the client that polled.
    pub(super) fn abandon_poll(&mut self, polled: ConnId, effects: &mut Effects) {
        let probe = self.polls.get(polled).and_then(|it| it.probe.take());
        self.on_closed(polled, effects);
        self.polls.close(polled);
        if let Some(probe) = probe {
            self.end_socket(probe, CloseCode::Normal, "", effects);
        }
    }

    /// Lets last words go that nobody fetched.
    pub(super) fn forget_polls(&mut self) {
        while let Some(conn) = self.polls.take_forgotten(self.now.monotonic_ms) {
            self.polls.close(conn);
        }
    }
}
