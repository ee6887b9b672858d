//! `stentor policy`: what policies say, and why.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use engine::config::Config;
use protocol::Limits;
use protocol::auth::insforge::{Identity, Role, User, UserKeys};
use protocol::dialect::insforge::rest::decode_permissions;
use protocol::policy::{Action, Asker, Policies, Question, Verdict};
use serde_json::{Value, json};

use super::command::with_settings;
use super::exit::{Failure, Status};
use super::operate::{ask, now_ms};
use super::token::text;
use super::{load, print, user_token};

const EXAMPLES: &str = "\
EXAMPLES:
  stentor policy test --as anon subscribe chat:7
  stentor policy test --policies policies.json --as authenticated --user ada --claims '{\"team\":\"a\"}' publish user:ada typing
  stentor policy test --as \"$(stentor token issue --dialect insforge --user ada)\" publish user:ada typing

Without a file the policies are those that the server has in force that runs on the data directory, or else what is kept there.
A file is a body of GET or PUT /api/realtime/permissions:
  {\"subscribe\":{\"policies\":[{\"policyName\":\"own\",\"roles\":[\"authenticated\"],\"pattern\":\"user:%\",
    \"using\":\"split(channel, ':', 1) == sub\"}]},\"publish\":{\"policies\":[]}}

The command ends with 0 where the policies allow it, with 77 where they do not.";

/// The subcommand.
pub(crate) fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let test = Command::new("test")
        .about("Say whether policies of InsForge allow something, and what each of them said")
        .arg(
            option(
                "policies",
                "FILE",
                "The policies, as JSON; - is standard input [default: those of the tenant]",
            )
            .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            option(
                "as",
                "WHO",
                "anon, authenticated, project_admin, api-key, or a user's token, which is verified",
            )
            .required(true),
        )
        .arg(option("user", "ID", "Who the user is, where --as is a role"))
        .arg(option("tenant", "NAME", "Whose policies and users [default: the only tenant]"))
        .args(user_token::arguments().into_iter().filter(|it| it.get_id() != "role"))
        .arg(
            Arg::new("action")
                .value_name("ACTION")
                .required(true)
                .value_parser(Action::ALL.map(Action::name))
                .help("What they want to do"),
        )
        .arg(Arg::new("channel").value_name("CHANNEL").required(true).help("Where"))
        .arg(Arg::new("event").value_name("EVENT").help("What a publication is called"));
    Command::new("policy")
        .about("Explain what policies allow")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_long_help(EXAMPLES)
        .subcommand(with_settings(test).after_long_help(EXAMPLES))
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    match matches.subcommand() {
        Some(("test", matches)) => test(matches),
        Some((name, _)) => Err(Failure::usage(format!("no subcommand policy {name}"))),
        None => Err(Failure::usage("policy needs a subcommand")),
    }
}

fn test(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let config = load(matches)?.config;
    let limits = config.limits.for_decoders();
    let action = Action::ALL.into_iter().find(|it| Some(it.name()) == text(matches, "action"));
    let action = action.ok_or_else(|| Failure::usage("an action is subscribe or publish"))?;
    let event = text(matches, "event");
    match (action, event) {
        (Action::Publish, None) => {
            return Err(Failure::usage("publish needs an EVENT behind the channel"));
        }
        (Action::Subscribe, Some(_)) => {
            return Err(Failure::usage("subscribe has no EVENT"));
        }
        (Action::Publish, Some(_)) | (Action::Subscribe, None) => {}
    }
    let policies = match matches.get_one::<PathBuf>("policies") {
        Some(path) => read(path, &limits)?,
        None => in_force(&config, text(matches, "tenant"), &limits)?,
    };
    let mut asker = Asker::of(&who(matches, &config, &limits)?, &limits);
    let channel = text(matches, "channel").unwrap_or_default();
    let explanation = policies.explain(&mut asker, &Question { action, channel, event });
    print(&format!("{explanation}\n"))?;
    Ok(match explanation.verdict {
        Verdict::Allow => ExitCode::SUCCESS,
        Verdict::Deny => Status::Denied.into(),
    })
}

/// The policies of a tenant.
fn in_force(config: &Config, tenant: Option<&str>, limits: &Limits) -> Result<Policies, Failure> {
    let found = ask(config, &json!({"do": "policy.list", "tenant": tenant}))?;
    decode_permissions(&mut found.to_string().into_bytes(), limits)
        .map_err(|why| Failure::new(Status::Internal, why.message()))
}

fn read(path: &Path, limits: &Limits) -> Result<Policies, Failure> {
    let read = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin().lock())
    } else {
        std::fs::read_to_string(path)
    };
    let name = path.display();
    let text = read.map_err(|cause| Failure::io(format!("read {name}: {cause}")))?;
    decode_permissions(&mut text.into_bytes(), limits)
        .map_err(|why| Failure::new(Status::Configuration, format!("{name}: {}", why.message())))
}

/// Who asks.
fn who(matches: &ArgMatches, config: &Config, limits: &Limits) -> Result<Identity, Failure> {
    let given = text(matches, "as").unwrap_or_default();
    let says = |name: &&str| matches.contains_id(name);
    let is_said = ["user", "email", "claims"].iter().any(says);
    let identity = match (given, Role::parse(given)) {
        ("api-key", _) => Identity::Server,
        (_, Some(Role::Anon)) if !is_said => Identity::Anonymous,
        (_, Some(role)) => return user(matches, role),
        (token, None) => verified(token, matches, config, limits)?,
    };
    if is_said {
        return Err(Failure::usage("--user, --email and --claims are of roles"));
    }
    Ok(identity)
}

fn user(matches: &ArgMatches, role: Role) -> Result<Identity, Failure> {
    let id = text(matches, "user");
    let id = id.ok_or_else(|| Failure::usage(format!("--as {} needs --user", role.name())))?;
    let claims = user_token::claims(matches, id, role)?;
    Ok(Identity::User(User {
        id: id.into(),
        email: text(matches, "email").map(Into::into),
        role,
        claims: Value::Object(claims).to_string().into(),
    }))
}

/// The user of a token that the tenant takes.
fn verified(
    token: &str,
    matches: &ArgMatches,
    config: &Config,
    limits: &Limits,
) -> Result<Identity, Failure> {
    let (secret, jwks) = user_token::keys(config, text(matches, "tenant"))?;
    let now_s = now_ms()? / 1000;
    let wrong = |why: String| {
        let hint = "--as must be anon, authenticated, project_admin, api-key or a user's token";
        Failure::usage(format!("{why}: {hint}"))
    };
    let keys = UserKeys::new(secret.reveal(), jwks).map_err(|why| wrong(why.to_string()))?;
    let user = keys.verify(token, now_s, limits).map_err(|why| wrong(why.to_string()))?;
    Ok(Identity::User(user))
}
