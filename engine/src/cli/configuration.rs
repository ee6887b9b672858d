//! `stentor config`: the configuration as text.

use clap::ArgMatches;
use engine::config;

use super::exit::Failure;
use super::{load, print, secrets};

/// Runs a subcommand of `config`.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("check", matches)) => check(matches),
        Some(("show", matches)) => print(&config::shown(&load(matches)?, secrets(matches))),
        Some(("default", _)) => print(&config::default_file()),
        Some(("doc", _)) => print(&config::settings_page()),
        Some((name, _)) => Err(Failure::usage(format!("no subcommand config {name}"))),
        None => Err(Failure::usage("config needs a subcommand")),
    }
}

fn check(matches: &ArgMatches) -> Result<(), Failure> {
    let loaded = load(matches)?;
    let what = match &loaded.file {
        Some(file) => format!("{}, the environment and flags", file.display()),
        None => "no file; the environment and flags".to_owned(),
    };
    let tenants = match loaded.config.tenants.len() {
        0 => "no tenant: serving makes a development tenant".to_owned(),
        1 => "1 tenant".to_owned(),
        count => format!("{count} tenants"),
    };
    print(&format!("valid: {what}; {tenants}\n"))
}
