//! A node that is to be overloaded: where it runs, who may speak to it, and what it takes of the machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, nice};
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};

use super::http::Http;
use super::kept::kept;
use super::node::{Node, tell};
use super::trust::{self, is_long};

/// The short number, or so much of the full one as is asked for.
pub(crate) fn scaled(short: usize, full: usize) -> usize {
    usize::try_from(trust::rounds(short as u64, full as u64)).unwrap().max(short)
}

/// The same as a time.
pub(crate) fn seconds(short: usize, full: usize) -> Duration {
    Duration::from_secs(scaled(short, full) as u64)
}

/// As many sockets as this process and the node may have each, with some to spare.
pub(crate) fn sockets_at_most(wanted: usize) -> usize {
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = usize::try_from(allowed).unwrap().saturating_sub(500);
    if room < wanted {
        tell(&format!("{room} sockets instead of {wanted}: a process may not open more"));
    }
    wanted.min(room)
}

/// Keeps this thread, and whatever it starts, on one processor.
fn keep_to(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).unwrap();
}

/// How much sooner than other work of the machine.
const FIRST: i32 = 10;

/// Has this thread, and whatever it starts, run before other work of the machine: that is not to be measured.
fn go_first() {
    let _ = nice(-FIRST); // only root may
}

/// Has this thread run as soon as it has something to do: however nice others are, their slices of milliseconds would be measured too.
pub(crate) fn go_at_once() {
    let thread = gettid().as_raw_nonzero().to_string();
    let asked = Command::new("chrt").args(["--fifo", "--pid", "1", &thread]).status();
    if !asked.is_ok_and(|it| it.success()) {
        tell(
            "times are those of a busy client too: only root, with `chrt`, may have a thread run at once",
        );
    }
}

/// Has this thread run where a node does for full numbers, and as soon.
pub(crate) fn as_a_node() {
    if let Some((first, _)) = cpus() {
        keep_to(first);
        go_first();
    }
}

/// Has this thread, and whatever it starts, run where everything but a node does for full numbers.
pub(crate) fn as_a_client() {
    if let Some((_, second)) = cpus() {
        keep_to(second);
    }
}

/// The first two processors that this process was given, for full numbers, and if there are two.
fn cpus() -> Option<(usize, usize)> {
    static CPUS: OnceLock<Option<(usize, usize)>> = OnceLock::new();
    let found = CPUS.get_or_init(|| {
        let allowed = sched_getaffinity(None).unwrap();
        let mut cpus = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        Some((cpus.next()?, cpus.next()?))
    });
    found.filter(|_| is_long())
}

/// A configuration with a tenant that speaks Cohesivity and Infrai.
pub(crate) fn tenant(name: &str, digit: char) -> String {
    let digits = digit.to_string().repeat(20);
    format!(
        "[[tenant]]\nname = \"{name}\"\n[tenant.cohesivity]\napplication_key = \"coh_app_{digits}\"\n\
         management_key = \"coh_man_{digits}\"\n[tenant.infrai]\nproject_key = \"ifr_pk_proj_{digits}\"\n"
    )
}

/// A node and its folder.
pub(crate) struct World {
    pub(crate) node: Node,
    /// Removed with the node.
    _folder: tempfile::TempDir,
}

impl World {
    /// A node of one shard with this configuration and these flags. For full numbers it has a processor of its own.
    pub(crate) fn start(config: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stentor.toml"), config).unwrap();
        let flags = [&["--config", "stentor.toml", "--shards", "1"], flags].concat();
        let node = Self::start_alone(folder.path(), &flags);
        Self { node, _folder: folder }
    }

    fn start_alone(folder: &Path, flags: &[&str]) -> Node {
        if cpus().is_none() {
            return Node::start(folder, flags);
        }
        as_a_node();
        let node = Node::start(folder, flags);
        let _ = nice(FIRST); // only root went first
        as_a_client();
        node
    }

    pub(crate) fn port(&self) -> u16 {
        self.node.address().port()
    }

    fn tenant(&self, name: &str) -> &Value {
        let all = self.node.ready()["tenants"].as_array().unwrap();
        all.iter().find(|it| it["name"] == name).unwrap()
    }

    /// The path of a socket that listens to a channel of a tenant in Cohesivity's words.
    pub(crate) fn socket(&self, tenant: &str, channel: &str) -> String {
        let key = self.tenant(tenant)["application_key"].as_str().unwrap();
        let path = format!("/edge/realtime/token?key={key}");
        let body = json!({"user_id": "somebody"}).to_string();
        let answer = Http::once(self.port(), &path, None, Some(&body)).unwrap().json();
        let token = answer["token"].as_str().unwrap();
        format!("/edge/realtime?channel={channel}&token={token}")
    }

    /// The path on which a tenant's server publishes, or reads with `/history` behind.
    pub(crate) fn keyed(&self, tenant: &str, path: &str) -> String {
        let key = self.tenant(tenant)["application_key"].as_str().unwrap();
        let join = if path.contains('?') { '&' } else { '?' };
        format!("/edge/realtime{path}{join}key={key}")
    }

    /// The path of a socket in Infrai's words.
    pub(crate) fn infrai_socket(&self, tenant: &str) -> String {
        let key = self.tenant(tenant)["project_key"].as_str().unwrap();
        let body = json!({
            "client_id": "somebody",
            "capabilities": ["subscribe", "publish", "history"],
        });
        let (path, body) = ("/v1/realtime/token/issue", body.to_string());
        let answer = Http::once(self.port(), path, Some(key), Some(&body)).unwrap().json();
        format!("/v1/realtime/ws?token={}", answer["data"]["token"].as_str().unwrap())
    }

    /// How many messages a channel keeps.
    pub(crate) fn kept(&self, tenant: &str, channel: &str) -> u64 {
        let key = self.tenant(tenant)["application_key"].as_str().unwrap();
        kept(self.port(), key, channel)
    }

    /// A line of what the kernel says about the node's memory, in bytes.
    fn memory(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.node.ready()["pid"]);
        let status = fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix(name)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    }

    /// Resident memory at its highest so far, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
        self.memory("VmHWM") >> 20
    }
}
