//! The storage thread of a shard: it drains what waits, appends it as one batch, syncs once and answers once (group commit).

use std::{
    io,
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
    thread,
    time::Duration,
};

use crate::{
    answer::{Answer, QueueLimits, Wake},
    commit_delay::{Clock, CommitDelay, DelayOptions},
    error::JournalError,
    handle::{Question, Shared, WriterHandle},
    ids::{ChannelKey, Epoch, Offset},
    journal::{Counted, Journal},
    publication::Publication,
    reader::{self, Ask},
};

/// At most so many messages in one batch.
const BATCH_MESSAGES_MAX: usize = 1024;
/// A batch is closed once it has so many bytes of text.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Messages whose counts wait, at most.
const COUNTED_MAX: usize = 64 * 1024;
/// Damaged ranges that one read goes past.
const DAMAGES_MAX: usize = 16;

/// Tells somebody of an append; says whether anybody listens.
type Tell = Box<dyn FnMut(&[Arc<Publication>]) -> bool + Send>;

/// The storage thread's side.
pub struct Writer {
    journal: Box<dyn Journal>,
    appends: flume::Receiver<Arc<Publication>>,
    counted: flume::Receiver<Counted>,
    questions: flume::Receiver<Question>,
    asks: flume::Receiver<Ask>,
    answers: flume::Sender<Answer>,
    shared: Arc<Shared>,
    wake: Wake,
    batch: Vec<Arc<Publication>>,
    counts: Vec<Counted>,
    watches: Vec<Tell>,
    delay: CommitDelay,
    clock: Option<Clock>,
}

impl Writer {
    /// Starts a storage thread for the journal, which syncs what waits as soon as it can.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        name: &str,
        journal: Box<dyn Journal>,
        limits: QueueLimits,
        wake: Wake,
    ) -> io::Result<WriterHandle> {
        Self::start(name, journal, limits, wake, None)
    }

    /// The same, but it waits for those whose messages it has just synced to come with their next ones, where that is worth it: see
    /// [`DelayOptions`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn_with_delay(
        name: &str,
        journal: Box<dyn Journal>,
        limits: QueueLimits,
        wake: Wake,
        delay: DelayOptions,
    ) -> io::Result<WriterHandle> {
        Self::start(name, journal, limits, wake, Some(delay))
    }

    fn start(
        name: &str,
        journal: Box<dyn Journal>,
        limits: QueueLimits,
        wake: Wake,
        delay: Option<DelayOptions>,
    ) -> io::Result<WriterHandle> {
        let (append, appends) = flume::bounded(limits.messages_max);
        let (count, counted) = flume::bounded(COUNTED_MAX);
        let (question, questions) = flume::bounded(limits.reads_max);
        let (ask, asks) = reader::asks();
        let (answer, answers) = flume::unbounded();
        let shared = Arc::new(Shared::default());
        let (longest, clock) =
            delay.map_or((Duration::ZERO, None), |it| (it.longest, Some(it.clock)));
        let writer = Self {
            journal,
            appends,
            counted,
            questions,
            asks,
            answers: answer,
            shared: Arc::clone(&shared),
            wake,
            batch: Vec::with_capacity(BATCH_MESSAGES_MAX),
            counts: Vec::new(),
            watches: Vec::new(),
            delay: CommitDelay::new(longest, limits.messages_max.min(BATCH_MESSAGES_MAX)),
            clock,
        };
        let join = thread::Builder::new().name(name.to_owned()).spawn(move || writer.run())?;
        Ok(WriterHandle {
            appends: append,
            counted: count,
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
            let is_delayed = !ending && self.is_delayed();
            let counted = !is_delayed && self.count();
            let appended = !is_delayed && self.append() > 0;
            if counted && !appended {
                // Nothing else takes them along. Should it fail, they go with the next append.
                let _ = self.journal.append(&[]);
            }
            // One question a turn: neither side waits for more than one of the other's.
            let asked = self.questions.try_recv().ok();
            let answered = asked.map(|question| self.answer(question)).is_some();
            if appended || answered {
                (self.wake)();
            }
            let read = self.read_aside();
            if answered || read {
                // The shard may have to share its processor, and would wait for the end of this thread's slice.
                thread::yield_now();
            }
            match (counted || appended || answered || read, ending) {
                (true, _) => {}
                (false, true) => return,
                (false, false) => match self.delay.left(self.now()) {
                    Some(left) => thread::park_timeout(left),
                    None => thread::park(),
                },
            }
        }
    }

    /// Without a clock no time passes, and no sync takes so long that anybody is waited for.
    fn now(&self) -> Duration {
        self.clock.as_ref().map_or(Duration::ZERO, |clock| clock())
    }

    /// Whether the thread waits for more messages before it syncs what there is.
    fn is_delayed(&mut self) -> bool {
        let now = self.now();
        if self.delay.holds(self.appends.len(), now) {
            return true;
        }
        // From here on each who queues wakes the thread; what was queued before, it sees. See `WriterHandle::is_wanted`.
        self.shared.enough.store(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        false
    }

    /// Writes down what waits, up to a batch, with the appends of the turn. Where there is no room, it waits on.
    fn count(&mut self) -> bool {
        let free = BATCH_MESSAGES_MAX - self.counts.len();
        self.counts.extend(self.counted.try_iter().take(free));
        if self.counts.is_empty() {
            return false;
        }
        match self.journal.count(&self.counts) {
            Err(JournalError::Full { .. } | JournalError::Descriptors) => return false,
            // What is refused for good is lost, as nothing more is kept at all.
            Ok(()) | Err(_) => self.counts.clear(),
        }
        true
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
        let began = self.now();
        let answer = match self.journal.append(&self.batch) {
            Ok(()) => {
                let (now, waiting) = (self.now(), self.appends.len());
                self.delay.synced(count, waiting, now - began, now);
                let batch = &self.batch;
                self.watches.retain_mut(|tell| tell(batch));
                Answer::Committed { count }
            }
            Err(why) => {
                self.delay.give_up();
                Answer::Refused { count, why }
            }
        };
        self.batch.clear();
        self.shared.waiting_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
        self.say(answer);
        self.shared.enough.store(self.delay.enough(), Ordering::Relaxed);
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
            Question::DropUntil { token, channels, until_ms } => {
                Answer::Cut { token, result: self.journal.drop_until(&channels, until_ms) }
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
