//! Clients of the documents' wire are seen in a channel only where they say so, with what they say of themselves.

use std::sync::Arc;

use protocol::dialect::insforge::plain::{self, PlainError};

use super::super::Shard;
use super::super::effects::Effects;
use super::super::subscribe::{Frame, Wanted};
use crate::broker::Member;
use crate::ids::{ChannelKey, ConnId};

impl Shard {
    /// As whom a client is shown in a channel, if it is.
    pub(super) fn tracked(&mut self, conn: ConnId, channel: &ChannelKey) -> Option<Arc<Member>> {
        self.socket(conn)?.subscriptions.of(channel)?.shown.clone()
    }

    /// Has a client be seen in a channel that it hears, or be seen no more. It is a subscription of its own that takes the place of
    /// the one before, so what the client hears goes on; that it is seen it hears like everyone else.
    pub(super) fn track(
        &mut self,
        conn: ConnId,
        channel: &Arc<ChannelKey>,
        state: Option<&[u8]>,
        effects: &mut Effects,
    ) {
        let Some(socket) = self.socket(conn) else { return };
        let Some(subscription) = socket.subscriptions.of(channel) else {
            self.counters.rejected += 1;
            let why = PlainError::NotAccessible;
            return self.write_to(conn, |out| plain::frame_error(out, why));
        };
        let audience = subscription.audience;
        let Member { id, is_anonymous, .. } = &*socket.member;
        let shown = state.map(|state| {
            let (name, user_id) = (None, None);
            let (id, is_anonymous, state) = (id.clone(), *is_anonymous, Some(state.into()));
            Arc::new(Member { id, name, user_id, is_anonymous, state })
        });
        let wanted = Wanted { audience, after: None, frame: Frame::Unawaited, shown };
        if let Err(why) = self.subscribe(conn, channel, wanted, effects) {
            self.counters.rejected += 1;
            self.write_to(conn, |out| plain::frame_rejection(out, &why));
        }
    }
}
