//! What is done to the node: one thing after the other, with some time between.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use loadtest::history::Event;
use rustix::process::Signal;
use serde_json::json;

use super::disk::Disk;
use super::http::Http;
use super::node::{Node, pause};
use super::tenant::{TENANTS, Tenant};
use super::trust::skipped;
use super::world::{Chance, World};

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    Stop,
    /// It is not scheduled for a while.
    Pause,
    /// Its disk stands still for a while.
    Freeze,
    /// It is killed while its disk stands still.
    KillFrozen,
}

/// What happens first, so that even a short run has all of it.
const FIRST: [Fault; 5] =
    [Fault::Freeze, Fault::Kill, Fault::Pause, Fault::Stop, Fault::KillFrozen];
/// What happens then.
const THEN: [Fault; 9] = [
    Fault::Kill,
    Fault::Kill,
    Fault::Kill,
    Fault::KillFrozen,
    Fault::Stop,
    Fault::Pause,
    Fault::Pause,
    Fault::Freeze,
    Fault::Freeze,
];

/// Small bounds, so that they are reached: of what waits for a connection, and of what is in memory of a channel.
const FLAGS: [&str; 14] = [
    "--config",
    "stentor.toml",
    "--shards",
    "2",
    "--drain-deadline-ms",
    "300",
    "--storage-segment-bytes",
    "4194304",
    "--limits-outbox-bytes-max",
    "65536",
    "--limits-outbox-age-ms-max",
    "1000",
    "--limits-tail-messages-max",
    "16",
];

pub(crate) struct Faults {
    folder: PathBuf,
    world: Arc<World>,
    chance: Chance,
    node: Option<Node>,
    count: usize,
    kills: u32,
    stops: u32,
    pauses: u32,
    freezes: u32,
    /// Dropped behind the node that writes to it.
    disk: Option<Disk>,
}

impl Faults {
    pub(crate) fn begin(folder: &Path, world: &Arc<World>, seed: u64) -> Self {
        let config: String = TENANTS.iter().map(Tenant::config).collect();
        std::fs::write(folder.join("stentor.toml"), config).unwrap();
        let disk = Disk::mount(folder);
        if disk.is_none() {
            skipped("frozen disk", "only root may mount one, with mkfs.ext4 and fsfreeze");
        }
        let (folder, world, chance) = (folder.to_path_buf(), Arc::clone(world), Chance::new(seed));
        let (count, kills, stops, pauses, freezes) = (0, 0, 0, 0, 0);
        Self { folder, world, chance, node: None, count, kills, stops, pauses, freezes, disk }
    }

    /// A node, whose tenants let InsForge's clients into the channels.
    pub(crate) fn set_up(&mut self) {
        let node = self.start();
        for tenant in &TENANTS {
            let (port, key) = (node.address().port(), tenant.api_key());
            let body = json!({"pattern": "chaos:%"}).to_string();
            let made = Http::once(port, "/api/realtime/channels", Some(&key), Some(&body));
            assert_eq!(made.unwrap().status, 201);
        }
        self.hand_over(node);
    }

    fn start(&self) -> Node {
        let place = self.disk.as_ref().map_or(self.folder.as_path(), |it| it.path());
        let data_dir = place.join("data");
        self.world.note(Event::Started);
        Node::start(
            &self.folder,
            &[&FLAGS[..], &["--data-dir", data_dir.to_str().unwrap()]].concat(),
        )
    }

    fn hand_over(&mut self, node: Node) {
        self.world.listen(node.address().port());
        self.node = Some(node);
    }

    /// Some time, then the next fault.
    pub(crate) fn next(&mut self) {
        pause(self.chance.between_ms(300, 900));
        let fault = FIRST.get(self.count).copied().unwrap_or_else(|| *self.chance.of(&THEN));
        self.count += 1;
        let Some(node) = self.node.take() else { return };
        match fault {
            Fault::Kill => self.kill(node),
            Fault::Stop => {
                self.stops += 1;
                self.world.listen(0);
                node.stop();
                let node = self.start();
                self.hand_over(node);
            }
            Fault::Pause => {
                self.pauses += 1;
                node.signal(Signal::STOP);
                pause(self.chance.between_ms(50, 500));
                node.signal(Signal::CONT);
                self.node = Some(node);
            }
            Fault::Freeze => {
                self.freeze();
                self.thaw();
                self.node = Some(node);
            }
            Fault::KillFrozen => {
                self.freeze();
                node.signal(Signal::KILL);
                self.thaw();
                self.kill(node);
            }
        }
    }

    fn kill(&mut self, node: Node) {
        self.kills += 1;
        self.world.listen(0);
        node.kill();
        let node = self.start();
        self.hand_over(node);
    }

    fn freeze(&mut self) {
        if let Some(disk) = &self.disk {
            self.freezes += u32::from(disk.freeze());
            pause(self.chance.between_ms(100, 700));
        }
    }

    fn thaw(&self) {
        if let Some(disk) = &self.disk {
            disk.thaw();
        }
    }

    /// The node ends well.
    pub(crate) fn end(&mut self) {
        self.world.listen(0);
        self.node.take().unwrap().stop();
        self.disk = None;
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, stops, pauses, freezes, .. } = self;
        write!(out, "\"kills\":{kills},\"stops\":{stops},\"pauses\":{pauses},\"freezes\":{freezes}")
    }
}
