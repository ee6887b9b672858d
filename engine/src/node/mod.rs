//! A node: one process, a core a shard, started together and stopped together.

mod core;
mod memory;
mod options;
mod watch;
mod webhooks;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;

use protocol::ws::CloseCode;
use storage::{Catalog, CatalogHandle, CatalogWriter, Counter, Journal, Reader, Wake};

use self::core::{Listening, Meeting, Plan, Told, spawn};
pub use self::memory::{Group, Memory, MemoryBound};
pub use self::options::{NodeOptions, StartError};
use self::watch::{Tell, Watch};
use self::webhooks::Deliveries;
pub use self::webhooks::{WEBHOOKS, WebhookSettings};
use crate::control::{Kept, Operation};
use crate::ids::ShardId;
use crate::operator::NodeLink;
use crate::pressure::Gauge;
use crate::reactor::ring;
use crate::reactor::{Clock, OperationAnswer, Order, between, cpus};
use crate::side::Side;
use crate::side::webhook::WebhookDoor;
use crate::tenants::Tenants;

/// A running node.
pub struct Node {
    local_addr: SocketAddr,
    cores: Vec<CoreHandle>,
    /// Ends once the cores have.
    catalog: Option<CatalogWriter>,
    side: Option<Side>,
    deliveries: Option<Deliveries>,
    /// For the operator's door.
    link: Option<NodeLink>,
    /// Looks at its memory.
    watch: Option<Watch>,
}

struct CoreHandle {
    orders: flume::Sender<Order>,
    thread: JoinHandle<Result<(), StartError>>,
}

impl Node {
    /// Starts all cores. Returns once every one of them listens. Without a catalog nothing of the control plane is kept.
    ///
    /// # Errors
    /// When something is missing; nothing keeps running then.
    pub fn start(options: &NodeOptions, catalog: Option<Catalog>) -> Result<Self, StartError> {
        ring::claim(options.listen).map_err(StartError::Ring)?;
        let clock = Clock::start();
        let tenants = Arc::new(Tenants::new(&options.tenants, options.pepper));
        let cpus = cpus_for(options.shards);
        let (listening, heard) = flume::unbounded();
        let side = options.side.as_ref().map(|it| Side::start(it.clone())).transpose()?;
        let mut node = Self::new(options.listen, side);
        let journals = open_journals(options)?;
        let kept = Arc::new(read_kept(options, catalog.as_ref(), &journals, clock)?);
        let busy_cores = Arc::new(AtomicUsize::new(usize::from(options.shards)));
        let gauge = options.gauge();
        let (mut bells, mut wakes, mut tellers) = (Vec::new(), Vec::new(), Vec::new());
        let mut stores = Vec::new();
        let lanes = between(options.shards, options.lane_capacity);
        for ((lanes, journal), id) in lanes.into_iter().zip(journals).zip(0..) {
            let id = ShardId(id);
            let (order, orders) = flume::unbounded();
            let (teller, told) = flume::bounded(1);
            let meeting = Meeting { listening: listening.clone(), told };
            let plan = Plan {
                listen: node.local_addr,
                ring: options.ring,
                shard: options.shard(id, &tenants, clock),
                lanes,
                journal,
                kept: Arc::clone(&kept),
                queue: options.queue(),
                retention: options.retention.clone(),
                orders,
                inputs_per_turn_max: options.inputs_per_turn_max,
                busy_cores: Arc::clone(&busy_cores),
                gauge: Arc::clone(&gauge),
                side: node.side.as_ref().map(Side::door),
                read_timeout: options.read_timeout(),
                commit_delay: options.commit_delay(),
                stream_part_bytes_max: options.stream_part_bytes_max,
                meeting,
            };
            let cpu = cpus.get(id.index()).copied();
            let thread = spawn(options.reactor, cpu, clock, id, plan)?;
            node.cores.push(CoreHandle { orders: order, thread });
            // One after the other: the first decides the port.
            let said = heard.recv().map_err(io::Error::other)??;
            let Listening { address, bell, waker, reader, counter } = said;
            stores.push((reader, counter));
            node.local_addr = address;
            bells.push(bell);
            wakes.push(Box::new(move || waker.wake()) as Wake);
            tellers.push(teller);
        }
        let door = node.deliver(options, stores.clone(), &kept, clock)?;
        let handles = catalog.map(|it| node.share(it, wakes)).transpose()?;
        let mut handles = handles.unwrap_or_default().into_iter();
        for teller in tellers {
            let (bells, webhooks) = (bells.clone(), door.clone());
            let told = Told { bells, catalog: handles.next(), webhooks };
            teller.send(told).map_err(io::Error::other)?;
        }
        node.look_after_memory(options, stores, gauge)?;
        Ok(node)
    }

