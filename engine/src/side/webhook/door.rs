//! The way in: orders of the engine, each answered by a call of what came with it.

use storage::TenantId;
use tokio::sync::mpsc::{Sender, WeakSender};

use super::hooks::{EndpointStatus, Hooks, HooksRefused, ReplayFault};
use super::names::EndpointKey;
use super::places::Letter;

/// Called once with an answer, on a thread of this room: it must not block.
pub type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// Makes hooks where there is time for it; what it gets seeds a hasher.
pub(super) type MakeHooks = Box<dyn FnOnce(u64) -> Hooks + Send>;

/// What is asked.
pub(super) enum Order {
    Set(TenantId, MakeHooks, Reply<Result<(), HooksRefused>>),
    /// A storage thread says that a tenant has more.
    More(TenantId),
    ForgetUnclaimed,
    Status(TenantId, Reply<Vec<EndpointStatus>>),
    Letters(EndpointKey, u64, usize, Reply<Option<Vec<Letter>>>),
    Replay(EndpointKey, u64, Reply<Result<(), ReplayFault>>),
    GiveBack(fn()),
    End,
}

/// As many orders wait as may, or all is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Busy;

/// Hands orders over without waiting. The deliveries end when they are asked to, or the last door is gone.
#[derive(Clone)]
pub struct WebhookDoor(pub(super) Sender<Order>);

impl WebhookDoor {
    /// Sets the hooks of a tenant; none takes it away. The answer comes once it is durable: from then on every message is for
    /// the new endpoints too. Endpoints that were there go on where they are.
    ///
    /// # Errors
    /// When it was not taken; there is no answer then.
    pub fn set(
        &self,
        tenant: TenantId,
        hooks: Hooks,
        reply: Reply<Result<(), HooksRefused>>,
    ) -> Result<(), Busy> {
        self.set_with(tenant, Box::new(move |_| hooks), reply)
    }

    /// The same, with hooks that are made on the way.
    pub(super) fn set_with(
        &self,
        tenant: TenantId,
        make: MakeHooks,
        reply: Reply<Result<(), HooksRefused>>,
    ) -> Result<(), Busy> {
        self.send(Order::Set(tenant, make, reply))
    }

    /// Lets go of what was saved for endpoints that nobody has set since the start.
    ///
    /// # Errors
    /// When it was not taken.
    pub fn forget_unclaimed(&self) -> Result<(), Busy> {
        self.send(Order::ForgetUnclaimed)
    }

    /// How the endpoints of a tenant are.
    ///
    /// # Errors
    /// When it was not taken; there is no answer then.
    pub fn status(&self, tenant: TenantId, reply: Reply<Vec<EndpointStatus>>) -> Result<(), Busy> {
        self.send(Order::Status(tenant, reply))
    }

    /// Dead letters of an endpoint with an id over `after`, rising, at most `max` of them and a hundred. `None` when there is no
    /// such endpoint, or the disk does not answer.
    ///
    /// # Errors
    /// When it was not taken; there is no answer then.
    pub fn letters(
        &self,
        of: EndpointKey,
        after: u64,
        max: usize,
        reply: Reply<Option<Vec<Letter>>>,
    ) -> Result<(), Busy> {
        self.send(Order::Letters(of, after, max, reply))
    }

    /// Tries a dead letter again. It is gone once it is delivered; otherwise it stays, with the new reason.
    ///
    /// # Errors
    /// When it was not taken; there is no answer then.
    pub fn replay(
        &self,
        of: EndpointKey,
        letter: u64,
        reply: Reply<Result<(), ReplayFault>>,
    ) -> Result<(), Busy> {
        self.send(Order::Replay(of, letter, reply))
    }

    /// Has the thread of the deliveries call this: it returns to the system what nobody uses of the calling thread's memory. With as
    /// many orders waiting as may it is left out.
    pub fn give_back(&self, call: fn()) {
        let _ = self.send(Order::GiveBack(call)); // as above
    }

    /// Ends the deliveries: calls under way are cut off, and what ended is saved.
    ///
    /// # Errors
    /// When it was not taken. They end with the last door, then.
    pub fn end(&self) -> Result<(), Busy> {
        self.send(Order::End)
    }

    /// A door that keeps nothing going.
    #[must_use]
    pub fn downgrade(&self) -> WeakWebhookDoor {
        WeakWebhookDoor(self.0.downgrade())
    }

    fn send(&self, order: Order) -> Result<(), Busy> {
        self.0.try_send(order).map_err(|_| Busy)
    }
}

/// A door for whoever may outlive the deliveries.
#[derive(Clone)]
pub struct WeakWebhookDoor(WeakSender<Order>);

impl WeakWebhookDoor {
    /// The door, unless all is over.
    #[must_use]
    pub fn open(&self) -> Option<WebhookDoor> {
        self.0.upgrade().map(WebhookDoor)
    }
}
