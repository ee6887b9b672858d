//! Tenants as a file names them, and the forms of their keys.

use super::error::ConfigError;
use super::secret::{Secret, SigningSecret};

/// One `[[tenant]]` of the file.
#[derive(Clone)]
pub struct TenantConfig {
    /// Its name: 1 to 64 of `a-z 0-9 - _`.
    pub name: String,
    /// What its client tokens are signed with; generated where the file has none.
    pub signing_secret: Option<SigningSecret>,
    /// Its keys, if it speaks Cohesivity.
    pub cohesivity: Option<CohesivityKeys>,
}

/// `[tenant.cohesivity]`.
#[derive(Clone)]
pub struct CohesivityKeys {
    /// `coh_app_…`: for servers that publish.
    pub application_key: Secret,
    /// `coh_man_…`: for provisioning.
    pub management_key: Secret,
}

/// What an application key begins with.
pub(super) const APPLICATION_KEY_PREFIX: &str = "coh_app_";
/// What a management key begins with.
pub(super) const MANAGEMENT_KEY_PREFIX: &str = "coh_man_";
/// What follows the prefix: this many of `a-z 0-9`.
pub(super) const KEY_TAIL_BYTES: usize = 20;
const NAME_BYTES_MAX: usize = 64;

/// Whether `name` may name a tenant.
pub(super) fn is_name(name: &str) -> bool {
    let is_allowed = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.as_bytes().iter().all(is_allowed)
}

/// Whether `key` is `prefix` and twenty of `a-z 0-9`.
pub(super) fn is_key(key: &str, prefix: &str) -> bool {
    key.strip_prefix(prefix).is_some_and(|tail| {
        tail.len() == KEY_TAIL_BYTES
            && tail.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
    })
}

/// Refuses two tenants of one name, and a key that two tenants have.
pub(super) fn check_unique(tenants: &[TenantConfig]) -> Result<(), ConfigError> {
    for (index, tenant) in tenants.iter().enumerate() {
        let Some(earlier) = tenants.get(..index) else { continue };
        for other in earlier {
            if other.name == tenant.name {
                return Err(ConfigError::duplicate("tenant.name", &tenant.name, &other.name));
            }
            if let Some(key) = shared_key(other, tenant) {
                return Err(ConfigError::duplicate(key, &tenant.name, &other.name));
            }
        }
    }
    Ok(())
}

fn shared_key(one: &TenantConfig, other: &TenantConfig) -> Option<&'static str> {
    let (one, other) = (one.cohesivity.as_ref()?, other.cohesivity.as_ref()?);
    if one.application_key == other.application_key {
        Some("tenant.cohesivity.application_key")
    } else if one.management_key == other.management_key {
        Some("tenant.cohesivity.management_key")
    } else {
        None
    }
}
