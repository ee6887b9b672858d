//! Client tokens: `stentor token`, and the one that the banner shows.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use engine::config::{Config, SigningSecret, Tenant, is_name, provision};
use engine::operator::signing_secret_of;
use protocol::auth::{InfraiClaims, RealtimeClaims, sign_infrai, sign_realtime};
use protocol::{Capabilities, Capability, Permit};
use serde_json::{Value, json};

use super::command::with_settings;
use super::exit::{Failure, Status};
use super::operate::{ask, now_ms};
use super::{load, print, user_token};

/// Who a token is for, and how long.
pub(crate) struct Holder<'a> {
    /// The member's id.
    pub(crate) user_id: &'a str,
    /// The member's name.
    pub(crate) user_name: Option<&'a str>,
    /// How long it opens connections.
    pub(crate) ttl_s: u64,
}

const EXAMPLES: &str = "\
EXAMPLES:
  stentor token issue --user ada --ttl 600
  stentor token issue --dialect infrai --user ada --channel 'room:*' --capability subscribe --capability publish
  stentor token issue --dialect insforge --user 7d7b0e2e --email ada@example.com --claims '{\"team\":\"a\"}'
  stentor token inspect TOKEN            what it allows, and whether it is valid
  stentor token revoke TOKEN             refused by every shard once the command returns, and for good
  stentor token revoke 0190f3c2-7b1e-7c3d-9a4b-0123456789ab --tenant shop";

/// The subcommand.
pub(crate) fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let issue = Command::new("issue")
        .about("Make a client token, offline, with the tenant's signing secret")
        .arg(option("user", "ID", "Who the client is").required(true))
        .arg(option("name", "TEXT", "How other members see the client (Cohesivity)"))
        .arg(
            option(
                "ttl",
                "SECONDS",
                "How long it opens connections: at most 3600, of Infrai and InsForge 86400",
            )
            .value_parser(value_parser!(u64).range(1..=86_400))
            .default_value("3600"),
        )
        .arg(option("tenant", "NAME", "Whose client it is [default: the only tenant]"))
        .arg(
            option("dialect", "DIALECT", "Which servers take it")
                .value_parser(["cohesivity", "infrai", "insforge"])
                .default_value("cohesivity"),
        )
        .arg(
            option(
                "channel",
                "NAME",
                "A channel, or a beginning and * (Infrai) [default: public ones]",
            )
            .action(ArgAction::Append),
        )
        .arg(
            option("capability", "NAME", "What it allows (Infrai) [default: subscribe]")
                .value_parser(Capability::ALL.map(Capability::name))
                .action(ArgAction::Append),
        )
        .args(user_token::arguments());
    let inspect = Command::new("inspect")
        .about("Say what a token is, whose, what it allows, and whether it is valid")
        .arg(Arg::new("token").value_name("TOKEN").required(true).help("The token"))
        .arg(super::tenant::json_flag());
    let revoke = Command::new("revoke")
        .about("Have every shard refuse a token, for good")
        .arg(Arg::new("token").value_name("TOKEN|JTI").required(true).help("The token, or its jti"))
        .arg(option("tenant", "NAME", "Whose it is, where only its jti is given"));
    Command::new("token")
        .about("Make, inspect and revoke client tokens")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_long_help(EXAMPLES)
        .subcommands([issue, inspect, revoke].map(|it| with_settings(it).after_long_help(EXAMPLES)))
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("issue", matches)) => run_issue(matches),
        Some(("inspect", matches)) => inspect(matches),
        Some(("revoke", matches)) => revoke(matches),
        Some((name, _)) => Err(Failure::usage(format!("no subcommand token {name}"))),
        None => Err(Failure::usage("token needs a subcommand")),
    }
}

pub(super) fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

fn run_issue(matches: &ArgMatches) -> Result<(), Failure> {
    let holder = Holder {
        user_id: text(matches, "user").unwrap_or_default(),
        user_name: text(matches, "name"),
        ttl_s: matches.get_one("ttl").copied().unwrap_or_default(),
    };
    let config = load(matches)?.config;
    if config.server.ephemeral {
        return Err(Failure::usage("an ephemeral node keeps no secret that could sign a token"));
    }
    check(holder.user_id, "--user", config.limits.user_id_bytes_max)?;
    check(holder.user_name.unwrap_or("-"), "--name", config.limits.user_name_bytes_max)?;
    if text(matches, "dialect") == Some("insforge") {
        if FOREIGN_TO_INSFORGE.into_iter().any(|it| matches.contains_id(it)) {
            return Err(Failure::usage(
                "--name, --channel and --capability are of other dialects than InsForge",
            ));
        }
        return print(&format!("{}\n", user_token::issue(matches, &config, &holder)?));
    }
    if user_token::ARGUMENTS.into_iter().any(|it| matches.contains_id(it)) {
        return Err(Failure::usage("--role, --email and --claims are of --dialect insforge"));
    }
    let (name, secret) = signer(&config, text(matches, "tenant"))?;
    if text(matches, "dialect") == Some("infrai") {
        if holder.user_name.is_some() {
            return Err(Failure::usage("--name is of Cohesivity; clients of Infrai have none"));
        }
        return print(&format!("{}\n", issue_infrai(matches, &config, name, &secret, &holder)?));
    }
    if ["channel", "capability"].into_iter().any(|it| matches.contains_id(it)) {
        return Err(Failure::usage("--channel and --capability are of --dialect infrai"));
    }
    if holder.ttl_s > COHESIVITY_LIFE_S_MAX {
        return Err(Failure::usage("--ttl is at most 3600 for Cohesivity"));
    }
    print(&format!("{}\n", sign(name, &secret, &holder)?))
}

