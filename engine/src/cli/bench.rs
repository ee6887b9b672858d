//! `stentor bench`: hands the command line to the load test, which speaks to a server only over the wire.

use std::process::ExitCode;

use clap::{ArgMatches, Args as _, Command, FromArgMatches as _};
use loadtest::cli::BenchArgs;

use super::exit::Failure;

/// The subcommand with the load test's own arguments.
pub(crate) fn command() -> Command {
    BenchArgs::augment_args(Command::new("bench"))
}

/// Runs the load test. `--spawn` starts this very binary.
pub(crate) fn run(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let arguments =
        BenchArgs::from_arg_matches(matches).map_err(|error| Failure::usage(error.to_string()))?;
    let own = std::env::current_exe()
        .map_err(|cause| Failure::io(format!("find the path of this binary: {cause}")))?;
    Ok(loadtest::cli::run(arguments, &own))
}
