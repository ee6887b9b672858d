//! The shard's side of its storage thread: what it hands over, and what comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread::{JoinHandle, Thread},
    time::Duration,
};

use crate::{
    answer::{Answer, QueueFull},
    ids::{ChannelKey, Epoch, Offset, TenantId},
    journal::Counted,
    options::Retention,
    publication::Publication,
    reader::{Ask, Reader},
};

/// The shard's side.
#[derive(Debug)]
pub struct WriterHandle {
    pub(crate) appends: flume::Sender<Arc<Publication>>,
    pub(crate) counted: flume::Sender<Counted>,
    pub(crate) questions: flume::Sender<Question>,
    pub(crate) asks: flume::Sender<Ask>,
    pub(crate) answers: flume::Receiver<Answer>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) bytes_max: u64,
    pub(crate) thread: Thread,
    pub(crate) join: Option<JoinHandle<()>>,
}

/// Hands counts over, from any thread. It holds nothing up: once the storage thread has ended, all are refused.
#[derive(Clone, Debug)]
pub struct Counter {
    counted: flume::Sender<Counted>,
    thread: Thread,
}

impl Counter {
    /// As [`WriterHandle::try_count`].
    ///
    /// # Errors
    /// When as many wait as may, or the storage thread has ended.
    pub fn try_count(&self, counted: Counted) -> Result<(), QueueFull> {
        self.counted.try_send(counted).map_err(|_| QueueFull)?;
        self.thread.unpark();
        Ok(())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) waiting_bytes: AtomicU64,
    pub(crate) ended: AtomicBool,
    /// How many messages must wait before the storage thread is to be woken: with fewer it looks by itself.
    pub(crate) enough: AtomicUsize,
}

#[derive(Debug)]
pub(crate) enum Question {
    Read { token: u64, channel: Arc<ChannelKey>, after: Offset, limit: usize },
    Retain { policy: Retention, now_ms: u64 },
    Drop { token: u64, channel: Arc<ChannelKey> },
    DropUntil { token: u64, channels: Vec<Arc<ChannelKey>>, until_ms: u64 },
    BeginEpoch { channel: Arc<ChannelKey>, epoch: Epoch },
    DropTenant { token: u64, tenant: TenantId },
}

impl WriterHandle {
    /// Hands a publication over; its answer follows those of all before it.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_append(&self, publication: Arc<Publication>) -> Result<(), QueueFull> {
        self.try_queue(publication)?;
        self.hand_over();
        Ok(())
    }

    /// Has the thread begin with what was queued. Where it waits for more to come it is left alone until there is enough: see
    /// `commit_delay`.
    pub fn hand_over(&self) {
        if self.is_wanted() {
            self.thread.unpark();
        }
    }

    /// Has the thread look at all that waits, messages or not.
    pub fn wake(&self) {
        self.thread.unpark();
    }

    /// Whether the thread has messages to sync, or is at it: one that only waits for more to come has not.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        // What was queued before shows to the thread, or here shows that it wants to be told. See `Writer::is_delayed`.
        fence(Ordering::SeqCst);
        let enough = self.shared.enough.load(Ordering::Relaxed);
        self.waiting_bytes() > 0 && self.appends.len() >= enough
    }

    /// As [`WriterHandle::try_append`], for many at once: [`WriterHandle::hand_over`] follows the last of them. A thread that
    /// shares the caller's processor would otherwise begin with the first one, alone in its batch.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_queue(&self, publication: Arc<Publication>) -> Result<(), QueueFull> {
        let bytes = publication.text_bytes() as u64;
        let waiting = self.shared.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > self.bytes_max || self.appends.try_send(publication).is_err() {
            self.shared.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(QueueFull);
        }
        Ok(())
    }

    /// Hands the counts of a message over: see [`Journal::count`](crate::Journal::count). They are not answered, and go with
    /// whatever the thread does next: it is not woken, since by itself it would sync them alone.
    ///
    /// # Errors
    /// When as many wait as may.
    pub fn try_count(&self, counted: Counted) -> Result<(), QueueFull> {
        self.counted.try_send(counted).map_err(|_| QueueFull)
    }

    /// A way to hand counts over from other threads.
    #[must_use]
    pub fn counter(&self) -> Counter {
        Counter { counted: self.counted.clone(), thread: self.thread.clone() }
    }

    /// Asks for the retained publications of a channel after an offset.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_read(
        &self,
        token: u64,
        channel: Arc<ChannelKey>,
        after: Offset,
        limit: usize,
    ) -> Result<(), QueueFull> {
        self.ask(Question::Read { token, channel, after, limit })
    }

    /// Asks for a retention run.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_retain(&self, policy: Retention, now_ms: u64) -> Result<(), QueueFull> {
        self.ask(Question::Retain { policy, now_ms })
    }

    /// Asks to let go of every message of a channel. It is done before or after the appends that wait.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_drop(&self, token: u64, channel: Arc<ChannelKey>) -> Result<(), QueueFull> {
        self.ask(Question::Drop { token, channel })
    }

    /// Asks to let go of what channels hold that was taken up to a time: see
    /// [`Journal::drop_until`](crate::Journal::drop_until). It is done before or after the appends that wait.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_drop_until(
        &self,
        token: u64,
        channels: Vec<Arc<ChannelKey>>,
        until_ms: u64,
    ) -> Result<(), QueueFull> {
        self.ask(Question::DropUntil { token, channels, until_ms })
    }

    /// Asks to take a channel to a later epoch, after all that was handed over before. Only a failure is answered: whoever
    /// publishes to the channel takes it there as well.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_begin_epoch(&self, channel: Arc<ChannelKey>, epoch: Epoch) -> Result<(), QueueFull> {
        self.ask(Question::BeginEpoch { channel, epoch })
    }

    /// Asks to let go of all that a tenant had: see [`Journal::drop_tenant`](crate::Journal::drop_tenant). None of its publications may be under way: one
    /// that comes after it with an old offset is refused, and its whole batch with it.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_drop_tenant(&self, token: u64, tenant: TenantId) -> Result<(), QueueFull> {
        self.ask(Question::DropTenant { token, tenant })
    }

    /// A way to read the journal from other threads. Each of its questions waits for at most `timeout`, twice.
    #[must_use]
    pub fn reader(&self, timeout: Duration) -> Reader {
        Reader::new(self.asks.clone(), self.thread.clone(), timeout)
    }

    /// The answers that came since the last call.
    pub fn answers(&self) -> impl Iterator<Item = Answer> + '_ {
        self.answers.try_iter()
    }

    /// Whether answers wait to be taken.
    #[must_use]
    pub fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Waits for the next answer. `None` once the thread has ended and all are taken.
    #[must_use]
    pub fn wait(&self) -> Option<Answer> {
        self.answers.recv().ok()
    }

    /// Bytes of text that wait for the storage thread.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.shared.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Messages that wait for the storage thread.
    #[must_use]
    pub fn waiting_messages(&self) -> usize {
        self.appends.len()
    }

    /// Lets the thread finish what waits, closes the journal, and returns the last answers.
    #[must_use]
    pub fn shutdown(mut self) -> Vec<Answer> {
        self.end();
        self.answers.drain().collect()
    }

    fn ask(&self, question: Question) -> Result<(), QueueFull> {
        self.questions.try_send(question).map_err(|_| QueueFull)?;
        self.thread.unpark();
        Ok(())
    }

    fn end(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.thread.unpark();
        if let Some(join) = self.join.take() {
            let _ = join.join(); // A panic there has been printed; here it would hide the first cause.
        }
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.end();
    }
}
