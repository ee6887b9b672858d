//! A real HTTP server behind the node: a script that node runs, told over HTTP what to do.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::node::{Node, pause, scripts};
use super::tools::curl;

/// What must never be seen by anyone.
pub(crate) const CANARY: &str = "canary_5b1f0c9e";

/// The server.
pub(crate) struct Upstream {
    child: Child,
    port: String,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let mut command = Command::new("node");
        command.arg(scripts().join("upstream.mjs")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node is missing: sudo apt-get install nodejs");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().to_owned() }
    }

    /// Its address.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A node that has it as RealtimeKit.
    pub(crate) fn node(&self, more: &[&str]) -> Node {
        let base_url = self.url("/v4");
        let kit = ["base-url", "account-id", "app-id", "api-token"]
            .map(|it| format!("--realtimekit-{it}"));
        let values = [&base_url, "acc", "app", CANARY];
        let mut arguments = vec!["--ephemeral"];
        if !more.contains(&"--shards") {
            arguments.extend(["--shards", "2"]);
        }
        for (flag, value) in kit.iter().zip(values) {
            arguments.extend([flag.as_str(), value]);
        }
        arguments.extend(more);
        Node::with(&arguments)
    }

    /// Lets held answers go on.
    pub(crate) fn go(&self) {
        assert_eq!(curl(&[&self.url("/_go")]).status, 200);
    }

    /// What it has seen.
    pub(crate) fn told(&self, what: &str) -> u64 {
        let told: Value = curl(&[&self.url("/_told")]).json();
        told[what].as_u64().unwrap()
    }

    /// Waits until it has seen something.
    pub(crate) fn wait_until(&self, what: &str, is_enough: impl Fn(u64) -> bool) {
        for _ in 0..400 {
            if is_enough(self.told(what)) {
                return;
            }
            pause(std::time::Duration::from_millis(10));
        }
        panic!("{what} stays {}", self.told(what));
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait(); // so that no zombie is left
    }
}
