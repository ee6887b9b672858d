//! The command line: reads it, does one thing, and ends with a code that scripts can act on.

mod banner;
mod bench;
mod command;
mod configuration;
mod doctor;
mod exit;
mod host;
mod logs;
mod operate;
mod policy;
mod publish;
mod ready;
mod room;
mod serve;
mod tenant;
mod token;
mod user_token;
mod version;
mod webhook;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ArgMatches;
use engine::config::{Loaded, Secrets, Sources};
use exit::{Failure, Status};

/// Runs what the command line asks for.
pub(crate) fn run() -> ExitCode {
    host::take_no_huge_pages();
    host::keep_files_private();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = match command::build().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let status = if error.use_stderr() { Status::Usage } else { Status::Done };
            return match error.print() {
                Ok(()) => status.into(),
                Err(_) => Status::Io.into(),
            };
        }
    };
    match dispatch(&matches) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn dispatch(matches: &ArgMatches) -> Result<ExitCode, Failure> {
    let done = |()| ExitCode::SUCCESS;
    match matches.subcommand() {
        None => serve::run(matches).map(done),
        Some(("serve", matches)) => serve::run(matches).map(done),
        Some(("bench", matches)) => bench::run(matches),
        Some(("publish", matches)) => publish::run(matches),
        Some(("config", matches)) => configuration::run(matches).map(done),
        Some(("tenant", matches)) => tenant::run(matches).map(done),
        Some(("token", matches)) => token::run(matches).map(done),
        Some(("policy", matches)) => policy::run(matches),
        Some(("webhook", matches)) => webhook::run(matches).map(done),
        Some(("doctor", matches)) => doctor::run(matches).map(done),
        Some((name, _)) => Err(Failure::usage(format!("no subcommand {name}"))),
    }
}

/// The configuration that a subcommand's flags, the environment and the file give together.
fn load(matches: &ArgMatches) -> Result<Loaded, Failure> {
    let file = matches.get_one::<PathBuf>(command::CONFIG).cloned();
    Ok(Sources::of_process(file, command::given_settings(matches)).load()?)
}

/// What `--print-secrets` says, where a terminal makes no difference.
fn secrets(matches: &ArgMatches) -> Secrets {
    if matches.get_flag(command::PRINT_SECRETS) { Secrets::Shown } else { Secrets::Masked }
}

/// Writes to standard output. A reader that went away is no fault.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io(format!("write to standard output: {cause}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
