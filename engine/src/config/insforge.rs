//! `[tenant.insforge]`: the forms of its keys, how it is read, and how it is written.

use std::path::{Path, PathBuf};

use protocol::auth::insforge::{JWT_SECRET_BYTES_MIN, Jwks, ShortSecret, UserKeys};

use super::error::ConfigError;
use super::file::{Item, Source};
use super::secret::{Secret, SigningSecret};
use super::text::Secrets;
use super::value::quoted;
use crate::tenants::{InsforgeSpec, PolicyMode, host_name};

/// What an API key begins with.
pub const API_KEY_PREFIX: &str = "ik_";
/// What an anon key begins with.
pub const ANON_KEY_PREFIX: &str = "anon_";
/// What follows the prefix: hexadecimal digits.
const KEY_TAIL_BYTES: usize = 64;
/// Hosts of one tenant.
pub const HOSTS_MAX: usize = 64;
/// RFC 1035 §2.3.4.
const HOST_BYTES_MAX: usize = 253;

/// `[tenant.insforge]`.
#[derive(Clone)]
pub struct InsforgeConfig {
    /// `ik_…`: for servers.
    pub api_key: Secret,
    /// `anon_…`: for browsers; no secret.
    pub anon_key: String,
    /// What tokens of users are signed with.
    pub jwt_secret: Secret,
    /// Public keys of others who sign them.
    pub jwks: Option<JwksFile>,
    /// Names of hosts whose tokens are of the tenant's users.
    pub hosts: Vec<String>,
    /// Whether policies hold.
    pub policy_mode: PolicyMode,
}

/// A key set that was read.
#[derive(Clone)]
pub struct JwksFile {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub keys: Jwks,
}

impl InsforgeConfig {
    /// Draws keys.
    ///
    /// # Errors
    /// When the kernel gives no randomness.
    pub fn generate() -> Result<Self, ConfigError> {
        Ok(Self {
            api_key: generate_hex_key(API_KEY_PREFIX)?,
            anon_key: generate_hex_key(ANON_KEY_PREFIX)?.reveal().to_owned(),
            jwt_secret: generate_hex_key("")?,
            jwks: None,
            hosts: Vec::new(),
            policy_mode: PolicyMode::Enforced,
        })
    }

    /// What the shards have to know of it.
    ///
    /// # Errors
    /// When the secret is too short.
    pub fn spec(&self) -> Result<InsforgeSpec, ShortSecret> {
        let jwks = self.jwks.as_ref().map(|it| it.keys.clone()).unwrap_or_default();
        Ok(InsforgeSpec {
            api_key: Some(self.api_key.reveal().to_owned()),
            anon_key: Some(self.anon_key.clone()),
            users: UserKeys::new(self.jwt_secret.reveal(), jwks)?,
            hosts: self.hosts.clone(),
            policy_mode: self.policy_mode,
        })
    }

    /// What two tenants may not have both, if they do.
    pub(super) fn shared_with(&self, other: &Self) -> Option<&'static str> {
        if self.api_key == other.api_key {
            Some("tenant.insforge.api_key")
        } else if self.anon_key == other.anon_key {
            Some("tenant.insforge.anon_key")
        } else if self.jwt_secret == other.jwt_secret {
            Some("tenant.insforge.jwt_secret")
        } else if self.hosts.iter().any(|it| other.hosts.contains(it)) {
            Some("tenant.insforge.hosts")
        } else {
            None
        }
    }

    /// The rows of the table.
    pub(super) fn rows(&self, secrets: Secrets) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("api_key", quoted(&secrets.text(&self.api_key))),
            ("anon_key", quoted(&self.anon_key)),
            ("jwt_secret", quoted(&secrets.text(&self.jwt_secret))),
        ];
        if let Some(it) = &self.jwks {
            rows.push(("jwks_file", quoted(&it.path.to_string_lossy())));
        }
        if !self.hosts.is_empty() {
            let hosts: Vec<_> = self.hosts.iter().map(|it| quoted(it)).collect();
            rows.push(("hosts", format!("[{}]", hosts.join(", "))));
        }
        match self.policy_mode {
            PolicyMode::Enforced => {}
            PolicyMode::Shadow => rows.push(("shadow", "true".to_owned())),
        }
        rows
    }
}

/// Draws a key: its prefix and 64 hexadecimal digits.
///
/// # Errors
/// When the kernel gives no randomness.
pub fn generate_hex_key(prefix: &str) -> Result<Secret, ConfigError> {
    Ok(Secret::new(format!("{prefix}{}", SigningSecret::generate()?.to_hex())))
}

