//! The options of `stentor bench`, as clap reads them.

use crate::client::dialect::Dialect;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Measure a running server, or one started for the occasion.
///
/// Every sequence number is checked at every subscriber. With --rate the load is an open loop: messages
/// are due at fixed times whatever the server does, and latency counts from the time a message was due
/// (no coordinated omission). With --window the load is a closed loop: a new message leaves when an
/// outstanding one has reached all its subscribers (`publish`: is acknowledged).
///
/// Exit codes: 0 measured; 1 the set-up failed; 2 something went wrong on the wire (lost, doubled, out
/// of order or damaged messages, refused publishes, closed connections); 3 the measurement is not one of
/// the server; 64 wrong usage. Code 3 means, with --rate: the generator used 95 % of its core or waited
/// for it, or less than 99 % of the due messages were sent. With --window: the same 95 % while the server
/// used at least 15 points less of each of its cores, or the server's use is not known; when both ran
/// hot the result says "both saturated" and stands.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub(crate) scenario: ScenarioArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScenarioArgs {
    /// Publishers and subscribers: rate and latency of deliveries, every sequence number checked.
    Fanout(FanoutArgs),
    /// Publishers alone: acknowledged publishes a second and the time to the acknowledgement.
    Publish(PublishArgs),
    /// Subscribers that only listen: time to subscribe, and memory for each connection.
    Connect(ConnectArgs),
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
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) opening: OpeningArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PublishArgs {
    /// Publishers: one keep-alive connection each (over WebSocket: one for each of its channels).
    #[arg(long, visible_alias = "connections", default_value_t = 32)]
    pub(crate) publishers: u32,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) opening: OpeningArgs,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
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
    /// How publishers publish.
    #[arg(long, value_enum, default_value_t = Via::Http)]
    pub(crate) via: Via,
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
    /// Seconds of the measured window.
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    pub(crate) duration: f64,
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

/// The server to measure.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The server's address.
    #[arg(long, default_value = "ws://127.0.0.1:8080", conflicts_with = "spawn")]
    pub(crate) url: String,
    /// Start a server of our own (`serve --ephemeral`) and end it afterwards.
    #[arg(long, conflicts_with_all = ["key", "api_key", "anon_key", "jwt_secret", "server_pid"])]
    pub(crate) spawn: bool,
    /// What connections speak to the server.
    #[arg(long, value_enum, default_value_t = Dialect::Cohesivity)]
    pub(crate) dialect: Dialect,
    /// The application key that mints tokens and publishes [InsForge: publishes over HTTP].
    #[arg(long, env = "STENTOR_BENCH_KEY", hide_env_values = true, value_name = "coh_app_…")]
    pub(crate) key: Option<String>,
    /// InsForge's API key: allows the pattern `bench:%`, and publishes over WebSockets.
    #[arg(long, env = "STENTOR_BENCH_API_KEY", hide_env_values = true, value_name = "ik_…")]
    pub(crate) api_key: Option<String>,
    /// InsForge's anon key, for --anonymous.
    #[arg(long, env = "STENTOR_BENCH_ANON_KEY", hide_env_values = true, value_name = "anon_…")]
    pub(crate) anon_key: Option<String>,
    /// The secret that signs tokens of InsForge's users: subscribers are one of them.
    #[arg(long, env = "STENTOR_BENCH_JWT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub(crate) jwt_secret: Option<String>,
    /// The server's process id, for its CPU and memory (known with --spawn).
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<i32>,
    /// Cores of the spawned server, such as `0` or `0,2-3`.
    #[arg(long, requires = "spawn", value_name = "LIST")]
    pub(crate) server_cores: Option<String>,
    /// The core of the generator.
    #[arg(long, value_name = "CORE")]
    pub(crate) client_core: Option<usize>,
    /// Shards of the spawned server [one for each of its cores].
    #[arg(long, requires = "spawn")]
    pub(crate) shards: Option<u32>,
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
    /// No progress bar.
    #[arg(long)]
    pub(crate) no_progress: bool,
}

/// How publishers publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Via {
    /// A WebSocket each, which hears its own channel as well [InsForge: whose echo acknowledges].
    Ws,
    /// A keep-alive HTTP connection each, in Cohesivity's dialect.
    Http,
}
