//! What the command line may say. The flags of settings come from the table; only what is no setting is named here.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use engine::config::{Kind, SETTINGS, Setting, flag_help};

/// Names of the arguments that are no settings.
pub(crate) const CONFIG: &str = "config";
pub(crate) const PRINT_SECRETS: &str = "print-secrets";
pub(crate) const READY_FILE: &str = "ready-file";

const ABOUT: &str = "A realtime message engine: WebSocket subscribers, HTTP publishers, a journal.";

const MORE: &str = "\
EXAMPLES:
  stentor                                   a node on 127.0.0.1:8080 with a development tenant
  stentor serve --ephemeral --listen 127.0.0.1:0
                                            nothing on disk, any free port
  stentor config default > stentor.toml     every setting with its default and range
  stentor serve --config stentor.toml
  stentor config show --config stentor.toml every value in force, and where it came from
  stentor token issue --user ada --ttl 600  a client token, made offline from the data directory
  stentor tenant add shop --tier free       a tenant of a server that runs, or of its data directory
  stentor policy test --as anon subscribe chat:7
                                            what policies of InsForge allow, and why
  stentor webhook letters URL               deliveries that did not arrive, and why
  stentor publish --lines - < lines.jsonl   publish a stream of lines at full speed
  stentor bench fanout --spawn              measure a server started for the occasion
  stentor doctor                            what this host allows, and how to allow more

ENVIRONMENT:
  STENTOR_CONFIG             the configuration file, as --config
  STENTOR_<SECTION>_<KEY>    any setting, as STENTOR_SERVER_LISTEN
  STENTOR_BENCH_KEY          the key of `stentor bench`, as its --key
  STENTOR_PUBLISH_KEY        the key of `stentor publish`, as its --key
  The file is overruled by the environment, the environment by flags. An unknown name is refused.

EXIT CODES:
  0   done; a node that was asked to stop and did
  64  the command line is wrong
  69  the address is in use, or a running server does not answer
  70  internal fault
  74  a file or disk failed
  77  permission denied: io_uring, locked memory, a file; or policies that do not allow what is tested
  78  the configuration is wrong, or this host cannot run it";

/// The whole command line.
pub(crate) fn build() -> Command {
    with_serve_arguments(Command::new("stentor"))
        .about(ABOUT)
        .long_about(format!("{ABOUT} Without a subcommand it serves."))
        .version(super::version::VERSION)
        .after_help("`--help` lists every setting, examples, the environment and exit codes.")
        .after_long_help(MORE)
        .args_conflicts_with_subcommands(true)
        .subcommand(
            with_serve_arguments(Command::new("serve"))
                .about("Run a node")
                .after_help("`--help` lists every setting."),
        )
        .subcommand(super::bench::command())
        .subcommand(super::publish::command())
        .subcommand(config_command())
        .subcommand(super::tenant::command())
        .subcommand(super::token::command())
        .subcommand(super::webhook::command())
        .subcommand(super::policy::command())
        .subcommand(
            with_settings(Command::new("doctor"))
                .about("Say what this host allows, and how to allow more"),
        )
}

fn config_command() -> Command {
    let check = Command::new("check").about("Read the configuration and say whether it is valid");
    let show = Command::new("show")
        .about("Print every value in force and where it came from")
        .arg(switch(PRINT_SECRETS, "Print keys and secrets in full"));
    Command::new("config")
        .about("Check, show or write configurations")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_settings(check))
        .subcommand(with_settings(show))
        .subcommand(Command::new("default").about("Print a file with every setting at its default"))
        .subcommand(Command::new("doc").about("Print the settings as a page of documentation"))
}

fn with_serve_arguments(command: Command) -> Command {
    with_settings(command)
        .arg(switch(
            PRINT_SECRETS,
            "Print keys and the token in full even where standard output is no terminal",
        ))
        .arg(
            Arg::new(READY_FILE)
                .long(READY_FILE)
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help(
                    "Once listening, write addresses to this file as JSON, and keys with --print-secrets (mode 0600)",
                ),
        )
}

/// `--config`, and a flag for each row of the table.
pub(crate) fn with_settings(command: Command) -> Command {
    let config = Arg::new(CONFIG)
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Configuration file (TOML) [env: STENTOR_CONFIG]");
    command.arg(config).args(SETTINGS.iter().map(settings_flag))
}

fn settings_flag(setting: &'static Setting) -> Arg {
    let id = setting.path();
    let arg = Arg::new(id)
        .long(setting.flag())
        .help(flag_help(setting))
        .help_heading(format!("Settings of [{}]", setting.section))
        .hide_short_help(setting.section != "server")
        .action(ArgAction::Set);
    match setting.kind {
        Kind::Switch => arg
            .value_name("BOOL")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::Number { unit, .. } => {
            arg.value_name(unit.to_uppercase()).allow_negative_numbers(true)
        }
        Kind::Text(form) | Kind::Secret(form) => arg.value_name(form.to_uppercase()),
        Kind::Choice(words) => arg.value_name(words.join("|")),
    }
}

pub(crate) fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// The settings whose flags were given, with their texts.
pub(crate) fn given_settings(matches: &ArgMatches) -> Vec<(&'static Setting, String)> {
    let given = |setting: &'static Setting| {
        let text = matches.get_one::<String>(&setting.path())?;
        Some((setting, text.clone()))
    };
    SETTINGS.iter().filter_map(given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        build().debug_assert();
    }

    #[test]
    fn help_names_every_setting_with_its_default() {
        let help = build().render_long_help().to_string();
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for setting in SETTINGS {
            assert!(help.contains(&format!("--{}", setting.flag())), "{}", setting.flag());
            assert!(words.contains(&format!("[default: {}", setting.default_toml())));
        }
        for heading in ["EXAMPLES:", "ENVIRONMENT:", "EXIT CODES:"] {
            assert!(help.contains(heading), "{heading}");
        }
    }

    #[test]
    fn no_subcommand_means_serve_with_the_same_flags() {
        let matches =
            build().try_get_matches_from(["stentor", "--ephemeral", "--listen", "[::1]:0"]);
        let given = given_settings(&matches.expect("flags of serve without its name"));
        let names: Vec<_> = given.iter().map(|(it, text)| (it.key, text.as_str())).collect();
        assert_eq!(names, [("listen", "[::1]:0"), ("ephemeral", "true")]);
    }
}
