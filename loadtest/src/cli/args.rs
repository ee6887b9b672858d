//! The options of `stentor bench`, as clap reads them.

use super::comings::{ChurnArgs, PresenceArgs, ResumeArgs, StormArgs};
use super::target::TargetArgs;
use crate::report::baseline::Rule;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measure a running server, or one started for the occasion.
///
/// Every sequence number is checked at every subscriber. With --rate the load is an open loop: messages
/// are due at fixed times whatever the server does, and latency counts from the time a message was due
/// (no coordinated omission). With --window the load is a closed loop: a new message leaves when an
/// outstanding one has reached all its subscribers (`publish`: is acknowledged).
///
/// Exit codes: 0 measured; 1 a --fail-if came true; 2 something went wrong on the wire (lost, doubled, out
/// of order or damaged messages, refused publishes, closed connections); 3 the measurement is not one of
/// the server; 64 wrong usage; 65 a baseline that cannot be compared; 69 no server, or one that answers
/// otherwise than it should; 74 the system refused. Code 3 means, with --rate: the generator used 95 % of its core or waited
/// for it, or less than 99 % of the due messages were sent. With --window: the same 95 % while the server
/// used at least 15 points less of each of its cores, or the server's use is not known; when both ran
/// hot the result says "both saturated" and stands.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub(crate) scenario: ScenarioArgs,
}

const EXAMPLES: &str = "Examples:
  stentor bench fanout --spawn --subscribers 1000 --rate 100 --html page.html
  stentor bench fanout --spawn --find-knee --p99-max 20 --duration 3
  stentor bench fanout --spawn --generators 2 --client-cores 0,1 --rate 200
  stentor bench publish --spawn --baseline before.json --fail-if 'p99>+10%'
  stentor bench resume --spawn --subscribers 100 --away 0.5
  stentor bench fanout --target socketio --url ws://127.0.0.1:3000 --rate 100
How to read what comes out: docs/bench.md.";

#[derive(Debug, Subcommand)]
pub(crate) enum ScenarioArgs {
    /// Publishers and subscribers: rate and latency of deliveries, every sequence number checked.
    Fanout(FanoutArgs),
    /// Publishers alone: acknowledged publishes a second and the time to the acknowledgement.
    Publish(PublishArgs),
    /// Subscribers that only listen: time to subscribe, and memory for each connection.
    Connect(ConnectArgs),
    /// Visitors join and leave: residents have to hear of each once; how late they do.
    Presence(PresenceArgs),
    /// Subscribers are cut and go on behind the last offset: no gap, nothing twice, time to catch up.
    Resume(ResumeArgs),
    /// Connections come at a rate, hear their channel and leave: time to get in, connections a CPU second.
    Churn(ChurnArgs),
    /// All connections are cut at once and come back: time until each and until everybody is.
    Storm(StormArgs),
    /// A long fan-out: latency and memory over time, and how the end differs from the beginning.
    Soak(FanoutArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FanoutArgs {
    /// Connections that subscribe, spread evenly over the channels.
    #[arg(long, default_value_t = 1000)]
    pub(crate) subscribers: u32,
    /// Publishers, spread evenly over the channels.
    #[arg(long, default_value_t = 1)]
    pub(crate) publishers: u32,
    #[command(flatten)]
    pub(crate) measured: MeasuredArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Publishers: one keep-alive connection each (over WebSocket: one for each of its channels).
    #[arg(long, visible_alias = "connections", default_value_t = 32)]
    pub(crate) publishers: u32,
    #[command(flatten)]
    pub(crate) measured: MeasuredArgs,
}

/// What every scenario takes that measures a load.
#[derive(Debug, Args)]
pub(crate) struct MeasuredArgs {
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) knee: KneeArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Connections to open, spread evenly over the channels.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) subscribers: u32,
    /// Channels to subscribe to.
    #[arg(long, default_value_t = 1)]
    pub(crate) channels: u32,
    /// Seconds to hold all connections before memory is read.
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS")]
    pub(crate) hold: f64,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// What every scenario takes: how connections are opened, to whom, and where the result goes.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) opening: OpeningArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What is published, how fast, and for how long.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Channels to publish to.
    #[arg(long, default_value_t = 1)]
    pub(crate) channels: u32,
    /// How publishers publish [http; --target socketio and raw: ws].
    #[arg(long, value_enum)]
    pub(crate) via: Option<Via>,
    /// Unacknowledged publishes on one connection at most (HTTP: up to 16).
    #[arg(long)]
    pub(crate) pipeline: Option<u32>,
    /// Bytes of the JSON value published as `data`.
    #[arg(long, default_value_t = 128, value_name = "BYTES")]
    pub(crate) payload: usize,
    /// Open loop: messages a second, all publishers together [fanout: 100 if no --window].
    #[arg(long, conflicts_with = "window", value_name = "PER_SECOND")]
    pub(crate) rate: Option<u64>,
    /// Closed loop: outstanding messages, all publishers together [publish: connections x pipeline].
    #[arg(long, value_name = "MESSAGES")]
    pub(crate) window: Option<u32>,
    /// Whether the server keeps the messages (`persist` of each publish; InsForge's sockets: always).
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) persist: bool,
    /// Seconds of load before the measured window (checked, not measured).
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    pub(crate) warmup: f64,
    /// Seconds of the measured window [10, of each rate of --find-knee too; soak: 3600].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) duration: Option<f64>,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// Who generates the load.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    /// Processes that share connections and load. Their figures are merged.
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    pub(crate) generators: u32,
    /// Which of several processes this is: they start each other with it.
    #[arg(long, hide = true)]
    pub(crate) generator_part: Option<u32>,
}

