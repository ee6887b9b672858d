//! What the tests of this room see of what goes out.

use crate::frame::{Frame, Piece};
use crate::ids::ConnId;
use crate::shard::effects::Outlet;

/// What somebody was sent: its slot, whether it shared a frame with others, and the text.
pub(super) type Sent = (u32, &'static str, String);

/// All that was sent.
#[derive(Default)]
pub(super) struct Log(Vec<Sent>);

impl Log {
    pub(super) fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.0)
    }
}

impl Outlet for Log {
    fn share(&mut self, frame: &Frame, conn: ConnId) {
        self.0.push((conn.slot, "share", text(frame.bytes())));
    }

    fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
        let all: Vec<u8> = pieces.iter().flat_map(|it| it.bytes().to_vec()).collect();
        self.0.push((conn.slot, "gather", text(&all)));
    }
}

/// A connection.
pub(super) fn conn(slot: u32) -> ConnId {
    ConnId { slot, generation: 0 }
}

/// What one of many got.
pub(super) fn shared(slot: u32, text: &str) -> Sent {
    (slot, "share", text.to_owned())
}

/// What somebody got alone.
pub(super) fn gathered(slot: u32, text: &str) -> Sent {
    (slot, "gather", text.to_owned())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
