//! What is kept of a tenant that a command made: in the catalog its number, its tier and the hashes of its keys; what has to be
//! known in clear to sign, in a file that its owner alone reads.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Refused;
use super::rotating::Rotating;
use crate::config::{
    Secret, Secrets, SigningSecret, TenantConfig, VendorConfig, make_folder, read_tenants,
    write_private,
};
use crate::ids::TenantId;
use crate::tenants::{KeyHash, KeyKind};

/// Its table in the catalog; the key is the tenant's name.
pub(super) const MADE: &str = "made";
/// The names of earlier secrets in the file: then the millisecond in which they end.
const BEFORE: &str = "before-";
/// What the secret of the tokens of InsForge's users is called in the file.
const JWT: &str = "jwt";
/// The names of earlier ones of those.
const JWT_BEFORE: &str = "jwt-before-";

/// A key, by its hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct KeptKey {
    pub(super) kind: KeyKind,
    pub(super) hash: KeyHash,
    /// When it ends, if it was replaced.
    pub(super) until_ms: Option<u64>,
}

/// A row of the catalog.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Record {
    pub(super) id: TenantId,
    pub(super) tier: Option<String>,
    pub(super) keys: Vec<KeptKey>,
    /// InsForge's key of browsers: no secret, so it can be read again.
    pub(super) anon_key: Option<String>,
    /// Where tokens are of its users.
    pub(super) hosts: Vec<String>,
    /// The pages that may use its sockets; without any all may.
    pub(super) origins: Vec<String>,
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let key = |it: &KeptKey| json!({"kind": it.kind.name(), "hash": hex(&it.hash), "until_ms": it.until_ms});
        let keys: Vec<_> = self.keys.iter().map(key).collect();
        let row = json!({
            "id": self.id.0,
            "tier": self.tier,
            "keys": keys,
            "anon_key": self.anon_key,
            "hosts": self.hosts,
            "origins": self.origins,
        });
        row.to_string().into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let id = TenantId(u32::try_from(value.get("id")?.as_u64()?).ok()?);
        let tier = value.get("tier")?.as_str().map(str::to_owned);
        let key = |it: &Value| {
            let name = it.get("kind")?.as_str()?;
            let kind = KeyKind::ALL.into_iter().find(|it| it.name() == name)?;
            let hash = *SigningSecret::parse(it.get("hash")?.as_str()?)?.reveal();
            Some(KeptKey { kind, hash, until_ms: it.get("until_ms")?.as_u64() })
        };
        let keys = value.get("keys")?.as_array()?.iter().map(key).collect::<Option<_>>()?;
        // Rows of older versions have none of these.
        let anon_key = value.get("anon_key").and_then(Value::as_str).map(str::to_owned);
        let texts = |name| -> Option<Vec<String>> {
            let list = value.get(name).and_then(Value::as_array).into_iter().flatten();
            list.map(|it| it.as_str().map(str::to_owned)).collect()
        };
        let (hosts, origins) = (texts("hosts")?, texts("origins")?);
        Some(Self { id, tier, keys, anon_key, hosts, origins })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

/// The file of a tenant.
#[derive(Clone)]
pub(super) struct KeptSecrets {
    pub(super) signing: Rotating,
    /// What the tokens of InsForge's users are signed with, as 64 hexadecimal digits.
    pub(super) jwt: Option<Rotating>,
    pub(super) vendors: VendorConfig,
}

fn path_of(data_dir: &Path, name: &str) -> PathBuf {
    data_dir.join("tenants").join(format!("{name}.toml"))
}

impl KeptSecrets {
    /// Reads it; `None` where there is none.
    pub(super) fn read(data_dir: &Path, name: &str) -> Result<Option<Self>, Refused> {
        let path = path_of(data_dir, name);
        if !path.exists() {
            return Ok(None);
        }
        let mut tenants = read_tenants(&path).map_err(Refused::disk)?;
        let damaged = || Refused::disk(format!("{}: holds no signing secret", path.display()));
        // Files of earlier versions begin with the tenant.
        let is_last = tenants.last().is_some_and(|it| it.name == name);
        let first = |it: &mut Vec<_>| (!it.is_empty()).then(|| it.remove(0));
        let own = if is_last { tenants.pop() } else { first(&mut tenants) }.ok_or_else(damaged)?;
        let mut signing = Rotating::of(own.signing_secret.ok_or_else(damaged)?);
        let mut jwt: Option<Rotating> = None;
        for row in tenants {
            let Some(secret) = row.signing_secret else { continue };
            let ends_at = |prefix| row.name.strip_prefix(prefix)?.parse().ok();
            if row.name == JWT {
                jwt = Some(Rotating::of(secret));
            } else if let (Some(until_ms), Some(jwt)) = (ends_at(JWT_BEFORE), &mut jwt) {
                jwt.before.push((secret, until_ms));
            } else if let Some(until_ms) = ends_at(BEFORE) {
                signing.before.push((secret, until_ms));
            }
        }
        Ok(Some(Self { signing, jwt, vendors: own.vendors }))
    }

