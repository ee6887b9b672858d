//! One side of a ratio: a server process on its core, driven by the generator on the other.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Bench;
use crate::Failure;
use crate::machine;

const READY: &str = "ready.json";
const START_TRIES: u32 = 1000;
const START_WAIT: Duration = Duration::from_millis(10);
const CONNECT_TRIES: u32 = 300;
const CONNECT_WAIT: Duration = Duration::from_millis(100);
/// After the last of many is connected.
const SUBSCRIBE_TIME: Duration = Duration::from_secs(1);

/// A server process. It ends with this value.
pub(crate) struct Side {
    child: Child,
    folder: tempfile::TempDir,
    url: String,
    key: String,
    ready: Value,
}

/// What serves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Server<'a> {
    /// Stentor with one shard, and further options.
    Stentor(&'a [&'a str]),
    /// Stentor with so many shards on as many cores as there are.
    Shards(&'a str, &'a [&'a str]),
    /// A floor.
    Floor(&'a str),
}

impl Side {
    /// Starts a server on its core and waits until it listens.
    pub(crate) fn start(bench: &Bench, server: Server<'_>) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let ready = folder.path().join(READY);
        let stentor = |shards: &str, options: &[&str]| {
            let mut command = Command::new(&bench.server);
            command.args(["serve", "--shards", shards, "--listen", "127.0.0.1:0"]);
            command.args(["--log-level", "warn", "--print-secrets", "--ready-file"]).arg(&ready);
            command.args(options);
            command
        };
        let command = match server {
            Server::Stentor(options) => stentor("1", options),
            Server::Shards(shards, options) => {
                return Self::launch(stentor(shards, options), folder, None)?.ready();
            }
            Server::Floor(service) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["floor", service]).arg(&ready);
                command
            }
        };
        Self::launch(command, folder, Some(bench.cores.server))?.ready()
    }

    /// Starts a command on the server's core; it writes a ready file as a node does.
    pub(crate) fn start_command(
        bench: &Bench,
        command: Command,
        folder: tempfile::TempDir,
    ) -> Result<Self, Failure> {
        Self::launch(command, folder, Some(bench.cores.server))?.ready()
    }

    /// Starts a command on the server's core; it is ready when it accepts a connection on this port.
    pub(crate) fn start_at(
        bench: &Bench,
        command: Command,
        folder: tempfile::TempDir,
        (port, path): (u16, &str),
    ) -> Result<Self, Failure> {
        let mut side = Self::launch(command, folder, Some(bench.cores.server))?;
        side.wait(|| TcpStream::connect(("127.0.0.1", port)).ok())?;
        side.url = format!("ws://127.0.0.1:{port}{path}");
        Ok(side)
    }

    fn launch(
        mut command: Command,
        folder: tempfile::TempDir,
        core: Option<usize>,
    ) -> Result<Self, Failure> {
        let log = fs::File::create(folder.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = match core {
            Some(core) => machine::pinned(core, || command.spawn())?,
            None => command.spawn()?,
        };
        let (url, key, ready) = (String::new(), String::new(), Value::Null);
        Ok(Self { child, folder, url, key, ready })
    }

    fn ready(mut self) -> Result<Self, Failure> {
        let file = self.folder.path().join(READY);
        let ready = self.wait(|| read(&file))?;
        let text = |pointer: &str| ready.pointer(pointer).and_then(Value::as_str);
        self.url = text("/ws").unwrap_or_default().to_owned();
        self.key = text("/tenants/0/application_key").unwrap_or_default().to_owned();
        self.ready = ready;
        Ok(self)
    }

    /// The same server, asked with a key that it does not look at.
    pub(crate) fn with_any_key(mut self) -> Self {
        self.key = "coh_app_any".to_owned();
        self
    }

    /// Drives the server, and returns the generator's report.
    pub(crate) fn drive(&self, bench: &Bench, scenario: &[String]) -> Result<Value, Failure> {
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

    /// Connects so many subscribers, and keeps them beside everything that follows, until the value that is returned goes.
    pub(crate) fn hold(
        &self,
        bench: &Bench,
        scenario: &[String],
        count: u32,
    ) -> Result<Held, Failure> {
        let mut command = self.generator(bench, scenario)?;
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut held = Held(quiet.spawn()?);
        let port = port(&self.url).ok_or_else(|| format!("{} has no port", self.url))?;
        for _ in 0..CONNECT_TRIES {
            held.is_there()?;
            if connected_to(port)? >= count {
                // The last of them have not subscribed yet.
                machine::pause(SUBSCRIBE_TIME);
                return Ok(held);
            }
            machine::pause(CONNECT_WAIT);
        }
        Err(format!("{count} subscribers were not connected in 30 s:\n{}", self.log()).into())
    }

    fn generator(&self, bench: &Bench, scenario: &[String]) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("generate").args(scenario).args(["--no-progress", "--url", &self.url]);
        command.args(["--server-pid", &self.pid().to_string()]);
        if !self.key.is_empty() {
            command.args(["--key", &self.key]);
        }
        command.args(["--client-core", &bench.cores.generator.to_string()]);
        // What no dialect of the scenario asks for is not looked at.
        command.env("STENTOR_BENCH_API_KEY", self.key("api_key"));
        command.env("STENTOR_BENCH_JWT_SECRET", self.key("jwt_secret"));
        Ok(command)
    }

    /// A key of its tenant, as the ready file names it.
    pub(crate) fn key(&self, kind: &str) -> String {
        let key = self.ready.pointer(&format!("/tenants/0/{kind}")).and_then(Value::as_str);
        key.unwrap_or_default().to_owned()
    }

    /// Where it is asked over HTTP.
    pub(crate) fn http(&self) -> String {
        let url = self.ready.get("http").and_then(Value::as_str);
        url.unwrap_or_default().to_owned()
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until there is what is looked for.
    fn wait<T>(&mut self, look: impl Fn() -> Option<T>) -> Result<T, Failure> {
        for _ in 0..START_TRIES {
            if let Some(found) = look() {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended ({status}):\n{}", self.log()).into());
            }
            machine::pause(START_WAIT);
        }
        Err(format!("the server was not ready in 10 s:\n{}", self.log()).into())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// A generator that holds its connections.
pub(crate) struct Held(Child);

impl Held {
    /// Lets them go; an error if they went before.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        self.is_there()
    }

    fn is_there(&mut self) -> Result<(), Failure> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("who was to stay connected ended ({status})").into()),
        }
    }
}

