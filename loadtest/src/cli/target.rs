//! Which server is measured, and what it takes to be let in.

use super::args::Via;
use crate::client::dialect::Dialect;
use crate::client::native::Protocol;
use crate::client::peer::{App, Peer, Templates};
use crate::failure::Failure;
use crate::scenario::load::Load;
use crate::server::{Keys, Target, parse_cores, pin};
use clap::{Args, ValueEnum};
use protocol::auth::vendor::PusherKeys;
use std::path::Path;

/// The server to measure.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Whose server it is.
    #[arg(long, value_enum, default_value_t = TargetKind::Stentor)]
    pub(crate) target: TargetKind,
    /// The server's address [raw: with the path of its WebSocket, in which `{channel}` may stand].
    #[arg(long, default_value = "ws://127.0.0.1:8080", conflicts_with = "spawn")]
    pub(crate) url: String,
    /// Start a server of our own (`serve --ephemeral`) and end it afterwards.
    #[arg(long, conflicts_with_all = ["key", "project_key", "api_key", "anon_key", "jwt_secret", "server_pid"])]
    pub(crate) spawn: bool,
    /// What connections speak to a server of ours.
    #[arg(long, value_enum, default_value_t = Dialect::Cohesivity)]
    pub(crate) dialect: Dialect,
    /// The application key that mints tokens and publishes [Infrai, InsForge: publishes over HTTP].
    #[arg(long, env = "STENTOR_BENCH_KEY", hide_env_values = true, value_name = "coh_app_…")]
    pub(crate) key: Option<String>,
    /// Infrai's project key: mints tokens.
    #[arg(long, env = "STENTOR_BENCH_PROJECT_KEY", hide_env_values = true, value_name = "KEY")]
    pub(crate) project_key: Option<String>,
    /// InsForge's API key: allows the pattern `bench:%`, and publishes over WebSockets.
    #[arg(long, env = "STENTOR_BENCH_API_KEY", hide_env_values = true, value_name = "ik_…")]
    pub(crate) api_key: Option<String>,
    /// InsForge's anon key, for --anonymous.
    #[arg(long, env = "STENTOR_BENCH_ANON_KEY", hide_env_values = true, value_name = "anon_…")]
    pub(crate) anon_key: Option<String>,
    /// The secret that signs tokens of InsForge's users: subscribers are one of them.
    #[arg(long, env = "STENTOR_BENCH_JWT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub(crate) jwt_secret: Option<String>,
    #[command(flatten)]
    pub(crate) peer: PeerArgs,
    /// The server's process id, for its CPU and memory (known with --spawn).
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<i32>,
    /// Cores of the spawned server, such as `0` or `0,2-3`.
    #[arg(long, requires = "spawn", value_name = "LIST")]
    pub(crate) server_cores: Option<String>,
    /// The core of the generator; several generators take the cores of a list in turn.
    #[arg(long, visible_alias = "client-core", value_name = "LIST")]
    pub(crate) client_cores: Option<String>,
    /// Shards of the spawned server [one for each of its cores].
    #[arg(long, requires = "spawn")]
    pub(crate) shards: Option<u32>,
}

