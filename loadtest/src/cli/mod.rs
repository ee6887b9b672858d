//! The command lines of `stentor bench` and `stentor publish`: from options to an exit code.

mod args;
mod comings;
mod finish;
mod plan;
pub mod publish;
mod target;

pub use args::BenchArgs;

use crate::client::mint::Mint;
use crate::client::peer::Peer;
use crate::crowd::Company;
use crate::failure::Failure;
use crate::fleet;
use crate::record::process;
use crate::report::json::load_settings;
use crate::report::knee::{self as knee_report, KneeReport};
use crate::report::progress::{Progress, Watch};
use crate::report::scene::SceneReport;
use crate::report::{Environment, Report};
use crate::scenario::knee::{self, Search};
use crate::scenario::link::{Link, say};
use crate::scenario::load::Part;
use crate::scenario::{self, Plan};
use crate::server::Target;
use args::{FleetArgs, MeasuredArgs, RunArgs, ScenarioArgs};
use comings::Comings;
use finish::{Finished, Judge};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// The exit code when a figure became worse than it may.
pub const EXIT_WORSE: u8 = 1;
/// The exit code when something went wrong on the wire.
pub const EXIT_WRONG: u8 = 2;
/// The exit code when the measurement is not one of the server.
pub const EXIT_GENERATOR: u8 = 3;
/// The exit code of options that make no sense.
pub const EXIT_USAGE: u8 = 64;
/// The exit code of a baseline that is none.
pub const EXIT_DATA: u8 = 65;
/// The exit code when there is no server, or it answers otherwise than it should.
pub const EXIT_SERVER: u8 = 69;
/// The exit code when the operating system refused.
pub const EXIT_SYSTEM: u8 = 74;
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
                Failure::Data(_) => EXIT_DATA,
                Failure::Server(_) => EXIT_SERVER,
                Failure::Io { .. } => EXIT_SYSTEM,
                Failure::Interrupted => EXIT_INTERRUPTED,
            }
        }
    };
    ExitCode::from(code)
}

fn bench(args: BenchArgs, own_exe: &Path, out: &mut impl Write) -> Result<u8, Failure> {
    match args.scenario {
        ScenarioArgs::Fanout(args) => {
            load(plan::fanout("fanout", &args)?, &args.measured, own_exe, out)
        }
        ScenarioArgs::Soak(args) => {
            load(plan::fanout("soak", &args)?, &args.measured, own_exe, out)
        }
        ScenarioArgs::Publish(args) => load(plan::publish(&args)?, &args.measured, own_exe, out),
        ScenarioArgs::Connect(args) => {
            let plan = plan::connect(&args)?;
            Setting { run: &args.run, own_exe }.share(&args.fleet, (plan, None), out)
        }
        ScenarioArgs::Presence(args) => come_and_go(Comings::Presence(args), own_exe, out),
        ScenarioArgs::Resume(args) => come_and_go(Comings::Resume(args), own_exe, out),
        ScenarioArgs::Churn(args) => come_and_go(Comings::Churn(args), own_exe, out),
        ScenarioArgs::Storm(args) => come_and_go(Comings::Storm(args), own_exe, out),
    }
}

fn load(
    plan: Plan,
    args: &MeasuredArgs,
    own_exe: &Path,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let search = plan::search(&args.knee, &plan.load)?;
    Setting { run: &args.run, own_exe }.share(&args.load.fleet, (plan, search), out)
}

fn come_and_go(mut comings: Comings, own_exe: &Path, out: &mut impl Write) -> Result<u8, Failure> {
    if let Some(nth) = comings.common().fleet.generator_part {
        return come_and_go_in_company(comings, nth);
    }
    let plan = comings.plan()?;
    comings.check_shares()?;
    let setting = Setting { run: &comings.common().run, own_exe };
    let (title, mut settings) = (comings.title(&plan), load_settings(&plan));
    if let (Some(all), Value::Object(more)) = (settings.as_object_mut(), comings.settings()) {
        all.extend(more);
    }
    let name = plan.name;
    let judge = Judge::of(&setting.run.output, (name, &settings))?;
    raise_descriptors(comings.descriptors(&plan).div_ceil(plan.generators.into()))?;
    let mut watch = setting.watch()?;
    let target = setting.run.target.find(&plan.load, own_exe)?;
    let environment = environment(&target);
    let scene = match plan.generators {
        1 => comings.play(plan, (&target, &mut watch, None)),
        several => fleet::play(&plan, several, (&target, &mut watch)),
    };
    watch.clear();
    let report = SceneReport::new((name, title), settings, scene?, target.cores, environment);
    drop(target);
    judge.finish(&Finished::Scene(Box::new(report)), &setting.run.output, out)
}

