//! From a plan to a result: tokens, connections, load, and what it took.

pub(crate) mod entrance;
pub(crate) mod knee;
pub(crate) mod link;
pub(crate) mod load;
mod reading;
mod run;
pub(crate) mod sender;
mod waiting;
mod window;

pub(crate) use reading::refusal;
pub(crate) use run::Outcome;

use crate::client::dialect::Dialect;
use crate::client::message::Finder;
use crate::client::opening::{Net, Opened, Opening, open_all};
use crate::client::request::Template;
use crate::failure::Failure;
use crate::pace::Clock;
use crate::record::process::{self, Memory};
use crate::report::progress::Watch;
use crate::server::Target;
use link::Link;
use load::{LONGEST_NS, Load, Wire};
use run::Run;
use rustix::rand::{GetRandomFlags, getrandom};
use sender::{Outlet, Sender};
use serde_json::Value;
use std::time::Duration;

/// How long a server that confirms nothing has to subscribe everybody.
const SETTLE: Duration = Duration::from_secs(1);

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
    /// Processes that generate the load together.
    pub(crate) generators: u32,
}

impl Plan {
    /// A run that only listens weighs the server after it; one with load must not count the load's buffers.
    pub(crate) fn listens_only(&self) -> bool {
        self.load.layout.publishers == 0
    }
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

/// Connections that are open, and loads over them.
pub(crate) struct Session<'a> {
    at: &'a Target,
    clock: Clock,
    channels: Vec<String>,
    net: Net,
    before: Option<Memory>,
    opened: Opened,
}

impl<'a> Session<'a> {
    /// Opens the connections of a plan.
    pub(crate) fn open(plan: &Plan, at: &'a Target, watch: &mut Watch) -> Result<Self, Failure> {
        let channels = channel_names(plan.load.layout.channels, plan.load.dialect)?;
        Self::open_with((plan, at), (Clock::start(), channels), watch)
    }

