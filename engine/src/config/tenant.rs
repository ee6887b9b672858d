//! Tenants as a file names them, and the forms of their keys.

use protocol::Origins;
use protocol::auth::vendor::{AblyKey, KeyError, LiveblocksKey, PusherKeys, VendorKeys};

use super::error::ConfigError;
use super::insforge::InsforgeConfig;
use super::secret::{Secret, SigningSecret};
use crate::control::{Paced, Rate};

/// One `[[tenant]]` of the file.
#[derive(Clone, Default)]
pub struct TenantConfig {
    /// Its name: 1 to 64 of `a-z 0-9 - _`.
    pub name: String,
    /// What its client tokens are signed with; generated where the file has none.
    pub signing_secret: Option<SigningSecret>,
    /// Its keys, if it speaks Cohesivity.
    pub cohesivity: Option<CohesivityKeys>,
    /// `ifr_pk_proj_…`: what its servers speak Infrai with.
    pub project_key: Option<Secret>,
    /// Its keys, if it speaks InsForge.
    pub insforge: Option<InsforgeConfig>,
    /// What it has of other vendors.
    pub vendors: VendorConfig,
    /// The tier that it pays for; without one nothing is counted.
    pub tier: Option<String>,
    /// What its calls of Infrai may cost in all, whatever its tier says; without either nothing bounds it.
    pub credit_micro_usd: Option<u64>,
    /// How fast it may go.
    pub rates: Vec<(Paced, Rate)>,
    /// Whether a socket ends with its token.
    pub close_on_token_expiry: bool,
    /// The pages that may use its sockets; without a list all may.
    pub allowed_origins: Option<Origins>,
}

/// `[tenant.pusher]`, `[tenant.ably]` and `[tenant.liveblocks]`.
#[derive(Clone, Default)]
pub struct VendorConfig {
    /// Pusher.
    pub pusher: Option<PusherConfig>,
    /// Ably: `app.id:secret`.
    pub ably: Option<Secret>,
    /// Liveblocks.
    pub liveblocks: Option<LiveblocksConfig>,
}

/// `[tenant.pusher]`.
#[derive(Clone)]
pub struct PusherConfig {
    /// The number of the app.
    pub app_id: String,
    /// The public half of its credentials.
    pub key: String,
    /// The other half.
    pub secret: Secret,
    /// 32 bytes in base64; encrypted channels take it.
    pub master_key: Option<Secret>,
}

/// `[tenant.liveblocks]`.
#[derive(Clone)]
pub struct LiveblocksConfig {
    /// `sk_…`.
    pub secret_key: Secret,
    /// Where Liveblocks is.
    pub base_url: String,
}

/// Where Liveblocks is, unless the configuration says otherwise.
pub const LIVEBLOCKS_URL: &str = "https://api.liveblocks.io";

impl VendorConfig {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pusher.is_none() && self.ably.is_none() && self.liveblocks.is_none()
    }

    /// The keys in the form that signs.
    ///
    /// # Errors
    /// Names the key that has another form than the vendor's.
    pub fn keys(&self) -> Result<VendorKeys, KeyError> {
        let pusher = self.pusher.as_ref().map(|it| {
            PusherKeys::new(&it.key, it.secret.reveal(), it.master_key.as_ref().map(Secret::reveal))
        });
        let ably = self.ably.as_ref().map(|it| AblyKey::parse(it.reveal()));
        let liveblocks =
            self.liveblocks.as_ref().map(|it| LiveblocksKey::parse(it.secret_key.reveal()));
        Ok(VendorKeys {
            pusher: pusher.transpose()?,
            ably: ably.transpose()?,
            liveblocks: liveblocks.transpose()?,
        })
    }
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
pub const APPLICATION_KEY_PREFIX: &str = "coh_app_";
/// What a management key begins with.
pub const MANAGEMENT_KEY_PREFIX: &str = "coh_man_";
/// What follows the prefix: this many of `a-z 0-9`.
pub const KEY_TAIL_BYTES: usize = 20;
/// What an Infrai project key begins with.
pub const PROJECT_KEY_PREFIX: &str = "ifr_pk_proj_";
/// What follows the prefix of one that we make: this many of `a-z 0-9`.
pub const PROJECT_KEY_TAIL_BYTES: usize = 32;
const PROJECT_TAIL_BYTES_MAX: usize = 128;
/// Fewer could be guessed.
const PROJECT_TAIL_BYTES_MIN: usize = 16;
const NAME_BYTES_MAX: usize = 64;

/// Whether `name` may name a tenant.
#[must_use]
pub fn is_name(name: &str) -> bool {
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

/// Whether `key` may be the project key of a tenant that speaks Infrai.
pub(super) fn is_project_key(key: &str) -> bool {
    key.strip_prefix(PROJECT_KEY_PREFIX).is_some_and(|tail| {
        (PROJECT_TAIL_BYTES_MIN..=PROJECT_TAIL_BYTES_MAX).contains(&tail.len())
            && tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
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
    if one.project_key.is_some() && one.project_key == other.project_key {
        return Some("tenant.infrai.project_key");
    }
    if let Some(key) = one
        .insforge
        .as_ref()
        .zip(other.insforge.as_ref())
        .and_then(|(one, other)| one.shared_with(other))
    {
        return Some(key);
    }
    let (one, other) = (one.cohesivity.as_ref()?, other.cohesivity.as_ref()?);
    if one.application_key == other.application_key {
        Some("tenant.cohesivity.application_key")
    } else if one.management_key == other.management_key {
        Some("tenant.cohesivity.management_key")
    } else {
        None
    }
}
