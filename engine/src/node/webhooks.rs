//! The webhooks of a node: started before its cores begin, with the hooks that were kept, and ended behind them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use storage::{Counter, Reader};

use super::StartError;
use crate::control::RegisteredPattern;
use crate::ids::TenantId;
use crate::reactor::Clock;
use crate::side::webhook::{
    CatalogPlaces, Hooks, JournalLedger, MemoryPlaces, Source, WebhookDoor, WebhookOptions,
    WebhookParts, Webhooks,
};

/// How long the first hooks may take to be set.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of places in a data directory.
pub const WEBHOOKS: &str = "webhooks";

/// What webhooks are started with.
#[derive(Clone)]
pub struct WebhookSettings {
    /// How they work.
    pub options: WebhookOptions,
    /// Where places are kept; `None` where no message outlives the node.
    pub dir: Option<PathBuf>,
}

/// See the module.
pub(super) struct Deliveries {
    webhooks: Webhooks,
    door: WebhookDoor,
}

impl Deliveries {
    /// Starts them over the journals of all cores, by their numbers.
    pub(super) fn start(
        settings: &WebhookSettings,
        journals: Vec<(Reader, Counter)>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let (readers, counters) = journals.into_iter().unzip();
        let ledger = Box::new(JournalLedger::new(counters));
        let parts = WebhookParts { source: Source::new(readers), ledger, clock };
        let options = settings.options.clone();
        let (webhooks, door) = match &settings.dir {
            Some(dir) => {
                let places = CatalogPlaces::open(dir).map_err(io::Error::other)?;
                Webhooks::start(options, parts, places)?
            }
            None => Webhooks::start(options, parts, MemoryPlaces::default())?,
        };
        Ok(Self { webhooks, door })
    }

    pub(super) fn door(&self) -> &WebhookDoor {
        &self.door
    }

    /// Sets the hooks that were kept. Places of endpoints that are in none of them are let go, but not when one could not be set.
    pub(super) fn set_first(
        &self,
        kept: impl Iterator<Item = (TenantId, Vec<Arc<RegisteredPattern>>)>,
        seed: u64,
    ) -> io::Result<()> {
        let busy = |_| io::Error::other("webhooks take no orders");
        let (answer, answers) = flume::unbounded();
        let mut awaited = 0;
        for (tenant, patterns) in kept {
            let answer = answer.clone();
            let hooks = Hooks::of_patterns(0, &patterns, seed);
            let reply = Box::new(move |result| drop(answer.send(result)));
            self.door.set(tenant, hooks, reply).map_err(busy)?;
            awaited += 1;
        }
        for _ in 0..awaited {
            match answers.recv_timeout(PATIENCE) {
                Ok(Ok(())) => {}
                Ok(Err(why)) => {
                    tracing::error!("the webhooks of a tenant are not set: {why}");
                    return Ok(());
                }
                Err(_) => return Err(io::Error::other("webhooks do not answer")),
            }
        }
        self.door.forget_unclaimed().map_err(busy)
    }

    /// Has them end; deliveries under way are cut off.
    pub(super) fn end(&self) {
        let _ = self.door.end(); // One that takes no orders ends with its last door.
    }

    /// Waits for their end.
    pub(super) fn join(self) -> io::Result<()> {
        self.end();
        drop(self.door);
        self.webhooks.join()
    }
}
