//! The storage thread of a shard: it drains what waits, appends it as one batch, syncs once and answers once (group commit).

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    time::Duration,
};

use crate::{
    answer::{Answer, QueueFull, QueueLimits, Wake},
    error::JournalError,
    ids::{ChannelKey, Epoch, Offset, TenantId},
    journal::Journal,
    options::Retention,
    publication::Publication,
    reader::{self, Ask, Reader},
};

/// At most so many messages in one batch.
const BATCH_MESSAGES_MAX: usize = 1024;
/// A batch is closed once it has so many bytes of text.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// At most so many reads and other questions wait.
const QUESTIONS_MAX: usize = 1024;
/// Damaged ranges that one read goes past.
const DAMAGES_MAX: usize = 16;

/// Tells somebody of an append; says whether anybody listens.
type Tell = Box<dyn Fn() -> bool + Send>;

/// The storage thread's side.
pub struct Writer {
    journal: Box<dyn Journal>,
    appends: flume::Receiver<Arc<Publication>>,
    questions: flume::Receiver<Question>,
    asks: flume::Receiver<Ask>,
    answers: flume::Sender<Answer>,
    shared: Arc<Shared>,
    wake: Wake,
    batch: Vec<Arc<Publication>>,
    watches: Vec<Tell>,
}

/// The shard's side.
#[derive(Debug)]
pub struct WriterHandle {
    appends: flume::Sender<Arc<Publication>>,
    questions: flume::Sender<Question>,
    asks: flume::Sender<Ask>,
    answers: flume::Receiver<Answer>,
    shared: Arc<Shared>,
    bytes_max: u64,
    thread: Thread,
    join: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting_bytes: AtomicU64,
    ended: AtomicBool,
}

#[derive(Debug)]
enum Question {
    Read { token: u64, channel: Arc<ChannelKey>, after: Offset, limit: usize },
    Retain { policy: Retention, now_ms: u64 },
    Drop { token: u64, channel: Arc<ChannelKey> },
    BeginEpoch { channel: Arc<ChannelKey>, epoch: Epoch },
    DropTenant { token: u64, tenant: TenantId },
}

