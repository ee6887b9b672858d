//! Connections that the core passes to another core, which is itself here.

use engine::ids::ConnId;
use engine::reactor::ring::{How, RingFd};

use crate::life::Life;
use crate::model::{Closing, Model};

impl Life {
    /// What was passed goes on in another slot.
    pub(crate) fn go_on(&mut self, conn: ConnId, model: Model) {
        let was_closed = model.closing != Closing::Not;
        let model =
            Model { passed_as: None, peer_has_ended: false, closing: Closing::Not, ..model };
        assert!(self.open.insert(conn, model).is_none(), "opened twice");
        if was_closed {
            // It was on its way already when it was closed: whoever has it now closes it.
            self.close_now(conn);
        }
    }

    pub(crate) fn pass(&mut self, conn: ConnId) {
        let number = self.next_number;
        let model = self.open.get_mut(&conn).unwrap();
        // A core passes nothing that it has closed, that is over a limit, or whose peer is done.
        if model.closing == Closing::Not && !model.has_overrun && model.passed_as.is_none() {
            self.next_number += 1;
            model.passed_as = Some(number);
            self.driver.pass(conn, RingFd(0), number);
        }
    }

    pub(crate) fn close_now(&mut self, conn: ConnId) {
        let model = self.open.get_mut(&conn).unwrap();
        if model.closing == Closing::Not {
            model.closing = Closing::Now;
        }
        self.driver.close(conn, How::Now);
    }
}
