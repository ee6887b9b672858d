//! How control state asks to be made durable.

use protocol::Rejection;

use crate::ids::TenantId;

/// Rows that one commit takes away of a tenant that is gone.
pub const ROWS_PER_COMMIT: usize = 4_096;

/// Bytes of changes after which a round of a seat takes no further operation, and one that takes rows away takes no further row:
/// what waits goes into the next commit, so that each fits into a segment of the catalog.
pub const ROUND_BYTES_MAX: usize = 512 * 1024;

/// One key of the catalog.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The table.
    pub table: &'static str,
    /// The key in it; it begins with the tenant's number (invariant 13).
    pub key: Vec<u8>,
}

/// One change of the catalog that owns what it says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CatalogChange {
    /// Sets a value.
    Put(Entry, Vec<u8>),
    /// Removes a key.
    Delete(Entry),
}

impl CatalogChange {
    /// Bytes that it keeps.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Put(entry, value) => entry.key.len() + value.len(),
            Self::Delete(entry) => entry.key.len(),
        }
    }
}

/// Changes to make durable, all of them or none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CatalogAsk {
    /// Comes back with the answer.
    pub token: u64,
    /// At least one.
    pub changes: Vec<CatalogChange>,
}

/// What became of an ask. A shard's asks are answered in their order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CatalogAnswer {
    /// Which.
    pub token: u64,
    /// Durable, or not and never.
    pub result: Result<(), Rejection>,
}

/// A key of a tenant's row.
pub(super) fn key(tenant: TenantId, rest: &[u8]) -> Vec<u8> {
    [&tenant.0.to_be_bytes(), rest].concat()
}

/// Whose row a key is, and what follows.
#[must_use]
pub fn tenant_of(key: &[u8]) -> Option<(TenantId, &[u8])> {
    let (tenant, rest) = key.split_first_chunk()?;
    Some((TenantId(u32::from_be_bytes(*tenant)), rest))
}
