//! Lists, statistics and cursors over the messages of a tenant, from an index and not from a scan.
//!
//! A question looks at a [`View`]: for each segment that holds something of the tenant either the file that lists its messages
//! (see `file`), or, for the one that is being written, the rows in memory. The files never change, and are read by whoever
//! asks: the storage thread only says what is there, what of it is still retained, and reads the messages that were chosen.

mod counts;
mod cursor;
mod file;
mod list;
mod pieces;
mod read;
mod rebuild;
mod rows;
mod said;
mod scan;
mod sift;
mod stats;
mod tally;

use std::{fmt, sync::Arc};

pub(super) use self::{
    counts::{CountKey, CountRow, Numbers, key_hash},
    file::encode,
    rows::{Rows, Seen, Snapshot},
    scan::Scan,
};
pub use self::{
    counts::{Counted, Counts},
    cursor::{Cursor, Passed, Place, Slice},
    list::{LIST_MESSAGES_MAX, ListQuery, Listed, Listing, choose, list},
    stats::{Stats, StatsQuery, TOP_EVENTS, stats},
};
use crate::{
    disk::DiskFile,
    error::JournalError,
    ids::{ChannelKey, Epoch, Offset, TenantId},
    journal::{Journal, READ_BYTES_MAX},
    publication::Publication,
};

/// At most so many messages, or channels, are asked for at once.
const ASKED_MAX: usize = 128;

/// Whose messages.
#[derive(Clone, Debug)]
pub enum Scope {
    /// All of a tenant.
    Tenant(TenantId),
    /// Those of one channel.
    Channel(Arc<ChannelKey>),
}

/// Says of the names of channels whether they are meant.
pub type Names = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Which of a tenant's messages are meant.
#[derive(Clone, Default)]
pub enum Among {
    /// All of them.
    #[default]
    All,
    /// Those of one channel.
    Channel(Arc<ChannelKey>),
    /// Those of the channels with such names.
    Named(Names),
}

/// What there is to look at.
#[derive(Debug, Default)]
pub struct View {
    pub(super) parts: Vec<Part>,
    /// Something before this was let go.
    pub(super) floor: Place,
    /// Segments after it that were let go.
    pub(super) holes: Vec<u64>,
    /// Everything that comes later comes after this.
    pub(super) end: Place,
}

/// One segment.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) segment: u64,
    /// How many messages of the scope it holds that are retained.
    pub(super) live: u64,
    /// Whether it says anything about the counts of messages.
    pub(super) speaks: bool,
    /// Whether its list may lack messages of which counts are said.
    pub(super) is_partial: bool,
    pub(super) data: Data,
}

/// Where the messages of a segment are listed.
#[derive(Clone)]
pub(super) enum Data {
    /// Here.
    Rows(Snapshot),
    /// In a file.
    Sealed(Sealed),
}

/// The files of a sealed segment.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) log: Arc<dyn DiskFile>,
    pub(super) list: Option<Arc<dyn DiskFile>>,
    pub(super) nonce: u64,
}

/// Messages of a channel in one segment that are retained.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LiveRun {
    /// Their epoch.
    pub epoch: Epoch,
    /// The first offset.
    pub first: u64,
    /// One past the last offset.
    pub end: u64,
}

impl LiveRun {
    /// Whether an offset is in it.
    #[must_use]
    pub fn holds(&self, offset: u64) -> bool {
        (self.first..self.end).contains(&offset)
    }
}

/// A message by its name.
pub type Wanted = (Arc<ChannelKey>, Offset);

/// What answers to lists and cursors: a journal, or a [`Reader`](crate::Reader) of one.
pub trait Source {
    /// What there is to look at.
    ///
    /// # Errors
    /// When nobody answers.
    fn view(&mut self, scope: &Scope) -> Result<View, JournalError>;

    /// A place that nothing lies behind yet: whatever is appended later comes after it.
    ///
    /// # Errors
    /// When nobody answers.
    fn end(&mut self) -> Result<Place, JournalError>;

