//! `stentor webhook`: shows the endpoints of webhooks and their dead letters, and has these tried again.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use super::command::{switch, with_settings};
use super::exit::Failure;
use super::operate::ask;
use super::tenant::json_flag;
use super::{load, print};

const EXAMPLES: &str = "\
EXAMPLES:
  stentor webhook list                                      every endpoint, and how many dead letters it has
  stentor webhook letters https://app.example/hook          what did not arrive there, and why
  stentor webhook letters https://app.example/hook --tenant shop --after 41 --json
  stentor webhook replay https://app.example/hook 42 43     try two of them again
  stentor webhook replay https://app.example/hook --all

A dead letter is a delivery that will not be tried again by itself. One that is replayed is gone once it is delivered, and
stays with its new reason otherwise; its message has to be in the journal still.
list and letters also read the data directory of a stopped server; replay needs one that runs.";

/// The subcommand.
pub(crate) fn command() -> Command {
    let tenant = || {
        let arg = Arg::new("tenant").long("tenant").value_name("NAME");
        arg.help("Whose webhooks [default: the only tenant; for list every one]")
    };
    let url = || Arg::new("url").value_name("URL").required(true).help("Where deliveries go");
    let pattern = || {
        let arg = Arg::new("pattern").long("pattern").value_name("ID");
        arg.help("The id of the pattern, where several have the same URL")
    };
    let list = Command::new("list")
        .about("List endpoints: whether they are left alone after failures, and their dead letters")
        .arg(tenant())
        .arg(json_flag());
    let letters = Command::new("letters")
        .about("List dead letters of an endpoint, the oldest first, at most a hundred")
        .arg(url())
        .arg(tenant())
        .arg(pattern())
        .arg(
            Arg::new("after")
                .long("after")
                .value_name("LETTER")
                .value_parser(value_parser!(u64))
                .help("Only those behind this one"),
        )
        .arg(json_flag());
    let replay = Command::new("replay")
        .about("Try dead letters again; it does not wait for the deliveries")
        .arg(url())
        .arg(
            Arg::new("letters")
                .value_name("LETTER")
                .value_parser(value_parser!(u64))
                .action(ArgAction::Append)
                .num_args(1..)
                .required_unless_present("all")
                .help("Their numbers, as letters lists them"),
        )
        .arg(switch("all", "As many as may wait at once").conflicts_with("letters"))
        .arg(tenant())
        .arg(pattern());
    Command::new("webhook")
        .about("Look at webhooks and their dead letters, and try these again")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_long_help(EXAMPLES)
        .subcommands([list, letters, replay].map(|it| with_settings(it).after_long_help(EXAMPLES)))
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("list", matches)) => list(matches),
        Some(("letters", matches)) => letters(matches),
        Some(("replay", matches)) => replay(matches),
        Some((name, _)) => Err(Failure::usage(format!("no subcommand webhook {name}"))),
        None => Err(Failure::usage("webhook needs a subcommand")),
    }
}

fn text<'a>(matches: &'a ArgMatches, name: &str) -> Option<&'a str> {
    matches.get_one::<String>(name).map(String::as_str)
}

fn list(matches: &ArgMatches) -> Result<(), Failure> {
    let asked = json!({"do": "webhook.list", "tenant": text(matches, "tenant")});
    let found = ask(&load(matches)?.config, &asked)?;
    if matches.get_flag("json") {
        return print(&format!("{found}\n"));
    }
    let head = ["TENANT", "PATTERN", "STATE", "LETTERS", "URL"];
    let rows = found.as_array().into_iter().flatten().map(|it| {
        let is_alone = it.get("left_alone").and_then(Value::as_bool).unwrap_or_default();
        let state = if is_alone { "left alone" } else { "in order" };
        [
            word(it, "tenant"),
            word(it, "pattern"),
            state.to_owned(),
            word(it, "letters"),
            word(it, "url"),
        ]
    });
    print(&table(head, rows))
}

fn letters(matches: &ArgMatches) -> Result<(), Failure> {
    let found = ask(
        &load(matches)?.config,
        &json!({
            "do": "webhook.letters",
            "url": text(matches, "url"),
            "tenant": text(matches, "tenant"),
            "pattern": text(matches, "pattern"),
            "after": matches.get_one::<u64>("after"),
        }),
    )?;
    if matches.get_flag("json") {
        return print(&format!("{found}\n"));
    }
    let head = ["LETTER", "DIED", "REASON", "CHANNEL", "EVENT"];
    let rows = found.as_array().into_iter().flatten().map(|it| {
        let message = it.get("message").unwrap_or(&Value::Null);
        let (channel, event) = (word(message, "channel"), word(message, "event"));
        [word(it, "letter"), word(it, "died_at"), word(it, "reason"), channel, event]
    });
    print(&table(head, rows))
}

fn replay(matches: &ArgMatches) -> Result<(), Failure> {
    let named: Vec<&u64> = matches.get_many("letters").into_iter().flatten().collect();
    let named = if matches.get_flag("all") { Value::Null } else { json!(named) };
    let done = ask(
        &load(matches)?.config,
        &json!({
            "do": "webhook.replay",
            "url": text(matches, "url"),
            "tenant": text(matches, "tenant"),
            "pattern": text(matches, "pattern"),
            "letters": named,
        }),
    )?;
    let mut out = format!("{} dead letters are tried again\n", word(&done, "replayed"));
    if let Some(why) = done.get("refused").and_then(Value::as_str) {
        let _ = writeln!(out, "The others wait: {why}."); // a String takes everything
    }
    print(&out)
}

/// A field as a word.
fn word(of: &Value, name: &str) -> String {
    match of.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    }
}

/// Columns as wide as they have to be.
fn table(head: [&str; 5], rows: impl Iterator<Item = [String; 5]>) -> String {
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", line.trim_end()); // a String takes everything
    }
    out
}