    /// Writes it, all or nothing. The tenant comes last: what people add to the file is the tenant's.
    pub(super) fn write(&self, data_dir: &Path, name: &str) -> Result<(), Refused> {
        let path = path_of(data_dir, name);
        if let Some(folder) = path.parent() {
            make_folder(folder).map_err(Refused::disk)?;
        }
        let tenant = |name: String, secret, vendors| {
            let signing_secret = Some(secret);
            let tenant = TenantConfig { name, signing_secret, vendors, ..TenantConfig::default() };
            tenant.to_toml(Secrets::Shown)
        };
        let mut text = String::new();
        let mut push = |name: String, secret| {
            text.push_str(&tenant(name, secret, VendorConfig::default()));
        };
        for (secret, until_ms) in &self.signing.before {
            push(format!("{BEFORE}{until_ms}"), *secret);
        }
        if let Some(jwt) = &self.jwt {
            push(JWT.to_owned(), jwt.current);
            for (secret, until_ms) in &jwt.before {
                push(format!("{JWT_BEFORE}{until_ms}"), *secret);
            }
        }
        text.push_str(&tenant(name.to_owned(), self.signing.current, self.vendors.clone()));
        write_private(&path, &text).map_err(Refused::disk)
    }

    /// Removes it. One that is not there is removed.
    pub(super) fn remove(data_dir: &Path, name: &str) -> Result<(), Refused> {
        match fs::remove_file(path_of(data_dir, name)) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(Refused::disk(cause)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// What signs the tokens of a tenant that a command made; `None` where no command made it.
///
/// # Errors
/// When its file cannot be read.
pub fn signing_secret_of(data_dir: &Path, name: &str) -> Result<Option<SigningSecret>, Refused> {
    Ok(KeptSecrets::read(data_dir, name)?.map(|it| it.signing.current))
}

/// What signs the tokens of InsForge's users of a tenant that a command made; `None` where no command made it, or it has none.
///
/// # Errors
/// When its file cannot be read.
pub fn jwt_secret_of(data_dir: &Path, name: &str) -> Result<Option<Secret>, Refused> {
    let kept = KeptSecrets::read(data_dir, name)?;
    Ok(kept.and_then(|it| it.jwt).map(|it| it.current.as_text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_as_it_was_written() {
        let key = |kind, until_ms| KeptKey { kind, hash: [0xa5; 32], until_ms };
        let record = Record {
            id: TenantId(7),
            tier: Some("free".to_owned()),
            keys: vec![key(KeyKind::Project, None), key(KeyKind::Application, Some(u64::MAX))],
            anon_key: Some("anon_a".to_owned()),
            hosts: vec!["a.example".to_owned()],
            origins: vec!["https://a.example".to_owned()],
        };
        assert_eq!(Record::decode(&record.encode()), Some(record));
        let older = Record::decode(b"{\"id\":1,\"tier\":null,\"keys\":[]}").unwrap();
        assert!(older.anon_key.is_none() && older.hosts.is_empty() && older.origins.is_empty());
        for damaged in ["", "{}", "{\"id\":1}", "{\"id\":1,\"tier\":null,\"keys\":[{}]}"] {
            assert_eq!(Record::decode(damaged.as_bytes()), None, "{damaged}");
        }
    }

    #[test]
    fn secrets_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let secret = |it: &str| SigningSecret::parse(&it.repeat(32)).unwrap();
        let rotating = |current, before| Rotating { current: secret(current), before };
        let signing = rotating("aa", vec![(secret("bb"), 12)]);
        for jwt in [None, Some(rotating("cc", vec![(secret("dd"), 13), (secret("ee"), 14)]))] {
            let vendors = VendorConfig::default();
            let kept = KeptSecrets { signing: signing.clone(), jwt: jwt.clone(), vendors };
            kept.write(folder.path(), "one").unwrap();
            let read = KeptSecrets::read(folder.path(), "one").unwrap().unwrap();
            assert!(read.signing == signing && read.jwt == jwt);
            let found = jwt_secret_of(folder.path(), "one").unwrap();
            let found = found.map(|it| it.reveal().to_owned());
            assert_eq!(found, jwt.map(|_| "cc".repeat(32)));
        }
        KeptSecrets::remove(folder.path(), "one").unwrap();
        assert!(KeptSecrets::read(folder.path(), "one").unwrap().is_none());
    }
}