/// Whether `key` is `prefix` and 64 hexadecimal digits.
fn is_hex_key(key: &str, prefix: &str) -> bool {
    key.strip_prefix(prefix).is_some_and(|tail| {
        tail.len() == KEY_TAIL_BYTES && tail.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Whether `name` is that of a host: as [`host_name`] gives it, so without a scheme and a port.
#[must_use]
pub fn is_host(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_address = name
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'))
        .is_some_and(|it| it.parse::<std::net::Ipv6Addr>().is_ok());
    let is_name = name.bytes().all(is_allowed) && !name.starts_with('.');
    (1..=HOST_BYTES_MAX).contains(&name.len()) && (is_name || is_address)
}

impl<'a> Source<'a> {
    pub(super) fn insforge(&self, value: &Item<'a>) -> Result<InsforgeConfig, ConfigError> {
        let known = ["api_key", "anon_key", "jwt_secret", "jwks_file", "hosts", "shadow"];
        let fields = self.fields("tenant.insforge", value, &known)?;
        let key = |key, prefix: &str| {
            let rule = format!("it must be {prefix} and {KEY_TAIL_BYTES} hexadecimal digits");
            self.key(&fields, key, &rule, |it| is_hex_key(it, prefix))
        };
        let rule = format!("it must have at least {JWT_SECRET_BYTES_MIN}");
        let is_long = |it: &str| it.len() >= JWT_SECRET_BYTES_MIN;
        let shadow = fields.get("shadow").map(|it| self.switch("tenant.insforge.shadow", it));
        Ok(InsforgeConfig {
            api_key: key("api_key", API_KEY_PREFIX)?,
            anon_key: key("anon_key", ANON_KEY_PREFIX)?.reveal().to_owned(),
            jwt_secret: self.key(&fields, "jwt_secret", &rule, is_long)?,
            jwks: fields.get("jwks_file").map(|it| self.jwks_file(it)).transpose()?,
            hosts: fields.get("hosts").map_or_else(|| Ok(Vec::new()), |it| self.hosts(it))?,
            policy_mode: match shadow.transpose()? {
                Some(true) => PolicyMode::Shadow,
                Some(false) | None => PolicyMode::Enforced,
            },
        })
    }

    /// Reads the key set: its path begins where the configuration is.
    fn jwks_file(&self, value: &Item<'a>) -> Result<JwksFile, ConfigError> {
        const KEY: &str = "tenant.insforge.jwks_file";
        let path = self.folder().join(self.text(KEY, value)?);
        let wrong = |why: String| ConfigError::Wrong {
            message: format!("{}: {KEY}: {}: {why}", self.place(value.span()), path.display()),
        };
        let text = read_bounded(&path).map_err(|cause| wrong(cause.to_string()))?;
        let keys = Jwks::parse(&text).map_err(|fault| wrong(fault.to_string()))?;
        Ok(JwksFile { path, keys })
    }

    fn hosts(&self, value: &Item<'a>) -> Result<Vec<String>, ConfigError> {
        const KEY: &str = "tenant.insforge.hosts";
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.is_no(KEY, value, "it must be a list of names"))?;
        if list.len() > HOSTS_MAX {
            let found = format!("a list of {}", list.len());
            let rule = format!("it may have {HOSTS_MAX} names");
            return Err(ConfigError::value(&self.place(value.span()), KEY, &found, &rule));
        }
        let host = |item: &Item<'a>| {
            let text = self.text(KEY, item)?;
            if is_host(text) {
                return Ok(host_name(text));
            }
            let rule = "each must be the name of a host, without a scheme and a port";
            Err(ConfigError::value(&self.place(item.span()), KEY, &quoted(text), rule))
        };
        list.iter().map(host).collect()
    }
}

/// Sixteen keys of 8,192 bits are less.
const JWKS_BYTES_MAX: u64 = 256 * 1024;

fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if file.take(JWKS_BYTES_MAX + 1).read_to_string(&mut text)? as u64 > JWKS_BYTES_MAX {
        let why = format!("more than {JWKS_BYTES_MAX} bytes");
        return Err(std::io::Error::other(why));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_prefix_and_64_digits() {
        for (key, expected) in [
            (format!("ik_{}", "0aF".repeat(21) + "1"), true),
            (format!("ik_{}", "0".repeat(63)), false),
            (format!("ik_{}", "0".repeat(65)), false),
            (format!("ik_{}g", "0".repeat(63)), false),
            ("0".repeat(67), false),
        ] {
            assert_eq!(is_hex_key(&key, API_KEY_PREFIX), expected, "{key}");
        }
        let made = InsforgeConfig::generate().unwrap();
        assert!(is_hex_key(made.api_key.reveal(), API_KEY_PREFIX));
        assert!(is_hex_key(&made.anon_key, ANON_KEY_PREFIX));
        assert!(made.spec().is_ok() && made.api_key != made.jwt_secret);
    }

    #[test]
    fn a_host_has_no_scheme_and_no_port() {
        for host in ["a", "a.example", "A-1.example.", "127.0.0.1", "[::1]", "a_b"] {
            assert!(is_host(host), "{host}");
        }
        for host in
            ["", ".", "a:80", "http://a", "a/b", "[::1]:80", "::1", "[x]", "é", "*.a", "a b"]
        {
            assert!(!is_host(host), "{host}");
        }
        assert!(is_host(&"a".repeat(253)) && !is_host(&"a".repeat(254)));
    }
}
