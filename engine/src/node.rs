//! A node: one process, a core a shard, started together and stopped together.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use protocol::ws::CloseCode;
use storage::{
    Catalog, CatalogHandle, CatalogWriter, Journal, JournalError, JournalKind, JournalOptions,
    OpenError, QueueLimits, Retention, Wake, Writer,
};

use crate::control::{Kept, Operation};
use crate::ids::ShardId;
use crate::limits::Limits;
use crate::operator::NodeLink;
use crate::reactor::ring::{self, Bell, Driver, Waker};
use crate::reactor::{
    self, CatalogPort, Clock, Core, JournalPort, Lanes, OperationAnswer, Order, Parts, Reactor,
    SidePort, between, cpus,
};
use crate::shard::{Shard, ShardOptions};
use crate::side::{Side, SideDoor, SideOptions};
use crate::tenants::{TenantSpec, Tenants};

/// What a node is started with.
pub struct NodeOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How many cores, at least one.
    pub shards: u16,
    /// Who runs them.
    pub reactor: Reactor,
    /// Their bounds.
    pub limits: Limits,
    /// The bounds of their sockets.
    pub ring: ring::Settings,
    /// Messages that wait between two cores.
    pub lane_capacity: usize,
    /// Inputs of one turn.
    pub inputs_per_turn_max: usize,
    /// Who may use the node.
    pub tenants: Vec<TenantSpec>,
    /// Where messages are kept.
    pub journal: JournalKind,
    /// The journals' folder; one below it a shard. Unused by the memory journal.
    pub journal_dir: PathBuf,
    /// How journals are laid out.
    pub journal_options: JournalOptions,
    /// What journals keep.
    pub retention: Retention,
    /// How many messages with an idempotency key are looked for when a journal is opened.
    pub keyed_max: usize,
    /// What runs beside the cores; without it RealtimeKit, the database and vendors are not there.
    pub side: Option<SideOptions>,
    /// Bytes of one part of a streamed answer.
    pub stream_part_bytes_max: usize,
    /// Random: seeds the hashers and the message ids.
    pub seed: u64,
    /// Random: hashes the keys.
    pub pepper: [u8; 32],
}

/// Why a node does not start.
#[derive(Debug)]
pub enum StartError {
    /// The ring or the listener.
    Ring(ring::StartError),
    /// A journal that does not open.
    Journal(ShardId, OpenError),
    /// The catalog, or a journal, that cannot be read.
    Kept(JournalError),
    /// A thread that does not start, or a core that broke.
    Io(io::Error),
}

