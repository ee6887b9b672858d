//! The command line of `stentor bench`: from options to an exit code.

mod args;

pub use args::BenchArgs;

use std::path::Path;
use std::process::ExitCode;

/// The exit code when the measurement could not be set up.
pub const EXIT_SETUP: u8 = 1;
/// The exit code when something went wrong on the wire.
pub const EXIT_WRONG: u8 = 2;
/// The exit code when the measurement is not one of the server.
pub const EXIT_GENERATOR: u8 = 3;
/// The exit code of options that make no sense.
pub const EXIT_USAGE: u8 = 64;

/// Runs the scenario and reports; `own_exe` is the binary that `--spawn` starts as a server.
pub fn run(args: BenchArgs, own_exe: &Path) -> ExitCode {
    drop((args, own_exe));
    ExitCode::from(EXIT_USAGE)
}
