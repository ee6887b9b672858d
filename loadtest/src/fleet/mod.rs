//! Several processes that generate one load: this one starts them, keeps them together, and merges what they measured.

mod figures;
pub(crate) mod part;
pub(crate) mod scene;

use crate::client::opening::Opened;
use crate::crowd::Scene;
use crate::failure::Failure;
use crate::pace::{Clock, Pace};
use crate::record::latency::Times;
use crate::record::process::{self, Memory};
use crate::report::progress::Watch;
use crate::scenario::knee::{self, Found, Search};
use crate::scenario::link::{self, Sent};
use crate::scenario::load::{LONGEST_NS, Load};
use crate::scenario::{Grown, Measured, Outcome, Plan, random};
use crate::server::Target;
use figures::{merged, read_times};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long all generators have to hear when the load begins.
const HEAD_START_NS: u64 = 300_000_000;

/// How often it is seen whether a signal came, while the generators work.
const LOOK: Duration = Duration::from_millis(50);

/// One generator. Dropping it ends it.
struct Generator {
    child: Child,
    /// What it says, as a thread reads it: whoever waits here must notice a signal.
    lines: Receiver<String>,
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
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut said = BufReader::new(out).lines().map_while(Result::ok);
            // Nobody listens any more when the run is over.
            let _ = said.try_for_each(|line| sender.send(line));
        });
        Ok(Self { child, lines })
    }

    fn say(&mut self, line: &Value) -> Result<(), Failure> {
        let Some(input) = self.child.stdin.as_mut() else { return Ok(()) };
        let told = writeln!(input, "{line}").and_then(|()| input.flush());
        told.map_err(Failure::io("cannot tell a generator"))
    }

    /// Its next line. A terminal's signal ends generators as well: then it is the signal that ended the run.
    fn hear(&mut self, watch: &mut Watch, show: &Show) -> Result<Value, Failure> {
        // It said why on standard error, which is this one's too.
        let ended = || Failure::Server("a generator ended early".to_owned());
        loop {
            let line = self.lines.recv_timeout(LOOK);
            watch.go_on()?;
            show.show(watch)?;
            match line {
                Ok(line) => return serde_json::from_str(&line).map_err(|_| ended()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            }
        }
    }
}

/// What is shown while generators work.
struct Show {
    clock: Clock,
    generators: u32,
    /// When they began, and how long it takes.
    span_ns: Option<(u64, u64)>,
}

impl Show {
    fn show(&self, watch: &mut Watch) -> Result<(), Failure> {
        let Some((start_ns, all_ns)) = self.span_ns else { return Ok(()) };
        let now_ns = self.clock.now_ns();
        let done = (now_ns.saturating_sub(start_ns), all_ns.min(LONGEST_NS));
        watch.show(now_ns, "measuring", done, || format!("{} generators", self.generators))
    }
}

/// Generators whose connections are open.
struct Fleet {
    all: Vec<Generator>,
    show: Show,
    /// The server's memory before the first connection.
    before: Option<Memory>,
    opened: Opened,
}

impl Fleet {
    /// Starts them, and waits until all have opened their connections.
    fn open(generators: u32, (at, watch): (&Target, &mut Watch)) -> Result<Self, Failure> {
        let clock = Clock::start();
        let show = Show { clock, generators, span_ns: None };
        let mut all = (0..generators).map(Generator::start).collect::<Result<Vec<_>, _>>()?;
        for one in &mut all {
            one.hear(watch, &show)?;
        }
        // They may run the server's own program: pages that it shares with them count for less from now on, before and after.
        let before = at.pid.and_then(process::memory);
        let begin = json!({
            "origin_ns": clock.origin_ns(),
            "run": u32::from_be_bytes(random()?),
            "target": part::describe(at),
        });
        let opened = Opened { times: Times::new(), took_ns: 0 };
        let mut fleet = Self { all, show, before, opened };
        fleet.tell(&begin, watch)?;
        for one in &mut fleet.all {
            let line = one.hear(watch, &fleet.show)?;
            read_times(&mut fleet.opened.times, line.get("opened"));
            let took_ns = line.get("took_ns").and_then(Value::as_u64).unwrap_or(0);
            fleet.opened.took_ns = fleet.opened.took_ns.max(took_ns);
            watch.opening(clock.now_ns(), 0, 1)?;
        }
        Ok(fleet)
    }