/// What servers that are not ours need.
#[derive(Debug, Args)]
#[command(next_help_heading = "Servers of others")]
pub(crate) struct PeerArgs {
    /// pusher: the app's id.
    #[arg(long, required_if_eq("target", "pusher"), value_name = "ID")]
    app_id: Option<String>,
    /// pusher: the app's key.
    #[arg(long, required_if_eq("target", "pusher"), value_name = "KEY")]
    app_key: Option<String>,
    /// pusher: the app's secret, which signs publishes.
    #[arg(
        long,
        env = "STENTOR_BENCH_APP_SECRET",
        hide_env_values = true,
        required_if_eq("target", "pusher"),
        value_name = "SECRET"
    )]
    app_secret: Option<String>,
    /// socketio: the event that subscribes, with the channel; the server has to acknowledge it [subscribe].
    #[arg(long, value_name = "EVENT")]
    subscribe_event: Option<String>,
    /// socketio: the event that publishes, with the channel and the payload [publish].
    #[arg(long, value_name = "EVENT")]
    publish_event: Option<String>,
    /// raw: what a connection says to hear `{channel}`.
    #[arg(long, value_name = "TEXT")]
    subscribe: Option<String>,
    /// raw: a part of the message that confirms it [nobody does: the load begins a second later].
    #[arg(long, value_name = "TEXT")]
    subscribed: Option<String>,
    /// raw: a publish with `{channel}` and `{payload}`: a message, or the body of a request.
    #[arg(long, required_if_eq("target", "raw"), value_name = "TEXT")]
    publish: Option<String>,
    /// raw: where bodies are posted to, with --via http.
    #[arg(long, value_name = "PATH")]
    publish_path: Option<String>,
}

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetKind {
    /// Stentor, in one of its dialects.
    Stentor,
    /// Anything that speaks Pusher's protocol 7: public channels, published over HTTP.
    Pusher,
    /// A server of Socket.IO 4 with events that subscribe and publish.
    Socketio,
    /// A server that takes and sends texts on a WebSocket.
    Raw,
    /// NATS over TCP, without headers.
    Nats,
    /// An MQTT 3.1.1 broker over TCP, at QoS 0.
    Mqtt,
    /// Redis over TCP: PUBLISH and SUBSCRIBE.
    Redis,
}

impl TargetArgs {
    /// What connections speak.
    pub(crate) fn dialect(&self) -> Result<Dialect, Failure> {
        self.peer.check(self.target)?;
        if self.target != TargetKind::Stentor && self.spawn {
            let what =
                "--spawn starts a server of ours: start yours, and give --url and --server-pid";
            return Err(Failure::Usage(what.to_owned()));
        }
        if self.target != TargetKind::Stentor && self.dialect != Dialect::Cohesivity {
            return Err(Failure::Usage("--dialect is for --target stentor".to_owned()));
        }
        Ok(match self.target {
            TargetKind::Stentor => self.dialect,
            TargetKind::Pusher => Dialect::Pusher,
            TargetKind::Socketio => Dialect::SocketIo,
            TargetKind::Raw => Dialect::Raw,
            TargetKind::Nats => Dialect::Native(Protocol::Nats),
            TargetKind::Mqtt => Dialect::Native(Protocol::Mqtt),
            TargetKind::Redis => Dialect::Native(Protocol::Redis),
        })
    }

    /// Whether nobody says when a subscription stands.
    pub(crate) fn is_silent(&self) -> bool {
        self.target == TargetKind::Raw && self.peer.subscribed.is_none()
    }

    /// How publishers publish if nothing is said about it.
    pub(crate) fn usual_via(&self) -> Via {
        match self.target {
            TargetKind::Stentor | TargetKind::Pusher | TargetKind::Redis => Via::Http,
            TargetKind::Raw if self.peer.publish_path.is_some() => Via::Http,
            TargetKind::Socketio | TargetKind::Raw | TargetKind::Nats | TargetKind::Mqtt => Via::Ws,
        }
    }

    /// Finds or starts the server, then pins the generator: a child would inherit its core.
    pub(crate) fn find(&self, load: &Load, own_exe: &Path) -> Result<Target, Failure> {
        let target = if self.spawn { self.spawned(own_exe)? } else { self.found(load)? };
        pin(self.own_core(0)?.as_slice())?;
        // Due times are kept to the microsecond. Where that may not be set, latency shows the lag.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1000));
        Ok(target)
    }

    /// Goes to the core of the nth generator, with a server that another process found.
    pub(crate) fn join(&self, nth: u32, mut at: Target) -> Result<Target, Failure> {
        at.peer = self.peer.peer(self.target, &self.url)?;
        pin(self.own_core(nth as usize)?.as_slice())?;
        // As above.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1000));
        Ok(at)
    }

    /// The core of the nth generator.
    fn own_core(&self, nth: usize) -> Result<Option<usize>, Failure> {
        let cores = self.client_cores.as_deref().map_or(Ok(Vec::new()), parse_cores)?;
        Ok(cores.get(nth % cores.len().max(1)).copied())
    }