/// One of several generators.
fn come_and_go_in_company(mut comings: Comings, nth: u32) -> Result<u8, Failure> {
    let part = part(nth, &comings.common().fleet)?;
    let link = Link::new();
    let (target, told) = fleet::part::told(&link)?;
    // All of them take ports of the same addresses.
    let Plan { connect_rate, sources, .. } = comings.plan()?;
    comings.take(part);
    let plan = Plan { connect_rate: part.rate(connect_rate), sources, ..comings.plan()? };
    raise_descriptors(comings.descriptors(&plan))?;
    let target = comings.common().run.target.join(nth, target)?;
    let mut watch = Watch::new(Progress::Hidden)?;
    let company = Company { link, clock: fleet::part::clock(&told) };
    let scene = comings.play(plan, (&target, &mut watch, Some(company)))?;
    say(&fleet::scene::written(&scene))?;
    Ok(0)
}

/// Which of several generators this is.
fn part(nth: u32, args: &FleetArgs) -> Result<Part, Failure> {
    if nth >= args.generators {
        return Err(Failure::Usage("--generator-part is not for people".to_owned()));
    }
    Ok(Part { nth, of: args.generators })
}

/// Where and how something is measured.
struct Setting<'a> {
    run: &'a RunArgs,
    own_exe: &'a Path,
}

impl Setting<'_> {
    fn watch(&self) -> Result<Watch, Failure> {
        Watch::new(if self.run.output.no_progress { Progress::Hidden } else { Progress::Bar })
    }

    /// Measures a load alone, with others, or as one of them.
    fn share(
        &self,
        args: &FleetArgs,
        (mut plan, search): (Plan, Option<Search>),
        out: &mut impl Write,
    ) -> Result<u8, Failure> {
        plan::shared(args, &plan)?;
        plan.generators = args.generators;
        let Some(nth) = args.generator_part else {
            return self.measure((plan, search), out);
        };
        let part = part(nth, args)?;
        let link = Link::new();
        let (target, told) = fleet::part::told(&link)?;
        let own = plan.load.connections().div_ceil(part.of as usize);
        raise_descriptors(own as u64)?;
        let target = self.run.target.join(nth, target)?;
        let mut watch = Watch::new(Progress::Hidden)?;
        fleet::part::run(plan, part, (&target, &told), (link, &mut watch))?;
        Ok(0)
    }

    /// Measures a load, or looks for its knee.
    fn measure(
        &self,
        (mut plan, search): (Plan, Option<Search>),
        out: &mut impl Write,
    ) -> Result<u8, Failure> {
        let judge = match search {
            Some(search) => {
                let name = knee_report::name(&plan);
                Judge::of(&self.run.output, (&name, &knee_report::settings(&plan, search)))?
            }
            None => Judge::of(&self.run.output, (plan.name, &load_settings(&plan)))?,
        };
        raise_descriptors(plan.load.connections().div_ceil(plan.generators as usize) as u64)?;
        let mut watch = self.watch()?;
        let target = self.run.target.find(&plan.load, self.own_exe)?;
        let environment = environment(&target);
        let finished = match search {
            Some(search) => {
                let on = (&target, &mut watch);
                let found = match plan.generators {
                    1 => knee::find(&mut plan, search, on),
                    several => fleet::find(&mut plan, (search, several), on),
                };
                watch.clear();
                let report = KneeReport::new(plan, search, found?, environment);
                Finished::Knee(Box::new(report))
            }
            None => {
                let measured = match plan.generators {
                    1 => scenario::measure(&plan, &target, &mut watch),
                    several => fleet::measure(&plan, several, (&target, &mut watch)),
                };
                watch.clear();
                let report = Report::new(plan, measured?, target.cores, environment);
                Finished::Load(Box::new(report))
            }
        };
        drop(target);
        judge.finish(&finished, &self.run.output, out)
    }
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
    // Only ours are asked: what another answers there may be anything.
    let ours = matches!(target.peer, Peer::Ours).then_some(target);
    let version = ours
        .and_then(|at| Mint::connect(at.to, &at.endpoint).and_then(|mut mint| mint.version()).ok());
    Environment { kernel, processor, cores, command, server: version.unwrap_or_default() }
}