/// What tokens of InsForge's users do not have.
const FOREIGN_TO_INSFORGE: [&str; 3] = ["name", "channel", "capability"];
/// No token of Cohesivity lives longer.
const COHESIVITY_LIFE_S_MAX: u64 = 3600;

/// Whose token it will be, and what signs it.
fn signer(config: &Config, name: Option<&str>) -> Result<(String, SigningSecret), Failure> {
    if let Some(name) = name.filter(|it| is_name(it))
        && let Some(secret) = signing_secret_of(&config.server.data_dir, name)?
    {
        return Ok((name.to_owned(), secret));
    }
    let tenants = provision(config)?.tenants;
    let tenant = choose(&tenants, name)?;
    Ok((tenant.name.clone(), tenant.signing_secret))
}

fn issue_infrai(
    matches: &ArgMatches,
    config: &Config,
    tenant: String,
    secret: &SigningSecret,
    holder: &Holder<'_>,
) -> Result<String, Failure> {
    let names = matches.get_many::<String>("capability").into_iter().flatten();
    let given = names.filter_map(|it| Capability::parse(it));
    let given = given.fold(Capabilities::default(), Capabilities::with);
    let channels = matches.get_many::<String>("channel");
    let channels = channels.map(|all| all.map(|it| it.as_str().into()).collect());
    let issued_at_s = now_ms()? / 1000;
    let is_named = matches.contains_id("capability");
    let claims = InfraiClaims {
        jti: random()?,
        tenant,
        client_id: holder.user_id.to_owned(),
        user_id: None,
        permit: Permit {
            capabilities: if is_named { given } else { Capabilities::SUBSCRIBE },
            channels,
        },
        issued_at_s,
        expires_at_s: issued_at_s.saturating_add(holder.ttl_s),
    };
    sign_infrai(&claims, secret.reveal(), &config.limits.for_decoders())
        .map_err(|why| Failure::usage(why.to_string()))
}

fn inspect(matches: &ArgMatches) -> Result<(), Failure> {
    let asked = json!({"do": "token.inspect", "token": text(matches, "token")});
    let found = ask(&load(matches)?.config, &asked)?;
    if matches.get_flag("json") {
        return print(&format!("{found}\n"));
    }
    let mut out = String::new();
    let claims = found.get("claims").and_then(Value::as_object).into_iter().flatten();
    let facts = found.as_object().into_iter().flatten().filter(|(name, _)| *name != "claims");
    for (name, value) in facts.chain(claims) {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                value.to_string()
            }
        };
        let _ = writeln!(out, "{name:<16} {value}"); // a String takes everything
    }
    print(&out)
}

fn revoke(matches: &ArgMatches) -> Result<(), Failure> {
    let asked = json!({
        "do": "token.revoke",
        "token": text(matches, "token"),
        "tenant": text(matches, "tenant"),
    });
    let done = ask(&load(matches)?.config, &asked)?;
    let word = |name: &str| done.get(name).and_then(Value::as_str).unwrap_or_default();
    print(&format!("token {} of tenant {} is revoked\n", word("jti"), word("tenant")))
}

/// Signs a token that is valid from now on.
pub(crate) fn issue(tenant: &Tenant, holder: &Holder<'_>) -> Result<String, Failure> {
    sign(tenant.name.clone(), &tenant.signing_secret, holder)
}

fn sign(tenant: String, secret: &SigningSecret, holder: &Holder<'_>) -> Result<String, Failure> {
    let issued_at_s = now_ms()? / 1000;
    let claims = RealtimeClaims {
        tenant,
        user_id: holder.user_id.to_owned(),
        user_name: holder.user_name.map(str::to_owned),
        issued_at_s,
        expires_at_s: issued_at_s.saturating_add(holder.ttl_s),
        token_id: format!("{:032x}", random()?),
    };
    Ok(sign_realtime(&claims, secret.reveal()))
}

fn check(text: &str, flag: &str, bytes_max: usize) -> Result<(), Failure> {
    let bytes = text.len();
    if (1..=bytes_max).contains(&bytes) {
        return Ok(());
    }
    Err(Failure::usage(format!("{flag} has {bytes} bytes; it must have 1 to {bytes_max}")))
}

/// The tenant of a name, or the only one.
pub(super) fn choose<'a>(tenants: &'a [Tenant], name: Option<&str>) -> Result<&'a Tenant, Failure> {
    let names = || tenants.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, tenants) {
        (None, [tenant]) => Ok(tenant),
        (None, _) => Err(Failure::usage(format!("--tenant must name one of {}", names()))),
        (Some(name), _) => tenants.iter().find(|it| it.name == name).ok_or_else(|| {
            Failure::usage(format!("there is no tenant \"{name}\"; there is {}", names()))
        }),
    }
}

fn random() -> Result<u128, Failure> {
    let internal = |cause| Failure::new(Status::Internal, format!("no randomness: {cause}"));
    Ok(u128::from(getrandom::u64().map_err(internal)?) << 64
        | u128::from(getrandom::u64().map_err(internal)?))
}