impl From<io::Error> for StartError {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ring(why) => why.fmt(f),
            Self::Journal(shard, why) => write!(f, "journal of shard {}: {why}", shard.0),
            Self::Kept(why) => write!(f, "what is kept cannot be read: {why}"),
            Self::Io(why) => write!(f, "a core could not run: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

impl NodeOptions {
    fn shard(&self, id: ShardId, tenants: &Arc<Tenants>, clock: Clock) -> ShardOptions {
        ShardOptions {
            id,
            shard_count: self.shards,
            limits: self.limits.clone(),
            tenants: Arc::clone(tenants),
            seed: self.seed.wrapping_add(u64::from(id.0)),
            now: clock.now(),
        }
    }
}

/// A running node.
pub struct Node {
    local_addr: SocketAddr,
    cores: Vec<CoreHandle>,
    /// Ends once the cores have.
    catalog: Option<CatalogWriter>,
    side: Option<Side>,
    /// For the operator's door.
    link: Option<NodeLink>,
}

struct CoreHandle {
    orders: flume::Sender<Order>,
    thread: JoinHandle<Result<(), StartError>>,
}

/// What a core says once it listens, and what it is told then.
struct Meeting {
    listening: flume::Sender<Result<Listening, StartError>>,
    told: flume::Receiver<Told>,
}

struct Listening {
    address: SocketAddr,
    bell: Bell,
    waker: Waker,
}

struct Told {
    bells: Vec<Bell>,
    catalog: Option<CatalogHandle>,
}

/// What one core is made from, on its own thread.
struct Plan {
    listen: SocketAddr,
    ring: ring::Settings,
    shard: ShardOptions,
    lanes: Lanes,
    journal: Box<dyn Journal>,
    kept: Arc<Kept>,
    queue: QueueLimits,
    retention: Retention,
    orders: flume::Receiver<Order>,
    inputs_per_turn_max: usize,
    busy_cores: Arc<AtomicUsize>,
    side: Option<SideDoor>,
    read_timeout: Duration,
    stream_part_bytes_max: usize,
    meeting: Meeting,
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
        let cpus = cpus();
        let (listening, heard) = flume::unbounded();
        let side = options.side.as_ref().map(|it| Side::start(it.clone())).transpose()?;
        let mut node =
            Self { local_addr: options.listen, cores: Vec::new(), catalog: None, side, link: None };
        let journals = open_journals(options)?;
        let kept = Arc::new(read_kept(options, catalog.as_ref(), &journals, clock)?);
        let busy_cores = Arc::new(AtomicUsize::new(usize::from(options.shards)));
        let (mut bells, mut wakes, mut tellers) = (Vec::new(), Vec::new(), Vec::new());
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
                queue: QueueLimits {
                    messages_max: options.limits.journal_queue_messages_max,
                    bytes_max: options.limits.journal_queue_bytes_max as u64,
                },
                retention: options.retention.clone(),
                orders,
                inputs_per_turn_max: options.inputs_per_turn_max,
                busy_cores: Arc::clone(&busy_cores),
                side: node.side.as_ref().map(Side::door),
                read_timeout: Duration::from_millis(
                    options.side.as_ref().map_or(0, |it| it.limits.database.time_ms_max),
                ),
                stream_part_bytes_max: options.stream_part_bytes_max,
                meeting,
            };
            let cpu = (usize::from(options.shards) <= cpus.len())
                .then(|| cpus.get(id.index()).copied())
                .flatten();
            let thread = spawn(options.reactor, cpu, clock, id, plan)?;
            node.cores.push(CoreHandle { orders: order, thread });
            // One after the other: the first decides the port.
            let Listening { address, bell, waker } = heard.recv().map_err(io::Error::other)??;
            node.local_addr = address;
            bells.push(bell);
            wakes.push(Box::new(move || waker.wake()) as Wake);
            tellers.push(teller);
        }
        let mut handles = Vec::new();
        if let Some(catalog) = catalog {
            let (answered, answers) = flume::bounded(1);
            // A wake that still waits says the same.
            wakes.push(Box::new(move || {
                let _ = answered.try_send(());
            }) as Wake);
            let (writer, mut each) = CatalogWriter::spawn(catalog, wakes)?;
            node.catalog = Some(writer);
            let first = node.cores.first().map(|it| it.orders.clone());
            node.link =
                first.zip(each.pop()).map(|(orders, it)| NodeLink::new(orders, it, answers));
            handles = each;
        }
        let mut handles = handles.into_iter();
        for teller in tellers {
            let told = Told { bells: bells.clone(), catalog: handles.next() };
            teller.send(told).map_err(io::Error::other)?;
        }
        Ok(node)
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Has every core say goodbye with this code and end, after so many milliseconds at the latest.
    pub fn drain(&self, code: CloseCode, deadline_ms: u64) {
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
        drop(self.catalog); // Its thread finishes what waits.
        if let Some(side) = self.side {
            let ended = side.join();
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
        storage::open(options.journal, &dir, &options.journal_options)
            .map_err(|why| StartError::Journal(ShardId(id), why))
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
    let kept = catalog.map(Kept::read).transpose().map_err(StartError::Kept)?;
    let mut kept = kept.unwrap_or_default();
    let since_ms = clock.now().wall_ms.saturating_sub(KEYS_KNOWN_MS);
    for journal in journals {
        let keyed = journal.keyed_since(since_ms, options.keyed_max).map_err(StartError::Kept)?;
        kept.keyed.extend(keyed);
    }
    Ok(kept)
}

fn spawn(
    reactor: Reactor,
    cpu: Option<usize>,
    clock: Clock,
    id: ShardId,
    plan: Plan,
) -> io::Result<JoinHandle<Result<(), StartError>>> {
    let name = format!("shard-{}", id.0);
    thread::Builder::new().name(name.clone()).spawn(move || {
        let failed = plan.meeting.listening.clone();
        let result = reactor::run(reactor, cpu, &name, move || make_core(id, plan, clock));
        if let Err(why) = result {
            // Before the node listens it waits for this; afterwards nobody does, and `join` tells.
            return match failed.send(Err(why)) {
                Ok(()) => Ok(()),
                Err(flume::SendError(Err(why))) => Err(why),
                Err(flume::SendError(Ok(_))) => Ok(()),
            };
        }
        Ok(())
    })
}

/// Makes a core on the thread that will run it: the ring belongs to the thread that made it.
fn make_core(id: ShardId, plan: Plan, clock: Clock) -> Result<Core, StartError> {
    let driver = Driver::start(plan.listen, plan.ring).map_err(StartError::Ring)?;
    let address = driver.local_address()?;
    let mut shard = Shard::new(plan.shard);
    shard.begin_epoch(plan.journal.fresh_epoch());
    plan.kept.restore(&mut shard, clock.now());
    for (channel, state) in plan.journal.channels() {
        shard.restore(channel, state.position);
    }
    let waker = driver.waker();
    let wake = Box::new(move || waker.wake());
    let name = format!("journal-{}", id.0);
    let writer = Writer::spawn(&name, plan.journal, plan.queue, wake)?;
    let side = plan.side.map(|door| {
        let waker = driver.waker();
        door.link(id, writer.reader(plan.read_timeout), Box::new(move || waker.wake()))
    });
    let Meeting { listening, told } = plan.meeting;
    let said = Listening { address, bell: driver.bell(), waker: driver.waker() };
    listening.send(Ok(said)).map_err(io::Error::other)?;
    let Told { bells, catalog } = told.recv().map_err(io::Error::other)?;
    let parts = Parts {
        driver,
        shard,
        lanes: plan.lanes,
        bells,
        journal: JournalPort::new(writer),
        catalog: CatalogPort::new(catalog),
        side: SidePort::new(side),
        stream_backlog_bytes_max: plan.stream_part_bytes_max,
        retention: plan.retention,
        orders: plan.orders,
        inputs_per_turn_max: plan.inputs_per_turn_max,
        busy_cores: plan.busy_cores,
    };
    Ok(Core::new(parts, clock))
}