/// The search for the highest rate that holds.
#[derive(Debug, Args)]
pub(crate) struct KneeArgs {
    /// Raise the rate from --rate until the 99th percentile breaks, then close in on where it does.
    #[arg(long, conflicts_with = "window")]
    pub(crate) find_knee: bool,
    /// What the 99th percentile may be [ten times the first rate's, and at least 5 ms].
    #[arg(long, requires = "find_knee", value_name = "MILLISECONDS")]
    pub(crate) p99_max: Option<f64>,
    /// How much faster each rate is than the one before.
    #[arg(long, requires = "find_knee", default_value_t = 1.5, value_name = "FACTOR")]
    pub(crate) rate_step: f64,
}

/// How connections are opened.
#[derive(Debug, Args)]
pub(crate) struct OpeningArgs {
    /// Connections opened a second at most.
    #[arg(long, default_value_t = 5000, value_name = "PER_SECOND")]
    pub(crate) connect_rate: u64,
    /// Connect from 127.0.0.2, .3, … in turn [one for each 25,000 connections]. Loopback only.
    #[arg(long, value_name = "COUNT")]
    pub(crate) source_addresses: Option<u32>,
    /// A user of its own for each connection: everybody then hears everybody join.
    #[arg(long)]
    pub(crate) distinct_users: bool,
    /// InsForge: let subscribers in by the anon key. Each is somebody else then.
    #[arg(long, conflicts_with = "distinct_users")]
    pub(crate) anonymous: bool,
}

/// Where the result goes besides the screen.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Write the full result as JSON (`-`: to standard output, instead of the screen).
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a self-contained page with plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Compare with the --json of an earlier run of the same settings.
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// End with 1 if this is so: `p99>+10%`, `deliveries_per_second<-5%`, `p99>5ms`. May stand several times.
    #[arg(long, value_parser = Rule::parse, value_name = "RULE")]
    pub(crate) fail_if: Vec<Rule>,
    /// No progress bar.
    #[arg(long)]
    pub(crate) no_progress: bool,
}

/// How publishers publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// A WebSocket each, which hears its own channel as well [but for Cohesivity its echo acknowledges].
    Ws,
    /// A keep-alive HTTP connection each [a server of ours: in Cohesivity's dialect].
    Http,
}
