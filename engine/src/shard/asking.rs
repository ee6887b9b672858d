//! Frames that wait for what a tenant's seat says. Those behind them stay unread until then, so that none overtakes.

use protocol::Rejection;

use super::Shard;
use super::steps::For;
use crate::ids::{CallId, ConnId, TenantId};
use crate::session::SocketSession;

impl Shard {
    /// Starts the call of a frame; what the frame asks of the seat follows with [`Shard::ask_seat`].
    ///
    /// # Errors
    /// When the shard has as many calls as it may.
    pub(super) fn begin_frame(
        &mut self,
        conn: ConnId,
        tenant: TenantId,
    ) -> Result<CallId, Rejection> {
        let call = self.begin_for(For::Nobody, tenant)?;
        if let Some(asks) = self.socket(conn).and_then(SocketSession::asks) {
            asks.waits = true;
        }
        Ok(call)
    }

    /// Ends the call of a frame: those behind it are read. Returns whether its client is still there.
    pub(super) fn end_frame(&mut self, call: CallId, conn: ConnId) -> bool {
        self.hand_over(call);
        let Some(asks) = self.socket(conn).and_then(SocketSession::asks) else { return false };
        asks.waits = false;
        self.resumable.push(conn);
        true
    }
}
