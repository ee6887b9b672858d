//! What can go wrong at the border to the disk, named so that a caller can tell what it may still do.

use std::{fmt, io, path::PathBuf};

/// Why the journal did not do what it was asked.
#[derive(Debug)]
pub enum JournalError {
    /// There is no room. Nothing was kept; the next append tries anew.
    Full {
        /// What the disk would have had to take.
        needed_bytes: u64,
    },
    /// A stored range does not match its checksum. It is never served.
    Corrupt {
        /// The segment (or block) that holds it.
        segment: u64,
        /// The byte in it where the damage begins.
        at: u64,
    },
    /// The process, or the system, has no descriptor left for a file. Nothing was kept; the next append tries anew.
    Descriptors,
    /// The disk refused.
    Io {
        /// The call that failed.
        operation: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// An earlier write or sync failed, so that nobody knows what is on the disk. Only a new open may go on.
    Fenced,
    /// The batch is larger than a block may be.
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// A publication without an offset, or with one that does not follow its channel's last.
    OutOfOrder,
    /// The storage thread did not answer in time. Whoever waited may ask again.
    TimedOut,
    /// The storage thread has ended.
    Ended,
}

impl JournalError {
    /// Whether a later append may succeed without a restart.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Full { .. }
            | Self::Descriptors
            | Self::TooLarge { .. }
            | Self::OutOfOrder
            | Self::Corrupt { .. }
            | Self::TimedOut => true,
            Self::Io { .. } | Self::Fenced | Self::Ended => false,
        }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { needed_bytes } => {
                write!(f, "storage full: no room for {needed_bytes} bytes")
            }
            Self::Descriptors => f.write_str("no descriptor left for a file: raise RLIMIT_NOFILE"),
            Self::Corrupt { segment, at } => {
                write!(f, "journal damaged: segment {segment} at byte {at}")
            }
            Self::Io { operation, cause } => write!(f, "journal {operation} failed: {cause}"),
            Self::Fenced => f.write_str("journal fenced after an earlier disk error"),
            Self::TooLarge { bytes, bytes_max } => {
                write!(f, "batch over limit: {bytes} of {bytes_max} bytes")
            }
            Self::OutOfOrder => f.write_str("a publication does not follow its channel's last"),
            Self::TimedOut => f.write_str("the storage thread did not answer in time"),
            Self::Ended => f.write_str("the storage thread has ended"),
        }
    }
}

impl std::error::Error for JournalError {}

/// Why a journal or a catalog could not be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The disk refused.
    Io {
        /// The call that failed.
        operation: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// Another process holds the directory.
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The files were written by a version that this one does not know.
    Version {
        /// The version byte found.
        found: u8,
    },
    /// The backend gave up on its files; the directory must be moved away by hand.
    Unreadable {
        /// What it said.
        why: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, cause } => write!(f, "{operation} failed: {cause}"),
            Self::Locked { dir } => write!(f, "{} is held by another process", dir.display()),
            Self::Version { found } => write!(f, "unknown journal version {found}"),
            Self::Unreadable { why } => write!(f, "storage unreadable: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}
