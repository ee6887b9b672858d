//! One of several generators: it is told where, when and with whom, and tells what it measured.

use super::figures::{times, written};
use crate::failure::Failure;
use crate::pace::{Clock, Pace};
use crate::report::progress::Watch;
use crate::scenario::link::{Link, say};
use crate::scenario::load::Part;
use crate::scenario::{Plan, Session, names_of_run};
use crate::server::{Keys, Target};
use serde_json::{Value, json};

/// Where a server is and what opens it, for another process of ours: it goes through a pipe, and nowhere else.
pub(super) fn describe(at: &Target) -> Value {
    json!({
        "host": at.endpoint.host,
        "key": at.endpoint.key,
        "pid": at.pid,
        "cores": at.cores,
        "project": at.keys.project,
        "api": at.keys.api,
        "anon": at.keys.anon,
        "jwt_secret": at.keys.jwt_secret,
    })
}

/// Reads what [`describe`] wrote.
fn found(line: &Value) -> Result<Target, Failure> {
    let of = |name: &str| line.pointer(&format!("/target/{name}"));
    let text = |name: &str| of(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| of(name).and_then(Value::as_u64);
    let pid = number("pid").and_then(|pid| i32::try_from(pid).ok());
    let (host, key) = (text("host").unwrap_or_default(), text("key").unwrap_or_default());
    let mut target = Target::at(&host, &key, pid)?;
    target.cores = number("cores").and_then(|cores| usize::try_from(cores).ok());
    target.keys = Keys {
        project: text("project"),
        api: text("api"),
        anon: text("anon"),
        jwt_secret: text("jwt_secret"),
        app: None,
    };
    Ok(target)
}

/// Says that this process is there, and hears from the one that started it where the server is, and what else it says.
pub(crate) fn told(link: &Link) -> Result<(Target, Value), Failure> {
    say(&json!({ "there": true }))?;
    let line = link.hear()?;
    Ok((found(&line)?, line))
}

/// The clock of all of them, of what [`told`] told.
pub(crate) fn clock(told: &Value) -> Clock {
    Clock::of(told.get("origin_ns").and_then(Value::as_u64).unwrap_or(0))
}

/// Runs this generator's part of a plan: once, or at every rate that it is told until nobody tells any more.
pub(crate) fn run(
    mut plan: Plan,
    part: Part,
    (at, told): (&Target, &Value),
    (mut link, watch): (Link, &mut Watch),
) -> Result<(), Failure> {
    plan.load.subscribers = part.share(plan.load.subscribers);
    plan.load.part = part;
    plan.load.pace = part.pace(plan.load.pace, plan.load.all_senders());
    plan.connect_rate = part.rate(plan.connect_rate);
    let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
    let run = u32::try_from(number(told, "run")).unwrap_or(0);
    let channels = names_of_run(run, plan.load.layout.channels, plan.load.dialect);
    let clock = clock(told);
    let mut session = Session::open_with((&plan, at), (clock, channels), watch)?;
    let opened = session.opening();
    say(&json!({ "opened": times(&opened.times), "took_ns": opened.took_ns }))?;
    loop {
        let start = session.wait(&plan.load, &link)?;
        if let Some(per_second) = start.get("per_second").and_then(Value::as_u64) {
            plan.load.pace = Pace::Open { per_second };
        }
        let from = (number(&start, "start_ns"), Some(&mut link));
        let outcome = session.run_with(&plan.load, from, watch)?;
        say(&written(&outcome))?;
    }
}