    /// Tells them to begin a load, at the rate that it has, if it has one.
    fn begin(&mut self, load: &Load, watch: &Watch) -> Result<(), Failure> {
        let start_ns = self.show.clock.now_ns() + HEAD_START_NS;
        self.show.span_ns = Some((start_ns, load.warmup_ns + load.duration_ns));
        let per_second = match load.pace {
            Pace::Open { per_second } => Some(per_second),
            Pace::Closed { .. } => None,
        };
        self.tell(&json!({ "start_ns": start_ns, "per_second": per_second }), watch)
    }

    /// Has them run a load. `meanwhile` is called while everybody who only listens is still there.
    fn run(
        &mut self,
        plan: &Plan,
        watch: &mut Watch,
        meanwhile: impl FnOnce(),
    ) -> Result<Outcome, Failure> {
        self.begin(&plan.load, watch)?;
        let mut sent = Sent::default();
        for one in &mut self.all {
            let line = one.hear(watch, &self.show)?;
            let Some(more) = Sent::read(&line) else {
                return Err(Failure::Server("a generator did not say what it sent".to_owned()));
            };
            sent.add(more);
        }
        meanwhile();
        self.tell(&sent.json(), watch)?;
        let results = self.all.iter_mut().map(|one| one.hear(watch, &self.show));
        merged(plan, &results.collect::<Result<Vec<_>, _>>()?)
    }

    /// Tells all of them a line. Who cannot be told may have been ended by the signal that came here too.
    fn tell(&mut self, line: &Value, watch: &Watch) -> Result<(), Failure> {
        for one in &mut self.all {
            let told = one.say(line);
            watch.go_on()?;
            told?;
        }
        Ok(())
    }
}

/// Measures a plan with several generators.
pub(crate) fn measure(
    plan: &Plan,
    generators: u32,
    (at, watch): (&Target, &mut Watch),
) -> Result<Measured, Failure> {
    let mut fleet = Fleet::open(generators, (at, watch))?;
    let mut after = at.pid.and_then(process::memory);
    let outcome = fleet.run(plan, watch, || {
        if plan.listens_only() {
            after = at.pid.and_then(process::memory);
        }
    })?;
    let memory = fleet.before.zip(after).map(|(before, after)| Grown { before, after });
    Ok(Measured { opened: fleet.opened, outcome, memory })
}

/// Looks for the knee with several generators.
pub(crate) fn find(
    plan: &mut Plan,
    (search, generators): (Search, u32),
    (at, watch): (&Target, &mut Watch),
) -> Result<Found, Failure> {
    let mut fleet = Fleet::open(generators, (at, watch))?;
    let run = |plan: &Plan| fleet.run(plan, watch, || ());
    let (steps, limit_ns) = knee::climb((plan, search), at.cores, run)?;
    Ok(Found { opened: fleet.opened, steps, limit_ns })
}

/// Has several generators play a scene.
pub(crate) fn play(
    plan: &Plan,
    generators: u32,
    (at, watch): (&Target, &mut Watch),
) -> Result<Scene, Failure> {
    let mut fleet = Fleet::open(generators, (at, watch))?;
    fleet.begin(&plan.load, watch)?;
    let mut found = Vec::new();
    // Who has not found everything yet asks for the next round, which all of them begin together.
    while !fleet.all.is_empty() {
        for mut one in std::mem::take(&mut fleet.all) {
            let line = one.hear(watch, &fleet.show)?;
            match link::asks_for_round(&line) {
                true => fleet.all.push(one),
                false => found.push(line),
            }
        }
        fleet.tell(&link::round(), watch)?;
    }
    scene::merged(found)
}