impl Writer {
    /// Starts a storage thread for the journal.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        name: &str,
        journal: Box<dyn Journal>,
        limits: QueueLimits,
        wake: Wake,
    ) -> io::Result<WriterHandle> {
        let (append, appends) = flume::bounded(limits.messages_max);
        let (question, questions) = flume::bounded(QUESTIONS_MAX);
        let (ask, asks) = reader::asks();
        let (answer, answers) = flume::unbounded();
        let shared = Arc::new(Shared::default());
        let writer = Self {
            journal,
            appends,
            questions,
            asks,
            answers: answer,
            shared: Arc::clone(&shared),
            wake,
            batch: Vec::with_capacity(BATCH_MESSAGES_MAX),
            watches: Vec::new(),
        };
        let join = thread::Builder::new().name(name.to_owned()).spawn(move || writer.run())?;
        Ok(WriterHandle {
            appends: append,
            questions: question,
            asks: ask,
            answers,
            shared,
            bytes_max: limits.bytes_max,
            thread: join.thread().clone(),
            join: Some(join),
        })
    }

    fn run(mut self) {
        loop {
            let ending = self.shared.ended.load(Ordering::Acquire);
            let appended = self.append() > 0;
            // One question a turn: neither side waits for more than one of the other's.
            let asked = self.questions.try_recv().ok();
            let answered = asked.map(|question| self.answer(question)).is_some();
            if appended || answered {
                (self.wake)();
            }
            let read = self.read_aside();
            match (appended || answered || read, ending) {
                (true, _) => {}
                (false, true) => return,
                (false, false) => thread::park(),
            }
        }
    }

    /// A bit of what readers beside the shard want: the shard was answered, and goes first again after it.
    fn read_aside(&mut self) -> bool {
        // A reader that gave up is told nothing.
        match self.asks.try_recv() {
            Ok(Ask::Work(work)) => work(self),
            Ok(Ask::Channels { tenant, reply }) => {
                drop(reply.send(self.journal.channels_of(tenant)));
            }
            Ok(Ask::Read { channel, after, limit, reply }) => {
                drop(reply.send(self.read(&channel, after, limit)));
            }
            Err(_) => return false,
        }
        true
    }

    /// Takes in who wants to be told of appends.
    pub(crate) fn watch(&mut self, tell: Tell) {
        self.watches.push(tell);
    }

    pub(crate) fn journal(&mut self) -> &mut dyn Journal {
        &mut *self.journal
    }

    /// Reads what can be read. What is damaged is left out, and the shard is told.
    pub(crate) fn read(
        &mut self,
        channel: &Arc<ChannelKey>,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Arc<Publication>>, JournalError> {
        let mut result = self.journal.read(channel, after, limit);
        if matches!(result, Err(JournalError::Corrupt { .. })) {
            self.say(Answer::Damaged { channel: Arc::clone(channel) });
            (self.wake)();
        }
        for _ in 0..DAMAGES_MAX {
            if !matches!(result, Err(JournalError::Corrupt { .. })) {
                break;
            }
            result = self.journal.read(channel, after, limit);
        }
        result
    }

    /// What was appended in the epoch before goes first.
    fn begin_epoch(&mut self, channel: &ChannelKey, epoch: Epoch) -> Option<Answer> {
        let waiting = self.appends.len();
        let mut appended = 0;
        while appended < waiting {
            match self.append() {
                0 => break,
                count => appended += count,
            }
        }
        self.journal.begin_epoch(channel, epoch).err().map(|why| Answer::NotBegun { why })
    }

    /// Appends what waits, up to a batch; says how many there were.
    fn append(&mut self) -> usize {
        let mut bytes = 0;
        while self.batch.len() < BATCH_MESSAGES_MAX && bytes < BATCH_BYTES_MAX {
            let Ok(publication) = self.appends.try_recv() else { break };
            bytes += publication.text_bytes();
            self.batch.push(publication);
        }
        let count = self.batch.len();
        if count == 0 {
            return 0;
        }
        let answer = match self.journal.append(&self.batch) {
            Ok(()) => {
                self.watches.retain(|tell| tell());
                Answer::Committed { count }
            }
            Err(why) => Answer::Refused { count, why },
        };
        self.batch.clear();
        self.shared.waiting_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.say(answer);
        count
    }

    fn answer(&mut self, question: Question) {
        let answer = match question {
            Question::Read { token, channel, after, limit } => {
                Answer::Read { token, result: self.read(&channel, after, limit) }
            }
            Question::Retain { policy, now_ms } => {
                let result = self.journal.retain(&policy, now_ms);
                Answer::Retained { result, stats: self.journal.stats() }
            }
            Question::Drop { token, channel } => {
                Answer::Dropped { token, result: self.journal.drop_channel(&channel) }
            }
            Question::BeginEpoch { channel, epoch } => {
                let Some(answer) = self.begin_epoch(&channel, epoch) else { return };
                answer
            }
            Question::DropTenant { token, tenant } => {
                Answer::DroppedTenant { token, result: self.journal.drop_tenant(tenant) }
            }
        };
        self.say(answer);
    }

    fn say(&self, answer: Answer) {
        let _ = self.answers.send(answer); // The shard is gone: nobody waits for it.
    }
}

impl WriterHandle {
    /// Hands a publication over; its answer follows those of all before it.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_append(&self, publication: Arc<Publication>) -> Result<(), QueueFull> {
        self.try_queue(publication)?;
        self.wake();
        Ok(())
    }

    /// Has the thread look at what was queued.
    pub fn wake(&self) {
        self.thread.unpark();
    }

    /// As [`WriterHandle::try_append`], for many at once: [`WriterHandle::wake`] follows the last of them. A thread that
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

    /// Asks to take a channel to a later epoch, after all that was handed over before. Only a failure is answered: whoever
    /// publishes to the channel takes it there as well.
    ///
    /// # Errors
    /// When as much waits as may.
    pub fn try_begin_epoch(&self, channel: Arc<ChannelKey>, epoch: Epoch) -> Result<(), QueueFull> {
        self.ask(Question::BeginEpoch { channel, epoch })
    }

    /// Asks to let go of all that a tenant had: see [`Journal::drop_tenant`]. None of its publications may be under way: one
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
