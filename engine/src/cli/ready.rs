//! The ready file: what a script needs to talk to a node that has just begun to listen.

use std::path::Path;

use engine::config::{Secret, Secrets, Tenant, write_private};
use serde_json::{Value, json};

use super::banner::{Facts, Urls};
use super::exit::Failure;
use super::version::VERSION;

/// Writes it: all of it or nothing, for its owner alone. Keys are in it where `secrets` says so, else `null`.
pub(crate) fn write(path: &Path, facts: &Facts<'_>, secrets: Secrets) -> Result<(), Failure> {
    let urls = Urls::of(facts.local);
    let server = &facts.config.server;
    let folder = (!server.ephemeral).then(|| server.data_dir.display().to_string());
    let value = json!({
        "pid": std::process::id(),
        "version": VERSION,
        "http": urls.http,
        "ws": urls.ws,
        "tenants": facts.tenants.iter().map(|it| tenant(it, secrets)).collect::<Vec<_>>(),
        "data_dir": folder,
    });
    Ok(write_private(path, &format!("{value}\n"))?)
}

fn tenant(tenant: &Tenant, secrets: Secrets) -> Value {
    let shown = |key: Option<&Secret>| match secrets {
        Secrets::Shown => key.map(|it| it.reveal().to_owned()),
        Secrets::Masked => None,
    };
    let keys = tenant.cohesivity.as_ref();
    let insforge = tenant.insforge.as_ref();
    json!({
        "name": tenant.name,
        "application_key": shown(keys.map(|it| &it.application_key)),
        "management_key": shown(keys.map(|it| &it.management_key)),
        "project_key": shown(tenant.project_key.as_ref()),
        "api_key": shown(insforge.map(|it| &it.api_key)),
        "anon_key": insforge.map(|it| &it.anon_key),
        "jwt_secret": shown(insforge.map(|it| &it.jwt_secret)),
    })
}
