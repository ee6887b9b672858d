//! The keys and secrets that nobody configured: made once, kept in the data directory, readable by its owner alone.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::error::ConfigError;
use super::file;
use super::insforge::InsforgeConfig;
use super::secret::{Secret, SigningSecret};
use super::table::Config;
use super::tenant::{
    APPLICATION_KEY_PREFIX, CohesivityKeys, KEY_TAIL_BYTES, LIVEBLOCKS_URL, MANAGEMENT_KEY_PREFIX,
    PROJECT_KEY_PREFIX, PROJECT_KEY_TAIL_BYTES, TenantConfig, VendorConfig,
};
use super::text::Secrets;
use crate::control::Plan;
use crate::ids::TenantId;
use crate::tenants::TenantSpec;

const DEV_TENANT_NAME: &str = "dev";
const DEV_TENANT_FILE: &str = "dev-tenant.toml";
const SECRETS_FILE: &str = "secrets.toml";
const OWNER_ONLY: u32 = 0o600;
const OWNER_ONLY_FOLDER: u32 = 0o700;

/// A tenant with everything it needs.
#[derive(Clone)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// What its client tokens are signed with.
    pub signing_secret: SigningSecret,
    /// Its keys, if it speaks Cohesivity.
    pub cohesivity: Option<CohesivityKeys>,
    /// Its project key, if it speaks Infrai.
    pub project_key: Option<Secret>,
    /// Its keys, if it speaks InsForge.
    pub insforge: Option<InsforgeConfig>,
    /// What it has of other vendors.
    pub vendors: VendorConfig,
    /// What it may do.
    pub plan: Plan,
}

impl Tenant {
    /// What the shards have to know of it.
    #[must_use]
    pub fn spec(&self, id: TenantId) -> TenantSpec {
        let text = |secret: &Secret| secret.reveal().to_owned();
        let keys = self.cohesivity.as_ref();
        let liveblocks = self.vendors.liveblocks.as_ref();
        TenantSpec {
            id,
            name: self.name.clone(),
            application_key: keys.map(|it| text(&it.application_key)),
            management_key: keys.map(|it| text(&it.management_key)),
            project_key: self.project_key.as_ref().map(text),
            // Its secret was measured when it was read.
            insforge: self.insforge.as_ref().and_then(|it| it.spec().ok()),
            hashed_keys: Vec::new(),
            signing_key: self.signing_secret.reveal().to_vec(),
            signing_keys_before: Vec::new(),
            // They were checked when they were read.
            vendors: self.vendors.keys().unwrap_or_default(),
            liveblocks_base_url: liveblocks
                .map_or_else(|| LIVEBLOCKS_URL.to_owned(), |it| it.base_url.clone()),
            plan: self.plan.clone(),
        }
    }
}

/// What [`provision`] gives.
pub struct Provisioned {
    /// The tenants, each with everything it needs.
    pub tenants: Vec<Tenant>,
    /// Whether they are ours.
    pub dev: DevTenant,
    /// What keys are hashed with: the hashes of one node are of no use to another.
    pub node_secret: SigningSecret,
}

/// Whether the tenants are the operator's or ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DevTenant {
    /// The configuration names tenants.
    Absent,
    /// It names none: there is one called `dev`.
    Present,
}

/// Completes the tenants of a configuration: a development tenant where it names none, and signing secrets.
/// What it makes is kept in the data directory, unless the node is ephemeral.
///
/// # Errors
/// When the data directory cannot be read or written, or what it holds is damaged.
pub fn provision(config: &Config) -> Result<Provisioned, ConfigError> {
    let folder = (!config.server.ephemeral).then_some(config.server.data_dir.as_path());
    if let Some(folder) = folder {
        make_folder(folder)?;
    }
    let (configured, dev) = if config.tenants.is_empty() {
        (vec![dev_tenant(folder)?], DevTenant::Present)
    } else {
        (config.tenants.clone(), DevTenant::Absent)
    };
    let (tenants, node_secret) = complete(config, configured, folder)?;
    Ok(Provisioned { tenants, dev, node_secret })
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), ConfigError> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(OWNER_ONLY_FOLDER)))
        .map_err(|cause| ConfigError::io("create folder", folder, cause))
}

fn dev_tenant(folder: Option<&Path>) -> Result<TenantConfig, ConfigError> {
    let path = folder.map(|it| it.join(DEV_TENANT_FILE));
    if let Some(path) = path.as_deref().filter(|it| it.exists()) {
        let damaged = || ConfigError::Wrong {
            message: format!("{}: holds no tenant; delete it to get a new one", path.display()),
        };
        let mut tenant = file::read_tenants(path)?.pop().ok_or_else(damaged)?;
        if tenant.project_key.is_none() || tenant.insforge.is_none() {
            // Its folder is of a version that made none.
            let Keys { project_key, insforge } = Keys::generate()?;
            tenant.project_key.get_or_insert(project_key);
            tenant.insforge.get_or_insert(insforge);
            write_private(path, &dev_tenant_text(&tenant))?;
        }
        return Ok(tenant);
    }
    let Keys { project_key, insforge } = Keys::generate()?;
    let tenant = TenantConfig {
        name: DEV_TENANT_NAME.to_owned(),
        cohesivity: Some(CohesivityKeys {
            application_key: generate_key(APPLICATION_KEY_PREFIX, KEY_TAIL_BYTES)?,
            management_key: generate_key(MANAGEMENT_KEY_PREFIX, KEY_TAIL_BYTES)?,
        }),
        project_key: Some(project_key),
        insforge: Some(insforge),
        ..TenantConfig::default()
    };
    if let Some(path) = path {
        write_private(&path, &dev_tenant_text(&tenant))?;
    }
    Ok(tenant)
}

