//! Several processes that generate one load: this one starts them, keeps them together, and merges what they measured.

mod figures;
pub(crate) mod part;

use crate::client::opening::Opened;
use crate::failure::Failure;
use crate::pace::Clock;
use crate::record::latency::Times;
use crate::record::process;
use crate::report::progress::Watch;
use crate::scenario::link::Sent;
use crate::scenario::{Grown, Measured, Plan, random};
use crate::server::Target;
use figures::{merged, read_times};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// How long all generators have to hear when the load begins.
const HEAD_START_NS: u64 = 300_000_000;

/// One generator. Dropping it ends it.
struct Generator {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Drop for Generator {
    fn drop(&mut self) {
        // Errors here mean that the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Generator {
    /// Starts this very binary with this very command line, and which part it is.
    fn start(nth: u32) -> Result<Self, Failure> {
        let cannot = || Failure::io("cannot start a generator");
        let own = std::env::current_exe().map_err(cannot())?;
        let mut command = Command::new(own);
        command.args(std::env::args_os().skip(1)).arg(format!("--generator-part={nth}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(cannot())?;
        let Some(out) = child.stdout.take() else {
            return Err(Failure::Server("a generator has no output".to_owned()));
        };
        Ok(Self { child, lines: BufReader::new(out) })
    }

    fn say(&mut self, line: &Value) -> Result<(), Failure> {
        let Some(input) = self.child.stdin.as_mut() else { return Ok(()) };
        let told = writeln!(input, "{line}").and_then(|()| input.flush());
        told.map_err(Failure::io("cannot tell a generator"))
    }

    fn hear(&mut self) -> Result<Value, Failure> {
        let mut line = String::new();
        self.lines.read_line(&mut line).map_err(Failure::io("cannot hear a generator"))?;
        // It said why on standard error, which is this one's too.
        serde_json::from_str(&line)
            .map_err(|_| Failure::Server("a generator ended early".to_owned()))
    }
}

/// Measures a plan with several generators.
pub(crate) fn measure(
    plan: &Plan,
    generators: u32,
    (at, watch): (&Target, &mut Watch),
) -> Result<Measured, Failure> {
    let clock = Clock::start();
    let before = at.pid.and_then(process::memory);
    let mut all = (0..generators).map(Generator::start).collect::<Result<Vec<_>, _>>()?;
    let begin = json!({
        "origin_ns": clock.origin_ns(),
        "run": u32::from_be_bytes(random()?),
        "target": part::describe(at),
    });
    for one in &mut all {
        one.say(&begin)?;
    }
    let mut opened = Opened { times: Times::new(), took_ns: 0 };
    for one in &mut all {
        let line = one.hear()?;
        read_times(&mut opened.times, line.get("opened"));
        let took_ns = line.get("took_ns").and_then(Value::as_u64).unwrap_or(0);
        opened.took_ns = opened.took_ns.max(took_ns);
        watch.opening(clock.now_ns(), 0, 1)?;
    }
    let after = at.pid.and_then(process::memory);
    let start = json!({ "start_ns": clock.now_ns() + HEAD_START_NS });
    for one in &mut all {
        one.say(&start)?;
    }
    let mut sent = Sent::default();
    for one in &mut all {
        let line = one.hear()?;
        let Some(more) = Sent::read(&line) else {
            return Err(Failure::Server("a generator did not say what it sent".to_owned()));
        };
        sent.add(more);
    }
    let sent = sent.json();
    for one in &mut all {
        one.say(&sent)?;
    }
    let results = all.iter_mut().map(Generator::hear).collect::<Result<Vec<_>, _>>()?;
    let outcome = merged(plan, &results)?;
    let memory = before.zip(after).map(|(before, after)| Grown { before, after });
    Ok(Measured { opened, outcome, memory })
}
