//! What a shard wants done. The reactor does it, or the simulator does.

use std::sync::Arc;

use protocol::Rejection;
use protocol::ws::CloseCode;
use storage::{Counted, Publication};

use super::input::{Delivery, DropAsk, ReadAsk, Request};
use crate::control::CatalogAsk;
use crate::frame::{Frame, Piece};
use crate::ids::{ChannelKey, ConnId, Epoch, PassId, ShardId};
use crate::side::SideAsk;
use crate::side::webhook::HooksAsk;

/// The wishes of one turn, reused between turns.
#[derive(Debug, Default)]
pub struct Effects {
    /// For the home shards of channels.
    pub requests: Vec<(ShardId, Request)>,
    /// For the edge shards of channels homed here.
    pub deliveries: Vec<(ShardId, Delivery)>,
    /// Publications to make durable, in this order.
    pub appends: Vec<Arc<Publication>>,
    /// Channels to take to their next epoch, durably, behind those appends.
    pub epochs: Vec<(Arc<ChannelKey>, Epoch)>,
    /// What to read from the journal.
    pub reads: Vec<ReadAsk>,
    /// Channels whose messages the journal lets go.
    pub drops: Vec<DropAsk>,
    /// What is known of messages beside them, to be kept with them.
    pub counted: Vec<Counted>,
    /// Changes of the control plane to make durable, in this order.
    pub catalog: Vec<CatalogAsk>,
    /// For the side threads.
    pub side: Vec<SideAsk>,
    /// Webhooks to set: each is to be answered with one `Input::Hooked`.
    pub hooks: Vec<HooksAsk>,
    /// Answers to operations, by their numbers.
    pub operated: Vec<(u64, Result<Vec<u8>, Rejection>)>,
    /// Connections that get more once little waits for them any more: each is to be named in one `Input::Drained` then.
    pub thirsty: Vec<ConnId>,
    /// Connections to pass to other shards, after what [`Shard::flush`](super::Shard::flush) gives them.
    pub passes: Vec<Pass>,
    /// Connections to close, after what [`Shard::flush`](super::Shard::flush) gives them.
    pub closes: Vec<(ConnId, Ending)>,
}

/// A connection that belongs to another shard: `Input::Arrived` says so there, and here `Input::Passed`, or `Input::Stayed`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pass {
    /// Which.
    pub conn: ConnId,
    /// Whose it is.
    pub to: ShardId,
    /// What both shards know it by.
    pub number: PassId,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// Send what is queued, then close.
    Flush,
    /// Send what is queued, then read and drop what still comes for a moment, so that the peer sees the answer.
    Linger,
    /// Drop what is queued and was not begun, send a close frame with this code, then close.
    Shed(CloseCode),
    /// Drop what is queued.
    Now,
}

impl Ending {
    /// Whether everything that is queued comes before it.
    #[must_use]
    pub const fn is_last(self) -> bool {
        match self {
            Self::Flush | Self::Linger => true,
            Self::Shed(_) | Self::Now => false,
        }
    }
}

/// Where a shard's output goes at the end of a turn.
pub trait Outlet {
    /// The same frame goes to one more connection, which gets nothing else this turn.
    fn share(&mut self, frame: &Frame, conn: ConnId);
    /// Everything this connection gets this turn, in order.
    fn gather(&mut self, conn: ConnId, pieces: &[Piece]);
}
