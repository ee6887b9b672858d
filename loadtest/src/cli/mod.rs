//! The command lines of `stentor bench` and `stentor publish`: from options to an exit code.

mod args;
mod plan;
pub mod publish;

pub use args::BenchArgs;

use crate::client::mint::Mint;
use crate::failure::Failure;
use crate::record::process;
use crate::report::progress::{Progress, Watch};
use crate::report::{Environment, Report, html, json, screen};
use crate::scenario;
use crate::scenario::load::Load;
use crate::server::{Keys, Target, parse_cores, pin};
use args::{OutputArgs, ScenarioArgs, TargetArgs};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::Write;
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
/// The exit code after SIGINT or SIGTERM.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Descriptors besides the connections: standard streams, epoll, the token connection, reports.
const DESCRIPTORS_SPARE: u64 = 32;

/// Runs the scenario, reports on standard output, and says how it went. `own_exe` is the binary
/// that `--spawn` starts as a server.
pub fn run(args: BenchArgs, own_exe: &Path) -> ExitCode {
    let outcome = bench(args, own_exe, &mut std::io::stdout());
    let code = match outcome {
        Ok(code) => code,
        Err(failure) => {
            // Nothing can be done when standard error is closed as well.
            let _ = writeln!(std::io::stderr(), "stentor bench: {failure}");
            match failure {
                Failure::Usage(_) => EXIT_USAGE,
                Failure::Io { .. } | Failure::Server(_) => EXIT_SETUP,
                Failure::Interrupted => EXIT_INTERRUPTED,
            }
        }
    };
    ExitCode::from(code)
}

fn bench(args: BenchArgs, own_exe: &Path, out: &mut impl Write) -> Result<u8, Failure> {
    let (plan, target, output) = match args.scenario {
        ScenarioArgs::Fanout(args) => (plan::fanout(&args)?, args.target, args.output),
        ScenarioArgs::Publish(args) => (plan::publish(&args)?, args.target, args.output),
        ScenarioArgs::Connect(args) => (plan::connect(&args)?, args.target, args.output),
    };
    raise_descriptors(plan.load.connections() as u64)?;
    let progress = if output.no_progress { Progress::Hidden } else { Progress::Bar };
    let mut watch = Watch::new(progress)?;
    let target = find_target(&target, &plan.load, own_exe)?;
    let environment = environment(&target);
    let measured = scenario::measure(&plan, &target, &mut watch);
    watch.clear();
    let report = Report::new(plan, measured?, target.cores, environment);
    drop(target);
    write_report(&report, &output, out)?;
    Ok(report.verdict.exit_code())
}

/// Finds or starts the server, then pins the generator: a child would inherit its core.
fn find_target(args: &TargetArgs, load: &Load, own_exe: &Path) -> Result<Target, Failure> {
    let target = if args.spawn {
        let cores = args.server_cores.as_deref().map_or(Ok(Vec::new()), parse_cores)?;
        let default_shards = u32::try_from(cores.len().max(1)).unwrap_or(1);
        Target::spawn(own_exe, &cores, args.shards.unwrap_or(default_shards))?
    } else {
        if args.key.is_none() && load.needs_application_key() {
            let what = "--key coh_app_… is needed to mint tokens and to publish (or use --spawn)";
            return Err(Failure::Usage(what.to_owned()));
        }
        let key = args.key.as_deref().unwrap_or_default();
        let mut target = Target::at(&args.url, key, args.server_pid)?;
        target.keys = Keys {
            api: args.api_key.clone(),
            anon: args.anon_key.clone(),
            jwt_secret: args.jwt_secret.clone(),
        };
        target
    };
    pin(args.client_core.as_slice())?;
    // Due times are kept to the microsecond. Where that may not be set, latency shows the lag.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1000));
    Ok(target)
}

/// Every connection is a descriptor: takes all that the hard limit allows.
fn raise_descriptors(connections: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    let needed = connections + DESCRIPTORS_SPARE;
    let hard = limit.maximum.unwrap_or(u64::MAX);
    if needed > hard {
        let what = format!(
            "{connections} connections need {needed} descriptors, the hard limit is {hard}: raise `ulimit -Hn`"
        );
        return Err(Failure::Usage(what));
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(Failure::io("cannot raise the descriptor limit"))
}

fn environment(target: &Target) -> Environment {
    let (kernel, processor, cores) = process::machine();
    // A key on the command line does not belong into a report.
    let words =
        std::env::args().map(|word| if target.is_secret(&word) { "…".to_owned() } else { word });
    let command = words.collect::<Vec<_>>().join(" ");
    let version = Mint::connect(target.to, &target.endpoint).and_then(|mut mint| mint.version());
    Environment { kernel, processor, cores, command, server: version.unwrap_or_default() }
}

fn write_report(report: &Report, output: &OutputArgs, out: &mut impl Write) -> Result<(), Failure> {
    let cannot = || Failure::io("cannot write the report");
    let json_text = || format!("{:#}\n", json::json(report));
    let on_screen = match &output.json {
        Some(path) if path.as_os_str() == "-" => json_text(),
        Some(path) => {
            fs::write(path, json_text()).map_err(cannot())?;
            screen::screen(report)
        }
        None => screen::screen(report),
    };
    if let Some(path) = &output.html {
        fs::write(path, html::html(report)).map_err(cannot())?;
    }
    out.write_all(on_screen.as_bytes()).map_err(cannot())
}
