//! The way from a core to its storage thread and back. The core never waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use hashbrown::HashMap;
use protocol::Rejection;
use storage::{Answer, Cut, JournalError, Offset, Retention, WriterHandle};

use crate::shard::effects::Effects;
use crate::shard::input::{DropAsk, JournalAnswer, LetGo, ReadAsk, ReadTicket};

/// What is asked of a storage thread that has as many questions as it may.
const BUSY: Rejection = Rejection::Overloaded { limit: "journal_reads_max" };

/// One shard's journal, as its core sees it.
pub struct JournalPort {
    writer: WriterHandle,
    reads: HashMap<u64, ReadTicket>,
    drops: HashMap<u64, Vec<DropAsk>>,
    next_read: u64,
    /// Answers that came with others.
    ready: VecDeque<JournalAnswer>,
    /// Whether something was queued since the storage thread was last woken.
    is_queued: bool,
    /// Whether counts were, for which alone it is not woken at once.
    is_counted: bool,
    /// Whether the last run of retention left something for another.
    is_retiring: bool,
}

impl JournalPort {
    /// Talks to a storage thread.
    #[must_use]
    pub fn new(writer: WriterHandle) -> Self {
        let (reads, drops) = (HashMap::new(), HashMap::new());
        Self {
            writer,
            reads,
            drops,
            next_read: 0,
            ready: VecDeque::new(),
            is_queued: false,
            is_counted: false,
            is_retiring: false,
        }
    }

    /// Hands over what a turn wants stored and read.
    ///
    /// # Panics
    /// When the writer takes less than the broker's limits allow: they are the same numbers.
    pub fn send(&mut self, effects: &mut Effects, refused: &mut Vec<JournalAnswer>) {
        for publication in effects.appends.drain(..) {
            let taken = self.writer.try_queue(publication);
            self.is_queued = true;
            assert!(taken.is_ok(), "invariant 7: the broker keeps within the journal's queue");
        }
        for (channel, epoch) in effects.epochs.drain(..) {
            if self.writer.try_begin_epoch(channel, epoch).is_err() {
                tracing::warn!("the storage thread is busy; an epoch begins with its next message");
            }
        }
        for ask in effects.reads.drain(..) {
            let ticket = ask.ticket;
            if !self.read(ask) {
                refused.push(JournalAnswer::Read(ticket, Err(BUSY)));
            }
        }
        for counted in effects.counted.drain(..) {
            // The thread is far behind with them: these are lost, and their message has none.
            if self.writer.try_count(counted).is_err() {
                tracing::debug!("the storage thread is busy; counts of a message are lost");
            }
            self.is_counted = true;
        }
        if !effects.drops.is_empty() {
            self.drop_all(effects, refused);
        }
    }

    /// Those that go up to the same time are asked for together: one sync keeps it.
    fn drop_all(&mut self, effects: &mut Effects, refused: &mut Vec<JournalAnswer>) {
        let mut asks = effects.drops.drain(..).peekable();
        while let Some(first) = asks.next() {
            let until_ms = first.until_ms;
            let mut some = vec![first];
            while until_ms.is_some()
                && let Some(next) = asks.next_if(|it| it.until_ms == until_ms)
            {
                some.push(next);
            }
            if let Err(some) = self.let_go(until_ms, some) {
                let refuse = |ask| JournalAnswer::Dropped(ask, Err(BUSY));
                refused.extend(some.into_iter().map(refuse));
            }
        }
    }

    /// Ends a turn: the storage thread gets all of its appends at once.
    pub fn wake(&mut self) {
        if std::mem::take(&mut self.is_queued) {
            self.writer.hand_over();
        }
    }

    /// Lets the storage thread have the processor, if messages wait for it there: a core that is never idle would keep it for as
    /// long as the kernel's tick, several milliseconds.
    pub fn give_way(&self) {
        if self.writer.is_wanted() {
            thread::yield_now();
        }
    }

    /// Has the thread write down the counts that wait. Between two of these they go with whatever else it does.
    pub fn write_counts(&mut self) {
        if std::mem::take(&mut self.is_counted) {
            self.writer.wake();
        }
    }

    /// The next answer of the storage thread.
    pub fn take(&mut self) -> Option<JournalAnswer> {
        loop {
            if let Some(answer) = self.ready.pop_front() {
                return Some(answer);
            }
            let answer = self.writer.answers().next()?;
            if let Some(answer) = self.read_answer(answer) {
                return Some(answer);
            }
        }
    }

