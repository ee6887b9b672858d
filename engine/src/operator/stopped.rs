//! The data directory of a node that does not run.

use protocol::dialect::insforge::rest::body_permissions;
use protocol::policy::Policies;
use storage::{JournalOptions, OwnedChange};

use super::record::{KeptSecrets, MADE};
use super::{Refused, WebhookAsk, WebhookSaid, World};
use crate::config::{Config, JournalKind, is_name};
use crate::control::{
    CatalogChange, POLICIES, REVOKED, ROUND_BYTES_MAX, ROWS_PER_COMMIT, RuleChange, TABLES,
    TokenId, kept_revocation, read_rule, tenant_of,
};
use crate::ids::TenantId;
use crate::layout::{self, Layout};
use crate::node::WEBHOOKS;
use crate::side::webhook::{CatalogPlaces, EndpointStatus, Places as _, Saved};
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
        drop_messages(self.config, &self.layout, tenant)?;
        forget_rows(&mut self.layout, self.now_ms)
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

    fn webhooks(&mut self, ask: WebhookAsk) -> Result<WebhookSaid, Refused> {
        let dir = self.config.server.data_dir.join(WEBHOOKS);
        if !dir.is_dir() {
            return match ask {
                WebhookAsk::Status(_) => Ok(WebhookSaid::Status(Vec::new())),
                WebhookAsk::Letters(..) | WebhookAsk::Replay(..) => {
                    Err(Refused::asked("there are no webhooks"))
                }
            };
        }
        let mut places = CatalogPlaces::open(&dir).map_err(Refused::disk)?;
        let saved = places.load().map_err(Refused::disk)?;
        match ask {
            WebhookAsk::Status(tenant) => {
                let its = saved.into_iter().filter(|it| it.endpoint.tenant == tenant);
                Ok(WebhookSaid::Status(its.map(saved_status).collect()))
            }
            WebhookAsk::Letters(of, after, max) => {
                let its = saved.into_iter().find(|it| it.endpoint == of);
                let ids = its.into_iter().flat_map(|it| it.letters).filter(|it| *it > after);
                let letters = ids.take(max).map(|id| places.letter(&of, id));
                let letters = letters.filter_map(Result::transpose).collect::<Result<_, _>>();
                letters.map(WebhookSaid::Letters).map_err(Refused::disk)
            }
            WebhookAsk::Replay(..) => {
                Err(Refused::asked("deliveries need a server that runs: start it, then replay"))
            }
        }
    }

    fn policies(&mut self, tenant: TenantId) -> Result<Vec<u8>, Refused> {
        let rows = self.layout.entries(POLICIES).map_err(Refused::disk)?;
        let of_tenant = |(key, value): (Vec<u8>, Vec<u8>)| {
            let (id, rest) = tenant_of(&key)?;
            if id == tenant { read_rule(POLICIES, rest, &value) } else { None }
        };
        let mut out = Vec::new();
        match rows.into_iter().find_map(of_tenant) {
            Some(RuleChange::Policies(Some(policies))) => body_permissions(&mut out, &policies),
            Some(
                RuleChange::Policies(None)
                | RuleChange::Pattern(_)
                | RuleChange::Deleted(_)
                | RuleChange::Retention(_)
                | RuleChange::Provisioning(_),
            )
            | None => body_permissions(&mut out, &Policies::default()),
        }
        Ok(out)
    }
}

/// Of an endpoint of a stopped node nobody knows how it would fare.
fn saved_status(saved: Saved) -> EndpointStatus {
    let Saved { endpoint, letters, .. } = saved;
    let letters = letters.len();
    EndpointStatus { endpoint, is_open: false, in_flight: 0, letters, letters_dropped: 0 }
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

/// Drops what is left of tenants whose removal was cut short: messages, secrets, rows of the catalog.
///
/// # Errors
/// When the disk refuses.
pub fn finish_removals(config: &Config, layout: &mut Layout, now_ms: u64) -> Result<(), Refused> {
    for (tenant, name) in layout.removed().map_err(Refused::disk)? {
        drop_messages(config, layout, tenant)?;
        // The name may be another tenant's since.
        if layout.value(MADE, name.as_bytes()).map_err(Refused::disk)?.is_none() && is_name(&name) {
            KeptSecrets::remove(&config.server.data_dir, &name)?;
        }
        forget_rows(layout, now_ms)?;
        layout.apply(&[layout::dropped(tenant)], now_ms).map_err(Refused::disk)?;
    }
    Ok(())
}

/// Takes away every row of the control plane that belongs to nobody.
pub(super) fn forget_rows(layout: &mut Layout, now_ms: u64) -> Result<(), Refused> {
    let live = layout.numbers().map_err(Refused::disk)?;
    for table in TABLES {
        let rows = layout.entries(table).map_err(Refused::disk)?;
        let is_orphan = |key: &[u8]| tenant_of(key).is_some_and(|(it, _)| !live.contains(&it));
        let mut keys = rows.into_iter().map(|(key, _)| key).filter(|it| is_orphan(it)).peekable();
        while keys.peek().is_some() {
            let delete = |key| OwnedChange::Delete { table: table.to_owned(), key };
            let some: Vec<_> = one_commit(&mut keys).into_iter().map(delete).collect();
            layout.apply(&some, now_ms).map_err(Refused::disk)?;
        }
    }
    Ok(())
}

/// As many of the next keys as one commit takes away.
fn one_commit(keys: &mut impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let (mut some, mut bytes) = (Vec::new(), 0);
    while some.len() < ROWS_PER_COMMIT
        && bytes < ROUND_BYTES_MAX
        && let Some(key) = keys.next()
    {
        bytes += key.len();
        some.push(key);
    }
    some
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::CHANNELS;

    /// More rows than one commit has room for, each with a key as long as it may be.
    #[test]
    fn rows_of_nobody_go_however_long_their_keys_are() {
        let folder = tempfile::tempdir().unwrap();
        let mut layout = Layout::open(folder.path(), 1, 1, 0).unwrap();
        let name = [b'x'; 1_024];
        let put = |number: usize| {
            let key = [&77_u32.to_be_bytes()[..], &name, &number.to_be_bytes()].concat();
            OwnedChange::Put { table: CHANNELS.to_owned(), key, value: Vec::new() }
        };
        for first in 0..5 {
            let some: Vec<_> = (first * 1_000..(first + 1) * 1_000).map(put).collect();
            layout.apply(&some, 0).unwrap();
        }
        forget_rows(&mut layout, 0).unwrap();
        assert!(layout.entries(CHANNELS).unwrap().is_empty());
    }
}
