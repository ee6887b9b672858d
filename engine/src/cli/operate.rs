//! Asks of the operator's commands: of the server that runs on the data directory, or else of the directory itself.

use std::time::{SystemTime, UNIX_EPOCH};

use engine::config::{Config, provision};
use engine::layout::{Layout, LayoutError};
use engine::operator::{Roster, SOCKET, Stopped, ask_running};
use serde_json::Value;
use storage::OpenError;

use super::exit::{Failure, Status};

/// Has it done, and gives what came of it.
pub(crate) fn ask(config: &Config, ask: &Value) -> Result<Value, Failure> {
    let folder = &config.server.data_dir;
    if config.server.ephemeral {
        return Err(Failure::usage("an ephemeral node keeps nothing that a command could change"));
    }
    if let Some(result) = ask_running(folder, ask) {
        return Ok(result?);
    }
    let now_ms = now_ms()?;
    let provisioned = provision(config)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let narrow = |it: usize| u16::try_from(it).unwrap_or(u16::MAX);
    let layout = Layout::open(folder, narrow(config.server.shards), narrow(cores), now_ms);
    let mut layout = layout.map_err(|why| match why {
        LayoutError::Open(OpenError::Locked { .. }) => Failure::new(
            Status::Unavailable,
            format!(
                "{} is in use, but nobody answers at {}",
                folder.display(),
                folder.join(SOCKET).display()
            ),
        )
        .fix("the same command again, should the server be about to start or to end"),
        LayoutError::Shards { .. } => Failure::new(Status::Configuration, why.to_string()),
        LayoutError::Open(_) | LayoutError::Catalog(_) => Failure::io(why.to_string()),
    })?;
    let mut roster = Roster::load(config, &provisioned, &mut layout, now_ms)?;
    let mut world = Stopped::new(config, layout, now_ms);
    Ok(roster.perform(ask, &mut world, now_ms)?)
}

/// The time of the host.
#[expect(clippy::disallowed_methods, reason = "a command is no shard: its time enters here")]
pub(crate) fn now_ms() -> Result<u64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let wrong = |_| Failure::new(Status::Configuration, "the clock stands before 1970").fix("date");
    since.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)).map_err(wrong)
}