    /// What an answer means to the shard, if it means anything.
    fn read_answer(&mut self, answer: Answer) -> Option<JournalAnswer> {
        match answer {
            Answer::Committed { count } => Some(JournalAnswer::Committed(count)),
            Answer::Refused { count, why } => {
                if !why.is_passing() {
                    tracing::error!(%why, "persisted messages are refused until a restart");
                }
                Some(JournalAnswer::Refused(count, rejection(&why)))
            }
            Answer::Read { token, result } => {
                let ticket = self.reads.remove(&token)?;
                Some(JournalAnswer::Read(ticket, result.map_err(|why| rejection(&why))))
            }
            Answer::Retained { result: Err(why), .. } => {
                tracing::warn!(%why, "old messages could not be retired");
                None
            }
            Answer::Damaged { channel } => {
                tracing::error!(?channel, "history is damaged; its next epoch begins");
                Some(JournalAnswer::Damaged(channel))
            }
            Answer::NotBegun { why } => {
                tracing::warn!(%why, "a channel's new epoch is not durable yet");
                None
            }
            Answer::Retained { result: Ok(retired), .. } => {
                self.is_retiring = retired.is_partial;
                None
            }
            Answer::DroppedTenant { .. } => None,
            Answer::Dropped { token, result } => {
                let asks = self.drops.remove(&token)?;
                let result = result.map(|()| LetGo::All).map_err(|why| rejection(&why));
                let answer = |ask| JournalAnswer::Dropped(ask, result.clone());
                self.ready.extend(asks.into_iter().map(answer));
                None
            }
            Answer::Cut { token, result } => {
                let asks = self.drops.remove(&token)?;
                let result = result.map_err(|why| rejection(&why));
                let went = |ask: DropAsk| {
                    let went = result.as_deref().map(|cuts| went(cuts, &ask));
                    JournalAnswer::Dropped(ask, went.map_err(Clone::clone))
                };
                self.ready.extend(asks.into_iter().map(went));
                None
            }
        }
    }

    /// Has what is old enough retired. A busy thread does it the next time.
    pub fn retain(&mut self, policy: Retention, now_ms: u64) {
        self.is_retiring = false;
        if self.writer.try_retain(policy, now_ms).is_err() {
            tracing::debug!("the storage thread is busy; nothing was retired");
        }
    }

    /// Whether there is more to retire right away.
    #[must_use]
    pub fn is_retiring(&self) -> bool {
        self.is_retiring
    }

    /// Whether answers wait.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.ready.is_empty() && !self.writer.has_answers()
    }

    fn let_go(&mut self, until_ms: Option<u64>, asks: Vec<DropAsk>) -> Result<(), Vec<DropAsk>> {
        let token = self.next_read;
        self.next_read += 1;
        let mut channels = asks.iter().map(|it| Arc::clone(&it.channel));
        let asked = match until_ms {
            Some(until_ms) => self.writer.try_drop_until(token, channels.collect(), until_ms),
            None => channels.try_for_each(|it| self.writer.try_drop(token, it)),
        };
        if asked.is_err() {
            return Err(asks);
        }
        self.drops.insert(token, asks);
        Ok(())
    }

    fn read(&mut self, ask: ReadAsk) -> bool {
        let token = self.next_read;
        self.next_read += 1;
        let asked = self.writer.try_read(token, ask.channel, ask.after, ask.limit).is_ok();
        if asked {
            self.reads.insert(token, ask.ticket);
        }
        asked
    }
}

/// What went of one of the channels.
fn went(cuts: &[Cut], ask: &DropAsk) -> LetGo {
    let cut = cuts.iter().find(|it| it.channel == ask.channel);
    let (first_retained, messages) =
        cut.map_or((Offset(0), 0), |it| (it.first_retained, it.messages));
    LetGo::Before { first_retained, messages }
}

/// A disk's trouble, as a publisher hears of it. Only what ends all persistence until a restart says so.
fn rejection(why: &JournalError) -> Rejection {
    match why {
        JournalError::Full { .. } | JournalError::OutOfOrder => Rejection::StorageFull,
        JournalError::Descriptors => Rejection::Overloaded { limit: "RLIMIT_NOFILE" },
        JournalError::TooLarge { .. } | JournalError::Corrupt { .. } => Rejection::Internal,
        JournalError::Io { .. }
        | JournalError::Fenced
        | JournalError::TimedOut
        | JournalError::Ended => Rejection::StorageUnavailable,
    }
}
