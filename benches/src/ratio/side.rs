//! One side of a ratio: a server process on its core, driven by the generator on the other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Bench;
use crate::Failure;
use crate::machine;

const START_TRIES: u32 = 1000;
const START_WAIT: Duration = Duration::from_millis(10);

/// A server process. It ends with this value.
pub(super) struct Side {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
    key: String,
    ready: Value,
}

/// What serves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Server<'a> {
    /// Stentor, with further options.
    Stentor(&'a [&'a str]),
    /// A floor.
    Floor(&'a str),
}

impl Side {
    /// Starts a server on its core and waits until it listens.
    pub(super) fn start(bench: &Bench, server: Server<'_>) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let ready = folder.path().join("ready.json");
        let log = fs::File::create(folder.path().join("log"))?;
        let mut command = match server {
            Server::Stentor(options) => {
                let mut command = Command::new(&bench.server);
                command.args(["serve", "--shards", "1", "--listen", "127.0.0.1:0"]);
                command
                    .args(["--log-level", "warn", "--print-secrets", "--ready-file"])
                    .arg(&ready)
                    .args(options);
                command
            }
            Server::Floor(service) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["floor", service]).arg(&ready);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = machine::pinned(bench.cores.server, || command.spawn())?;
        let (url, key, ready_value) = (String::new(), String::new(), Value::Null);
        let mut side = Self { child, folder, url, key, ready: ready_value };
        let ready = side.wait(&ready)?;
        let text = |pointer: &str| ready.pointer(pointer).and_then(Value::as_str);
        side.url = text("/ws").unwrap_or_default().to_owned();
        side.key = text("/tenants/0/application_key").unwrap_or_default().to_owned();
        side.ready = ready;
        Ok(side)
    }

    /// Drives the server, and returns the generator's report.
    pub(super) fn drive(&self, bench: &Bench, scenario: &[String]) -> Result<Value, Failure> {
        let report = self.folder.path().join("report.json");
        let mut command = self.generator(bench, scenario)?;
        let output = command.arg("--json").arg(&report).stdin(Stdio::null()).output()?;
        let result = read(&report);
        let wrong = output.status.code().is_none_or(|code| code != 0 && code != SATURATED);
        match result {
            Some(result) if !wrong => Ok(result),
            Some(_) | None => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned()
                    + &String::from_utf8_lossy(&output.stdout);
                Err(format!("the generator failed ({}): {said}\n{}", output.status, self.log())
                    .into())
            }
        }
    }

    /// Drives the server beside everything that follows, until the value that is returned goes.
    pub(super) fn begin(&self, bench: &Bench, scenario: &[String]) -> Result<Beside, Failure> {
        let mut command = self.generator(bench, scenario)?;
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Beside(quiet.spawn()?))
    }

    fn generator(&self, bench: &Bench, scenario: &[String]) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("generate").args(scenario).args(["--no-progress", "--url", &self.url]);
        command.args(["--key", &self.key, "--server-pid", &self.pid().to_string()]);
        command.args(["--client-core", &bench.cores.generator.to_string()]);
        // What no dialect of the scenario asks for is not looked at.
        command.env("STENTOR_BENCH_API_KEY", self.key("api_key"));
        command.env("STENTOR_BENCH_JWT_SECRET", self.key("jwt_secret"));
        Ok(command)
    }

    /// A key of its tenant, as the ready file names it.
    pub(super) fn key(&self, kind: &str) -> String {
        let key = self.ready.pointer(&format!("/tenants/0/{kind}")).and_then(Value::as_str);
        key.unwrap_or_default().to_owned()
    }

    /// Where it is asked over HTTP.
    pub(super) fn http(&self) -> String {
        let url = self.ready.get("http").and_then(Value::as_str);
        url.unwrap_or_default().to_owned()
    }

    /// The server's process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait(&mut self, ready: &Path) -> Result<Value, Failure> {
        for _ in 0..START_TRIES {
            if let Some(value) = read(&ready.to_path_buf()) {
                return Ok(value);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended ({status}):\n{}", self.log()).into());
            }
            machine::pause(START_WAIT);
        }
        Err(io::Error::other("the server was not ready in 10 s").into())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// A generator at work.
pub(super) struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The generator's code for a run in which it was itself at its limit: the server's CPU still counts.
const SATURATED: i32 = 3;

impl Drop for Side {
    fn drop(&mut self) {
        // An error here means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A number of a report.
pub(super) fn number(report: &Value, pointer: &str) -> Result<f64, Failure> {
    let found = report.pointer(pointer).and_then(Value::as_f64);
    found.ok_or_else(|| format!("the report has no {pointer}").into())
}

fn read(path: &PathBuf) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}
