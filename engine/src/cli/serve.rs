//! `stentor serve`: from the configuration to a node that listens, and from a signal to its end.

use std::io::{IsTerminal as _, stdout};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use clap::ArgMatches;
use engine::config::{Config, JournalKind, Provisioned, ReactorKind, Secrets, provision};
use engine::ids::TenantId;
use engine::layout::{Layout, LayoutError};
use engine::node::{Node, NodeOptions, StartError, WEBHOOKS, WebhookSettings};
use engine::operator::{Door, Roster, finish_removals};
use engine::reactor::{Clock, Reactor};
use engine::side::webhook::WebhookOptions;
use engine::side::{Authorities, KitOptions, SideOptions};
use engine::tenants::TenantSpec;
use protocol::ws::CloseCode;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use storage::{Catalog, JournalOptions, Keep, Retention};

use super::banner::{self, Facts};
use super::exit::{Failure, Status};
use super::host::{self, Host};
use super::{command, doctor, load, logs, print, ready, room, secrets};

/// Runs a node until it is told to stop.
pub(crate) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = load(matches)?.config;
    logs::start(&config.server);
    if let Err(cause) = host::raise_limits() {
        tracing::warn!(%cause, "limits stay as they are");
    }
    let host = Host::look();
    if let Some(failure) = doctor::failure(doctor::examine(&host, &config)) {
        return Err(failure);
    }
    let provisioned = provision(&config)?;
    // Before the node starts: a signal that comes early must not be lost.
    let signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|cause| Failure::new(Status::Internal, format!("wait for signals: {cause}")))?;
    let (options, kept) = options(&config, &provisioned, &host)?;
    let (catalog, roster) = kept.unzip();
    let mut node = Node::start(&options, catalog).map_err(|why| failure(&why))?;
    let link = node.take_link();
    let _door = match link.zip(roster) {
        Some((link, roster)) => Some(Door::open(&config.server.data_dir, link, roster)?),
        None => None,
    };
    let local = node.local_addr();
    let facts = Facts {
        local,
        config: &config,
        host: &host,
        shards: usize::from(options.shards),
        tenants: &provisioned.tenants,
        secrets: if stdout().is_terminal() { Secrets::Shown } else { secrets(matches) },
    };
    print(&banner::text(&facts)?)?;
    if let Some(path) = matches.get_one::<PathBuf>(command::READY_FILE) {
        ready::write(path, &facts, secrets(matches))?;
    }
    for (why, _) in room::doubts_of_memory(&host, &config) {
        tracing::warn!(why, memory = room::memory_text(&room::memory(&host, &config)));
    }
    tracing::info!(listen = %local, shards = options.shards, "node listens");
    until_told(signals, node, config.server.drain_deadline_ms)
}

/// The first signal drains, the second does not wait. A core that ends by itself ends the node.
fn until_told(signals: Signals, node: Node, deadline_ms: u64) -> Result<(), Failure> {
    let signals = told(signals)?;
    let mut deadlines = [deadline_ms, 0].into_iter();
    let mut pause = LOOK_AGAIN;
    while !node.is_over() {
        let signal = signals.recv_timeout(pause).ok();
        if let Some((signal, deadline_ms)) = signal.and_then(|it| Some((it, deadlines.next()?))) {
            tracing::info!(signal, deadline_ms, "node stops");
            node.drain(CloseCode::GoingAway, deadline_ms);
            pause = LOOK_SOON;
        }
        if pause != LOOK_SOON && node.has_ended() {
            node.drain(CloseCode::Internal, 0);
            pause = LOOK_SOON;
        }
    }
    node.join().map_err(|why| failure(&why))
}

/// The signals as they come, from a thread that sleeps until then.
fn told(mut signals: Signals) -> Result<mpsc::Receiver<i32>, Failure> {
    let (sender, receiver) = mpsc::channel();
    let work = move || signals.forever().all(|signal| sender.send(signal).is_ok());
    let thread = thread::Builder::new().name("signals".to_owned()).spawn(work);
    let failed = |cause| Failure::new(Status::Internal, format!("wait for signals: {cause}"));
    thread.map(|_| receiver).map_err(failed)
}

/// How soon it is noticed that a core ended by itself, and that all have ended which were told to. An idle node sleeps.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const LOOK_SOON: Duration = Duration::from_millis(20);