    /// Starts the thread that looks at memory, if it has a bound. Threads beside the cores whose memory does not come back by itself
    /// are told by it to give back what nobody uses.
    fn look_after_memory(
        &mut self,
        options: &NodeOptions,
        stores: Vec<(Reader, Counter)>,
        gauge: Arc<Gauge>,
    ) -> io::Result<()> {
        let Some(bound) = &options.memory else { return Ok(()) };
        let give_back = bound.give_back;
        let stores = stores.into_iter().map(|it| Box::new(move || it.0.tell(give_back)) as Tell);
        let side = self.side.as_ref().map(Side::door);
        let side = side.map(|it| Box::new(move || it.give_back(give_back)) as Tell);
        let webhooks = self.deliveries.as_ref().map(|it| it.door().clone());
        let webhooks = webhooks.map(|it| Box::new(move || it.give_back(give_back)) as Tell);
        let others = stores.chain(side).chain(webhooks).collect();
        self.watch = Some(Watch::start(bound.clone(), gauge, options.shards, others)?);
        Ok(())
    }

    fn new(local_addr: SocketAddr, side: Option<Side>) -> Self {
        let (cores, catalog, deliveries, link, watch) = (Vec::new(), None, None, None, None);
        Self { local_addr, cores, catalog, side, deliveries, link, watch }
    }

    /// Starts webhooks over the journals, with the hooks that were kept: before any core takes a message.
    fn deliver(
        &mut self,
        options: &NodeOptions,
        journals: Vec<(Reader, Counter)>,
        kept: &Kept,
        clock: Clock,
    ) -> Result<Option<WebhookDoor>, StartError> {
        let Some(settings) = &options.webhooks else { return Ok(None) };
        let deliveries = Deliveries::start(settings, journals, clock)?;
        deliveries.set_first(kept.hooked(), options.seed)?;
        let door = deliveries.door().clone();
        self.deliveries = Some(deliveries);
        Ok(Some(door))
    }

    /// Starts the catalog's thread. Returns the handles of the cores, in their order; the operator's door gets one as well.
    fn share(&mut self, catalog: Catalog, mut wakes: Vec<Wake>) -> io::Result<Vec<CatalogHandle>> {
        let (answered, answers) = flume::bounded(1);
        // A wake that still waits says the same.
        wakes.push(Box::new(move || {
            let _ = answered.try_send(());
        }) as Wake);
        let (writer, mut handles) = CatalogWriter::spawn(catalog, wakes)?;
        self.catalog = Some(writer);
        let first = self.cores.first().map(|it| it.orders.clone());
        let link = first.zip(handles.pop());
        let webhooks = self.deliveries.as_ref().map(|it| it.door().downgrade());
        self.link =
            link.map(|(orders, it)| NodeLink::new(orders, it, answers).with_webhooks(webhooks));
        Ok(handles)
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Has every core say goodbye with this code and end, after so many milliseconds at the latest.
    pub fn drain(&self, code: CloseCode, deadline_ms: u64) {
        // Now, while the storage threads still take the counts of what was delivered.
        self.deliveries.iter().for_each(Deliveries::end);
        for core in &self.cores {
            let _ = core.orders.send(Order::Drain(code, deadline_ms)); // A core that ended needs no order.
        }
    }

    /// The way for the operator's door; there is one, and none on a node that keeps nothing.
    pub fn take_link(&mut self) -> Option<NodeLink> {
        self.link.take()
    }

    /// Has every core take these tenants for the node's. Sockets of those that are gone are closed.
    pub fn replace_tenants(&self, tenants: &Arc<Tenants>) {
        for core in &self.cores {
            let _ = core.orders.send(Order::Tenants(Arc::clone(tenants))); // A core that ended has nobody left.
        }
    }

    /// Has a core do something for a tenant. The answer comes once every core has done its part; a node that ends gives none.
    #[must_use]
    pub fn operate(&self, operation: Operation) -> flume::Receiver<OperationAnswer> {
        let (answer, answers) = flume::bounded(1);
        if let Some(core) = self.cores.first() {
            let _ = core.orders.send(Order::Operate(Box::new(operation), answer)); // See above.
        }
        answers
    }

    /// Whether a core has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.cores.iter().any(|core| core.thread.is_finished())
    }

