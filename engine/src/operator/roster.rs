//! All tenants of a node: those of its configuration, and those that commands made.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use protocol::Origins;
use protocol::auth::insforge::UserKeys;
use serde_json::Value;

use super::record::{KeptSecrets, MADE, Record};
use super::rotating::Rotating;
use super::{Refused, World};
use crate::config::{Config, Provisioned, TenantConfig};
use crate::ids::TenantId;
use crate::layout::Layout;
use crate::tenants::{InsforgeSpec, KeyHash, KeyKind, PolicyMode, TenantSpec, Tenants};

/// See the module.
pub struct Roster {
    pub(super) config: Config,
    pub(super) data_dir: PathBuf,
    pub(super) node_secret: [u8; 32],
    pub(super) configured: Vec<TenantSpec>,
    pub(super) made: BTreeMap<String, Made>,
    /// The highest number that a tenant ever had.
    pub(super) last_id: u32,
    /// The keys of tenants that were removed since the start, oldest first: whoever still has one is told so.
    pub(super) gone: VecDeque<(KeyKind, KeyHash)>,
    /// As of when the shards have all that is here; `None` while they could not be told of the last change.
    handed_ms: Option<u64>,
}

/// How long the shards are left alone after they could not be told.
const RETRY_MS: u64 = 1_000;
/// Keys of removed tenants that are known. Of more, the oldest are as unknown as any other.
const GONE_MAX: usize = 4_096;

/// A tenant that a command made.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) record: Record,
    pub(super) secrets: KeptSecrets,
}

impl Roster {
    /// Reads what the data directory has. Tenants of the configuration get their numbers.
    ///
    /// # Errors
    /// When the catalog or a file cannot be read, or two tenants have one name.
    pub fn load(
        config: &Config,
        provisioned: &Provisioned,
        layout: &mut Layout,
        now_ms: u64,
    ) -> Result<Self, Refused> {
        let mut made = BTreeMap::new();
        for (key, value) in layout.entries(MADE).map_err(Refused::disk)? {
            let name = String::from_utf8_lossy(&key).into_owned();
            let damaged = |what| Refused::disk(format!("tenant \"{name}\": {what} is not there"));
            let record = Record::decode(&value).ok_or_else(|| damaged("its row"))?;
            let secrets = KeptSecrets::read(&config.server.data_dir, &name)?;
            let secrets = secrets.ok_or_else(|| damaged("its file of secrets"))?;
            made.insert(name, Made { record, secrets });
        }
        let mut configured = Vec::new();
        for tenant in &provisioned.tenants {
            if made.contains_key(&tenant.name) {
                let name = &tenant.name;
                return Err(Refused::asked(format!(
                    "tenant \"{name}\" is in the configuration and was made by command; rename one, or remove the latter"
                )));
            }
            let id = layout.tenant(&tenant.name, now_ms).map_err(Refused::disk)?;
            let spec = tenant.spec(id);
            refuse_shared_hosts(&spec, &made)?;
            configured.push(spec);
        }
        Ok(Self {
            config: config.clone(),
            data_dir: config.server.data_dir.clone(),
            node_secret: *provisioned.node_secret.reveal(),
            configured,
            made,
            last_id: layout.last_tenant().map_err(Refused::disk)?,
            gone: VecDeque::new(),
            // A start hands them out as of now.
            handed_ms: Some(now_ms),
        })
    }

    /// Everything that shards have to know, at this time.
    #[must_use]
    pub fn specs(&self, now_ms: u64) -> Vec<TenantSpec> {
        let made = self.made.iter().map(|(name, it)| self.spec(name, it, now_ms));
        self.configured.iter().cloned().chain(made).collect()
    }

    fn spec(&self, name: &str, made: &Made, now_ms: u64) -> TenantSpec {
        let Made { record, secrets } = made;
        let keys = record.keys.iter().filter(|it| it.until_ms.is_none_or(|it| it > now_ms));
        let before = secrets.signing.before(now_ms);
        let tenant = TenantConfig {
            tier: record.tier.clone(),
            allowed_origins: origins(&record.origins),
            ..TenantConfig::default()
        };
        let mut spec = TenantSpec {
            id: record.id,
            name: name.to_owned(),
            hashed_keys: keys.map(|it| (it.kind, it.hash)).collect(),
            insforge: insforge_spec(made, now_ms),
            signing_key: secrets.signing.current.reveal().to_vec(),
            signing_keys_before: before.map(|it| it.reveal().to_vec()).collect(),
            vendors: secrets.vendors.keys().unwrap_or_default(), // they were checked when they were read
            plan: self.config.plan(&tenant),
            ..TenantSpec::default()
        };
        if let Some(liveblocks) = &secrets.vendors.liveblocks {
            spec.liveblocks_base_url.clone_from(&liveblocks.base_url);
        }
        spec
    }

    pub(super) fn tenants(&self, now_ms: u64) -> Tenants {
        Tenants::new(&self.specs(now_ms), self.node_secret).with_gone(self.gone.iter().copied())
    }