    /// What is retained of each of the channels in a segment.
    ///
    /// # Errors
    /// When nobody answers.
    fn live(
        &mut self,
        segment: u64,
        channels: &[Arc<ChannelKey>],
    ) -> Result<Vec<Vec<LiveRun>>, JournalError>;

    /// The first few of these messages; `None` for one that is not there any more.
    ///
    /// # Errors
    /// When nobody answers, or the disk refuses.
    fn fetch(&mut self, wanted: &[Wanted]) -> Result<Vec<Option<Arc<Publication>>>, JournalError>;

    /// Puts the list of a segment in place of one that is damaged or missing, if the segment is still that one.
    ///
    /// # Errors
    /// When nobody answers, or the disk refuses.
    fn put_list(&mut self, segment: u64, nonce: u64, list: Vec<u8>) -> Result<(), JournalError>;

    /// Whether somebody still waits for the answer. It is asked before a segment is looked at.
    ///
    /// # Errors
    /// When nobody does: the question ends with this.
    fn is_awaited(&mut self) -> Result<(), JournalError> {
        Ok(())
    }
}

impl Source for Box<dyn Journal> {
    fn view(&mut self, scope: &Scope) -> Result<View, JournalError> {
        Ok(Journal::view(&**self, scope))
    }

    fn end(&mut self) -> Result<Place, JournalError> {
        Ok(Journal::end(&**self))
    }

    fn live(
        &mut self,
        segment: u64,
        channels: &[Arc<ChannelKey>],
    ) -> Result<Vec<Vec<LiveRun>>, JournalError> {
        Ok(channels.iter().map(|it| Journal::live(&**self, segment, it)).collect())
    }

    fn fetch(&mut self, wanted: &[Wanted]) -> Result<Vec<Option<Arc<Publication>>>, JournalError> {
        fetch(wanted, |channel, after| self.read(channel, after, 1))
    }

    fn put_list(&mut self, segment: u64, nonce: u64, list: Vec<u8>) -> Result<(), JournalError> {
        Journal::put_list(&mut **self, segment, nonce, &list)
    }
}

/// Reads messages one by one, about as much as a read gives at once. A damaged one counts as not there.
pub(crate) fn fetch(
    wanted: &[Wanted],
    mut read: impl FnMut(&Arc<ChannelKey>, Offset) -> Result<Vec<Arc<Publication>>, JournalError>,
) -> Result<Vec<Option<Arc<Publication>>>, JournalError> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for (channel, offset) in wanted.iter().take(ASKED_MAX) {
        if bytes >= READ_BYTES_MAX {
            break;
        }
        let read = match read(channel, Offset(offset.0.saturating_sub(1))) {
            Err(JournalError::Corrupt { .. }) => Vec::new(),
            other => other?,
        };
        let message = read.into_iter().next().filter(|it| it.offset() == Some(*offset));
        bytes += message.as_ref().map_or(0, |it| it.text_bytes());
        found.push(message);
    }
    Ok(found)
}

impl Scope {
    /// Whose they are.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Tenant(tenant) => *tenant,
            Self::Channel(channel) => channel.tenant(),
        }
    }

    /// The one channel.
    #[must_use]
    pub fn channel(&self) -> Option<&Arc<ChannelKey>> {
        match self {
            Self::Tenant(_) => None,
            Self::Channel(channel) => Some(channel),
        }
    }
}

impl Among {
    fn scope(&self, tenant: TenantId) -> Scope {
        match self {
            Self::All | Self::Named(_) => Scope::Tenant(tenant),
            Self::Channel(channel) => Scope::Channel(Arc::clone(channel)),
        }
    }

    fn names(&self) -> Option<Names> {
        match self {
            Self::All | Self::Channel(_) => None,
            Self::Named(names) => Some(Arc::clone(names)),
        }
    }
}

impl fmt::Debug for Among {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("All"),
            Self::Channel(channel) => f.debug_tuple("Channel").field(channel).finish(),
            Self::Named(_) => f.write_str("Named"),
        }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows(_) => "Rows",
            Self::Sealed(_) => "Sealed",
        })
    }
}
