//! The thread of deliveries: tokio, with a few threads more for what blocks.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::runtime::Builder;
use tokio::sync::mpsc::channel;
use tokio::task::LocalSet;

use super::delivery::DeliveryForm;
use super::desk::{Desk, Tools};
use super::door::WebhookDoor;
use super::egress::{Egress, EgressRules, Nameservers};
use super::hooks::Ledger;
use super::limits::WebhookLimits;
use super::places::{Places, PlacesThread};
use super::source::Source;
use crate::reactor::Clock;
use crate::side::client::Authorities;

/// What deliveries are started with.
#[derive(Clone, Default)]
pub struct WebhookOptions {
    /// Bounds and patience.
    pub limits: WebhookLimits,
    /// How deliveries look.
    pub form: DeliveryForm,
    /// Where they may go.
    pub rules: EgressRules,
    /// Whom to ask for addresses.
    pub nameservers: Nameservers,
    /// Who may vouch for receivers, beside the authorities of the system.
    pub authorities: Authorities,
    /// Begins the chance of waits.
    pub seed: u64,
}

/// The parts that deliveries stand on.
pub struct WebhookParts {
    /// Where messages come from.
    pub source: Source,
    /// Who is told what became of them.
    pub ledger: Box<dyn Ledger>,
    /// The clock of the node.
    pub clock: Clock,
}

/// The deliveries of a node.
pub struct Webhooks {
    threads: [JoinHandle<()>; 2],
}

impl Webhooks {
    /// Starts them. Nothing goes out before hooks are set.
    ///
    /// # Errors
    /// When places cannot be read, the system gives no thread, or the client cannot be made.
    pub fn start(
        options: WebhookOptions,
        parts: WebhookParts,
        mut places: impl Places,
    ) -> io::Result<(Self, WebhookDoor)> {
        let saved = places.load().map_err(io::Error::other)?;
        let (orders, taken) = channel(options.limits.orders_max);
        let mut source = parts.source;
        source.watch(&orders.downgrade()).map_err(io::Error::other)?;
        let (places, places_thread) = PlacesThread::spawn(places)?;
        let limits = Arc::new(options.limits);
        let rules = Arc::new(options.rules);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("webhook-reads")
            .max_blocking_threads(limits.reads_max + 1)
            .build()?;
        let egress = {
            let _inside = runtime.enter();
            Egress::new(Arc::clone(&rules), &options.nameservers, &options.authorities, &limits)?
        };
        let tools = Tools {
            limits,
            form: Arc::new(options.form),
            rules,
            egress,
            source: Arc::new(source),
            places,
            ledger: parts.ledger,
            clock: parts.clock,
            seed: options.seed,
        };
        let thread = thread::Builder::new().name("webhooks".to_owned()).spawn(move || {
            LocalSet::new().block_on(&runtime, Desk::new(tools, saved).run(taken));
            runtime.shutdown_background();
        })?;
        Ok((Self { threads: [thread, places_thread] }, WebhookDoor(orders)))
    }

    /// Waits for their end, which comes when somebody asked for it, or the last door is gone.
    ///
    /// # Errors
    /// When a thread panicked.
    pub fn join(self) -> io::Result<()> {
        for thread in self.threads {
            thread.join().map_err(|_| io::Error::other("a thread of webhooks panicked"))?;
        }
        Ok(())
    }
}