    /// A tenant is no more: its keys that are live now are known for what they were.
    pub(super) fn bury(&mut self, name: &str, now_ms: u64) {
        let Some(Made { record, .. }) = self.made.remove(name) else { return };
        let live = record.keys.iter().filter(|it| it.until_ms.is_none_or(|it| it > now_ms));
        self.gone.extend(live.map(|it| (it.kind, it.hash)));
        let excess = self.gone.len().saturating_sub(GONE_MAX);
        self.gone.drain(..excess);
    }

    /// Has the shards take all that is here. If they do not, they are told again later ([`Roster::keep_up`]).
    pub(super) fn hand_over(&mut self, world: &mut dyn World, now_ms: u64) -> Result<(), Refused> {
        self.handed_ms = None;
        world.take_tenants(self.tenants(now_ms))?;
        self.handed_ms = Some(now_ms);
        Ok(())
    }

    /// Tells the shards what they do not know yet: of replaced keys that have ended, and of changes that did not reach them.
    /// Returns when to call it again, if nothing changes until then.
    pub fn keep_up(&mut self, world: &mut dyn World, now_ms: u64) -> Option<u64> {
        if self.due_ms().is_none_or(|it| it > now_ms) {
            return self.due_ms();
        }
        match self.hand_over(world, now_ms) {
            Ok(()) => self.due_ms(),
            Err(why) => {
                tracing::error!(
                    why = why.message,
                    "the shards go on with the tenants and keys of before"
                );
                Some(now_ms.saturating_add(RETRY_MS))
            }
        }
    }

    /// From when on the shards do not have what is here.
    fn due_ms(&self) -> Option<u64> {
        let Some(handed_ms) = self.handed_ms else { return Some(0) };
        let ends = self.made.values().flat_map(|it| {
            let keys = it.record.keys.iter().filter_map(|it| it.until_ms);
            let jwt = it.secrets.jwt.iter().flat_map(Rotating::ends_ms);
            keys.chain(it.secrets.signing.ends_ms()).chain(jwt)
        });
        ends.filter(|it| *it > handed_ms).min()
    }

    /// Does what an operator asks for.
    ///
    /// # Errors
    /// Says what is wrong with it, or what failed.
    pub fn perform(
        &mut self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<Value, Refused> {
        match text(ask, "do")? {
            "tenant.add" => self.add(ask, world, now_ms),
            "tenant.list" => Ok(self.list(now_ms)),
            "tenant.rotate" => self.rotate(ask, world, now_ms),
            "tenant.remove" => self.remove(ask, world, now_ms),
            "token.inspect" => self.inspect(ask, world, now_ms),
            "token.revoke" => self.revoke(ask, world, now_ms),
            "webhook.list" => self.list_webhooks(ask, world, now_ms),
            "webhook.letters" => self.list_letters(ask, world, now_ms),
            "webhook.replay" => self.replay(ask, world, now_ms),
            "policy.list" => self.policies(ask, world, now_ms),
            other => Err(Refused::asked(format!("nothing is called {other}"))),
        }
    }

    /// The policies of a tenant.
    fn policies(&self, ask: &Value, world: &mut dyn World, now_ms: u64) -> Result<Value, Refused> {
        let name = self.only_or(ask.get("tenant").and_then(Value::as_str), now_ms)?;
        let body = world.policies(self.id_of(&name)?)?;
        let senseless = |_| Refused::away("the policies make no sense");
        serde_json::from_slice(&body).map_err(senseless)
    }

    pub(super) fn id_of(&self, name: &str) -> Result<TenantId, Refused> {
        let configured = self.configured.iter().find(|it| it.name == name).map(|it| it.id);
        let made = || self.made.get(name).map(|it| it.record.id);
        configured.or_else(made).ok_or_else(|| self.unknown(name))
    }

    pub(super) fn unknown(&self, name: &str) -> Refused {
        let names = self.configured.iter().map(|it| &it.name).chain(self.made.keys());
        let names = names.map(String::as_str).collect::<Vec<_>>().join(", ");
        Refused::asked(format!("there is no tenant \"{name}\"; there is {names}"))
    }
}

/// The texts of a list of an ask.
pub(super) fn texts<'a>(ask: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    let list = ask.get(name).and_then(Value::as_array).into_iter().flatten();
    list.map(|it| it.as_str().unwrap_or_default())
}

/// The list that a record has; none is no list. They were checked when they were asked for.
fn origins(texts: &[String]) -> Option<Origins> {
    let list = texts.iter().try_fold(Origins::default(), |list, it| list.and(it));
    (!texts.is_empty()).then(|| list.unwrap_or_default())
}

/// What a tenant has to speak InsForge; `None` where it has nothing of it.
fn insforge_spec(made: &Made, now_ms: u64) -> Option<InsforgeSpec> {
    let Made { record, secrets } = made;
    let is_of = |kind| matches!(kind, KeyKind::InsforgeApi | KeyKind::InsforgeAnon);
    if secrets.jwt.is_none() && !record.keys.iter().any(|it| is_of(it.kind)) {
        return None;
    }
    let mut users = UserKeys::default();
    if let Some(jwt) = &secrets.jwt {
        for secret in std::iter::once(&jwt.current).chain(jwt.before(now_ms)) {
            // Its 64 digits are no short secret.
            users = users.and(secret.as_text().reveal()).unwrap_or_default();
        }
    }
    Some(InsforgeSpec {
        api_key: None,
        anon_key: record.anon_key.clone(),
        users,
        hosts: record.hosts.clone(),
        policy_mode: PolicyMode::Enforced,
    })
}

