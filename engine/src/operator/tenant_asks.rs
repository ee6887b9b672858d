//! Making, listing and removing tenants, and new keys for them.

use protocol::{NoOrigin, Origins};
use serde_json::{Map, Value, json};
use storage::OwnedChange;

use super::record::{KeptKey, KeptSecrets, MADE, Record};
use super::roster::{Made, Roster, text, texts};
use super::rotating::Rotating;
use super::{Refused, World};
use crate::config::{
    ANON_KEY_PREFIX, API_KEY_PREFIX, APPLICATION_KEY_PREFIX, HOSTS_MAX, KEY_TAIL_BYTES,
    MANAGEMENT_KEY_PREFIX, ORIGIN_RULE, ORIGINS_MAX, PROJECT_KEY_PREFIX, PROJECT_KEY_TAIL_BYTES,
    Secret, SigningSecret, VendorConfig, generate_hex_key, generate_key, is_host, is_name,
};
use crate::control::Tier;
use crate::ids::TenantId;
use crate::layout;
use crate::tenants::{KeyKind, TenantSpec, hash_key, host_name};

/// The kind of the secret that signs tokens, beside those of keys.
const SIGNING: &str = "signing";
/// The kind of the secret that signs tokens of InsForge's users.
const JWT: &str = "jwt";

fn new_key(kind: KeyKind) -> Result<Secret, Refused> {
    let key = match kind {
        KeyKind::Application => generate_key(APPLICATION_KEY_PREFIX, KEY_TAIL_BYTES),
        KeyKind::Management => generate_key(MANAGEMENT_KEY_PREFIX, KEY_TAIL_BYTES),
        KeyKind::Project => generate_key(PROJECT_KEY_PREFIX, PROJECT_KEY_TAIL_BYTES),
        KeyKind::InsforgeApi => generate_hex_key(API_KEY_PREFIX),
        KeyKind::InsforgeAnon => generate_hex_key(ANON_KEY_PREFIX),
    };
    key.map_err(Refused::disk)
}

fn put(name: &str, record: &Record) -> OwnedChange {
    let (table, key) = (MADE.to_owned(), name.as_bytes().to_vec());
    OwnedChange::Put { table, key, value: record.encode() }
}

