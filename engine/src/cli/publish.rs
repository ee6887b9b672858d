//! `stentor publish`: hands the command line to the publisher of lines, which speaks to a server only over the wire.

use std::process::ExitCode;

use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};
use loadtest::cli::publish::PublishLinesArgs;

use super::exit::Failure;

/// The subcommand with the publisher's own arguments.
pub(crate) fn command() -> Command {
    PublishLinesArgs::augment_args(Command::new("publish"))
}

/// Publishes the lines.
pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let arguments = PublishLinesArgs::from_arg_matches(matches)
        .map_err(|error| Failure::usage(error.to_string()))?;
    Ok(loadtest::cli::publish::run(&arguments))
}
