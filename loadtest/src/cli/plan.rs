//! From options to plans: defaults, and refusals of what makes no sense.

use super::args::{ConnectArgs, FanoutArgs, FleetArgs, KneeArgs, LoadArgs, OpeningArgs};
use super::args::{MeasuredArgs, PublishArgs, Via};
use super::target::TargetArgs;
use crate::client::dialect::Dialect;
use crate::client::stamp::{PAYLOAD_BYTES_MIN, STREAMS_MAX};
use crate::client::walk::FRAME_BYTES_MAX;
use crate::failure::Failure;
use crate::pace::Pace;
use crate::record::check::Layout;
use crate::scenario::knee::Search;
use crate::scenario::load::{DoneWhen, Load, Part, Wire};
use crate::scenario::{Plan, Users, nanoseconds};
use protocol::Keep;

const HTTP_PIPELINE_MAX: u32 = 16;
const PIPELINE_MAX: u32 = 65_536;
pub(super) const PAYLOAD_BYTES_MAX: usize = 100_000;
const CONNECTIONS_PER_SOURCE: usize = 25_000;
const SOURCES_MAX: u32 = 65_000;
/// Messages outstanding over all streams that a closed loop counts at most: 256 MiB of counters.
const WINDOW_COUNTERS_MAX: u64 = 64 << 20;

/// More would not help: each wants a core.
const GENERATORS_MAX: u32 = 256;
/// Messages a second, if nothing is said about it.
const FIRST_RATE: u64 = 100;
/// How long `soak` takes, if nothing is said about it.
const SOAK_NS: u64 = 3_600_000_000_000;

const _: () = assert!(PAYLOAD_BYTES_MAX < FRAME_BYTES_MAX);

/// The plan of `fanout` and of `soak`, which is a long one.
pub(super) fn fanout(name: &'static str, args: &FanoutArgs) -> Result<Plan, Failure> {
    let MeasuredArgs { load, knee, run } = &args.measured;
    if name == "soak" && knee.find_knee {
        return Err(Failure::Usage("--find-knee is for fanout and publish".to_owned()));
    }
    let pace = pace(load)?.unwrap_or(Pace::Open { per_second: FIRST_RATE });
    // Who closes after an answer loses what was sent behind it; ours do not.
    let is_ours = run.target.dialect()?.is_ours() || run.target.usual_via() == Via::Ws;
    let pipeline = load.pipeline.unwrap_or(if is_ours { HTTP_PIPELINE_MAX } else { 1 });
    let audience = (args.subscribers, args.publishers);
    let is_long = name == "soak" && load.duration.is_none();
    let load = build(load, audience, (pace, pipeline), &run.target)?;
    let duration_ns = if is_long { SOAK_NS } else { load.duration_ns };
    plan(name, Load { duration_ns, done_when: DoneWhen::Delivered, ..load }, &run.opening)
}

/// The plan of `publish`.
pub(super) fn publish(args: &PublishArgs) -> Result<Plan, Failure> {
    let MeasuredArgs { load, knee, run } = &args.measured;
    let pipeline = load.pipeline.unwrap_or(1);
    let outstanding = u64::from(args.publishers) * u64::from(pipeline);
    let usual = match knee.find_knee {
        true => Pace::Open { per_second: FIRST_RATE },
        false => Pace::Closed { outstanding },
    };
    let pace = pace(load)?.unwrap_or(usual);
    let load = build(load, (0, args.publishers), (pace, pipeline), &run.target)?;
    if load.dialect == Dialect::Insforge && load.wire == Wire::Http {
        let what = "nothing is published over HTTP in InsForge's dialect: use --via ws";
        return Err(Failure::Usage(what.to_owned()));
    }
    plan("publish", load, &run.opening)
}

/// The plan of `connect`: a run that sends nothing.
pub(super) fn connect(args: &ConnectArgs) -> Result<Plan, Failure> {
    at_least_one("--channels", args.channels)?;
    at_least_one("--subscribers", args.subscribers)?;
    let load = Load {
        subscribers: args.subscribers,
        part: Part::ALL,
        layout: Layout { channels: args.channels, publishers: 0 },
        dialect: args.run.target.dialect()?,
        wire: Wire::Http,
        pipeline: 1,
        payload_bytes: PAYLOAD_BYTES_MIN,
        pace: Pace::Closed { outstanding: 0 },
        done_when: DoneWhen::Acknowledged,
        keep: Keep::Pass,
        warmup_ns: 0,
        duration_ns: seconds("--hold", args.hold)?,
    };
    plan("connect", load, &args.run.opening)
}

/// Refuses what several generators cannot do together.
pub(super) fn shared(args: &FleetArgs, plan: &Plan) -> Result<(), Failure> {
    if !(1..=GENERATORS_MAX).contains(&args.generators) {
        let what = format!("--generators must be 1 to {GENERATORS_MAX}: {}", args.generators);
        return Err(Failure::Usage(what));
    }
    if args.generators == 1 {
        return Ok(());
    }
    let needed = u64::from(args.generators.min(plan.load.all_senders()));
    match plan.load.pace {
        Pace::Closed { outstanding } if outstanding < needed => Err(Failure::Usage(format!(
            "--window {outstanding} is too small for {needed} generators that publish: give each of them a message"
        ))),
        Pace::Open { .. } | Pace::Closed { .. } => Ok(()),
    }
}

