//! The catalog on a thread of its own: whatever waits is applied together, with one sync (group commit), and each ask is
//! answered to the shard that asked.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::{BATCH_BYTES_MAX, Catalog, OwnedChange};
use crate::{
    answer::{QueueFull, Wake},
    error::JournalError,
};

/// At most so many asks wait.
const ASKS_MAX: usize = 4096;
/// At most so many bytes wait.
const WAITING_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Asks that are applied together.
const BATCH_ASKS_MAX: usize = 1024;

/// What became of an ask: its token, and whether its changes are durable and visible.
pub type CatalogAnswer = (u64, Result<(), JournalError>);

/// The thread, as whoever started it sees it.
#[derive(Debug)]
pub struct CatalogWriter {
    orders: flume::Sender<Order>,
    join: Option<JoinHandle<Catalog>>,
}

/// One shard's side.
#[derive(Debug)]
pub struct CatalogHandle {
    asker: usize,
    orders: flume::Sender<Order>,
    answers: flume::Receiver<CatalogAnswer>,
    waiting_bytes: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Order {
    Apply(Ask),
    End,
}

#[derive(Debug)]
struct Ask {
    asker: usize,
    token: u64,
    changes: Vec<OwnedChange>,
    bytes: u64,
}

/// The way back to a shard.
struct Asker {
    answers: flume::Sender<CatalogAnswer>,
    wake: Wake,
}

/// What runs on the thread.
struct Work {
    catalog: Catalog,
    orders: flume::Receiver<Order>,
    askers: Vec<Asker>,
    waiting_bytes: Arc<AtomicU64>,
}

impl CatalogWriter {
    /// Starts a thread for the catalog, with a handle for each of the shards that `wakes` wakes.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(catalog: Catalog, wakes: Vec<Wake>) -> io::Result<(Self, Vec<CatalogHandle>)> {
        let (order, orders) = flume::bounded(ASKS_MAX);
        let waiting_bytes = Arc::new(AtomicU64::new(0));
        let (mut askers, mut handles) = (Vec::new(), Vec::new());
        for (asker, wake) in wakes.into_iter().enumerate() {
            let (answer, answers) = flume::unbounded(); // As many as asks: those are bounded.
            askers.push(Asker { answers: answer, wake });
            let (orders, waiting_bytes) = (order.clone(), Arc::clone(&waiting_bytes));
            handles.push(CatalogHandle { asker, orders, answers, waiting_bytes });
        }
        let work = Work { catalog, orders, askers, waiting_bytes };
        let join = thread::Builder::new().name("catalog".to_owned()).spawn(move || work.run())?;
        Ok((Self { orders: order, join: Some(join) }, handles))
    }

    /// Lets the thread finish what waits, and gives the catalog back. `None` when the thread panicked.
    #[must_use]
    pub fn shutdown(mut self) -> Option<Catalog> {
        self.end()
    }

    fn end(&mut self) -> Option<Catalog> {
        let join = self.join.take()?;
        let _ = self.orders.send(Order::End); // It fails when the thread has ended, which is what is asked.
        join.join().ok() // A panic there has been printed; here it would hide the first cause.
    }
}

impl Drop for CatalogWriter {
    fn drop(&mut self) {
        self.end();
    }
}

impl CatalogHandle {
    /// Asks for changes, all of them or none. The answers of one handle come in the order of its asks.
    ///
    /// # Errors
    /// When as much waits as may, or the thread has ended.
    pub fn try_apply(&self, token: u64, changes: Vec<OwnedChange>) -> Result<(), QueueFull> {
        let bytes = changes.iter().map(OwnedChange::bytes).sum();
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let ask = Ask { asker: self.asker, token, changes, bytes };
        let is_over = waiting + bytes > WAITING_BYTES_MAX;
        if is_over || self.orders.try_send(Order::Apply(ask)).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(QueueFull);
        }
        Ok(())
    }

    /// The answers that came since the last call.
    pub fn answers(&self) -> impl Iterator<Item = CatalogAnswer> + '_ {
        self.answers.try_iter()
    }

    /// Whether answers wait to be taken.
    #[must_use]
    pub fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }
}

impl Work {
    fn run(mut self) -> Catalog {
        let mut batch = Vec::new();
        let mut is_ending = false;
        while !is_ending {
            is_ending = self.gather(&mut batch);
            let bytes = batch.iter().map(|it: &Ask| it.bytes).sum();
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.apply(&batch);
            let mut askers: Vec<_> = batch.drain(..).map(|it| it.asker).collect();
            askers.sort_unstable();
            askers.dedup();
            let askers = askers.into_iter().filter_map(|it| self.askers.get(it));
            askers.for_each(|it| (it.wake)());
        }
        self.catalog
    }

    /// Waits for the next ask, and takes those that wait behind it. Says whether it is the end.
    fn gather(&self, batch: &mut Vec<Ask>) -> bool {
        let Ok(mut order) = self.orders.recv() else { return true };
        let mut bytes = 0;
        loop {
            match order {
                Order::Apply(ask) => {
                    bytes += ask.bytes;
                    batch.push(ask);
                }
                Order::End => return true,
            }
            if batch.len() >= BATCH_ASKS_MAX || bytes >= BATCH_BYTES_MAX {
                return false;
            }
            match self.orders.try_recv() {
                Ok(next) => order = next,
                Err(_) => return false,
            }
        }
    }

    fn apply(&mut self, batch: &[Ask]) {
        let changes = batch.iter().flat_map(|it| &it.changes).map(OwnedChange::as_change);
        match self.catalog.apply(&changes.collect::<Vec<_>>(), 0) {
            Ok(()) => batch.iter().for_each(|it| self.answer(it, Ok(()))),
            // Nothing was kept. What may be kept alone is not refused for its company.
            Err(why) if why.is_passing() && batch.len() > 1 => {
                for ask in batch {
                    let changes: Vec<_> = ask.changes.iter().map(OwnedChange::as_change).collect();
                    let result = self.catalog.apply(&changes, 0);
                    self.answer(ask, result);
                }
            }
            Err(why) => {
                let whys =
                    std::iter::once(why).chain(std::iter::repeat_with(|| JournalError::Fenced));
                batch.iter().zip(whys).for_each(|(it, why)| self.answer(it, Err(why)));
            }
        }
    }

    fn answer(&self, ask: &Ask, result: Result<(), JournalError>) {
        if let Some(asker) = self.askers.get(ask.asker) {
            let _ = asker.answers.send((ask.token, result)); // The shard is gone: nobody waits for it.
        }
    }
}