    fn spawned(&self, own_exe: &Path) -> Result<Target, Failure> {
        let cores = self.server_cores.as_deref().map_or(Ok(Vec::new()), parse_cores)?;
        let default_shards = u32::try_from(cores.len().max(1)).unwrap_or(1);
        Target::spawn(own_exe, &cores, self.shards.unwrap_or(default_shards))
    }

    fn found(&self, load: &Load) -> Result<Target, Failure> {
        if self.key.is_none() && load.needs_application_key() {
            let what = "--key coh_app_… is needed to mint tokens and to publish (or use --spawn)";
            return Err(Failure::Usage(what.to_owned()));
        }
        let key = self.key.as_deref().unwrap_or_default();
        let mut target = Target::at(&self.url, key, self.server_pid)?;
        target.keys = Keys {
            project: self.project_key.clone(),
            api: self.api_key.clone(),
            anon: self.anon_key.clone(),
            jwt_secret: self.jwt_secret.clone(),
            app: self.peer.app_secret.clone(),
        };
        target.peer = self.peer.peer(self.target, &self.url)?;
        Ok(target)
    }
}

impl PeerArgs {
    /// Refuses what belongs to another server than the one that is measured.
    fn check(&self, kind: TargetKind) -> Result<(), Failure> {
        let given = [
            ("--app-id", TargetKind::Pusher, self.app_id.is_some()),
            ("--app-key", TargetKind::Pusher, self.app_key.is_some()),
            ("--subscribe-event", TargetKind::Socketio, self.subscribe_event.is_some()),
            ("--publish-event", TargetKind::Socketio, self.publish_event.is_some()),
            ("--subscribe", TargetKind::Raw, self.subscribe.is_some()),
            ("--subscribed", TargetKind::Raw, self.subscribed.is_some()),
            ("--publish", TargetKind::Raw, self.publish.is_some()),
            ("--publish-path", TargetKind::Raw, self.publish_path.is_some()),
        ];
        let foreign = given.into_iter().find(|(_, of, is_given)| *is_given && *of != kind);
        if let Some((option, of, _)) = foreign {
            let of = of.to_possible_value().map_or(String::new(), |it| it.get_name().to_owned());
            return Err(Failure::Usage(format!("{option} is for --target {of}")));
        }
        Ok(())
    }

    fn peer(&self, kind: TargetKind, url: &str) -> Result<Peer, Failure> {
        let or = |given: &Option<String>, usual: &str| given.as_deref().unwrap_or(usual).to_owned();
        Ok(match kind {
            TargetKind::Stentor => Peer::Ours,
            TargetKind::Pusher => {
                let id = or(&self.app_id, "");
                let is_word =
                    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
                let keys = PusherKeys::new(&or(&self.app_key, ""), &or(&self.app_secret, ""), None);
                match keys {
                    Ok(keys) if is_word && !id.is_empty() => Peer::Pusher(App { id, keys }),
                    Ok(_) => return Err(Failure::Usage(format!("not an app's id: {id}"))),
                    Err(why) => {
                        return Err(Failure::Usage(format!("--app-key, --app-secret: {why}")));
                    }
                }
            }
            TargetKind::Socketio => Peer::SocketIo {
                subscribe: or(&self.subscribe_event, "subscribe"),
                publish: or(&self.publish_event, "publish"),
            },
            TargetKind::Raw => Peer::Raw(self.templates(url)?),
            TargetKind::Nats => Peer::Native(Protocol::Nats),
            TargetKind::Mqtt => Peer::Native(Protocol::Mqtt),
            TargetKind::Redis => Peer::Native(Protocol::Redis),
        })
    }

    fn templates(&self, url: &str) -> Result<Templates, Failure> {
        let publish = self.publish.clone().unwrap_or_default();
        if !publish.contains("{payload}") {
            let what = format!("--publish has to say where the {{payload}} stands: {publish}");
            return Err(Failure::Usage(what));
        }
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
        Ok(Templates {
            path: path.to_owned(),
            subscribe: self.subscribe.clone(),
            subscribed: self.subscribed.clone(),
            publish,
            publish_path: self.publish_path.clone(),
        })
    }
}
