//! What of a data directory must not change under a node, kept in its catalog: the number of shards, which decides where a
//! channel's messages are, and the number that stands for each tenant in the journals.

use std::collections::BTreeSet;
use std::path::Path;

use storage::{Catalog, Change, Entries, JournalError, OpenError, OwnedChange, TenantId};

const NODE: &str = "node";
const SHARDS: &[u8] = b"shards";
/// The highest number of a tenant that was removed: no number is given twice.
const LAST: &[u8] = b"last_tenant";
/// Numbers by names.
pub const TENANTS: &str = "tenants";
/// Names of tenants that were removed, by their numbers: something of them may still be there.
pub const REMOVED: &str = "removed";

/// The layout of a data directory.
pub struct Layout {
    catalog: Catalog,
    shards: u16,
}

/// Why a data directory cannot be used.
#[derive(Debug)]
pub enum LayoutError {
    /// It was made for another number of shards.
    Shards {
        /// What it was made for.
        made: u16,
        /// What was asked for.
        asked: u16,
    },
    /// The catalog does not open.
    Open(OpenError),
    /// The catalog cannot be read or written.
    Catalog(JournalError),
}

impl std::fmt::Display for LayoutError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shards { made, asked } => write!(
                f,
                "the data directory was made for {made} shards, not for {asked}: start with `--shards {made}` or `--shards 0`"
            ),
            Self::Open(why) => write!(f, "the catalog does not open: {why}"),
            Self::Catalog(why) => write!(f, "the catalog cannot be used: {why}"),
        }
    }
}

impl std::error::Error for LayoutError {}

impl From<JournalError> for LayoutError {
    fn from(why: JournalError) -> Self {
        Self::Catalog(why)
    }
}

impl Layout {
    /// Opens the layout of a data directory. The number of shards is what it was made for; in a new one it is what is asked
    /// for, or else one for each core.
    ///
    /// # Errors
    /// When another number is asked for, or the catalog cannot be used.
    pub fn open(dir: &Path, asked: u16, cores: u16, now_ms: u64) -> Result<Self, LayoutError> {
        let mut catalog = Catalog::open(&dir.join("catalog")).map_err(LayoutError::Open)?;
        let made = catalog.get(NODE, SHARDS)?.and_then(|it| it.try_into().ok());
        let made = made.map(u16::from_le_bytes);
        let shards = match (made, asked) {
            (Some(made), asked) if asked != 0 && asked != made => {
                return Err(LayoutError::Shards { made, asked });
            }
            (Some(made), _) => return Ok(Self { catalog, shards: made }),
            (None, 0) => cores.max(1),
            (None, asked) => asked,
        };
        let value = &shards.to_le_bytes();
        catalog.apply(&[Change::Put { table: NODE, key: SHARDS, value }], now_ms)?;
        Ok(Self { catalog, shards })
    }

    /// How many shards the directory is for.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// The catalog that it is kept in, for the node that runs on it.
    #[must_use]
    pub fn into_catalog(self) -> Catalog {
        self.catalog
    }

    /// The number of a tenant; a new name gets the next one. It is durable before it is returned.
    ///
    /// # Errors
    /// When the catalog cannot be used.
    pub fn tenant(&mut self, name: &str, now_ms: u64) -> Result<TenantId, LayoutError> {
        let tenants = self.catalog.entries(TENANTS)?;
        let number = |value: &[u8]| value.try_into().ok().map(u32::from_le_bytes);
        let known = tenants.iter().find(|(key, _)| key == name.as_bytes());
        if let Some(id) = known.and_then(|(_, value)| number(value)) {
            return Ok(TenantId(id));
        }
        let id = TenantId(self.last_tenant()? + 1);
        self.catalog.apply(&[numbered(name, id).as_change()], now_ms)?;
        Ok(id)
    }

