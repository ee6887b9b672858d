//! Client tokens: `stentor token issue`, and the one that the banner shows.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::ArgMatches;
use engine::config::{Tenant, provision};
use protocol::auth::{RealtimeClaims, sign_realtime};

use super::exit::{Failure, Status};
use super::{load, print};

/// Who a token is for, and how long.
pub(crate) struct Holder<'a> {
    /// The member's id.
    pub(crate) user_id: &'a str,
    /// The member's name.
    pub(crate) user_name: Option<&'a str>,
    /// How long it opens connections.
    pub(crate) ttl_s: u64,
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some(("issue", matches)) = matches.subcommand() else {
        return Err(Failure::usage("token needs a subcommand"));
    };
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let holder = Holder {
        user_id: text("user").unwrap_or_default(),
        user_name: text("name"),
        ttl_s: matches.get_one("ttl").copied().unwrap_or_default(),
    };
    let config = load(matches)?.config;
    if config.server.ephemeral {
        return Err(Failure::usage("an ephemeral node keeps no secret that could sign a token"));
    }
    check(holder.user_id, "--user", config.limits.user_id_bytes_max)?;
    check(holder.user_name.unwrap_or("-"), "--name", config.limits.user_name_bytes_max)?;
    let tenants = provision(&config)?.tenants;
    let tenant = choose(&tenants, text("tenant"))?;
    print(&format!("{}\n", issue(tenant, &holder)?))
}

/// Signs a token that is valid from now on.
pub(crate) fn issue(tenant: &Tenant, holder: &Holder<'_>) -> Result<String, Failure> {
    let issued_at_s = now_s()?;
    let claims = RealtimeClaims {
        tenant: tenant.name.clone(),
        user_id: holder.user_id.to_owned(),
        user_name: holder.user_name.map(str::to_owned),
        issued_at_s,
        expires_at_s: issued_at_s.saturating_add(holder.ttl_s),
        token_id: token_id()?,
    };
    Ok(sign_realtime(&claims, tenant.signing_secret.reveal()))
}

fn check(text: &str, flag: &str, bytes_max: usize) -> Result<(), Failure> {
    let bytes = text.len();
    if (1..=bytes_max).contains(&bytes) {
        return Ok(());
    }
    Err(Failure::usage(format!("{flag} has {bytes} bytes; it must have 1 to {bytes_max}")))
}

fn choose<'a>(tenants: &'a [Tenant], name: Option<&str>) -> Result<&'a Tenant, Failure> {
    let names = || tenants.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, tenants) {
        (None, [tenant]) => Ok(tenant),
        (None, _) => Err(Failure::usage(format!("--tenant must name one of {}", names()))),
        (Some(name), _) => tenants.iter().find(|it| it.name == name).ok_or_else(|| {
            Failure::usage(format!("there is no tenant \"{name}\"; there is {}", names()))
        }),
    }
}

fn token_id() -> Result<String, Failure> {
    let internal = |cause| Failure::new(Status::Internal, format!("no randomness: {cause}"));
    Ok(format!(
        "{:032x}",
        u128::from(getrandom::u64().map_err(internal)?) << 64
            | u128::from(getrandom::u64().map_err(internal)?)
    ))
}

#[expect(clippy::disallowed_methods, reason = "a command is no shard: its time enters here")]
fn now_s() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let wrong = |_| Failure::new(Status::Configuration, "the clock stands before 1970").fix("date");
    since.map(|it| it.as_secs()).map_err(wrong)
}
