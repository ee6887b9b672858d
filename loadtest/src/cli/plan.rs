//! From options to plans: defaults, and refusals of what makes no sense.

use super::args::{ConnectArgs, FanoutArgs, LoadArgs, OpeningArgs, PublishArgs, Via};
use crate::client::dialect::Dialect;
use crate::client::stamp::{PAYLOAD_BYTES_MIN, STREAMS_MAX};
use crate::client::walk::FRAME_BYTES_MAX;
use crate::failure::Failure;
use crate::pace::Pace;
use crate::record::check::Layout;
use crate::scenario::load::{DoneWhen, Load, Wire};
use crate::scenario::{Plan, Users, nanoseconds};
use protocol::Keep;

const HTTP_PIPELINE_MAX: u32 = 16;
const PIPELINE_MAX: u32 = 65_536;
const PAYLOAD_BYTES_MAX: usize = 100_000;
const CONNECTIONS_PER_SOURCE: usize = 25_000;
const SOURCES_MAX: u32 = 65_000;
/// Messages outstanding over all streams that a closed loop counts at most: 256 MiB of counters.
const WINDOW_COUNTERS_MAX: u64 = 64 << 20;

const _: () = assert!(PAYLOAD_BYTES_MAX < FRAME_BYTES_MAX);

/// The plan of `fanout`.
pub(super) fn fanout(args: &FanoutArgs) -> Result<Plan, Failure> {
    let load = &args.load;
    let pace = pace(load)?.unwrap_or(Pace::Open { per_second: 100 });
    let pipeline = load.pipeline.unwrap_or(HTTP_PIPELINE_MAX);
    let load = build(load, args.subscribers, args.publishers, (pace, pipeline))?;
    let dialect = args.target.dialect;
    plan("fanout", Load { done_when: DoneWhen::Delivered, dialect, ..load }, &args.opening)
}

/// The plan of `publish`.
pub(super) fn publish(args: &PublishArgs) -> Result<Plan, Failure> {
    let load = &args.load;
    let pipeline = load.pipeline.unwrap_or(1);
    let outstanding = u64::from(args.publishers) * u64::from(pipeline);
    let pace = pace(load)?.unwrap_or(Pace::Closed { outstanding });
    let load = build(load, 0, args.publishers, (pace, pipeline))?;
    let dialect = args.target.dialect;
    if dialect == Dialect::Insforge && load.wire == Wire::Http {
        let what = "nothing is published over HTTP in InsForge's dialect: use --via ws";
        return Err(Failure::Usage(what.to_owned()));
    }
    plan("publish", Load { dialect, ..load }, &args.opening)
}

/// The plan of `connect`: a run that sends nothing.
pub(super) fn connect(args: &ConnectArgs) -> Result<Plan, Failure> {
    at_least_one("--channels", args.channels)?;
    at_least_one("--subscribers", args.subscribers)?;
    let load = Load {
        subscribers: args.subscribers,
        layout: Layout { channels: args.channels, publishers: 0 },
        dialect: args.target.dialect,
        wire: Wire::Http,
        pipeline: 1,
        payload_bytes: PAYLOAD_BYTES_MIN,
        pace: Pace::Closed { outstanding: 0 },
        done_when: DoneWhen::Acknowledged,
        keep: Keep::Pass,
        warmup_ns: 0,
        duration_ns: seconds("--hold", args.hold)?,
    };
    plan("connect", load, &args.opening)
}

fn plan(name: &'static str, load: Load, opening: &OpeningArgs) -> Result<Plan, Failure> {
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
    if load.is_echoed() && load.keep == Keep::Pass {
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
    Ok(Plan { name, load, connect_rate: opening.connect_rate, sources, users })
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
    subscribers: u32,
    publishers: u32,
    (pace, pipeline): (Pace, u32),
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
    let (wire, pipeline_max) = match args.via {
        Via::Http => (Wire::Http, HTTP_PIPELINE_MAX),
        Via::Ws => (Wire::WebSocket, PIPELINE_MAX),
    };
    if !(1..=pipeline_max).contains(&pipeline) {
        return Err(Failure::Usage(format!("--pipeline must be 1 to {pipeline_max}: {pipeline}")));
    }
    let duration_ns = seconds("--duration", args.duration)?;
    if duration_ns == 0 {
        return Err(Failure::Usage("--duration must be more than 0".to_owned()));
    }
    Ok(Load {
        subscribers,
        layout,
        dialect: Dialect::Cohesivity,
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

fn at_least_one(option: &str, value: u32) -> Result<(), Failure> {
    if value == 0 {
        return Err(Failure::Usage(format!("{option} must be at least 1")));
    }
    Ok(())
}

fn seconds(option: &str, value: f64) -> Result<u64, Failure> {
    let wrong = || Failure::Usage(format!("{option} must be 0 to 86400 seconds: {value}"));
    nanoseconds(value).ok_or_else(wrong)
}
