//! `stentor tenant`: makes, lists and removes tenants, and gives them new keys.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdin, stdout};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::command::{switch, with_settings};
use super::exit::Failure;
use super::operate::{ask, now_ms};
use super::{load, print};

const EXAMPLES: &str = "\
EXAMPLES:
  stentor tenant add shop --tier free --dialect infrai
  stentor tenant add chat --dialect insforge --host chat.example
  stentor tenant list --json
  stentor tenant rotate-key shop project --grace 24h   both keys work for a day
  stentor tenant rotate-key shop signing --now         every token of the tenant ends at once
  stentor tenant remove shop --yes

With a server running on the data directory, a command returns once every shard has acted; without one it changes the
data directory, and the next start reads it. A new key is printed once and kept only as a hash; an anon key is no secret,
and administrators can read it again.
A tenant of the configuration is changed there.";

/// What tenants are made for.
const DIALECTS: [&str; 3] = ["cohesivity", "infrai", "insforge"];

fn name() -> Arg {
    Arg::new("name").value_name("NAME").required(true).help("The tenant")
}

fn add_command() -> Command {
    Command::new("add")
        .about("Make a tenant, and print its keys: once, they are kept only as hashes")
        .arg(name())
        .arg(Arg::new("tier").long("tier").value_name("TIER").help(
            "ephemeral, free, plus, pro, or one of [tiers.NAME] [default: nothing is counted]",
        ))
        .arg(
            Arg::new("dialect")
                .long("dialect")
                .value_name("DIALECT")
                .value_parser(DIALECTS)
                .action(ArgAction::Append)
                .help("A dialect to make keys for; may be given again [default: all]"),
        )
        .arg(
            Arg::new("host").long("host").value_name("NAME").action(ArgAction::Append).help(
                "A host where tokens are of its users (InsForge); may be given again [default: wherever no other tenant's are]",
            ),
        )
        .arg(
            Arg::new("origin").long("origin").value_name("ORIGIN").action(ArgAction::Append).help(
                "An origin whose pages may use it, as https://app.example, or null; may be given again [default: any]",
            ),
        )
}

/// The subcommand.
pub(crate) fn command() -> Command {
    let add = add_command();
    let list =
        Command::new("list").about("List tenants and the kinds of their keys").arg(json_flag());
    let rotate = Command::new("rotate-key")
        .about("Give a tenant a new key; the old one works for a while longer")
        .arg(name())
        .arg(
            Arg::new("kind")
                .value_name("KIND")
                .required(true)
                .value_parser(["application", "management", "project", "api", "anon", "jwt", "signing"])
                .help(
                    "Which key: application and management are of Cohesivity, project is of Infrai, api and anon are of \
                     InsForge; jwt is the secret that tokens of InsForge's users are signed with, signing that of all others",
                ),
        )
        .arg(
            Arg::new("grace")
                .long("grace")
                .value_name("TIME")
                .value_parser(parse_time)
                .help("How long the old key works: a number and s, m, h or d [default: 24h, of anon 168h]"),
        )
        .arg(switch("now", "End the old key at once").conflicts_with("grace"));
    let remove = Command::new("remove")
        .about(
            "Remove a tenant: its keys and tokens end, its sockets close, its messages are dropped",
        )
        .arg(name())
        .arg(switch("yes", "Do not ask"));
    Command::new("tenant")
        .about("Make, list and remove tenants, and rotate their keys")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_long_help(EXAMPLES)
        .subcommands(
            [add, list, rotate, remove].map(|it| with_settings(it).after_long_help(EXAMPLES)),
        )
}

/// `--json`.
pub(crate) fn json_flag() -> Arg {
    switch("json", "Print JSON")
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("add", matches)) => add(matches),
        Some(("list", matches)) => list(matches),
        Some(("rotate-key", matches)) => rotate(matches),
        Some(("remove", matches)) => remove(matches),
        Some((name, _)) => Err(Failure::usage(format!("no subcommand tenant {name}"))),
        None => Err(Failure::usage("tenant needs a subcommand")),
    }
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map(String::as_str).unwrap_or_default()
}

fn add(matches: &ArgMatches) -> Result<(), Failure> {
    let config = load(matches)?.config;
    let given: Vec<&String> = matches.get_many("dialect").into_iter().flatten().collect();
    let dialects = if given.is_empty() { json!(DIALECTS) } else { json!(given) };
    let hosts: Vec<&String> = matches.get_many("host").into_iter().flatten().collect();
    let origins: Vec<&String> = matches.get_many("origin").into_iter().flatten().collect();
    let tier = matches.get_one::<String>("tier");
    let name = text(matches, "name");
    let asked = json!({"do": "tenant.add", "name": name, "tier": tier, "dialects": dialects, "hosts": hosts, "origins": origins});
    let made = ask(&config, &asked)?;
    let mut out = format!("tenant           {name}\n");
    for (kind, key) in made.get("keys").and_then(Value::as_object).into_iter().flatten() {
        let (kind, key) = (kind.replace('_', " "), key.as_str().unwrap_or_default());
        let _ = writeln!(out, "{kind:<16} {key}"); // a String takes everything
    }
    out.push_str("Keep the keys now: they are not shown again.\n");
    print(&out)
}