impl Roster {
    pub(super) fn add(
        &mut self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<Value, Refused> {
        let name = text(ask, "name")?;
        if !is_name(name) {
            return Err(Refused::asked("the name must be 1 to 64 of a-z, 0-9, - and _"));
        }
        if self.id_of(name).is_ok() {
            return Err(Refused::asked(format!("there is a tenant \"{name}\" already")));
        }
        let tier = ask.get("tier").and_then(Value::as_str);
        if let Some(tier) = tier.filter(|it| self.config.tier(it).is_none()) {
            let own = self.config.tiers.iter().map(|it| it.0.as_str());
            let names = Tier::PRESETS.into_iter().chain(own).collect::<Vec<_>>().join(", ");
            return Err(Refused::asked(format!("there is no tier \"{tier}\"; there is {names}")));
        }
        let (mut kinds, mut jwt) = (Vec::new(), None);
        for dialect in texts(ask, "dialects") {
            match dialect {
                "cohesivity" => kinds.extend([KeyKind::Application, KeyKind::Management]),
                "infrai" => kinds.push(KeyKind::Project),
                "insforge" => {
                    kinds.extend([KeyKind::InsforgeApi, KeyKind::InsforgeAnon]);
                    jwt = Some(SigningSecret::generate().map_err(Refused::disk)?);
                }
                _ => return Err(Refused::asked("a dialect is cohesivity, infrai or insforge")),
            }
        }
        let hosts = self.hosts(ask, now_ms)?;
        if !hosts.is_empty() && jwt.is_none() {
            return Err(Refused::asked("hosts are of the dialect insforge"));
        }
        let origins = origins(ask)?;
        let (mut keys, mut shown, mut anon_key) = (Vec::new(), Map::new(), None);
        for kind in kinds {
            let key = new_key(kind)?;
            let hash = hash_key(&self.node_secret, key.reveal());
            keys.push(KeptKey { kind, hash, until_ms: None });
            shown.insert(format!("{}_key", kind.name()), json!(key.reveal()));
            if kind == KeyKind::InsforgeAnon {
                anon_key = Some(key.reveal().to_owned());
            }
        }
        if let Some(secret) = jwt {
            shown.insert("jwt_secret".to_owned(), json!(secret.as_text().reveal()));
        }
        let signing = Rotating::of(SigningSecret::generate().map_err(Refused::disk)?);
        let (jwt, vendors) = (jwt.map(Rotating::of), VendorConfig::default());
        let secrets = KeptSecrets { signing, jwt, vendors };
        let id = TenantId(self.last_id + 1);
        let record = Record { id, tier: tier.map(str::to_owned), keys, anon_key, hosts, origins };
        // The row makes the tenant: a file without one is overwritten by the next tenant of its name.
        secrets.write(&self.data_dir, name)?;
        world.apply(vec![layout::numbered(name, id), put(name, &record)])?;
        self.last_id = id.0;
        self.made.insert(name.to_owned(), Made { record, secrets });
        self.hand_over(world, now_ms)?;
        Ok(json!({"name": name, "tier": tier, "keys": shown}))
    }

    /// The hosts that an ask names; no other tenant has one of them.
    fn hosts(&self, ask: &Value, now_ms: u64) -> Result<Vec<String>, Refused> {
        let specs = self.specs(now_ms);
        let mut hosts = Vec::new();
        for text in texts(ask, "hosts") {
            if !is_host(text) {
                let rule = "a host is a name without a scheme and a port";
                return Err(Refused::asked(format!("{rule}; \"{text}\" is none")));
            }
            let host = host_name(text);
            let has =
                |it: &&TenantSpec| it.insforge.as_ref().is_some_and(|it| it.hosts.contains(&host));
            if let Some(other) = specs.iter().find(has) {
                let name = &other.name;
                return Err(Refused::asked(format!("host \"{host}\" is tenant \"{name}\"'s")));
            }
            hosts.push(host);
        }
        if hosts.len() > HOSTS_MAX {
            return Err(Refused::asked(format!("a tenant may have {HOSTS_MAX} hosts")));
        }
        Ok(hosts)
    }

    pub(super) fn list(&self, now_ms: u64) -> Value {
        let configured = self.configured.iter().map(|it| {
            let keys = it.keys().map(|it| json!({"kind": it.0.name(), "until_ms": null}));
            let keys: Vec<_> = keys.collect();
            let tenant = self.config.tenants.iter().find(|config| config.name == it.name);
            let tier = tenant.and_then(|it| it.tier.as_deref());
            let hosts = it.insforge.as_ref().map(|it| it.hosts.as_slice()).unwrap_or_default();
            let origins: Vec<_> = it.plan.origins.iter().flat_map(Origins::iter).collect();
            json!({"name": it.name, "tier": tier, "origin": "configuration", "keys": keys, "hosts": hosts, "origins": origins})
        });
        let made = self.made.iter().map(|(name, it)| {
            let live = |it: &&KeptKey| it.until_ms.is_none_or(|it| it > now_ms);
            let keys = it.record.keys.iter().filter(live);
            let keys = keys.map(|it| json!({"kind": it.kind.name(), "until_ms": it.until_ms}));
            let keys: Vec<_> = keys.collect();
            let Record { tier, hosts, origins, .. } = &it.record;
            json!({"name": name, "tier": tier, "origin": "command", "keys": keys, "hosts": hosts, "origins": origins})
        });
        Value::Array(configured.chain(made).collect())
    }

    fn made(&self, name: &str) -> Result<Made, Refused> {
        if self.configured.iter().any(|it| it.name == name) {
            return Err(Refused::asked(format!(
                "tenant \"{name}\" is of the configuration; change it there"
            )));
        }
        self.made.get(name).cloned().ok_or_else(|| self.unknown(name))
    }

    pub(super) fn rotate(
        &mut self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<Value, Refused> {
        let (name, kind) = (text(ask, "name")?, text(ask, "kind")?);
        let grace_ms = ask.get("grace_ms").and_then(Value::as_u64).unwrap_or(0);
        let until_ms = now_ms.saturating_add(grace_ms);
        let ends_ms = (grace_ms > 0).then_some(until_ms);
        let mut made = self.made(name)?;
        let shown = if kind == SIGNING {
            let secret = SigningSecret::generate().map_err(Refused::disk)?;
            made.secrets.signing.replace(secret, ends_ms);
            made.secrets.write(&self.data_dir, name)?;
            None
        } else if kind == JWT {
            let secret = SigningSecret::generate().map_err(Refused::disk)?;
            match &mut made.secrets.jwt {
                Some(jwt) => jwt.replace(secret, ends_ms),
                // A tenant of a version that made none.
                jwt @ None => *jwt = Some(Rotating::of(secret)),
            }
            made.secrets.write(&self.data_dir, name)?;
            Some(secret.as_text())
        } else {
            let known = KeyKind::ALL.into_iter().find(|it| it.name() == kind);
            let kind = known.ok_or_else(|| {
                let kinds = KeyKind::ALL.map(KeyKind::name).join(", ");
                Refused::asked(format!("a key is of the kind {kinds}, {JWT} or {SIGNING}"))
            })?;
            let keys = &mut made.record.keys;
            keys.retain(|it| it.kind != kind || it.until_ms.is_none() && grace_ms > 0);
            for old in keys.iter_mut().filter(|it| it.kind == kind) {
                old.until_ms = Some(until_ms);
            }
            let key = new_key(kind)?;
            let hash = hash_key(&self.node_secret, key.reveal());
            keys.push(KeptKey { kind, hash, until_ms: None });
            if kind == KeyKind::InsforgeAnon {
                made.record.anon_key = Some(key.reveal().to_owned());
            }
            world.apply(vec![put(name, &made.record)])?;
            Some(key)
        };
        self.made.insert(name.to_owned(), made);
        self.hand_over(world, now_ms)?;
        let key = shown.as_ref().map(Secret::reveal);
        Ok(json!({"name": name, "kind": kind, "key": key, "old_until_ms": ends_ms}))
    }

    pub(super) fn remove(
        &mut self,
        ask: &Value,
        world: &mut dyn World,
        now_ms: u64,
    ) -> Result<Value, Refused> {
        let name = text(ask, "name")?;
        let id = self.made(name)?.record.id;
        let delete = |table: &str| {
            let (table, key) = (table.to_owned(), name.as_bytes().to_vec());
            OwnedChange::Delete { table, key }
        };
        // From here on it is gone, whatever fails: what is left over is dropped at the next start.
        let mut changes = vec![delete(MADE), delete(layout::TENANTS)];
        changes.extend(layout::removed(name, id, self.last_id));
        world.apply(changes)?;
        self.bury(name, now_ms);
        self.hand_over(world, now_ms)?;
        KeptSecrets::remove(&self.data_dir, name)?;
        world.drop_messages(id)?;
        world.apply(vec![layout::dropped(id)])?;
        Ok(json!({"name": name, "removed": true}))
    }
}

/// The origins that an ask names.
fn origins(ask: &Value) -> Result<Vec<String>, Refused> {
    let mut origins = Origins::default();
    for text in texts(ask, "origins") {
        let why = |NoOrigin| Refused::asked(format!("{ORIGIN_RULE}; \"{text}\" is none"));
        origins = origins.and(text).map_err(why)?;
    }
    let origins: Vec<_> = origins.iter().map(str::to_owned).collect();
    if origins.len() > ORIGINS_MAX {
        return Err(Refused::asked(format!("a tenant may have {ORIGINS_MAX} origins")));
    }
    Ok(origins)
}