    /// Opens them with a clock and channels that others share.
    pub(crate) fn open_with(
        (plan, at): (&Plan, &'a Target),
        (clock, channels): (Clock, Vec<String>),
        watch: &mut Watch,
    ) -> Result<Self, Failure> {
        let (wishes, mut doorway) = entrance::wishes(plan, at, &channels, random()?)?;
        let mut net = Net::new()?;
        let before = at.pid.and_then(process::memory);
        let (to, sources, per_second) = (at.to, plan.sources, plan.connect_rate);
        let opening = Opening { to, sources, per_second, wishes };
        let opened = open_all(&mut net, &opening, &mut doorway, (clock, watch))?;
        drop(opening);
        if at.peer.is_silent() {
            #[expect(clippy::disallowed_methods, reason = "nothing runs yet that it could block")]
            std::thread::sleep(SETTLE);
        }
        Ok(Self { at, clock, channels, net, before, opened })
    }

    /// Runs a load. It has to want the connections that are open.
    pub(crate) fn run(&mut self, load: &Load, watch: &mut Watch) -> Result<Outcome, Failure> {
        let start_ns = self.clock.now_ns();
        self.run_with(load, (start_ns, None), watch)
    }

    /// Waits for a line, and answers meanwhile whatever asks whether clients are there.
    pub(crate) fn wait(&mut self, load: &Load, link: &Link) -> Result<Value, Failure> {
        let is_hearer = |index| index < load.hearers() || load.dialect.is_native();
        let finder = Finder::new(load.dialect, load.payload_bytes);
        waiting::wait(&mut self.net, (load.dialect, finder), is_hearer, link)
    }

    /// Runs a load that others share, from a time on.
    pub(crate) fn run_with(
        &mut self,
        load: &Load,
        (start_ns, link): (u64, Option<&mut Link>),
        watch: &mut Watch,
    ) -> Result<Outcome, Failure> {
        let senders = senders(load, self.at, &self.channels)?;
        let (times, peers) = ((self.clock, start_ns), (self.at.pid, link));
        Run::new(&mut self.net, load, senders, times, peers).run(watch)
    }

    /// How the opening went, so far as it went.
    pub(crate) fn opening(&self) -> &Opened {
        &self.opened
    }

    /// How the opening went.
    pub(crate) fn opened(self) -> Opened {
        self.opened
    }
}

/// Executes a plan.
pub(crate) fn measure(plan: &Plan, at: &Target, watch: &mut Watch) -> Result<Measured, Failure> {
    let mut session = Session::open(plan, at, watch)?;
    let memory = || at.pid.and_then(process::memory);
    let opened_memory = memory();
    let outcome = session.run(&plan.load, watch)?;
    let after = if plan.listens_only() { memory() } else { opened_memory };
    let memory = session.before.zip(after).map(|(before, after)| Grown { before, after });
    Ok(Measured { opened: session.opened, outcome, memory })
}

/// Names that no other run uses, so that nobody hears strangers.
pub(crate) fn channel_names(count: u32, dialect: Dialect) -> Result<Vec<String>, Failure> {
    Ok(names_of_run(u32::from_be_bytes(random()?), count, dialect))
}

/// The names of a run that has a number.
pub(crate) fn names_of_run(run: u32, count: u32, dialect: Dialect) -> Vec<String> {
    // All equally long, so that stamps stand in one place; and all of the pattern that the entrance allows.
    let digits = count.to_string().len();
    let prefix = dialect.channel_prefix();
    (0..count).map(|nth| format!("{prefix}{run:08x}-{nth:0digits$}")).collect()
}

pub(crate) fn senders(
    load: &Load,
    at: &Target,
    channels: &[String],
) -> Result<Vec<Sender>, Failure> {
    let mask = u32::from_be_bytes(random()?);
    let template = |stream: u32| {
        let channel = channels.get(load.layout.channel(stream) as usize).map_or("", String::as_str);
        publish_template(load, at, channel)
    };
    let outlets = |sender: u32| -> Result<Vec<Outlet>, Failure> {
        let streams = load.streams_of(sender).into_iter();
        streams.map(|stream| Ok(Outlet { stream, template: template(stream)? })).collect()
    };
    (0..load.senders())
        .map(|nth| Ok(Sender::new(outlets(nth)?, load.pipeline, mask.wrapping_add(nth))))
        .collect()
}

/// How a message is published to a channel.
pub(crate) fn publish_template(
    load: &Load,
    at: &Target,
    channel: &str,
) -> Result<Template, Failure> {
    let (bytes, host) = (load.payload_bytes, &at.endpoint.host);
    let template = match (load.wire, load.dialect) {
        (Wire::Http, dialect) if dialect.is_ours() => {
            Some(Template::http(&at.endpoint, channel, bytes, load.keep))
        }
        (Wire::WebSocket, Dialect::Cohesivity) => Some(Template::websocket(bytes, load.keep)),
        (Wire::WebSocket, Dialect::Insforge) => Some(Template::socketio(channel, bytes)),
        (Wire::WebSocket, _) => at.peer.on_socket(channel, bytes),
        (Wire::Http, _) => at.peer.over_http(host, channel, bytes),
    };
    template.ok_or_else(|| {
        let dialect = load.dialect.name();
        Failure::Usage(match load.wire {
            Wire::Http => format!("nothing is published over HTTP to {dialect}: use --via ws"),
            Wire::WebSocket => {
                format!("nothing is published over WebSockets to {dialect}: use --via http")
            }
        })
    })
}

pub(crate) fn random<const BYTES: usize>() -> Result<[u8; BYTES], Failure> {
    let mut bytes = [0; BYTES];
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(Failure::io("cannot get randomness"))?;
    Ok(bytes)
}

/// Seconds of an option in nanoseconds.
pub(crate) fn nanoseconds(seconds: f64) -> Option<u64> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    (duration <= Duration::from_nanos(LONGEST_NS))
        .then(|| u64::try_from(duration.as_nanos()).ok())?
}