fn list(matches: &ArgMatches) -> Result<(), Failure> {
    let tenants = ask(&load(matches)?.config, &json!({"do": "tenant.list"}))?;
    if matches.get_flag("json") {
        return print(&format!("{tenants}\n"));
    }
    let mut out = format!("{:<24} {:<12} {:<14} KEYS\n", "NAME", "TIER", "ORIGIN");
    for tenant in tenants.as_array().into_iter().flatten() {
        let word = |name: &str| tenant.get(name).and_then(Value::as_str).unwrap_or("-");
        let keys = tenant.get("keys").and_then(Value::as_array).into_iter().flatten();
        let keys = keys.map(|key| {
            let kind = key.get("kind").and_then(Value::as_str).unwrap_or_default();
            let ends = key.get("until_ms").is_some_and(Value::is_u64);
            if ends { format!("{kind} (replaced)") } else { kind.to_owned() }
        });
        let keys = keys.collect::<Vec<_>>().join(", ");
        let (name, tier, origin) = (word("name"), word("tier"), word("origin"));
        let _ = writeln!(out, "{name:<24} {tier:<12} {origin:<14} {keys}"); // a String takes everything
    }
    print(&out)
}

/// How long an old key works.
const GRACE_S: u64 = 24 * 3600;
/// Pages live in browsers for longer than servers run with what they read at start.
const ANON_GRACE_S: u64 = 168 * 3600;

fn rotate(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, kind) = (text(matches, "name"), text(matches, "kind"));
    let usual_s = if kind == "anon" { ANON_GRACE_S } else { GRACE_S };
    let grace_s = matches.get_one::<u64>("grace").copied().unwrap_or(usual_s);
    let grace_s = if matches.get_flag("now") { 0 } else { grace_s };
    let grace_ms = grace_s.saturating_mul(1000);
    let asked = json!({"do": "tenant.rotate", "name": name, "kind": kind, "grace_ms": grace_ms});
    let done = ask(&load(matches)?.config, &asked)?;
    let mut out = match done.get("key").and_then(Value::as_str) {
        Some(key) => format!("{kind} key of {name}: {key}\nKeep it now: it is not shown again.\n"),
        None => format!("tokens of {name} are signed with a new secret\n"),
    };
    out.push_str(&match done.get("old_until_ms").and_then(Value::as_u64) {
        Some(until_ms) => {
            let left_s = until_ms.saturating_sub(now_ms()?).div_ceil(1000);
            format!("The old one works for {left_s} s more.\n")
        }
        None => "The old one works no more.\n".to_owned(),
    });
    print(&out)
}

fn remove(matches: &ArgMatches) -> Result<(), Failure> {
    let name = text(matches, "name");
    if !matches.get_flag("yes") {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return Err(Failure::usage(
                "removing a tenant drops its messages; --yes says you want it",
            ));
        }
        print(&format!("Remove tenant \"{name}\" and all its messages? Its name again: "))?;
        let mut line = String::new();
        let read = stdin().read_line(&mut line);
        read.map_err(|cause| Failure::io(format!("read from standard input: {cause}")))?;
        if line.trim() != name {
            return Err(Failure::usage("not removed"));
        }
    }
    ask(&load(matches)?.config, &json!({"do": "tenant.remove", "name": name}))?;
    print(&format!("tenant {name} is removed\n"))
}

/// Seconds of a text like `24h`.
fn parse_time(text: &str) -> Result<u64, String> {
    let rule = || "it must be a number and s, m, h or d, as 24h".to_owned();
    let (number, unit_s) = match text.strip_suffix(|it: char| it.is_ascii_lowercase()) {
        Some(number) if text.ends_with('s') => (number, 1),
        Some(number) if text.ends_with('m') => (number, 60),
        Some(number) if text.ends_with('h') => (number, 3600),
        Some(number) if text.ends_with('d') => (number, 86_400),
        Some(_) | None => return Err(rule()),
    };
    let number = number.parse::<u32>().map_err(|_| rule())?;
    Ok(u64::from(number) * unit_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_its_unit() {
        for (text, seconds) in
            [("0s", 0), ("90s", 90), ("5m", 300), ("24h", 86_400), ("7d", 604_800)]
        {
            assert_eq!(parse_time(text), Ok(seconds), "{text}");
        }
        for text in ["", "h", "24", "1w", "-1h", "1.5h", "24hh", "ä"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }
}
