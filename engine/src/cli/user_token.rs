//! Users of InsForge as the command line names them: their claims, and tokens that say so.

use clap::{Arg, ArgMatches};
use engine::config::{Config, Secret, is_name, provision};
use engine::operator::jwt_secret_of;
use protocol::auth::insforge::{Jwks, Role, sign_user};
use serde_json::{Map, Value, json};

use super::exit::Failure;
use super::operate::now_ms;
use super::token::{Holder, choose, text};

/// The names of [`arguments`].
pub(super) const ARGUMENTS: [&str; 3] = ["role", "email", "claims"];

/// What is said of a user beside who it is.
pub(super) fn arguments() -> [Arg; 3] {
    let [role, email, claims] = ARGUMENTS;
    [
        Arg::new(role)
            .long(role)
            .value_name("ROLE")
            .value_parser(Role::ALL.map(Role::name))
            .help("What the user may be (InsForge) [default: authenticated]"),
        Arg::new(email).long(email).value_name("ADDRESS").help("The user's address (InsForge)"),
        Arg::new(claims)
            .long(claims)
            .value_name("JSON")
            .help("More claims, as a JSON object (InsForge)"),
    ]
}

/// The claims that the command line gives.
pub(super) fn claims(
    matches: &ArgMatches,
    user_id: &str,
    role: Role,
) -> Result<Map<String, Value>, Failure> {
    let more: Value = serde_json::from_str(text(matches, "claims").unwrap_or("{}"))
        .map_err(|cause| Failure::usage(format!("--claims is no JSON: {cause}")))?;
    let Value::Object(mut claims) = more else {
        return Err(Failure::usage("--claims must be a JSON object"));
    };
    claims.insert("sub".to_owned(), json!(user_id));
    claims.insert("role".to_owned(), json!(role.name()));
    if let Some(email) = text(matches, "email") {
        claims.insert("email".to_owned(), json!(email));
    }
    Ok(claims)
}

/// Signs a token that is valid from now on, with the tenant's secret.
pub(super) fn issue(
    matches: &ArgMatches,
    config: &Config,
    holder: &Holder<'_>,
) -> Result<String, Failure> {
    let role = text(matches, "role").and_then(Role::parse).unwrap_or(Role::Authenticated);
    let mut claims = claims(matches, holder.user_id, role)?;
    let now_s = now_ms()? / 1000;
    claims.insert("iat".to_owned(), json!(now_s));
    claims.insert("exp".to_owned(), json!(now_s.saturating_add(holder.ttl_s)));
    let (secret, _) = keys(config, text(matches, "tenant"))?;
    Ok(sign_user(&Value::Object(claims).to_string(), secret.reveal()))
}

/// What the tokens of a tenant's users are signed with, and the public keys of others who sign them.
pub(super) fn keys(config: &Config, name: Option<&str>) -> Result<(Secret, Jwks), Failure> {
    if let Some(name) = name.filter(|it| is_name(it))
        && let Some(secret) = jwt_secret_of(&config.server.data_dir, name)?
    {
        return Ok((secret, Jwks::default()));
    }
    let tenants = provision(config)?.tenants;
    let tenant = choose(&tenants, name)?;
    let keys = tenant.insforge.as_ref().ok_or_else(|| {
        Failure::usage(format!("tenant \"{}\" does not speak InsForge", tenant.name))
    })?;
    let jwks = keys.jwks.as_ref().map(|it| it.keys.clone()).unwrap_or_default();
    Ok((keys.jwt_secret.clone(), jwks))
}
