//! The options of presence, resume, churn and storm, and what they come to.

use super::args::{FleetArgs, RunArgs, Via};
use super::plan::{self, PAYLOAD_BYTES_MAX, at_least_one, plan, seconds};
use crate::client::dialect::Dialect;
use crate::client::stamp::PAYLOAD_BYTES_MIN;
use crate::crowd::churn::Churn;
use crate::crowd::presence::Presence;
use crate::crowd::resume::Resume;
use crate::crowd::storm::Storm;
use crate::crowd::{Company, Scene, play};
use crate::failure::Failure;
use crate::pace::{Pace, Pacer};
use crate::record::check::Layout;
use crate::report::progress::Watch;
use crate::scenario::load::{DoneWhen, Load, OPEN_ENDED_NS, Part, Wire};
use crate::scenario::{Plan, Users};
use crate::server::Target;
use clap::Args;
use protocol::Keep;

/// Places for connections at most: what the numbers of events have room for.
const PLACES_MAX: u64 = 1 << 20;
/// Seconds that a connection may take to get in before its place is missed.
const ENTERING_S: u64 = 3;

#[derive(Debug, Args)]
pub(crate) struct PresenceArgs {
    /// Residents, spread evenly over the channels; each is a user of its own.
    #[arg(long, default_value_t = 50)]
    residents: u32,
    /// Visitors a second.
    #[arg(long, default_value_t = 20, value_name = "PER_SECOND")]
    rate: u32,
    /// Seconds that a visitor stays.
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    hold: f64,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Connections that subscribe, spread evenly over the channels.
    #[arg(long, default_value_t = 100)]
    subscribers: u32,
    /// Seconds in which each subscriber is cut once.
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    cut_every: f64,
    /// Seconds that a subscriber stays away.
    #[arg(long, default_value_t = 0.5, value_name = "SECONDS")]
    away: f64,
    #[command(flatten)]
    feed: FeedArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ChurnArgs {
    /// Connections a second.
    #[arg(long, default_value_t = 100, value_name = "PER_SECOND")]
    rate: u32,
    /// Seconds that a connection stays.
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    hold: f64,
    #[command(flatten)]
    feed: FeedArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StormArgs {
    /// Connections that are cut, spread evenly over the channels.
    #[arg(long, default_value_t = 1000)]
    subscribers: u32,
    /// How often.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    #[command(flatten)]
    feed: FeedArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// What is published meanwhile, so that everybody has something to miss.
#[derive(Debug, Args)]
pub(crate) struct FeedArgs {
    /// Messages a second, over all channels.
    #[arg(long, default_value_t = 50, value_name = "PER_SECOND")]
    publish_rate: u32,
    /// How they are published [http; --target socketio and raw: ws].
    #[arg(long, value_enum)]
    via: Option<Via>,
    /// Bytes of the JSON value published as `data`.
    #[arg(long, default_value_t = 128, value_name = "BYTES")]
    payload: usize,
}

/// What all of them take.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// Channels.
    #[arg(long, default_value_t = 1)]
    channels: u32,
    /// Seconds before the measured window (checked, not measured) [storm: none].
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    warmup: f64,
    /// Seconds of the measured window [storm: as long as the rounds take].
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    duration: f64,
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// A scenario that was chosen.
pub(crate) enum Comings {
    Presence(PresenceArgs),
    Resume(ResumeArgs),
    Churn(ChurnArgs),
    Storm(StormArgs),
}

impl Comings {
    /// What all of them take.
    pub(crate) fn common(&self) -> &CommonArgs {
        match self {
            Self::Presence(args) => &args.common,
            Self::Resume(args) => &args.common,
            Self::Churn(args) => &args.common,
            Self::Storm(args) => &args.common,
        }
    }

    /// What to measure.
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        let common = self.common();
        at_least_one("--channels", common.channels)?;
        let plan = match self {
            Self::Presence(args) => args.plan(),
            Self::Resume(args) => args.plan(),
            Self::Churn(args) => args.plan(),
            Self::Storm(args) => args.plan(),
        }?;
        plan::shared(&common.fleet, &plan)?;
        Ok(Plan { generators: common.fleet.generators, ..plan })
    }

    /// What several generators share, by option: each takes a part.
    fn shared(&mut self) -> Vec<(&'static str, &mut u32)> {
        let (mut all, feed, common) = match self {
            Self::Presence(PresenceArgs { residents, rate, common, .. }) => {
                (vec![("--residents", residents), ("--rate", rate)], None, common)
            }
            Self::Resume(ResumeArgs { subscribers, feed, common, .. })
            | Self::Storm(StormArgs { subscribers, feed, common, .. }) => {
                (vec![("--subscribers", subscribers)], Some(feed), common)
            }
            Self::Churn(ChurnArgs { rate, feed, common, .. }) => {
                (vec![("--rate", rate)], Some(feed), common)
            }
        };
        all.extend(feed.map(|feed| ("--publish-rate", &mut feed.publish_rate)));
        all.push(("--channels", &mut common.channels));
        all
    }

    /// Refuses what is too little for all generators to have a part of.
    pub(crate) fn check_shares(&mut self) -> Result<(), Failure> {
        let generators = self.common().fleet.generators;
        match self.shared().into_iter().find(|(_, count)| **count < generators) {
            None => Ok(()),
            Some((option, count)) => Err(Failure::Usage(format!(
                "{option} {count} is too little for {generators} generators: each takes a part of everything, and has \
                 channels of its own, as it knows what it published"
            ))),
        }
    }

    /// Makes it the part of one of several generators.
    pub(crate) fn take(&mut self, part: Part) {
        self.shared().into_iter().for_each(|(_, count)| *count = part.share(*count));
    }

    /// Connections that are open at one time, at most.
    pub(crate) fn descriptors(&self, plan: &Plan) -> u64 {
        let all = plan.load.connections() as u64;
        match self {
            Self::Presence(args) => {
                let hold_s = seconds("--hold", args.hold).unwrap_or(0).div_ceil(1_000_000_000);
                let inside = u64::from(args.rate).saturating_mul(hold_s + ENTERING_S);
                all.min(u64::from(args.residents).saturating_add(inside))
            }
            Self::Resume(_) | Self::Churn(_) | Self::Storm(_) => all,
        }
    }

    /// Plays it.
    pub(crate) fn play(
        &self,
        plan: Plan,
        (at, watch, company): (&Target, &mut Watch, Option<Company>),
    ) -> Result<Scene, Failure> {
        let load = &plan.load;
        let (subscribers, channels) = (load.subscribers as usize, load.layout.channels as usize);
        match self {
            Self::Presence(args) => {
                let hold_ns = seconds("--hold", args.hold)?;
                let residents = args.residents as usize;
                let visits = subscribers - residents;
                play(plan, residents, (at, watch, company), |times| {
                    Presence::new((residents, channels), (args.rate.into(), hold_ns), times, visits)
                })
            }
            Self::Resume(args) => {
                let every_ns = seconds("--cut-every", args.cut_every)?;
                let away_ns = seconds("--away", args.away)?;
                play(plan, subscribers, (at, watch, company), |times| {
                    Resume::new(subscribers, (every_ns, away_ns), times)
                })
            }
            Self::Churn(args) => {
                let hold_ns = seconds("--hold", args.hold)?;
                play(plan, 0, (at, watch, company), |times| {
                    Churn::new(args.rate.into(), hold_ns, times, subscribers)
                })
            }
            Self::Storm(args) => play(plan, subscribers, (at, watch, company), |_| {
                Storm::new(args.rounds, subscribers)
            }),
        }
    }

    /// The title of a report.
    pub(crate) fn title(&self, plan: &Plan) -> String {
        let load = &plan.load;
        let on = format!("{} channels, {}", load.layout.channels, load.dialect.name());
        match self {
            Self::Presence(args) => {
                format!("{} residents, {} visitors a second on {on}", args.residents, args.rate)
            }
            Self::Resume(args) => format!(
                "{} subscribers, each cut every {} s for {} s, on {on}",
                args.subscribers, args.cut_every, args.away
            ),
            Self::Churn(args) => {
                format!("{} connections a second, for {} s each, on {on}", args.rate, args.hold)
            }
            Self::Storm(args) => {
                format!("{} subscribers, {} rounds, on {on}", args.subscribers, args.rounds)
            }
        }
    }

    /// What is in the settings besides the load.
    pub(crate) fn settings(&self) -> serde_json::Value {
        use serde_json::json;
        match self {
            Self::Presence(args) => {
                json!({ "residents": args.residents, "visitors": args.rate, "hold": args.hold })
            }
            Self::Resume(args) => json!({ "cut_every": args.cut_every, "away": args.away }),
            Self::Churn(args) => json!({ "connections": args.rate, "hold": args.hold }),
            Self::Storm(args) => json!({ "rounds": args.rounds }),
        }
    }
}

impl PresenceArgs {
    fn plan(&self) -> Result<Plan, Failure> {
        at_least_one("--residents", self.residents)?;
        let dialect = self.common.run.target.dialect()?;
        if dialect != Dialect::Cohesivity {
            let what = "presence speaks Cohesivity's dialect: leave --target and --dialect out";
            return Err(Failure::Usage(what.to_owned()));
        }
        let load = self.common.load(None)?;
        let per_second = rate("--rate", self.rate)?;
        seconds("--hold", self.hold)?;
        let end_ns = load.warmup_ns + load.duration_ns;
        let pacer = Pacer::new(Pace::Open { per_second }, 0, end_ns);
        let visits = pacer.due_between(0, end_ns).unwrap_or(0);
        let subscribers = places(u64::from(self.residents) + visits)?;
        let plan = plan("presence", Load { subscribers, ..load }, &self.common.run.opening)?;
        Ok(Plan { users: Users::Distinct, ..plan })
    }
}

impl ResumeArgs {
    fn plan(&self) -> Result<Plan, Failure> {
        at_least_one("--subscribers", self.subscribers)?;
        let target = &self.common.run.target;
        if !target.dialect()?.is_ours() || target.dialect()? == Dialect::Insforge {
            let what = "resume speaks Infrai's dialect: leave --target and --dialect out";
            return Err(Failure::Usage(what.to_owned()));
        }
        if seconds("--cut-every", self.cut_every)? == 0 {
            return Err(Failure::Usage("--cut-every must be more than 0".to_owned()));
        }
        seconds("--away", self.away)?;
        let load = self.common.load(Some(&self.feed))?;
        if load.wire == Wire::WebSocket {
            return Err(Failure::Usage("resume publishes over HTTP: leave --via out".to_owned()));
        }
        let dialect = Dialect::Infrai;
        let load = Load { subscribers: self.subscribers, keep: Keep::Persist, dialect, ..load };
        plan("resume", load, &self.common.run.opening)
    }
}

impl ChurnArgs {
    fn plan(&self) -> Result<Plan, Failure> {
        let load = self.common.load(Some(&self.feed))?;
        let per_second = rate("--rate", self.rate)?;
        let hold_s = seconds("--hold", self.hold)?.div_ceil(1_000_000_000);
        let subscribers = places(per_second.saturating_mul(hold_s + ENTERING_S))?;
        plan("churn", Load { subscribers, ..load }, &self.common.run.opening)
    }
}

impl StormArgs {
    fn plan(&self) -> Result<Plan, Failure> {
        at_least_one("--subscribers", self.subscribers)?;
        at_least_one("--rounds", self.rounds)?;
        let load = self.common.load(Some(&self.feed))?;
        let subscribers = self.subscribers;
        let load = Load { subscribers, warmup_ns: 0, duration_ns: OPEN_ENDED_NS, ..load };
        plan("storm", load, &self.common.run.opening)
    }
}

impl CommonArgs {
    fn load(&self, feed: Option<&FeedArgs>) -> Result<Load, Failure> {
        let payload = feed.map_or(PAYLOAD_BYTES_MIN, |feed| feed.payload);
        if !(PAYLOAD_BYTES_MIN..=PAYLOAD_BYTES_MAX).contains(&payload) {
            let range = format!("{PAYLOAD_BYTES_MIN} to {PAYLOAD_BYTES_MAX}");
            return Err(Failure::Usage(format!("--payload must be {range}: {payload}")));
        }
        let dialect = self.run.target.dialect()?;
        if dialect.is_native() {
            let what = "--target nats, mqtt and redis are for fanout, soak, publish and connect";
            return Err(Failure::Usage(what.to_owned()));
        }
        if self.run.target.is_silent() {
            let what = "who comes and goes has to know when it is in: give --subscribed";
            return Err(Failure::Usage(what.to_owned()));
        }
        let via = feed.and_then(|feed| feed.via).unwrap_or_else(|| self.run.target.usual_via());
        let wire = match (via, feed) {
            (Via::Ws, Some(_)) => Wire::WebSocket,
            (Via::Http, _) | (_, None) => Wire::Http,
        };
        let per_second = feed.map_or(Ok(1), |feed| rate("--publish-rate", feed.publish_rate))?;
        let is_kept = dialect == Dialect::Insforge && wire == Wire::WebSocket;
        let is_pipelined = dialect.is_ours() || wire == Wire::WebSocket;
        Ok(Load {
            subscribers: 0,
            part: Part::ALL,
            layout: Layout { channels: self.channels, publishers: u32::from(feed.is_some()) },
            dialect,
            wire,
            pipeline: if is_pipelined { 16 } else { 1 },
            payload_bytes: payload,
            pace: Pace::Open { per_second },
            done_when: DoneWhen::Acknowledged,
            keep: if is_kept { Keep::Persist } else { Keep::Pass },
            warmup_ns: seconds("--warmup", self.warmup)?,
            duration_ns: seconds("--duration", self.duration)?,
        })
    }
}

fn rate(option: &str, per_second: u32) -> Result<u64, Failure> {
    if per_second == 0 || per_second > 1_000_000 {
        return Err(Failure::Usage(format!("{option} must be 1 to 1000000: {per_second}")));
    }
    Ok(per_second.into())
}

fn places(count: u64) -> Result<u32, Failure> {
    let places = u32::try_from(count).ok().filter(|_| count <= PLACES_MAX);
    places.ok_or_else(|| {
        let what = format!(
            "{count} connections are more than {PLACES_MAX}: take a lower rate, or less time"
        );
        Failure::Usage(what)
    })
}