    /// The highest number that a tenant has or had.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn last_tenant(&self) -> Result<u32, LayoutError> {
        let tenants = self.catalog.entries(TENANTS)?;
        let number = |value: &[u8]| value.try_into().ok().map(u32::from_le_bytes);
        let live = tenants.iter().filter_map(|(_, value)| number(value)).max();
        let removed = self.catalog.get(NODE, LAST)?.and_then(|it| number(&it));
        Ok(live.max(removed).unwrap_or(0))
    }

    /// A table of the catalog.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn entries(&self, table: &str) -> Result<Entries, LayoutError> {
        Ok(self.catalog.entries(table)?)
    }

    /// One value of the catalog.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn value(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, LayoutError> {
        Ok(self.catalog.get(table, key)?)
    }

    /// Changes the catalog: all of it or nothing, durably.
    ///
    /// # Errors
    /// When the catalog cannot be written.
    pub fn apply(&mut self, changes: &[OwnedChange], now_ms: u64) -> Result<(), LayoutError> {
        let changes: Vec<_> = changes.iter().map(OwnedChange::as_change).collect();
        Ok(self.catalog.apply(&changes, now_ms)?)
    }

    /// Tenants that were removed, with their names, and of which something may still be there.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn removed(&self) -> Result<Vec<(TenantId, String)>, LayoutError> {
        let rows = self.catalog.entries(REMOVED)?;
        let read = |(key, name): (Vec<u8>, Vec<u8>)| {
            let id = TenantId(u32::from_le_bytes(key.try_into().ok()?));
            Some((id, String::from_utf8(name).ok()?))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// The numbers of all tenants that there are.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub fn numbers(&self) -> Result<BTreeSet<TenantId>, LayoutError> {
        let rows = self.catalog.entries(TENANTS)?;
        let numbers = rows.into_iter().filter_map(|(_, value)| value.try_into().ok());
        Ok(numbers.map(|it| TenantId(u32::from_le_bytes(it))).collect())
    }
}

/// The change that gives a tenant its number.
#[must_use]
pub fn numbered(name: &str, id: TenantId) -> OwnedChange {
    let (table, key) = (TENANTS.to_owned(), name.as_bytes().to_vec());
    OwnedChange::Put { table, key, value: id.0.to_le_bytes().to_vec() }
}

/// The changes that note a tenant as removed, where `last` is the highest number that any has or had.
#[must_use]
pub fn removed(name: &str, id: TenantId, last: u32) -> [OwnedChange; 2] {
    let key = id.0.to_le_bytes().to_vec();
    let value = name.as_bytes().to_vec();
    let note = OwnedChange::Put { table: REMOVED.to_owned(), key, value };
    let (table, key) = (NODE.to_owned(), LAST.to_vec());
    [note, OwnedChange::Put { table, key, value: last.to_le_bytes().to_vec() }]
}

/// The change that says that nothing is left of a removed tenant.
#[must_use]
pub fn dropped(id: TenantId) -> OwnedChange {
    OwnedChange::Delete { table: REMOVED.to_owned(), key: id.0.to_le_bytes().to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path, asked: u16, cores: u16) -> Result<Layout, LayoutError> {
        Layout::open(dir, asked, cores, 0)
    }

    #[test]
    fn a_directory_keeps_the_number_of_shards_it_was_made_for() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(open(dir.path(), 0, 3).unwrap().shards(), 3);
        assert_eq!(open(dir.path(), 0, 8).unwrap().shards(), 3);
        assert_eq!(open(dir.path(), 3, 8).unwrap().shards(), 3);
        let refused = open(dir.path(), 2, 8).err().unwrap().to_string();
        assert!(refused.contains("made for 3 shards, not for 2"), "{refused}");
    }

    #[test]
    fn the_number_of_a_removed_tenant_is_given_to_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let mut layout = open(dir.path(), 1, 1).unwrap();
        let id = layout.tenant("a", 0).unwrap();
        let (table, key) = (TENANTS.to_owned(), b"a".to_vec());
        let mut changes = vec![OwnedChange::Delete { table, key }];
        changes.extend(removed("a", id, id.0));
        layout.apply(&changes, 0).unwrap();
        assert_eq!(layout.removed().unwrap(), [(id, "a".to_owned())]);
        assert!(layout.numbers().unwrap().is_empty());
        layout.apply(&[dropped(id)], 0).unwrap();
        assert_eq!(layout.removed().unwrap(), []);
        assert_eq!(layout.tenant("a", 0).unwrap(), TenantId(id.0 + 1));
    }

    #[test]
    fn a_tenant_keeps_its_number_whatever_others_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let numbers = |names: &[&str]| {
            let mut layout = open(dir.path(), 1, 1).unwrap();
            names.iter().map(|it| layout.tenant(it, 0).unwrap().0).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&["b", "a"]), [1, 2]);
        assert_eq!(numbers(&["a", "c", "b"]), [2, 3, 1]);
    }
}
