//! The thread of the side tasks: takes orders of all cores, runs a task for each call, and sees that each gets a last answer.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use hashbrown::HashMap;
use protocol::Rejection;
use reqwest::Client;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet, LocalSet};

use super::answers::SideAnswer;
use super::ask::SideAsk;
use super::client::{Authorities, client};
use super::database;
use super::journals::Journals;
use super::kit::{self, KitOptions};
use super::limits::{PARTS_AHEAD, SideLimits};
use super::link::{Core, Order, SideDoor};
use super::lists;
use super::vendor;
use crate::ids::{CallId, ShardId};

/// Threads for the look-up of names, beside those of queries.
const LOOKUP_THREADS: usize = 4;

/// What side threads are started with.
#[derive(Clone)]
pub struct SideOptions {
    /// Where RealtimeKit is, if it is set up.
    pub kit: Option<KitOptions>,
    /// Whose signatures the certificates of other servers may have.
    pub authorities: Authorities,
    /// What calls and queries may take.
    pub limits: SideLimits,
    /// How many cores there will be.
    pub shards: u16,
}

/// The side threads of a node.
pub struct Side {
    door: SideDoor,
    thread: JoinHandle<()>,
}

impl Side {
    /// Starts them.
    ///
    /// # Errors
    /// When the system gives no thread, or the client cannot be made.
    pub fn start(options: SideOptions) -> io::Result<Self> {
        let (orders, taken) = unbounded_channel();
        let client = client(options.limits.answer_timeout_ms, &options.authorities)
            .map_err(io::Error::other)?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("side-blocking")
            .max_blocking_threads(blocking_threads(&options.limits))
            .build()?;
        let thread = thread::Builder::new().name("side".to_owned()).spawn(move || {
            LocalSet::new().block_on(&runtime, serve(taken, options, client));
            // A query that still runs is interrupted at its next step.
            runtime.shutdown_background();
        })?;
        Ok(Self { door: SideDoor(orders), thread })
    }

    /// Where cores find them.
    #[must_use]
    pub fn door(&self) -> SideDoor {
        self.door.clone()
    }

    /// Waits for their end, which comes when all links are gone.
    ///
    /// # Errors
    /// When the thread panicked.
    pub fn join(self) -> io::Result<()> {
        drop(self.door);
        self.thread.join().map_err(|_| io::Error::other("the side thread panicked"))
    }
}

fn blocking_threads(limits: &SideLimits) -> usize {
    LOOKUP_THREADS + limits.database.queries_max + limits.lists.calls_max
}

async fn serve(mut orders: UnboundedReceiver<Order>, options: SideOptions, client: Client) {
    let mut desk = Desk::new(options, client);
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => desk.take(order),
                None => return,
            },
            Some(ended) = desk.tasks.join_next_with_id() => desk.finish(ended),
        }
    }
}

type Key = (ShardId, CallId);

struct Running {
    abort: AbortHandle,
    /// Parts that may go out.
    credit: Rc<Semaphore>,
}

/// Who runs what.
struct Desk {
    options: SideOptions,
    client: Client,
    cores: HashMap<ShardId, Rc<Core>>,
    running: HashMap<Key, Running>,
    keys: HashMap<Id, Key>,
    tasks: JoinSet<SideAnswer>,
    journals: Journals,
    queries: Arc<Semaphore>,
    lists: Arc<Semaphore>,
}

impl Desk {
    fn new(options: SideOptions, client: Client) -> Self {
        Self {
            client,
            cores: HashMap::default(),
            running: HashMap::default(),
            keys: HashMap::default(),
            tasks: JoinSet::new(),
            journals: Journals::new(options.shards),
            queries: Arc::new(Semaphore::new(options.limits.database.queries_max)),
            lists: Arc::new(Semaphore::new(options.limits.lists.calls_max)),
            options,
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Join(shard, core) => {
                self.journals.join(shard, core.reader.clone());
                self.cores.insert(shard, Rc::new(core));
            }
            Order::Ask(shard, SideAsk::More(call)) => {
                if let Some(running) = self.running.get(&(shard, call)) {
                    running.credit.add_permits(1);
                }
            }
            Order::Ask(shard, SideAsk::Cancel(call)) => {
                if let Some(running) = self.running.get(&(shard, call)) {
                    running.abort.abort();
                }
            }
            Order::Ask(shard, ask) => self.begin(shard, ask),
            Order::GiveBack(call) => call(),
        }
    }

    fn begin(&mut self, shard: ShardId, ask: SideAsk) {
        let Some(core) = self.cores.get(&shard) else { return };
        let call = ask.call();
        let credit = Rc::new(Semaphore::new(PARTS_AHEAD as usize));
        let outlet = Outlet { core: Rc::clone(core), call, credit: Rc::clone(&credit) };
        let limits = self.options.limits.clone();
        let client = self.client.clone();
        let abort = match ask {
            SideAsk::Kit(_, ask) => {
                let options = self.options.kit.clone();
                self.tasks.spawn_local(kit::pass_on(client, options, *ask, limits, outlet))
            }
            SideAsk::Database(_, ask) => {
                let (journals, queries) = (self.journals.clone(), Arc::clone(&self.queries));
                self.tasks.spawn_local(database::answer(*ask, journals, queries, limits, outlet))
            }
            SideAsk::List(_, ask) => {
                let (journals, calls) = (self.journals.clone(), Arc::clone(&self.lists));
                self.tasks.spawn_local(lists::answer(*ask, journals, calls, limits, outlet))
            }
            SideAsk::Vendor(_, ask) => {
                self.tasks.spawn_local(vendor::ask(client, *ask, limits.answer_timeout_ms))
            }
            SideAsk::More(_) | SideAsk::Cancel(_) => return,
        };
        let id = abort.id();
        self.running.insert((shard, call), Running { abort, credit });
        self.keys.insert(id, (shard, call));
    }

    /// A task has ended, by itself, by a cancel or by a panic: its call gets its last answer.
    fn finish(&mut self, ended: Result<(Id, SideAnswer), JoinError>) {
        let (id, answer) = match ended {
            Ok(ended) => ended,
            Err(why) => (why.id(), SideAnswer::Failed(Rejection::Internal)),
        };
        let Some(key) = self.keys.remove(&id) else { return };
        self.running.remove(&key);
        if let Some(core) = self.cores.get(&key.0) {
            core.answer(key.1, answer);
        }
    }
}

/// Where a task sends what comes before its last answer.
pub(super) struct Outlet {
    core: Rc<Core>,
    call: CallId,
    credit: Rc<Semaphore>,
}

impl Outlet {
    pub(super) fn send(&self, answer: SideAnswer) {
        self.core.answer(self.call, answer);
    }

    /// Sends bytes in parts, each once there is room for it.
    pub(super) async fn stream(&self, bytes: &[u8], part_bytes_max: usize) {
        for part in bytes.chunks(part_bytes_max) {
            match self.credit.acquire().await {
                Ok(permit) => permit.forget(),
                Err(_) => return, // It is never closed.
            }
            self.send(SideAnswer::Part(part.into()));
        }
    }
}
