//! A core's way to the deliveries: its shard has hooks set, and is answered in time.

use std::fmt;
use std::sync::Arc;

use protocol::Rejection;
use storage::TenantId;

use super::door::WebhookDoor;
use super::hooks::{Hooks, HooksRefused};
use crate::control::RegisteredPattern;
use crate::side::Wake;

/// What a shard wants set.
#[derive(Debug)]
pub struct HooksAsk {
    /// Whose hooks.
    pub tenant: TenantId,
    /// Which of the tenant's settings this is. They may come in another order; the highest holds.
    pub version: u64,
    /// The tenant's patterns.
    pub patterns: Vec<Arc<RegisteredPattern>>,
}

/// What came of it.
#[derive(Debug)]
pub struct Hooked {
    /// Whose hooks.
    pub tenant: TenantId,
    /// Which setting.
    pub version: u64,
    /// Whether they are set, durably.
    pub result: Result<(), Rejection>,
}

/// See the module.
pub struct WebhookLink {
    door: WebhookDoor,
    answers: flume::Sender<Hooked>,
    taken: flume::Receiver<Hooked>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for WebhookLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookLink").finish_non_exhaustive()
    }
}

impl WebhookDoor {
    /// Links a core.
    #[must_use]
    pub fn link(&self, wake: Wake) -> WebhookLink {
        // It holds one answer for each change of rules that is under way.
        let (answers, taken) = flume::unbounded();
        WebhookLink { door: self.clone(), answers, taken, wake: wake.into() }
    }
}

impl WebhookLink {
    /// Sets hooks. There is an answer once they are durable, or could not be set.
    pub fn set(&self, ask: HooksAsk) {
        let HooksAsk { tenant, version, patterns } = ask;
        let (answers, wake) = (self.answers.clone(), Arc::clone(&self.wake));
        let reply = Box::new(move |result: Result<(), HooksRefused>| {
            let result = result.map_err(|why| rejection(&why));
            if answers.send(Hooked { tenant, version, result }).is_ok() {
                wake();
            }
        });
        let make = Box::new(move |seed| Hooks::of_patterns(version, &patterns, seed));
        if self.door.set_with(tenant, make, reply).is_err() {
            let result = Err(Rejection::Overloaded { limit: "webhook_orders_max" });
            let _ = self.answers.send(Hooked { tenant, version, result }); // `self` holds the other end.
        }
    }

    /// The next answer.
    #[must_use]
    pub fn take(&self) -> Option<Hooked> {
        self.taken.try_recv().ok()
    }

    /// Whether no answer waits.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.taken.is_empty()
    }
}

fn rejection(why: &HooksRefused) -> Rejection {
    match why {
        HooksRefused::TooMany { .. } => Rejection::Overloaded { limit: "webhooks.endpoints_max" },
        HooksRefused::Unavailable => Rejection::StorageUnavailable,
    }
}
