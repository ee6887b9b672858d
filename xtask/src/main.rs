//! Developer tasks that no user needs: `cargo xtask test`, and the longer ones that its help names.

mod compare;
mod coverage;
mod fuzz;
mod install;
mod steps;
mod supply;
mod trust;

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: cargo xtask test
       cargo xtask coverage
       cargo xtask fuzz [PART]
       cargo xtask trust PART
       cargo xtask compare [--rounds N] [--only NAME,…] [--with sockudo] [--quick]
       cargo xtask supply
       cargo xtask sbom

  test      install what the tests need, then check formatting, lints and documentation, and run all tests
  coverage  which lines of protocol its tests run; fewer than 95 of 100 are a failure
  fuzz      run every fuzz target, or those with this in their name, for FUZZ_SECONDS each: 60, unless that says otherwise
  compare   install the servers that Stentor is compared with, run all in turns, write docs/benchmarks.md and target/compare.html
  supply    whether what is linked is allowed: licences, sources, versions, known faults
  sbom      write what is linked to target/stentor.cdx.json, a list in CycloneDX
  trust     a part of what docs/reliability.md claims, at its full length, or all of them:";

fn main() -> ExitCode {
    if let Some(code) = coverage::compile() {
        return code;
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test"] => test(),
        ["coverage"] => coverage::run(),
        ["fuzz"] => fuzz::run(""),
        ["fuzz", part] => fuzz::run(part),
        ["trust", part] => trust::run(part),
        ["compare", options @ ..] => compare::run(options),
        ["supply"] => supply::check(),
        ["sbom"] => supply::sbom(),
        [] | ["--help" | "-h" | "help"] => {
            say(&usage());
            ExitCode::SUCCESS
        }
        _ => {
            say(&usage());
            ExitCode::from(64)
        }
    }
}

fn usage() -> String {
    format!("{USAGE}\n{}", trust::parts())
}

fn test() -> ExitCode {
    let started = now();
    let places = Places::find();
    header("tools");
    if let Err(missing) = install::everything(&places) {
        say("the tests need more than is here:");
        missing.iter().for_each(|it| say(&format!("  {it}")));
        return ExitCode::FAILURE;
    }
    let mut failed = Vec::new();
    for step in steps::all(&places) {
        header(step.name);
        let began = now();
        let passed = step.run(&places);
        say(&format!("-- {}: {} in {}", step.name, verdict(passed), seconds(began.elapsed())));
        if !passed {
            failed.push(step.name);
        }
    }
    let total = seconds(started.elapsed());
    if failed.is_empty() {
        say(&format!("\nall steps passed in {total}"));
        ExitCode::SUCCESS
    } else {
        say(&format!("\nfailed in {total}: {}", failed.join(", ")));
        ExitCode::FAILURE
    }
}

/// Where things are.
pub(crate) struct Places {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// The clients of the end-to-end tests.
    pub(crate) clients: PathBuf,
    /// The example that they run: a chat, with clients of its own.
    pub(crate) chat: PathBuf,
    /// Servers that the load test is tried on.
    pub(crate) peers: PathBuf,
    /// The Python that has what they need.
    pub(crate) venv: PathBuf,
    /// The one that has the suite of WebSocket cases.
    pub(crate) kosoku: PathBuf,
    /// Small servers that Stentor is compared with.
    pub(crate) compared: PathBuf,
    /// Larger ones, built.
    pub(crate) built: PathBuf,
    /// Where coverage is counted.
    pub(crate) coverage: PathBuf,
    /// What is built.
    pub(crate) target: PathBuf,
}

impl Places {
    fn find() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = own.parent().unwrap_or(own).to_path_buf();
        let target =
            env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |it| root.join(it));
        Self {
            clients: root.join("engine/tests/e2e"),
            chat: root.join("docs/examples/chat"),
            peers: root.join("loadtest/tests/peers"),
            compared: root.join("benches/peers"),
            built: root.join("target/peers"),
            venv: target.join("e2e-venv"),
            kosoku: target.join("kosoku-venv"),
            coverage: target.join("coverage"),
            target,
            root,
        }
    }
}

pub(crate) fn header(name: &str) {
    say(&format!("\n== {name}"));
}

fn verdict(passed: bool) -> &'static str {
    if passed { "passed" } else { "FAILED" }
}

pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// Writes a line to standard output, in order with what the steps write.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush()); // a closed pipe is no reason to stop testing
}

#[expect(clippy::disallowed_methods, reason = "a task tells how long its steps took")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
