//! From a plan to a result: tokens, connections, load, and what it took.

mod entrance;
pub(crate) mod load;
mod reading;
mod run;
mod sender;
mod window;

pub(crate) use run::Outcome;

use crate::client::dialect::Dialect;
use crate::client::opening::{Net, Opened, Opening, open_all};
use crate::client::request::Template;
use crate::failure::Failure;
use crate::pace::Clock;
use crate::record::process::{self, Memory};
use crate::report::progress::Watch;
use crate::server::Target;
use load::{Load, Wire};
use run::Run;
use rustix::rand::{GetRandomFlags, getrandom};
use sender::{Outlet, Sender};
use std::time::Duration;

/// Whether connections share one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    /// One user, so that nobody is told of anybody joining.
    One,
    /// A user for each connection.
    Distinct,
    /// Whoever has the anon key.
    Anonymous,
}

/// What to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The scenario's name.
    pub(crate) name: &'static str,
    /// The load.
    pub(crate) load: Load,
    /// Connections opened a second.
    pub(crate) connect_rate: u64,
    /// Source addresses.
    pub(crate) sources: u32,
    /// Who connects.
    pub(crate) users: Users,
}

/// The server's memory before and after the connections were opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grown {
    /// Before.
    pub(crate) before: Memory,
    /// After, or after they were held.
    pub(crate) after: Memory,
}

/// What a plan's execution leaves.
#[derive(Debug)]
pub(crate) struct Measured {
    /// How the opening went.
    pub(crate) opened: Opened,
    /// The load.
    pub(crate) outcome: Outcome,
    /// The server's memory, if it can be seen.
    pub(crate) memory: Option<Grown>,
}

/// Executes a plan.
pub(crate) fn measure(plan: &Plan, at: &Target, watch: &mut Watch) -> Result<Measured, Failure> {
    let clock = Clock::start();
    let channels = channel_names(plan.load.layout.channels)?;
    let (wishes, accept) = entrance::wishes(plan, at, &channels, random()?)?;
    let mut net = Net::new()?;
    let memory = || at.pid.and_then(process::memory);
    let before = memory();
    let opening = Opening {
        to: at.to,
        sources: plan.sources,
        per_second: plan.connect_rate,
        dialect: plan.load.dialect,
        wishes,
        accept,
    };
    let opened = open_all(&mut net, &opening, clock, watch)?;
    drop(opening);
    // A run that only listens measures after it; one with load must not count the load's buffers.
    let listens_only = plan.load.layout.publishers == 0;
    let opened_memory = memory();
    let senders = senders(&plan.load, at, &channels)?;
    let outcome = Run::new(&mut net, &plan.load, senders, clock, at.pid).run(watch)?;
    let after = if listens_only { memory() } else { opened_memory };
    let memory = before.zip(after).map(|(before, after)| Grown { before, after });
    Ok(Measured { opened, outcome, memory })
}

/// Names that no other run uses, so that nobody hears strangers.
fn channel_names(count: u32) -> Result<Vec<String>, Failure> {
    let run = u32::from_be_bytes(random()?);
    // All equally long, so that stamps stand in one place; and all of the pattern that the entrance allows.
    let digits = count.to_string().len();
    Ok((0..count).map(|nth| format!("bench:{run:08x}-{nth:0digits$}")).collect())
}

fn senders(load: &Load, at: &Target, channels: &[String]) -> Result<Vec<Sender>, Failure> {
    let mask = u32::from_be_bytes(random()?);
    let template = |stream: u32| {
        let channel = channels.get(load.layout.channel(stream) as usize).map_or("", String::as_str);
        match (load.wire, load.dialect) {
            (Wire::Http, _) => Template::http(&at.endpoint, channel, load.payload_bytes, load.keep),
            (Wire::WebSocket, Dialect::Cohesivity) => {
                Template::websocket(load.payload_bytes, load.keep)
            }
            (Wire::WebSocket, Dialect::Insforge) => Template::socketio(channel, load.payload_bytes),
        }
    };
    let outlets = |sender: u32| -> Vec<Outlet> {
        let streams = load.streams_of(sender).into_iter();
        streams.map(|stream| Outlet { stream, template: template(stream) }).collect()
    };
    Ok((0..load.senders())
        .map(|nth| Sender::new(outlets(nth), load.pipeline, mask.wrapping_add(nth)))
        .collect())
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], Failure> {
    let mut bytes = [0; BYTES];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(Failure::io("cannot get randomness"))?;
    Ok(bytes)
}

/// Seconds of an option in nanoseconds.
pub(crate) fn nanoseconds(seconds: f64) -> Option<u64> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    (duration <= Duration::from_secs(86_400)).then(|| u64::try_from(duration.as_nanos()).ok())?
}
