//! The journals of all shards, as a query reads them: one tenant's channels, and a count of what was read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use protocol::Rejection;
use storage::{ChannelState, JournalError, Publication};

use crate::ids::{ChannelKey, Offset, TenantId};
use crate::side::journals::{self, Journals};

/// Why a query cannot read on. It is not the query's fault.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A shard has not started yet.
    Absent,
    /// Its journal does not answer as it should.
    Journal(JournalError),
    /// The query takes too long, or nobody waits for it.
    Overdue,
}

/// What one query reads from.
pub(super) struct Source {
    journals: Journals,
    tenant: TenantId,
    overdue: Arc<AtomicBool>,
    trouble: OnceLock<Trouble>,
    read: AtomicU64,
}

impl Source {
    pub(super) fn new(journals: Journals, tenant: TenantId, overdue: Arc<AtomicBool>) -> Self {
        let trouble = OnceLock::new();
        Self { journals, tenant, overdue, trouble, read: AtomicU64::new(0) }
    }

    /// Whether the query has to end.
    pub(super) fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Relaxed)
    }

    /// The flag that says so.
    pub(super) fn overdue(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.overdue)
    }

    /// Messages read so far.
    #[cfg(test)]
    pub(super) fn messages_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn key(&self, name: &str) -> Arc<ChannelKey> {
        Arc::new(ChannelKey::new(self.tenant, name))
    }

    /// All channels of the tenant, by name.
    pub(super) fn channels(&self) -> Result<Vec<(Arc<ChannelKey>, ChannelState)>, Stopped> {
        let mut all = Vec::new();
        for reader in self.journals.all() {
            self.check()?;
            let reader = reader.ok_or_else(|| self.stop(Trouble::Absent))?;
            let some = reader.channels(self.tenant);
            all.extend(some.map_err(|why| self.stop(Trouble::Journal(why)))?);
        }
        all.sort_unstable_by(|one, other| one.0.name().cmp(other.0.name()));
        Ok(all)
    }

    /// Messages of a channel behind an offset, rising, at most so many.
    pub(super) fn read(
        &self,
        channel: &Arc<ChannelKey>,
        after: u64,
        max: usize,
    ) -> Result<Vec<Arc<Publication>>, Stopped> {
        self.check()?;
        let reader = self.journals.of(channel).ok_or_else(|| self.stop(Trouble::Absent))?;
        let some = reader.read(channel, Offset(after), max);
        let some = some.map_err(|why| self.stop(Trouble::Journal(why)))?;
        self.read.fetch_add(some.len() as u64, Ordering::Relaxed);
        Ok(some)
    }

    /// What the caller hears, where the query itself is not to blame.
    pub(super) fn rejection(&self, time_ms_max: u64) -> Option<Rejection> {
        match self.trouble.get() {
            None if self.is_overdue() => Some(super::run::over_time(time_ms_max)),
            None => None,
            Some(Trouble::Overdue) => Some(super::run::over_time(time_ms_max)),
            Some(Trouble::Absent) => Some(Rejection::StorageUnavailable),
            Some(Trouble::Journal(why)) => {
                tracing::debug!(%why, "a query could not read the journal");
                Some(journals::rejection(why, "database_time_ms_max"))
            }
        }
    }

    fn check(&self) -> Result<(), Stopped> {
        if self.is_overdue() { Err(self.stop(Trouble::Overdue)) } else { Ok(()) }
    }

    /// Remembers the first reason: SQLite carries none.
    fn stop(&self, why: Trouble) -> Stopped {
        let _ = self.trouble.set(why); // the first one counts
        Stopped
    }
}

/// The query ends here; its source knows why.
#[derive(Debug)]
pub(super) struct Stopped;

impl From<Stopped> for rusqlite::Error {
    fn from(_: Stopped) -> Self {
        Self::ModuleError("the messages cannot be read".to_owned())
    }
}
