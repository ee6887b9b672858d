//! The ready file: what a script needs to talk to a node that has just begun to listen.

use std::net::SocketAddr;
use std::path::Path;

use engine::config::{Config, Tenant, write_private};
use serde_json::{Value, json};

use super::banner::Urls;
use super::exit::Failure;
use super::version::VERSION;

/// Writes it: all of it or nothing, for its owner alone.
pub(crate) fn write(
    path: &Path,
    local: SocketAddr,
    config: &Config,
    tenants: &[Tenant],
) -> Result<(), Failure> {
    let urls = Urls::of(local);
    let folder = (!config.server.ephemeral).then(|| config.server.data_dir.display().to_string());
    let value = json!({
        "pid": std::process::id(),
        "version": VERSION,
        "http": urls.http,
        "ws": urls.ws,
        "tenants": tenants.iter().map(tenant).collect::<Vec<_>>(),
        "data_dir": folder,
    });
    Ok(write_private(path, &format!("{value}\n"))?)
}

fn tenant(tenant: &Tenant) -> Value {
    let keys = tenant.cohesivity.as_ref();
    json!({
        "name": tenant.name,
        "application_key": keys.map(|it| it.application_key.reveal()),
        "management_key": keys.map(|it| it.management_key.reveal()),
    })
}
