//! What of a data directory must not change under a node, kept in its catalog: the number of shards, which decides where a
//! channel's messages are, and the number that stands for each tenant in the journals.

use std::path::Path;

use storage::{Catalog, Change, JournalError, OpenError, TenantId};

const NODE: &str = "node";
const SHARDS: &[u8] = b"shards";
const TENANTS: &str = "tenants";

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
        let last = tenants.iter().filter_map(|(_, value)| number(value)).max().unwrap_or(0);
        let value = &(last + 1).to_le_bytes();
        let key = name.as_bytes();
        self.catalog.apply(&[Change::Put { table: TENANTS, key, value }], now_ms)?;
        Ok(TenantId(last + 1))
    }
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
