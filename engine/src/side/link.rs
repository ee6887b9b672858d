//! The way between a core and the side threads: orders go out without waiting, answers queue up and wake the core.

use storage::Reader;
use tokio::sync::mpsc::UnboundedSender;

use super::answers::SideAnswer;
use super::ask::SideAsk;
use crate::ids::{CallId, ShardId};

/// Wakes a core that sleeps.
pub type Wake = Box<dyn Fn() + Send + Sync>;

/// What reaches the side threads.
pub(super) enum Order {
    /// A core is there.
    Join(ShardId, Core),
    /// A core asks.
    Ask(ShardId, SideAsk),
    /// Memory is short: this has the thread's allocator return what nobody uses.
    GiveBack(fn()),
}

/// A core, as the side threads see it.
pub(super) struct Core {
    pub(super) reader: Reader,
    pub(super) answers: flume::Sender<(CallId, SideAnswer)>,
    pub(super) wake: Wake,
}

impl Core {
    /// Answers a call. A core that has ended needs no answer.
    pub(super) fn answer(&self, call: CallId, answer: SideAnswer) {
        if self.answers.send((call, answer)).is_ok() {
            (self.wake)();
        }
    }
}

/// Where cores find the side threads. These end when the last door and the last link are gone.
#[derive(Clone)]
pub struct SideDoor(pub(super) UnboundedSender<Order>);

impl SideDoor {
    /// Links a core. Its journal is read through `reader`.
    #[must_use]
    pub fn link(&self, shard: ShardId, reader: Reader, wake: Wake) -> SideLink {
        // Both queues hold what the shard's `side_calls_max` calls have under way: each has one order, at most `PARTS_AHEAD`
        // parts and as many wishes for more, a head and a last answer.
        let (answers, taken) = flume::unbounded();
        let _ = self.0.send(Order::Join(shard, Core { reader, answers, wake })); // `send` tells when nobody is there
        SideLink { shard, orders: self.0.clone(), answers: taken }
    }

    /// Has the thread of the tasks call this: it returns to the system what nobody uses of the calling thread's memory.
    pub fn give_back(&self, call: fn()) {
        let _ = self.0.send(Order::GiveBack(call)); // threads that have ended have nothing
    }
}

/// A core's end.
pub struct SideLink {
    shard: ShardId,
    orders: UnboundedSender<Order>,
    answers: flume::Receiver<(CallId, SideAnswer)>,
}

impl SideLink {
    /// Hands an order over. False when there are no side threads any more.
    #[must_use]
    pub fn send(&self, ask: SideAsk) -> bool {
        self.orders.send(Order::Ask(self.shard, ask)).is_ok()
    }

    /// The next answer.
    #[must_use]
    pub fn take(&self) -> Option<(CallId, SideAnswer)> {
        self.answers.try_recv().ok()
    }

    /// Whether no answer waits.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.answers.is_empty()
    }
}