/// The search that `--find-knee` asks for.
pub(super) fn search(args: &KneeArgs, load: &Load) -> Result<Option<Search>, Failure> {
    let (true, Pace::Open { per_second }) = (args.find_knee, load.pace) else { return Ok(None) };
    if !(1.05..=10.0).contains(&args.rate_step) {
        let what = format!("--rate-step must be 1.05 to 10: {}", args.rate_step);
        return Err(Failure::Usage(what));
    }
    let p99_max_ns = match args.p99_max {
        None => None,
        Some(ms) => Some(seconds("--p99-max", ms / 1000.0)?).filter(|ns| *ns > 0),
    };
    if args.p99_max.is_some() && p99_max_ns.is_none() {
        return Err(Failure::Usage("--p99-max must be more than 0".to_owned()));
    }
    Ok(Some(Search { first: per_second, factor: args.rate_step, p99_max_ns }))
}

pub(super) fn plan(name: &'static str, load: Load, opening: &OpeningArgs) -> Result<Plan, Failure> {
    let counters = match (load.pace, load.done_when) {
        (Pace::Closed { outstanding }, DoneWhen::Delivered) => {
            outstanding.next_power_of_two() * u64::from(load.layout.streams())
        }
        (Pace::Open { .. }, _) | (_, DoneWhen::Acknowledged) => 0,
    };
    if counters > WINDOW_COUNTERS_MAX {
        let what = "--window times the number of channels or publishers is too much to count";
        return Err(Failure::Usage(what.to_owned()));
    }
    if opening.connect_rate == 0 {
        return Err(Failure::Usage("--connect-rate must be at least 1".to_owned()));
    }
    let is_kept = load.dialect == Dialect::Insforge && load.wire == Wire::WebSocket;
    if is_kept && load.keep == Keep::Pass {
        let what = "what is published over InsForge's sockets is always kept: say --persist true";
        return Err(Failure::Usage(what.to_owned()));
    }
    let needed = load.connections().div_ceil(CONNECTIONS_PER_SOURCE);
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);
    let sources = opening.source_addresses.unwrap_or(needed);
    if !(1..=SOURCES_MAX).contains(&sources) {
        let what = format!("--source-addresses must be 1 to {SOURCES_MAX}: {sources}");
        return Err(Failure::Usage(what));
    }
    let users = match (opening.distinct_users, opening.anonymous) {
        (true, _) => Users::Distinct,
        (false, true) => Users::Anonymous,
        (false, false) => Users::One,
    };
    let connect_rate = opening.connect_rate;
    Ok(Plan { name, load, connect_rate, sources, users, generators: 1 })
}

fn pace(args: &LoadArgs) -> Result<Option<Pace>, Failure> {
    match (args.rate, args.window) {
        (Some(0), _) => Err(Failure::Usage("--rate must be at least 1".to_owned())),
        (_, Some(0)) => Err(Failure::Usage("--window must be at least 1".to_owned())),
        (Some(per_second), _) => Ok(Some(Pace::Open { per_second })),
        (None, Some(window)) => Ok(Some(Pace::Closed { outstanding: u64::from(window) })),
        (None, None) => Ok(None),
    }
}

fn build(
    args: &LoadArgs,
    (subscribers, publishers): (u32, u32),
    (pace, pipeline): (Pace, u32),
    target: &TargetArgs,
) -> Result<Load, Failure> {
    at_least_one("--channels", args.channels)?;
    at_least_one("--publishers", publishers)?;
    let layout = Layout { channels: args.channels, publishers };
    if layout.streams() > STREAMS_MAX {
        let what = format!("more than {STREAMS_MAX} channels or publishers cannot be told apart");
        return Err(Failure::Usage(what));
    }
    if !(PAYLOAD_BYTES_MIN..=PAYLOAD_BYTES_MAX).contains(&args.payload) {
        let (range, given) = (format!("{PAYLOAD_BYTES_MIN} to {PAYLOAD_BYTES_MAX}"), args.payload);
        return Err(Failure::Usage(format!("--payload must be {range}: {given}")));
    }
    let dialect = target.dialect()?;
    if args.persist && !dialect.is_ours() {
        let what = "--persist is for --target stentor: what others keep is their affair";
        return Err(Failure::Usage(what.to_owned()));
    }
    let (wire, pipeline_max) = match args.via.unwrap_or_else(|| target.usual_via()) {
        Via::Http => (Wire::Http, HTTP_PIPELINE_MAX),
        Via::Ws => (Wire::WebSocket, PIPELINE_MAX),
    };
    if !(1..=pipeline_max).contains(&pipeline) {
        return Err(Failure::Usage(format!("--pipeline must be 1 to {pipeline_max}: {pipeline}")));
    }
    let duration_ns = seconds("--duration", args.duration.unwrap_or(10.0))?;
    if duration_ns == 0 {
        return Err(Failure::Usage("--duration must be more than 0".to_owned()));
    }
    Ok(Load {
        subscribers,
        part: Part::ALL,
        layout,
        dialect,
        wire,
        pipeline: pipeline as usize,
        payload_bytes: args.payload,
        pace,
        done_when: DoneWhen::Acknowledged,
        keep: if args.persist { Keep::Persist } else { Keep::Pass },
        warmup_ns: seconds("--warmup", args.warmup)?,
        duration_ns,
    })
}

pub(super) fn at_least_one(option: &str, value: u32) -> Result<(), Failure> {
    if value == 0 {
        return Err(Failure::Usage(format!("{option} must be at least 1")));
    }
    Ok(())
}

pub(super) fn seconds(option: &str, value: f64) -> Result<u64, Failure> {
    let wrong = || Failure::Usage(format!("{option} must be 0 to 86400 seconds: {value}"));
    nanoseconds(value).ok_or_else(wrong)
}
