//! The way from a core to its storage thread and back. The core never waits for it.

use std::sync::Arc;

use hashbrown::HashMap;
use protocol::Rejection;
use storage::{Answer, JournalError, Retention, WriterHandle};

use crate::ids::ChannelKey;
use crate::shard::effects::Effects;
use crate::shard::input::{JournalAnswer, ReadAsk, ReadTicket};

/// What is asked of a storage thread that has as many questions as it may.
const BUSY: Rejection = Rejection::Overloaded { limit: "journal_reads_max" };

/// One shard's journal, as its core sees it.
pub struct JournalPort {
    writer: WriterHandle,
    reads: HashMap<u64, ReadTicket>,
    drops: HashMap<u64, Arc<ChannelKey>>,
    next_read: u64,
    /// Whether something was queued since the storage thread was last woken.
    is_queued: bool,
}

impl JournalPort {
    /// Talks to a storage thread.
    #[must_use]
    pub fn new(writer: WriterHandle) -> Self {
        let (reads, drops) = (HashMap::new(), HashMap::new());
        Self { writer, reads, drops, next_read: 0, is_queued: false }
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
        for channel in effects.drops.drain(..) {
            if !self.let_go(&channel) {
                refused.push(JournalAnswer::Dropped(channel, Err(BUSY)));
            }
        }
    }

    /// Ends a turn: the storage thread gets all of its appends at once.
    pub fn wake(&mut self) {
        if std::mem::take(&mut self.is_queued) {
            self.writer.wake();
        }
    }

    /// The next answer of the storage thread.
    pub fn take(&mut self) -> Option<JournalAnswer> {
        loop {
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
            Answer::Retained { result: Ok(_), .. } | Answer::DroppedTenant { .. } => None,
            Answer::Dropped { token, result } => {
                let channel = self.drops.remove(&token)?;
                Some(JournalAnswer::Dropped(channel, result.map_err(|why| rejection(&why))))
            }
        }
    }

    /// Has what is old enough retired. A busy thread does it the next time.
    pub fn retain(&self, policy: Retention, now_ms: u64) {
        if self.writer.try_retain(policy, now_ms).is_err() {
            tracing::debug!("the storage thread is busy; nothing was retired");
        }
    }

    /// Whether answers wait.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.writer.has_answers()
    }

    fn let_go(&mut self, channel: &Arc<ChannelKey>) -> bool {
        let token = self.next_read;
        self.next_read += 1;
        let asked = self.writer.try_drop(token, Arc::clone(channel)).is_ok();
        if asked {
            self.drops.insert(token, Arc::clone(channel));
        }
        asked
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

/// A disk's trouble, as a publisher hears of it. Only what ends all persistence until a restart says so.
fn rejection(why: &JournalError) -> Rejection {
    match why {
        JournalError::Full { .. } | JournalError::OutOfOrder => Rejection::StorageFull,
        JournalError::TooLarge { .. } | JournalError::Corrupt { .. } => Rejection::Internal,
        JournalError::Io { .. }
        | JournalError::Fenced
        | JournalError::TimedOut
        | JournalError::Ended => Rejection::StorageUnavailable,
    }
}
