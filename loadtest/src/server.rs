//! The server under test: one that runs somewhere, or one started for the occasion.

use crate::client::peer::Peer;
use crate::client::request::Endpoint;
use crate::failure::Failure;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;
use std::fs::{self, File};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const START_TRIES: u32 = 750;
const START_WAIT: Duration = Duration::from_millis(20);
const LOG_LINES_SHOWN: usize = 12;

/// The server under test.
#[derive(Debug)]
pub(crate) struct Target {
    /// How it is addressed.
    pub(crate) endpoint: Endpoint,
    /// What else lets clients in.
    pub(crate) keys: Keys,
    /// How it is spoken to, if it is not one of ours.
    pub(crate) peer: Peer,
    /// Where it listens.
    pub(crate) to: SocketAddr,
    /// Its process, if that is on this machine.
    pub(crate) pid: Option<i32>,
    /// The cores it may use, if that is known.
    pub(crate) cores: Option<usize>,
    /// Ends a server of our own when the run ends, however it ends.
    _own: Option<Spawned>,
}

/// Keys of the dialects that have several. Each is needed only for what it opens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    /// Mints tokens of Infrai's clients.
    pub(crate) project: Option<String>,
    /// Allows channels, and publishes on sockets.
    pub(crate) api: Option<String>,
    /// Lets anyone in.
    pub(crate) anon: Option<String>,
    /// Signs the tokens of users.
    pub(crate) jwt_secret: Option<String>,
    /// Signs publishes to an app of Pusher's.
    pub(crate) app: Option<String>,
}

impl Target {
    /// A server that runs already.
    pub(crate) fn at(url: &str, key: &str, pid: Option<i32>) -> Result<Self, Failure> {
        let host = host_of(url)?;
        let to = host.to_socket_addrs().map_err(Failure::io("cannot resolve the server's name"))?;
        let Some(to) = to.into_iter().next() else {
            return Err(Failure::Usage(format!("no address for {host}")));
        };
        let cores = pid.map(|_| 1);
        let endpoint = Endpoint { host, key: key.to_owned() };
        let (keys, peer) = (Keys::default(), Peer::Ours);
        Ok(Self { endpoint, keys, peer, to, pid, cores, _own: None })
    }

    /// Starts a server on its cores and waits until it is ready.
    pub(crate) fn spawn(own_exe: &Path, cores: &[usize], shards: u32) -> Result<Self, Failure> {
        let mut spawned = Spawned::start(own_exe, cores, shards)?;
        let ready = spawned.ready()?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let key = ready.pointer("/tenants/0/application_key").and_then(text);
        let url = ready.get("ws").or_else(|| ready.get("http")).and_then(text);
        let pid = ready.get("pid").and_then(Value::as_i64).and_then(|pid| i32::try_from(pid).ok());
        let (Some(key), Some(url)) = (key, url) else {
            return Err(Failure::Server(format!("the ready file lacks a key or a URL: {ready}")));
        };
        let mut target = Self::at(&url, &key, pid)?;
        target.cores = Some(if cores.is_empty() { shards as usize } else { cores.len() });
        let key_of = |kind: &str| ready.pointer(&format!("/tenants/0/{kind}")).and_then(text);
        target.keys = Keys {
            project: key_of("project_key"),
            api: key_of("api_key"),
            anon: key_of("anon_key"),
            jwt_secret: key_of("jwt_secret"),
            app: None,
        };
        target._own = Some(spawned);
        Ok(target)
    }

    /// Whether a word of the command line holds a key, and does not belong into a report.
    pub(crate) fn is_secret(&self, word: &str) -> bool {
        let Keys { project, api, anon, jwt_secret, app } = &self.keys;
        let keys = [Some(&self.endpoint.key), project.as_ref(), api.as_ref(), anon.as_ref()];
        keys.into_iter()
            .chain([jwt_secret.as_ref(), app.as_ref()])
            .flatten()
            .any(|key| !key.is_empty() && word.contains(key.as_str()))
    }
}

/// A server of our own. Dropping it ends its process.
#[derive(Debug)]
struct Spawned {
    child: Child,
    dir: PathBuf,
}