impl Drop for Held {
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
pub(crate) fn number(report: &Value, pointer: &str) -> Result<f64, Failure> {
    let found = report.pointer(pointer).and_then(Value::as_f64);
    found.ok_or_else(|| format!("the report has no {pointer}").into())
}

/// The port of a URL that names one.
fn port(url: &str) -> Option<u16> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}

/// How many connections of this machine lead to a port: proc(5), `/proc/net/tcp`.
fn connected_to(port: u16) -> Result<u32, Failure> {
    let table = fs::read_to_string("/proc/net/tcp")?;
    // While connections come and go a line may stand there twice: each has an address of its own.
    let own: BTreeSet<&str> = table.lines().filter_map(|line| leads_to(line, port)).collect();
    Ok(u32::try_from(own.len())?)
}

/// The own address of a line that is of an established connection to a port of 127.0.0.1.
fn leads_to(line: &str, port: u16) -> Option<&str> {
    let mut fields = line.split_whitespace().skip(1);
    let (own, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
    (remote == format!("0100007F:{port:04X}") && state == ESTABLISHED).then_some(own)
}

const ESTABLISHED: &str = "01";

fn read(path: &PathBuf) -> Option<Value> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn connections_to_a_port_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(connected_to(port).unwrap(), 0);
        let clients = [0; 3].map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap());
        assert_eq!(connected_to(port).unwrap(), 3);
        drop(clients);
    }

    #[test]
    fn the_port_of_a_url_is_read() {
        assert_eq!(port("ws://127.0.0.1:4001/sub/{channel}"), Some(4001));
        assert_eq!(port("ws://127.0.0.1:4001"), Some(4001));
        assert_eq!(port("ws://localhost/"), None);
    }
}
