//! The cases of the Autobahn test suite against a node in this process whose echo is open: what reads, answers and sends is what
//! every client meets. `TRUST=1` adds the cases of group 9, which are large.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use engine::config::Config;
use engine::node::{Node, NodeOptions};
use engine::reactor::Reactor;
use protocol::ws::CloseCode;
use serde_json::Value;

use super::inside;
use super::node::run_within;
use super::tools::target;
use super::trust::{figures, is_long};

/// Cases of group 9 have 16 MiB, and pieces of 64 bytes.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// A node with an echo.
struct Echo(Option<Node>);

impl Echo {
    fn start() -> Self {
        let mut limits = Config::default().limits;
        limits.outbox_bytes_max = 4 * MESSAGE_BYTES_MAX;
        limits.outbox_age_ms_max = 60_000;
        limits.body_timeout_ms = 60_000;
        let mut options = NodeOptions { reactor: Reactor::Glommio, ..inside::options(&limits) };
        options.limits.echo = Some(Box::new(protocol::Limits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            fragments_max: MESSAGE_BYTES_MAX / 64,
            ..protocol::Limits::default()
        }));
        Self(Some(Node::start(&options, None).unwrap()))
    }

    fn url(&self) -> String {
        format!("ws://{}/echo", self.0.as_ref().unwrap().local_addr())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let node = self.0.take().unwrap();
        node.drain(CloseCode::GoingAway, 0);
        let ended = node.join();
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

/// Runs groups of cases. Returns each case with what came of it, and of its close.
fn run(groups: &[&str], patience: Duration) -> BTreeMap<String, (String, String)> {
    let suite = target().join("kosoku-venv/bin/kosoku");
    assert!(suite.is_file(), "{} is missing: cargo xtask test installs it", suite.display());
    let folder = tempfile::tempdir().unwrap();
    let echo = Echo::start();
    let mut command = Command::new(suite);
    command.args(["-m", "fuzzingclient", &echo.url(), "-p", "8", "-o"]).arg(folder.path());
    for group in groups {
        command.args(["-i", &format!("{group}.*")]);
    }
    let (status, out, error) = run_within(&mut command, patience);
    let index = folder.path().join("index.json");
    let told = std::fs::read_to_string(&index).unwrap_or_default();
    assert!(status.success(), "{out}{error}\n{told}");
    read(&index)
}

fn read(index: &Path) -> BTreeMap<String, (String, String)> {
    let index: Value = serde_json::from_slice(&std::fs::read(index).unwrap()).unwrap();
    let agents = index.as_object().unwrap().values();
    let cases = agents.flat_map(|it| it.as_object().unwrap());
    let text = |case: &Value, key: &str| case[key].as_str().unwrap().to_owned();
    let read = |(id, case): (&String, &Value)| {
        (id.clone(), (text(case, "behavior"), text(case, "behaviorClose")))
    };
    cases.map(read).collect()
}

#[test]
fn every_case_of_autobahn_passes() {
    let is_long = is_long();
    let groups = ["1", "2", "3", "4", "5", "6", "7", "10", "9"];
    let groups = if is_long { &groups[..] } else { &groups[..8] };
    let patience = Duration::from_secs(if is_long { 1200 } else { 60 });
    let cases = run(groups, patience);
    // As many as the suite has in these groups.
    assert_eq!(cases.len(), if is_long { 301 } else { 247 }, "{:?}", cases.keys());
    let judged = |verdict: &str| {
        let of = cases.iter().filter(|(_, it)| it.0 == verdict);
        of.map(|(id, _)| id.as_str()).collect::<Vec<_>>()
    };
    // What a peer does in these is its own affair.
    let free = judged("INFORMATIONAL");
    assert_eq!(free, ["7.1.6", "7.13.1", "7.13.2"]);
    let exact = judged("OK").len();
    assert_eq!(exact + free.len(), cases.len(), "passed, but not to the letter: {cases:?}");
    let total = cases.len();
    let told = format!(r#""cases":{total},"exact":{exact},"free":{free:?}"#);
    figures("cases of Autobahn", &told);
}
