//! `stentor serve`: from the configuration to a node that listens, and from a signal to its end.

use std::io::{IsTerminal as _, stdout};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use engine::config::{Config, Secrets, Tenant, provision};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::banner::{self, Facts};
use super::exit::{Failure, Status, cannot_listen};
use super::host::{self, Host};
use super::{command, doctor, load, logs, print, ready, secrets};

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
    let (tenants, _) = provision(&config)?;
    // Before the node starts: a signal that comes early must not be lost.
    let signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|cause| Failure::new(Status::Internal, format!("wait for signals: {cause}")))?;
    let node = Node::start(&config, &tenants, &host)?;
    let facts = Facts {
        local: node.local,
        config: &config,
        host: &host,
        shards: node.shards,
        tenants: &tenants,
        secrets: if stdout().is_terminal() { Secrets::Shown } else { secrets(matches) },
    };
    print(&banner::text(&facts)?)?;
    if let Some(path) = matches.get_one::<PathBuf>(command::READY_FILE) {
        ready::write(path, node.local, &config, &tenants)?;
    }
    tracing::info!(listen = %node.local, shards = node.shards, "node listens");
    until_told(signals, &node, Duration::from_millis(config.server.drain_deadline_ms));
    Ok(())
}

/// The first signal drains, the second does not wait.
fn until_told(mut signals: Signals, node: &Node, deadline: Duration) {
    let mut deadlines = [deadline, Duration::ZERO].into_iter();
    for signal in &mut signals {
        let Some(deadline) = deadlines.next() else { return };
        tracing::info!(signal, deadline_s = deadline.as_secs_f64(), "node stops");
        if node.stop(deadline) == Stopped::Entirely {
            return;
        }
    }
}

/// The seam to the engine: `engine::node::Node` takes the place of this type.
struct Node {
    local: SocketAddr,
    shards: usize,
    _listener: TcpListener,
}

#[derive(PartialEq)]
enum Stopped {
    Entirely,
}

impl Node {
    fn start(config: &Config, _tenants: &[Tenant], host: &Host) -> Result<Self, Failure> {
        let wanted = config.server.listen;
        let listener = TcpListener::bind(wanted).map_err(|cause| cannot_listen(wanted, &cause))?;
        let local = listener.local_addr().map_err(|cause| cannot_listen(wanted, &cause))?;
        let shards = match config.server.shards {
            0 => host.cores,
            asked => asked,
        };
        Ok(Self { local, shards, _listener: listener })
    }

    fn stop(&self, _deadline: Duration) -> Stopped {
        Stopped::Entirely
    }
}
