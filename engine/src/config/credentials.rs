//! The keys and secrets that nobody configured: made once, kept in the data directory, readable by its owner alone.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::error::ConfigError;
use super::file;
use super::secret::{Secret, SigningSecret};
use super::table::Config;
use super::tenant::{
    APPLICATION_KEY_PREFIX, CohesivityKeys, KEY_TAIL_BYTES, MANAGEMENT_KEY_PREFIX, TenantConfig,
};

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
pub fn provision(config: &Config) -> Result<(Vec<Tenant>, DevTenant), ConfigError> {
    let folder = (!config.server.ephemeral).then_some(config.server.data_dir.as_path());
    if let Some(folder) = folder {
        make_folder(folder)?;
    }
    if config.tenants.is_empty() {
        let tenants = vec![dev_tenant(folder)?];
        return Ok((complete(tenants, folder)?, DevTenant::Present));
    }
    Ok((complete(config.tenants.clone(), folder)?, DevTenant::Absent))
}

fn make_folder(folder: &Path) -> Result<(), ConfigError> {
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
        return file::read_tenants(path)?.pop().ok_or_else(damaged);
    }
    let keys = CohesivityKeys {
        application_key: generate_key(APPLICATION_KEY_PREFIX)?,
        management_key: generate_key(MANAGEMENT_KEY_PREFIX)?,
    };
    if let Some(path) = path {
        let text = format!(
            "# The development tenant of this folder. Copy it into a configuration to make it yours.\n\
             [[tenant]]\nname = \"{DEV_TENANT_NAME}\"\n\n[tenant.cohesivity]\n\
             application_key = \"{}\"\nmanagement_key = \"{}\"\n",
            keys.application_key.reveal(),
            keys.management_key.reveal(),
        );
        write_private(&path, &text)?;
    }
    Ok(TenantConfig {
        name: DEV_TENANT_NAME.to_owned(),
        signing_secret: None,
        cohesivity: Some(keys),
    })
}

/// Adds the signing secrets that are missing, and keeps the new ones.
fn complete(
    configured: Vec<TenantConfig>,
    folder: Option<&Path>,
) -> Result<Vec<Tenant>, ConfigError> {
    let path = folder.map(|it| it.join(SECRETS_FILE));
    let mut kept = match path.as_deref().filter(|it| it.exists()) {
        Some(path) => file::read_tenants(path)?,
        None => Vec::new(),
    };
    let mut tenants = Vec::with_capacity(configured.len());
    let count_before = kept.len();
    for tenant in configured {
        let known = kept.iter().find(|it| it.name == tenant.name);
        let signing_secret =
            match tenant.signing_secret.or_else(|| known.and_then(|it| it.signing_secret)) {
                Some(secret) => secret,
                None => {
                    let secret = SigningSecret::generate()?;
                    let name = tenant.name.clone();
                    let signing_secret = Some(secret);
                    kept.push(TenantConfig { name, signing_secret, cohesivity: None });
                    secret
                }
            };
        let (name, cohesivity) = (tenant.name, tenant.cohesivity);
        tenants.push(Tenant { name, signing_secret, cohesivity });
    }
    if let Some(path) = path.filter(|_| kept.len() > count_before) {
        write_private(&path, &secrets_text(&kept))?;
    }
    Ok(tenants)
}

fn secrets_text(tenants: &[TenantConfig]) -> String {
    let head = "# What client tokens are signed with. Deleting it makes every token invalid.\n";
    let rows = tenants.iter().filter_map(|tenant| {
        let secret = tenant.signing_secret?.to_hex();
        Some(format!("\n[[tenant]]\nname = \"{}\"\nsigning_secret = \"{secret}\"\n", tenant.name))
    });
    std::iter::once(head.to_owned()).chain(rows).collect()
}

fn generate_key(prefix: &str) -> Result<Secret, ConfigError> {
    const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    /// The largest multiple of the alphabet's length: bytes from here on would make some letters likelier.
    const FAIR_BELOW: u8 = 252;
    let mut key = prefix.to_owned();
    while key.len() < prefix.len() + KEY_TAIL_BYTES {
        let mut bytes = [0; KEY_TAIL_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|cause| ConfigError::Randomness { cause: cause.to_string() })?;
        let missing = prefix.len() + KEY_TAIL_BYTES - key.len();
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
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(OWNER_ONLY).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder =
        path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}
