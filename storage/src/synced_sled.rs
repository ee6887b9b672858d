//! sled 0.34 with a sync that is one: its own `flush` ends in `sync_file_range`, which no power cut respects.

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use crate::error::OpenError;

/// Below this many free bytes nothing is written: sled does not survive a full disk.
const FREE_BYTES_MIN: u64 = 64 * 1024 * 1024;

/// A sled database in a directory of its own.
#[derive(Debug)]
pub(crate) struct SyncedSled {
    pub(crate) db: sled::Db,
    dir: PathBuf,
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
            Ok(Ok(db)) => Ok(Self { db, dir: dir.to_owned() }),
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
        let free = (0..1000).map(|it| dir.with_extension(format!("damaged-{it}")));
        let Some(aside) = free.into_iter().find(|it| !it.exists()) else { return Err(why) };
        fs::rename(dir, aside).map_err(|cause| OpenError::Io { operation: "rename", cause })?;
        Ok((Self::open(dir, segment_bytes)?, Began::WithNone))
    }

    /// Makes everything durable: sled's buffers, every file it has, and their names.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.db.flush().map_err(to_io)?;
        sync_files(&self.dir)
    }

    /// Whether there is room to write at all.
    pub(crate) fn has_room(&self, bytes: u64) -> io::Result<bool> {
        let free = rustix::fs::statvfs(&self.dir)?;
        Ok(free.f_bavail.saturating_mul(free.f_frsize) > FREE_BYTES_MIN + 4 * bytes)
    }
}

/// What a database began with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Began {
    /// What was there.
    WithItsFiles,
    /// Nothing: what was there could not be opened.
    WithNone,
}

/// What sled says, as an error of the disk.
pub(crate) fn to_io(why: sled::Error) -> io::Error {
    if let sled::Error::Io(cause) = why { cause } else { io::Error::other(why) }
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