impl Spawned {
    fn start(own_exe: &Path, cores: &[usize], shards: u32) -> Result<Self, Failure> {
        let dir = std::env::temp_dir().join(format!("stentor-bench-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(Failure::io("cannot make a directory for the server"))?;
        let cannot_log = || Failure::io("cannot write the server's log");
        let log = File::create(dir.join("server.log")).map_err(cannot_log())?;
        let errors = log.try_clone().map_err(cannot_log())?;
        let mut command = Command::new(own_exe);
        command.args(["serve", "--ephemeral", "--listen", "127.0.0.1:0", "--print-secrets"]);
        command.arg("--shards").arg(shards.to_string());
        command.arg("--ready-file").arg(dir.join("ready.json"));
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        // A child inherits the cores of the thread that starts it.
        let before = sched_getaffinity(None).map_err(Failure::io("cannot read the cores"))?;
        pin(cores)?;
        let child = command.spawn().map_err(Failure::io("cannot start the server"));
        sched_setaffinity(None, &before).map_err(Failure::io("cannot return to the cores"))?;
        Ok(Self { child: child?, dir })
    }

    fn ready(&mut self) -> Result<Value, Failure> {
        for _ in 0..START_TRIES {
            let text = fs::read_to_string(self.dir.join("ready.json")).unwrap_or_default();
            if let Ok(ready) = serde_json::from_str(&text) {
                return Ok(ready);
            }
            let cannot_ask = Failure::io("cannot ask after the server");
            if let Some(status) = self.child.try_wait().map_err(cannot_ask)? {
                let log = self.log();
                return Err(Failure::Server(format!(
                    "the server did not start ({status}):\n{log}"
                )));
            }
            #[expect(clippy::disallowed_methods, reason = "nothing runs yet that it could block")]
            std::thread::sleep(START_WAIT);
        }
        Err(Failure::Server(format!("the server was not ready in 15 s:\n{}", self.log())))
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // Errors here mean that the process or the directory is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Pins the calling thread; no cores: leaves it where it is.
pub(crate) fn pin(cores: &[usize]) -> Result<(), Failure> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    sched_setaffinity(None, &set).map_err(Failure::io("cannot pin to the cores"))
}

/// Reads a list of cores such as `0,2-3`.
pub(crate) fn parse_cores(list: &str) -> Result<Vec<usize>, Failure> {
    let wrong = || Failure::Usage(format!("not a list of cores: {list} (try 0 or 0,2-3)"));
    let mut cores = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.trim().parse().map_err(|_| wrong())?;
        let last: usize = last.trim().parse().map_err(|_| wrong())?;
        if first > last || last >= CpuSet::MAX_CPU {
            return Err(wrong());
        }
        cores.extend(first..=last);
    }
    Ok(cores)
}

fn host_of(url: &str) -> Result<String, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("{why}: {url}"));
    let rest = match url.split_once("://") {
        Some(("ws" | "http", rest)) => rest,
        None => url,
        Some(("wss" | "https", _)) => return Err(wrong("TLS is not spoken here: use a proxy")),
        Some(_) => return Err(wrong("not a ws:// or http:// URL")),
    };
    let host = rest.split('/').next().unwrap_or_default();
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (host.is_empty(), has_port) {
        (true, _) => Err(wrong("no host in the URL")),
        (false, true) => Ok(host.to_owned()),
        (false, false) => Ok(format!("{host}:80")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_host_and_a_port() {
        let check = |url: &str, host: Option<&str>| {
            assert_eq!(host_of(url).ok().as_deref(), host, "{url}");
        };
        check("ws://127.0.0.1:8080", Some("127.0.0.1:8080"));
        check("http://localhost:1/edge", Some("localhost:1"));
        check("[::1]:9000", Some("[::1]:9000"));
        check("example.test", Some("example.test:80"));
        check("wss://example.test", None);
        check("ftp://example.test", None);
        check("ws://", None);
    }

    #[test]
    fn cores_are_numbers_and_ranges() {
        let check = |list: &str, cores: Option<&[usize]>| {
            assert_eq!(parse_cores(list).ok().as_deref(), cores, "{list}");
        };
        check("0", Some(&[0]));
        check("0,2-4", Some(&[0, 2, 3, 4]));
        check("", None);
        check("3-1", None);
        check("99999", None);
        check("a", None);
    }

    #[test]
    fn keys_do_not_reach_a_report() {
        let mut target = Target::at("127.0.0.1:1", "", None).unwrap();
        target.keys.jwt_secret = Some("hush".into());
        let check = |word: &str, expected| assert_eq!(target.is_secret(word), expected, "{word}");
        check("--jwt-secret=hush", true);
        check("hush", true);
        check("--jwt-secret", false);
        check("", false);
    }

    #[test]
    fn a_server_that_does_not_start_says_why() {
        let failure = Target::spawn(Path::new("/bin/false"), &[], 1).unwrap_err();
        assert!(failure.to_string().contains("did not start"), "{failure}");
    }
}
