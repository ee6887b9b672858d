//! A real HTTP server behind the node: a script that node runs, told over HTTP what to do.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::node::{Node, pause, run, scripts};
use super::tools::curl;

/// What must never be seen by anyone.
pub(crate) const CANARY: &str = "canary_5b1f0c9e";

/// The server.
pub(crate) struct Upstream {
    child: Child,
    port: String,
    scheme: &'static str,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        Self::run("http", Command::new("node"))
    }

    /// One that speaks https, with a certificate of the authority that [`authority`] made in the folder.
    pub(crate) fn start_secure(folder: &Path) -> Self {
        let mut command = Command::new("node");
        command.env("UPSTREAM_TLS", folder);
        Self::run("https", command)
    }

    fn run(scheme: &'static str, mut command: Command) -> Self {
        command.arg(scripts().join("upstream.mjs")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node is missing: sudo apt-get install nodejs");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().to_owned(), scheme }
    }

    /// Its address.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
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
        assert_eq!(curl(&["--insecure", &self.url("/_go")]).status, 200);
    }

    /// What it has seen.
    pub(crate) fn told(&self, what: &str) -> u64 {
        let told: Value = curl(&["--insecure", &self.url("/_told")]).json();
        told[what].as_u64().unwrap()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Value {
        curl(&["--insecure", &self.url("/_last")]).json()
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

/// Makes an authority in a folder, `ca.pem`, and with it the certificate of a server at 127.0.0.1.
pub(crate) fn authority(folder: &Path) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.current_dir(folder).args(["req", "-x509"]).args(key).args(arguments);
        let (status, _, error) = run(&mut command);
        assert!(status.success(), "openssl is missing, or says: {error}");
    };
    openssl(&["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"]);
    let of_a_server =
        ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
    let signed =
        ["-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "server.key", "-out", "server.pem"];
    openssl(&[&["-subj", "/CN=server"][..], &of_a_server, &signed].concat());
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait(); // so that no zombie is left
    }
}