/// A host says whose the users are that come there, so it is of one tenant.
fn refuse_shared_hosts(spec: &TenantSpec, made: &BTreeMap<String, Made>) -> Result<(), Refused> {
    let hosts = spec.insforge.iter().flat_map(|it| &it.hosts);
    for host in hosts {
        if let Some((name, _)) = made.iter().find(|(_, it)| it.record.hosts.contains(host)) {
            return Err(Refused::asked(format!(
                "host \"{host}\" of tenant \"{}\" is also that of \"{name}\", which was made by command",
                spec.name
            )));
        }
    }
    Ok(())
}

/// A text of an ask.
pub(super) fn text<'a>(ask: &'a Value, name: &str) -> Result<&'a str, Refused> {
    let text = ask.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Refused::asked(format!("the ask says no {name}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use storage::OwnedChange;

    use super::*;
    use crate::config;
    use crate::control::TokenId;
    use crate::operator::{WebhookAsk, WebhookSaid};

    /// Shards that do not always answer, and what they were told last.
    #[derive(Default)]
    struct Shards {
        are_away: bool,
        tenants: Option<Tenants>,
    }

    impl World for Shards {
        fn apply(&mut self, _: Vec<OwnedChange>) -> Result<(), Refused> {
            Ok(())
        }

        fn take_tenants(&mut self, tenants: Tenants) -> Result<(), Refused> {
            if self.are_away {
                return Err(Refused::away("the node does not answer"));
            }
            self.tenants = Some(tenants);
            Ok(())
        }

        fn drop_messages(&mut self, _: TenantId) -> Result<(), Refused> {
            Ok(())
        }

        fn revoke(&mut self, _: TenantId, _: TokenId, _: u64) -> Result<(), Refused> {
            Ok(())
        }

        fn is_revoked(&mut self, _: TenantId, _: TokenId) -> Result<bool, Refused> {
            Ok(false)
        }

        fn webhooks(&mut self, _: WebhookAsk) -> Result<WebhookSaid, Refused> {
            Ok(WebhookSaid::Status(Vec::new()))
        }

        fn policies(&mut self, _: TenantId) -> Result<Vec<u8>, Refused> {
            Ok(b"{}".to_vec())
        }
    }

    impl Shards {
        fn take(&self, key: &str) -> bool {
            self.tenants.as_ref().is_some_and(|it| it.of_project_key(key).is_some())
        }
    }

    fn roster(folder: &std::path::Path) -> Roster {
        let mut config = Config::default();
        config.server.data_dir = folder.to_owned();
        let provisioned = config::provision(&config).unwrap();
        let mut layout = Layout::open(folder, 1, 1, 0).unwrap();
        Roster::load(&config, &provisioned, &mut layout, 0).unwrap()
    }

    #[test]
    fn a_replaced_key_ends_though_the_shards_could_not_be_told_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let (mut roster, mut shards) = (roster(folder.path()), Shards::default());
        let add = json!({"do": "tenant.add", "name": "shop", "dialects": ["infrai"]});
        let added = roster.perform(&add, &mut shards, 10).unwrap();
        let old = added["keys"]["project_key"].as_str().unwrap();
        let rotate =
            json!({"do": "tenant.rotate", "name": "shop", "kind": "project", "grace_ms": 100});
        roster.perform(&rotate, &mut shards, 20).unwrap();
        assert_eq!(roster.keep_up(&mut shards, 119), Some(120));
        shards.are_away = true;
        assert_eq!(roster.keep_up(&mut shards, 120), Some(120 + RETRY_MS));
        assert!(shards.take(old));
        shards.are_away = false;
        assert_eq!(roster.keep_up(&mut shards, 120 + RETRY_MS), None);
        assert!(!shards.take(old));
    }

    #[test]
    fn a_change_that_did_not_reach_the_shards_reaches_them_later() {
        let folder = tempfile::tempdir().unwrap();
        let (mut roster, mut shards) = (roster(folder.path()), Shards::default());
        let ask = |what: &str| json!({"do": what, "name": "shop", "dialects": ["infrai"]});
        roster.perform(&ask("tenant.add"), &mut shards, 10).unwrap();
        let id = roster.id_of("shop").unwrap();
        shards.are_away = true;
        assert!(roster.perform(&ask("tenant.remove"), &mut shards, 20).is_err());
        assert!(shards.tenants.as_ref().unwrap().contains(id));
        assert_eq!(roster.keep_up(&mut shards, 20), Some(20 + RETRY_MS));
        shards.are_away = false;
        assert_eq!(roster.keep_up(&mut shards, 20 + RETRY_MS), None);
        assert!(!shards.tenants.as_ref().unwrap().contains(id));
    }
}