/// What a development tenant did not always have.
struct Keys {
    project_key: Secret,
    insforge: InsforgeConfig,
}

impl Keys {
    fn generate() -> Result<Self, ConfigError> {
        let project_key = generate_key(PROJECT_KEY_PREFIX, PROJECT_KEY_TAIL_BYTES)?;
        Ok(Self { project_key, insforge: InsforgeConfig::generate()? })
    }
}

fn dev_tenant_text(tenant: &TenantConfig) -> String {
    let head =
        "# The development tenant of this folder. Copy it into a configuration to make it yours.\n";
    format!("{head}{}", tenant.to_toml(Secrets::Shown))
}

/// Adds the secrets that are missing, and keeps the new ones.
fn complete(
    config: &Config,
    configured: Vec<TenantConfig>,
    folder: Option<&Path>,
) -> Result<(Vec<Tenant>, SigningSecret), ConfigError> {
    let path = folder.map(|it| it.join(SECRETS_FILE));
    let (node_secret, mut kept) = match path.as_deref().filter(|it| it.exists()) {
        Some(path) => file::read_secrets(path)?,
        None => (None, Vec::new()),
    };
    let mut is_new = node_secret.is_none();
    let node_secret = node_secret.map_or_else(SigningSecret::generate, Ok)?;
    let mut tenants = Vec::with_capacity(configured.len());
    for tenant in configured {
        let plan = config.plan(&tenant);
        let known = kept.iter().find(|it| it.name == tenant.name);
        let signing_secret =
            match tenant.signing_secret.or_else(|| known.and_then(|it| it.signing_secret)) {
                Some(secret) => secret,
                None => {
                    let secret = SigningSecret::generate()?;
                    let (name, signing_secret) = (tenant.name.clone(), Some(secret));
                    kept.push(TenantConfig { name, signing_secret, ..TenantConfig::default() });
                    is_new = true;
                    secret
                }
            };
        let TenantConfig { name, cohesivity, project_key, insforge, vendors, .. } = tenant;
        tenants.push(Tenant {
            name,
            signing_secret,
            cohesivity,
            project_key,
            insforge,
            vendors,
            plan,
        });
    }
    if let Some(path) = path.filter(|_| is_new) {
        write_private(&path, &secrets_text(&node_secret, &kept))?;
    }
    Ok((tenants, node_secret))
}

fn secrets_text(node_secret: &SigningSecret, tenants: &[TenantConfig]) -> String {
    let head = format!(
        "# What client tokens are signed with. Deleting it makes every token invalid, and every key of a tenant that was\n\
         # added by command.\nnode_secret = \"{}\"\n",
        node_secret.to_hex()
    );
    let rows = tenants.iter().filter_map(|tenant| {
        let secret = tenant.signing_secret?.to_hex();
        Some(format!("\n[[tenant]]\nname = \"{}\"\nsigning_secret = \"{secret}\"\n", tenant.name))
    });
    std::iter::once(head).chain(rows).collect()
}

/// Draws a key: its prefix and so many of `a-z 0-9`.
///
/// # Errors
/// When the kernel gives no randomness.
pub fn generate_key(prefix: &str, tail_bytes: usize) -> Result<Secret, ConfigError> {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    /// The largest multiple of the alphabet's length: bytes from here on would make some letters likelier.
    const FAIR_BELOW: u8 = 252;
    let mut key = prefix.to_owned();
    while key.len() < prefix.len() + tail_bytes {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|cause| ConfigError::Randomness { cause: cause.to_string() })?;
        let missing = prefix.len() + tail_bytes - key.len();
        let fair = bytes.into_iter().filter(|byte| *byte < FAIR_BELOW);
        let letters = fair.filter_map(|byte| ALPHABET.get(usize::from(byte) % ALPHABET.len()));
        key.extend(letters.take(missing).map(|it| char::from(*it)));
    }
    Ok(Secret::new(key))
}

/// Writes a whole file or none: readers see the old one, or all of the new one. Nobody but its owner may read it.
///
/// # Errors
/// When the folder does not take it.
pub fn write_private(path: &Path, text: &str) -> Result<(), ConfigError> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let written = write_new(&temporary, text)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_folder(path));
    written.map_err(|cause| {
        let _ = fs::remove_file(&temporary); // it may not exist; the first error is the one to report
        ConfigError::io("write", path, cause)
    })
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    // What lies there under this name is of a process that was cut short, or bait: a link, or a file that others may read.
    if let Err(cause) = fs::remove_file(path)
        && cause.kind() != io::ErrorKind::NotFound
    {
        return Err(cause);
    }
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(OWNER_ONLY).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder =
        path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}
