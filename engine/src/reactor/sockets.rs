//! The sockets of a core as its shard's output: what goes to whom, and how a connection ends.

use protocol::ws;

use super::ring::{Driver, How, KernelRing};
use crate::frame::{Frame, Piece};
use crate::ids::ConnId;
use crate::outbox::OutboxBound;
use crate::shard::effects::{Ending, Outlet};

/// How a connection is closed that ends so. `over` is what it was over, if it was too slow.
pub(super) fn how(ending: Ending, over: Option<OutboxBound>) -> How {
    match ending {
        Ending::Flush => How::Graceful(None),
        Ending::Linger => How::Linger(None),
        Ending::Shed(code) => {
            let mut bytes = Vec::new();
            let reason = over.map_or_else(String::new, |it| format!("too slow: {}", it.name()));
            ws::append_close(&mut bytes, code, &reason);
            How::Graceful(Some(Frame::new(bytes)))
        }
        Ending::Now => How::Now,
    }
}

pub(super) struct Sockets<'a>(pub(super) &'a mut Driver<KernelRing>);

impl Outlet for Sockets<'_> {
    fn share(&mut self, frame: &Frame, conn: ConnId) {
        self.0.share(frame, conn);
    }

    fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
        self.0.gather(conn, pieces);
    }
}