/// What the engine needs of the configuration.
fn options(
    config: &Config,
    provisioned: &Provisioned,
    host: &Host,
) -> Result<(NodeOptions, Option<(Catalog, Roster)>), Failure> {
    let cores = u16::try_from(host.cores).unwrap_or(u16::MAX);
    let asked = u16::try_from(config.server.shards).unwrap_or(u16::MAX);
    let (shards, tenants, kept) = if config.server.ephemeral {
        let shards = if asked == 0 { cores } else { asked };
        let tenants = provisioned.tenants.iter().zip(1..).map(|(it, id)| it.spec(TenantId(id)));
        (shards, tenants.collect(), None)
    } else {
        settle(config, provisioned, asked, cores)?
    };
    let limits = &config.limits;
    let seed = getrandom::u64().map_err(|cause| {
        Failure::new(Status::Internal, format!("no random numbers from the kernel: {cause}"))
    })?;
    let (kind, data_dir) = (journal_kind(config), &config.server.data_dir);
    let options = NodeOptions {
        listen: config.server.listen,
        shards,
        reactor: match config.server.reactor {
            ReactorKind::Glommio => Reactor::Glommio,
            ReactorKind::Standalone => Reactor::Standalone,
        },
        limits: limits.for_shard(),
        ring: limits.for_driver(usize::from(shards)),
        lane_capacity: limits.lane_capacity,
        inputs_per_turn_max: limits.inputs_per_turn_max,
        tenants,
        journal: kind,
        journal_dir: data_dir.join("journal"),
        journal_options: JournalOptions {
            segment_bytes: config.storage.segment_bytes as u64,
            ..JournalOptions::default()
        },
        retention: retention(config),
        keyed_max: limits.idempotency_keys_max,
        side: Some(SideOptions {
            kit: kit(config),
            authorities: authorities(config)?,
            limits: limits.for_side(),
            shards,
        }),
        webhooks: Some(WebhookSettings {
            options: webhooks(config, host, seed)?,
            dir: (!matches!(kind, storage::JournalKind::Memory)).then(|| data_dir.join(WEBHOOKS)),
        }),
        memory: Some(room::memory(host, config)),
        stream_part_bytes_max: limits.side_part_bytes_max(),
        seed,
        pepper: *provisioned.node_secret.reveal(),
    };
    Ok((options, kept))
}

fn webhooks(config: &Config, host: &Host, seed: u64) -> Result<WebhookOptions, Failure> {
    let mut options = config.webhooks.options(authorities(config)?, seed);
    let calls_max = room::webhook_calls_max(host, config, options.limits.calls_max);
    if calls_max < options.limits.calls_max {
        tracing::warn!(calls_max, "few descriptors: fewer deliveries of webhooks run at once");
        options.limits.calls_max = calls_max;
    }
    Ok(options)
}

/// Where RealtimeKit is, once everything that it takes is there.
fn kit(config: &Config) -> Option<KitOptions> {
    let kit = &config.realtimekit;
    Some(KitOptions {
        base_url: kit.base_url.as_str().to_owned(),
        account_id: kit.account_id.text()?.to_owned(),
        app_id: kit.app_id.text()?.to_owned(),
        api_token: kit.api_token.secret()?.clone(),
    })
}

/// Whose signatures the certificates of other servers may have, beside the system's authorities.
fn authorities(config: &Config) -> Result<Authorities, Failure> {
    let Some(path) = config.server.upstream_ca_file.path() else {
        return Ok(Authorities::default());
    };
    let text = std::fs::read(path).map_err(|cause| cause.to_string());
    text.and_then(|text| Authorities::parse(&text).map_err(str::to_owned)).map_err(|why| {
        let message = format!("server.upstream_ca_file: {}: {why}", path.display());
        Failure::new(Status::Configuration, message)
    })
}

fn journal_kind(config: &Config) -> storage::JournalKind {
    if config.server.ephemeral {
        return storage::JournalKind::Memory;
    }
    match config.storage.journal {
        JournalKind::Segment => storage::JournalKind::Segment,
        JournalKind::Sled => storage::JournalKind::Sled,
        JournalKind::Memory => storage::JournalKind::Memory,
    }
}

fn retention(config: &Config) -> Retention {
    let unbounded = |number: u64| if number == 0 { u64::MAX } else { number };
    let keep = Keep {
        age_ms_max: unbounded(config.storage.retention_age_s.saturating_mul(1000)),
        messages_max: unbounded(config.storage.retention_messages),
        bytes_max: u64::MAX,
    };
    Retention {
        keep: Arc::new(move |_| keep),
        bytes_max: unbounded(config.storage.retention_bytes),
        idle_ms_max: u64::MAX,
    }
}

/// Shards, tenants, and where both are kept.
type Settled = (u16, Vec<TenantSpec>, Option<(Catalog, Roster)>);

/// What the data directory says of shards and tenants.
fn settle(
    config: &Config,
    provisioned: &Provisioned,
    asked: u16,
    cores: u16,
) -> Result<Settled, Failure> {
    let now_ms = Clock::start().now().wall_ms;
    let wrong = |why: LayoutError| match why {
        LayoutError::Shards { .. } => Failure::new(Status::Configuration, why.to_string()),
        LayoutError::Open(_) | LayoutError::Catalog(_) => Failure::io(why.to_string()),
    };
    let mut layout = Layout::open(&config.server.data_dir, asked, cores, now_ms).map_err(wrong)?;
    let roster = Roster::load(config, provisioned, &mut layout, now_ms)?;
    finish_removals(config, &mut layout, now_ms)?;
    let (shards, tenants) = (layout.shards(), roster.specs(now_ms));
    Ok((shards, tenants, Some((layout.into_catalog(), roster))))
}

fn failure(why: &StartError) -> Failure {
    match why {
        StartError::Ring(why) => Failure::from(why),
        StartError::Journal(..) | StartError::Kept(_) => Failure::io(why.to_string()),
        StartError::Io(_) => Failure::new(Status::Internal, why.to_string()),
    }
}
