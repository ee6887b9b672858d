//! A change of the catalog, and its bytes in the journal.
//!
//! ```text
//! record = kind:u8 (1 put, 2 delete) table_bytes:u16 table key_bytes:u16 key value
//! ```

/// What a change takes in the journal besides table, key and value, about.
const AROUND_BYTES: usize = 128;

/// One change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change<'a> {
    /// Sets a value.
    Put {
        /// The table.
        table: &'a str,
        /// The key in it, at most 64 KiB.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// Removes a key.
    Delete {
        /// The table.
        table: &'a str,
        /// The key in it.
        key: &'a [u8],
    },
}

/// A change that can cross to another thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OwnedChange {
    /// Sets a value.
    Put {
        /// The table.
        table: String,
        /// The key in it, at most 64 KiB.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// Removes a key.
    Delete {
        /// The table.
        table: String,
        /// The key in it.
        key: Vec<u8>,
    },
}

impl OwnedChange {
    /// The same, borrowed.
    #[must_use]
    pub fn as_change(&self) -> Change<'_> {
        match self {
            Self::Put { table, key, value } => Change::Put { table, key, value },
            Self::Delete { table, key } => Change::Delete { table, key },
        }
    }

    /// About what it takes in the journal.
    pub(super) fn bytes(&self) -> u64 {
        self.as_change().bytes()
    }
}

impl<'a> Change<'a> {
    /// About what it takes in the journal.
    pub(super) fn bytes(&self) -> u64 {
        let (Self::Put { table, key, .. } | Self::Delete { table, key }) = self;
        let value = if let Self::Put { value, .. } = self { value.len() } else { 0 };
        put_bytes(table.len() + key.len(), value)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let (kind, table, key, value): (_, &str, &[u8], &[u8]) = match self {
            Change::Put { table, key, value } => (1, table, key, value),
            Change::Delete { table, key } => (2, table, key, &[]),
        };
        let mut out = vec![kind];
        for part in [table.as_bytes(), key] {
            out.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes());
            out.extend_from_slice(part);
        }
        out.extend_from_slice(value);
        out
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (table, rest) = part(rest)?;
        let (key, value) = part(rest)?;
        let table = std::str::from_utf8(table).ok()?;
        match kind {
            1 => Some(Change::Put { table, key, value }),
            2 => Some(Change::Delete { table, key }),
            _ => None,
        }
    }
}

/// About what a value takes in the journal.
pub(super) fn put_bytes(key_bytes: usize, value_bytes: usize) -> u64 {
    (AROUND_BYTES + key_bytes + value_bytes) as u64
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_le_bytes(*count).into())
}
