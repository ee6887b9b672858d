//! Reading the journal from any other thread, beside the shard: it blocks its caller, never an append.

use std::{fmt, sync::Arc, thread::Thread, time::Duration};

use crate::{
    error::JournalError,
    ids::{ChannelKey, Offset, TenantId},
    journal::{ChannelState, Counted, LiveRun, Place, Scope, Source, View, Wanted, fetch},
    publication::Publication,
    writer::Writer,
};

/// At most so many questions of all readers wait.
const ASKS_MAX: usize = 64;
/// Messages that the storage thread reads between two batches of appends.
const CHUNK_MESSAGES_MAX: usize = 128;

/// Channels, and where each of them stands.
pub type ChannelStates = Vec<(Arc<ChannelKey>, ChannelState)>;

/// Asks a storage thread, and waits for what it says. A clone asks the same one.
#[derive(Clone)]
pub struct Reader {
    asks: flume::Sender<Ask>,
    thread: Thread,
    timeout: Duration,
}

/// Work that the storage thread does between two batches.
type Work = Box<dyn FnOnce(&mut Writer) + Send>;

/// One short question.
pub(crate) enum Ask {
    Work(Work),
    Channels {
        tenant: TenantId,
        reply: flume::Sender<ChannelStates>,
    },
    Read {
        channel: Arc<ChannelKey>,
        after: Offset,
        limit: usize,
        reply: flume::Sender<Result<Vec<Arc<Publication>>, JournalError>>,
    },
}

/// Where the questions go, and where the storage thread takes them.
pub(crate) fn asks() -> (flume::Sender<Ask>, flume::Receiver<Ask>) {
    flume::bounded(ASKS_MAX)
}

impl Reader {
    pub(crate) fn new(asks: flume::Sender<Ask>, thread: Thread, timeout: Duration) -> Self {
        Self { asks, thread, timeout }
    }

    /// The channels of a tenant that hold or held a message, by name.
    ///
    /// # Errors
    /// [`JournalError::TimedOut`] when the storage thread has too much else to do, [`JournalError::Ended`] when it is no more.
    pub fn channels(&self, tenant: TenantId) -> Result<ChannelStates, JournalError> {
        let mut channels = self.ask(|reply| Ask::Channels { tenant, reply })?;
        channels.sort_unstable_by(|a, b| a.0.name().cmp(b.0.name()));
        Ok(channels)
    }

    /// The retained publications of a channel with an offset over `after`, rising: `max` of them, unless there are fewer.
    /// They are read bit by bit, with appends and retention between: what lies before an error is given, and the next call
    /// tells of it. Damaged ones are left out: a jump in the offsets shows it, and the channel's home hears of it.
    ///
    /// # Errors
    /// As for [`Journal::read`](crate::Journal::read) and [`Reader::channels`].
    pub fn read(
        &self,
        channel: &Arc<ChannelKey>,
        after: Offset,
        max: usize,
    ) -> Result<Vec<Arc<Publication>>, JournalError> {
        let (mut publications, mut after) = (Vec::new(), after);
        while publications.len() < max {
            let limit = CHUNK_MESSAGES_MAX.min(max - publications.len());
            let channel = Arc::clone(channel);
            let some = self.ask(|reply| Ask::Read { channel, after, limit, reply });
            let some = match some.flatten() {
                Err(_) if !publications.is_empty() => break,
                other => other?,
            };
            match some.last().and_then(|it| it.offset()) {
                Some(last) => after = last,
                None => break,
            }
            publications.extend(some);
        }
        Ok(publications)
    }

    /// Writes down the counts of messages: see [`Journal::count`](crate::Journal::count).
    ///
    /// # Errors
    /// As for [`Journal::append`](crate::Journal::append) and [`Reader::channels`].
    pub fn count(&self, counted: Vec<Counted>) -> Result<(), JournalError> {
        self.with(move |writer| {
            let counted = writer.journal().count(&counted);
            counted.and_then(|()| writer.journal().append(&[]))
        })?
    }

    /// Calls `tell` with each batch that was appended, on the storage thread, until it answers that nobody listens.
    ///
    /// # Errors
    /// As for [`Reader::channels`].
    pub fn watch(
        &self,
        tell: impl FnMut(&[Arc<Publication>]) -> bool + Send + 'static,
    ) -> Result<(), JournalError> {
        self.with(move |writer| writer.watch(Box::new(tell)))
    }

    /// Has the storage thread call this soon, and does not wait for it. It is left out while another question waits, so that of many
    /// such calls at most one does.
    pub fn tell(&self, call: fn()) {
        let work = Ask::Work(Box::new(move |_| call()));
        if self.asks.is_empty() && self.asks.try_send(work).is_ok() {
            self.thread.unpark();
        }
    }

    /// Has the storage thread do some short work.
    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> T + Send + 'static,
    ) -> Result<T, JournalError> {
        self.ask(|reply| Ask::Work(Box::new(move |writer| drop(reply.send(work(writer))))))
    }

    fn ask<T>(&self, make: impl FnOnce(flume::Sender<T>) -> Ask) -> Result<T, JournalError> {
        let (reply, answer) = flume::bounded(1);
        self.asks.send_timeout(make(reply), self.timeout).map_err(|why| match why {
            flume::SendTimeoutError::Timeout(_) => JournalError::TimedOut,
            flume::SendTimeoutError::Disconnected(_) => JournalError::Ended,
        })?;
        self.thread.unpark();
        answer.recv_timeout(self.timeout).map_err(|why| match why {
            flume::RecvTimeoutError::Timeout => JournalError::TimedOut,
            flume::RecvTimeoutError::Disconnected => JournalError::Ended,
        })
    }
}

impl Source for Reader {
    fn view(&mut self, scope: &Scope) -> Result<View, JournalError> {
        let scope = scope.clone();
        self.with(move |writer| writer.journal().view(&scope))
    }

    fn end(&mut self) -> Result<Place, JournalError> {
        self.with(|writer| writer.journal().end())
    }

    fn live(
        &mut self,
        segment: u64,
        channels: &[Arc<ChannelKey>],
    ) -> Result<Vec<Vec<LiveRun>>, JournalError> {
        let channels = channels.to_vec();
        self.with(move |writer| {
            channels.iter().map(|it| writer.journal().live(segment, it)).collect()
        })
    }

    fn fetch(&mut self, wanted: &[Wanted]) -> Result<Vec<Option<Arc<Publication>>>, JournalError> {
        let wanted = wanted.to_vec();
        self.with(move |writer| fetch(&wanted, |channel, after| writer.read(channel, after, 1)))?
    }

    fn put_list(&mut self, segment: u64, nonce: u64, list: Vec<u8>) -> Result<(), JournalError> {
        self.with(move |writer| writer.journal().put_list(segment, nonce, &list))?
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
