//! sled 0.34 with a sync that is one: its own `flush` ends in `sync_file_range`, which no power cut respects. And one that ends: when a
//! write of its own threads fails, sled does not always wake who waits for it.

mod nudge;

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use self::nudge::Nudge;
use crate::error::OpenError;

/// With less room than for so many of its segments nothing is written: sled does not survive a full disk.
const FREE_SEGMENTS_MIN: u64 = 4;
/// Who waits inside sled for so long is nudged.
const PATIENCE: Duration = Duration::from_secs(1);

/// A sled database in a directory of its own.
#[derive(Debug)]
pub(crate) struct SyncedSled {
    db: sled::Db,
    dir: PathBuf,
    segment_bytes: u64,
    /// Whether it stays open as long as the process.
    is_kept: AtomicBool,
    nudge: Nudge,
}

impl SyncedSled {
    /// Opens it, however it takes that: sled panics on damage.
    pub(crate) fn open(dir: &Path, segment_bytes: usize) -> Result<Self, OpenError> {
        fs::create_dir_all(dir).map_err(|cause| OpenError::Io { operation: "mkdir", cause })?;
        let config = sled::Config::new()
            .path(dir)
            .segment_size(segment_bytes)
            .cache_capacity(64 * 1024 * 1024);
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => {
                let (dir, segment_bytes) = (dir.to_owned(), segment_bytes as u64);
                let nudge = nudge(db.clone())?;
                Ok(Self { db, dir, segment_bytes, is_kept: AtomicBool::new(false), nudge })
            }
            Ok(Err(why)) => Err(OpenError::Unreadable { why: why.to_string() }),
            Err(_) => Err(OpenError::Unreadable { why: "sled panicked on its files".to_owned() }),
        }
    }

    /// Opens it; if it cannot be, moves its files away and begins with none. Says whether it did.
    pub(crate) fn open_or_move(
        dir: &Path,
        segment_bytes: usize,
    ) -> Result<(Self, Began), OpenError> {
        let why = match Self::open(dir, segment_bytes) {
            Ok(synced) => return Ok((synced, Began::WithItsFiles)),
            Err(why) => why,
        };
        if !Self::move_away(dir)? {
            return Err(why);
        }
        Ok((Self::open(dir, segment_bytes)?, Began::WithNone))
    }

    /// Moves the files of a database away. Says whether there was a name for them.
    fn move_away(dir: &Path) -> Result<bool, OpenError> {
        let mut free = (0..1000).map(|it| dir.with_extension(format!("damaged-{it}")));
        let Some(aside) = free.find(|it| !it.exists()) else { return Ok(false) };
        let moved = fs::rename(dir, aside);
        moved.map_err(|cause| OpenError::Io { operation: "rename", cause }).map(|()| true)
    }

    /// Has sled do something, however it takes that: it panics on errors of the disk. After one it would panic again or wait for ever
    /// when it is closed; so it stays open as long as the process.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&sled::Db) -> sled::Result<T>) -> io::Result<T> {
        let _visit = self.nudge.enter();
        let why = match catch_unwind(AssertUnwindSafe(|| work(&self.db))) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(sled::Error::Io(cause))) => cause,
            // It says so of what it reads, and can be closed.
            Ok(Err(why @ sled::Error::Corruption { .. })) => return Err(io::Error::other(why)),
            Ok(Err(why)) => io::Error::other(why),
            Err(_) => io::Error::other("sled panicked on its disk"),
        };
        self.keep();
        Err(why)
    }

    /// Keeps it open as long as the process.
    fn keep(&self) {
        if !self.is_kept.swap(true, Ordering::Relaxed) {
            let _ = Box::leak(Box::new(self.db.clone())); // This is what keeps it.
        }
    }

    /// Makes everything durable: sled's buffers, every file it has, and their names. If it cannot, sled stays open as long as the
    /// process, as it would flush again when it is closed, to a disk that may be gone.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.with(|db| db.flush().map(drop))?;
        sync_files(&self.dir).inspect_err(|_| self.keep())
    }

    /// About how many bytes its files have.
    pub(crate) fn bytes(&self) -> u64 {
        self.with(sled::Db::size_on_disk).unwrap_or(0)
    }

    /// Whether there is room to write so many bytes, while others take some of it.
    pub(crate) fn has_room(&self, bytes: u64, beside_bytes: u64) -> io::Result<bool> {
        let free = rustix::fs::statvfs(&self.dir)?;
        let free_bytes = free.f_bavail.saturating_mul(free.f_frsize);
        Ok(free_bytes > FREE_SEGMENTS_MIN * self.segment_bytes + 4 * bytes + beside_bytes)
    }
}

impl Drop for SyncedSled {
    fn drop(&mut self) {
        // sled syncs its file when it is closed, and panics where that fails. What is kept is not closed, and not asked again.
        if !self.is_kept.load(Ordering::Relaxed) {
            let _ = self.sync(); // If that fails, it is kept.
        }
        // The nudge has the database too.
        if !self.is_kept.load(Ordering::Relaxed) {
            self.nudge.end();
        }
    }
}

/// Flushing again has sled look whether a write of its own threads failed, and wake who waits for one: `exit_reservation` of its
/// `pagecache/logger.rs` notes such an error and wakes nobody.
fn nudge(db: sled::Db) -> Result<Nudge, OpenError> {
    let flush = move || {
        let _ = catch_unwind(AssertUnwindSafe(|| db.flush())); // Who waits is told.
    };
    let nudge = Nudge::start(PATIENCE, flush);
    nudge.map_err(|cause| OpenError::Io { operation: "spawn", cause })
}

/// What a database began with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Began {
    /// What was there.
    WithItsFiles,
    /// Nothing: what was there could not be opened.
    WithNone,
}

fn sync_files(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_files(&entry.path())?;
            continue;
        }
        match File::open(entry.path()) {
            Ok(file) => file.sync_data()?,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {} // sled removes old snapshots.
            Err(cause) => return Err(cause),
        }
    }
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_synced_is_not_closed_and_what_could_is() {
        let dir = tempfile::tempdir().unwrap();
        let open = || SyncedSled::open(dir.path(), 4_096);
        drop(open().unwrap());
        let synced = open().unwrap();
        // No file that can be opened: it leads to itself.
        let looping = dir.path().join("itself");
        std::os::unix::fs::symlink(&looping, &looping).unwrap();
        assert_eq!(synced.sync().unwrap_err().raw_os_error(), Some(40), "ELOOP");
        fs::remove_file(&looping).unwrap();
        drop(synced);
        let why = open().unwrap_err();
        assert!(matches!(why, OpenError::Unreadable { .. }), "still locked: {why}");
    }
}
