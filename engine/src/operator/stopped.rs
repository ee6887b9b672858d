//! The data directory of a node that does not run.

use storage::{JournalOptions, OwnedChange};

use super::{Refused, World};
use crate::config::{Config, JournalKind};
use crate::control::{CatalogChange, REVOKED, TokenId, kept_revocation};
use crate::ids::TenantId;
use crate::layout::{self, Layout};
use crate::tenants::Tenants;

/// See the module. The lock of the catalog is held as long as it lives.
pub struct Stopped<'a> {
    config: &'a Config,
    layout: Layout,
    now_ms: u64,
}

impl<'a> Stopped<'a> {
    /// What is changed through this layout.
    #[must_use]
    pub fn new(config: &'a Config, layout: Layout, now_ms: u64) -> Self {
        Self { config, layout, now_ms }
    }
}

impl World for Stopped<'_> {
    fn apply(&mut self, changes: Vec<OwnedChange>) -> Result<(), Refused> {
        self.layout.apply(&changes, self.now_ms).map_err(Refused::disk)
    }

    fn take_tenants(&mut self, _: Tenants) -> Result<(), Refused> {
        Ok(()) // There are no shards: the next start reads what was kept.
    }

    fn drop_messages(&mut self, tenant: TenantId) -> Result<(), Refused> {
        drop_messages(self.config, &self.layout, tenant)
    }

    fn revoke(&mut self, tenant: TenantId, token: TokenId, until_s: u64) -> Result<(), Refused> {
        match kept_revocation(tenant, token, until_s) {
            CatalogChange::Put(entry, value) => {
                let (table, key) = (entry.table.to_owned(), entry.key);
                self.apply(vec![OwnedChange::Put { table, key, value }])
            }
            CatalogChange::Delete(_) => Ok(()),
        }
    }

    fn is_revoked(&mut self, tenant: TenantId, token: TokenId) -> Result<bool, Refused> {
        let CatalogChange::Put(entry, _) = kept_revocation(tenant, token, 0) else {
            return Ok(false);
        };
        let value = self.layout.value(REVOKED, &entry.key).map_err(Refused::disk)?;
        Ok(value.is_some())
    }
}

fn drop_messages(config: &Config, layout: &Layout, tenant: TenantId) -> Result<(), Refused> {
    let kind = match config.storage.journal {
        JournalKind::Segment => storage::JournalKind::Segment,
        JournalKind::Sled => storage::JournalKind::Sled,
        JournalKind::Memory => return Ok(()),
    };
    let options = JournalOptions {
        segment_bytes: config.storage.segment_bytes as u64,
        ..JournalOptions::default()
    };
    for shard in 0..layout.shards() {
        let dir = config.server.data_dir.join("journal").join(format!("shard-{shard:03}"));
        if dir.is_dir() {
            let mut journal = storage::open(kind, &dir, &options).map_err(Refused::disk)?;
            journal.drop_tenant(tenant).map_err(Refused::disk)?;
        }
    }
    Ok(())
}

/// Drops the messages of tenants whose removal was cut short.
///
/// # Errors
/// When the disk refuses.
pub fn finish_removals(config: &Config, layout: &mut Layout, now_ms: u64) -> Result<(), Refused> {
    for tenant in layout.removed().map_err(Refused::disk)? {
        drop_messages(config, layout, tenant)?;
        layout.apply(&[layout::dropped(tenant)], now_ms).map_err(Refused::disk)?;
    }
    Ok(())
}