    /// Whether all of them have.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.cores.iter().all(|core| core.thread.is_finished())
    }

    /// Waits until all cores have ended.
    ///
    /// # Errors
    /// When one of them broke.
    pub fn join(self) -> Result<(), StartError> {
        let mut result = Ok(());
        for core in self.cores {
            let ended = core.thread.join();
            let ended = ended.unwrap_or_else(|_| Err(io::Error::other("a core panicked").into()));
            result = result.and(ended);
        }
        drop(self.watch); // Side threads and deliveries end with the last door to them, and it has one to each.
        drop(self.catalog); // Its thread finishes what waits.
        let ends = [self.side.map(Side::join), self.deliveries.map(Deliveries::join)];
        for ended in ends.into_iter().flatten() {
            result = result.and_then(|()| ended.map_err(StartError::from));
        }
        result
    }
}

/// How long an idempotency key is known.
const KEYS_KNOWN_MS: u64 = 24 * 3600 * 1000;

fn open_journals(options: &NodeOptions) -> Result<Vec<Box<dyn Journal>>, StartError> {
    let open = |id: u16| {
        let dir = options.journal_dir.join(format!("shard-{id:03}"));
        let journal = storage::open(options.journal, &dir, &options.journal_options)
            .map_err(|why| StartError::Journal(ShardId(id), why))?;
        let stats = journal.stats();
        if stats.quarantined > 0 {
            let ranges = stats.quarantined;
            tracing::error!(
                shard = id,
                ranges,
                "the journal is damaged; what can be read is served"
            );
        }
        if stats.torn_bytes > 0 {
            tracing::info!(
                shard = id,
                bytes = stats.torn_bytes,
                "an unfinished last batch was cut off"
            );
        }
        Ok(journal)
    };
    (0..options.shards).map(open).collect()
}

/// What every shard has to know before it takes its first connection.
fn read_kept(
    options: &NodeOptions,
    catalog: Option<&Catalog>,
    journals: &[Box<dyn Journal>],
    clock: Clock,
) -> Result<Kept, StartError> {
    if let Some(ranges) = catalog.map(Catalog::quarantined).filter(|it| *it > 0) {
        tracing::error!(ranges, "the journal of the catalog is damaged; what can be read holds");
    }
    let kept = catalog.map(Kept::read).transpose().map_err(StartError::Kept)?;
    let mut kept = kept.unwrap_or_default();
    let since_ms = clock.now().wall_ms.saturating_sub(KEYS_KNOWN_MS);
    for journal in journals {
        let keyed = journal.keyed_since(since_ms, options.keyed_max).map_err(StartError::Kept)?;
        kept.keyed.extend(keyed);
    }
    Ok(kept)
}

/// The processors of so many shards, one for each. Where there are fewer, none is kept to one.
fn cpus_for(shards: u16) -> Vec<usize> {
    Some(cpus()).filter(|it| usize::from(shards) <= it.len()).unwrap_or_default()
}
