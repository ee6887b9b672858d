//! The sockets of a core as its shard's output: what goes to whom, and how a connection ends.

use protocol::ws;

use super::ring::{Driver, How, KernelRing};
use crate::frame::{Frame, Piece};
use crate::ids::ConnId;
use crate::shard::effects::{Ending, Outlet};

pub(super) fn how(ending: Ending) -> How {
    match ending {
        Ending::Flush => How::Graceful(None),
        Ending::Linger => How::Linger(None),
        Ending::Shed(code) => {
            let mut bytes = Vec::new();
            ws::append_close(&mut bytes, code, "too slow");
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
