//! The servers that Stentor is compared with: how each is found, started with the best settings that are known for one core,
//! and spoken to. One that is missing is left out by name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What it counts as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The least that the work can cost: no server, and beaten by none.
    Floor,
    /// What one would write on a library of WebSockets. Its HTTP is the floors', so that its publishes are no one's.
    Library,
    /// A server.
    Peer,
}

/// What has to be there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// Nothing but this program.
    Nothing,
    /// A package of `benches/peers/package.json`.
    Npm(&'static str),
    /// A program or a file of a Debian package.
    Debian(&'static str, &'static str),
    /// A program that `cargo install --root target/peers` builds.
    Cargo(&'static str),
}

/// How the generator speaks to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wire {
    /// As to Stentor, in its first dialect, published over HTTP.
    Ours,
    /// With these options; publishes over HTTP.
    Http(&'static [&'static str]),
    /// With these options; what publishes is connected as subscribers are.
    Socket(&'static [&'static str]),
}

/// How it says that it is ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Says {
    /// It writes a file, with its address.
    File,
    /// It accepts a connection on the port that it was given.
    Port,
}

/// Where a server is started.
pub(crate) struct Place<'a> {
    /// A folder of its own.
    pub(crate) folder: &'a Path,
    /// A port that is free.
    pub(crate) port: u16,
}

/// A server.
pub(crate) struct Peer {
    /// As tables name it.
    pub(crate) name: &'static str,
    /// What it counts as.
    pub(crate) kind: Kind,
    /// What has to be there.
    pub(crate) needs: Need,
    /// What it is and how it is set, for the page.
    pub(crate) about: &'static str,
    /// How it is spoken to.
    pub(crate) wire: Wire,
    /// What follows the address in the URL that the generator is told.
    pub(crate) path: &'static str,
    /// How it says that it is ready.
    pub(crate) says: Says,
    /// The command that starts it.
    pub(crate) start: fn(&Place<'_>) -> io::Result<Command>,
}

impl Wire {
    /// What the generator is told that it speaks to; `None` is Stentor.
    pub(crate) fn target(self) -> Option<&'static str> {
        match self {
            Self::Ours => None,
            Self::Http(options) | Self::Socket(options) => {
                options.iter().skip_while(|it| **it != "--target").nth(1).copied()
            }
        }
    }
}

impl Peer {
    /// What is missing, with the command that gets it; `None` if it can be started.
    pub(crate) fn missing(&self) -> Option<String> {
        match self.needs {
            Need::Nothing => None,
            Need::Npm(package) => {
                let has_node = runs(Command::new("node").arg("--version"));
                let is_there = folder().join("node_modules").join(package).is_dir();
                let command = format!("cd {} && npm install --no-save", folder().display());
                match (has_node, is_there) {
                    (false, _) => Some("node, of the Debian package nodejs".to_owned()),
                    (true, false) => Some(format!("the npm package {package}: {command}")),
                    (true, true) => None,
                }
            }
            Need::Debian(what, package) => find(what)
                .is_none()
                .then(|| format!("{what}: apt-get install --no-install-recommends {package}")),
            Need::Cargo(program) => find_built(program).is_none().then(|| {
                format!("{program}: cargo xtask compare --with {program}, which builds it")
            }),
        }
    }

    /// What it says of its version.
    pub(crate) fn version(&self) -> String {
        let first = |mut command: Command| {
            let output = command.stdin(Stdio::null()).output().ok()?;
            let text = [output.stdout, output.stderr].concat();
            Some(String::from_utf8_lossy(&text).lines().next()?.trim().to_owned())
        };
        let ask = |program: PathBuf, argument: &str| {
            let mut command = Command::new(program);
            command.arg(argument);
            first(command).unwrap_or_default()
        };
        match self.needs {
            Need::Nothing => "of this tree".to_owned(),
            Need::Npm(package) => {
                let manifest = folder().join("node_modules").join(package).join("package.json");
                let text = fs::read_to_string(manifest).unwrap_or_default();
                let manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                let version = manifest.get("version").and_then(serde_json::Value::as_str);
                format!("{}, Node {}", version.unwrap_or("?"), ask("node".into(), "--version"))
            }
            Need::Debian(what, package) => match find(what) {
                Some(_) if what.ends_with(".so") => package_version(package),
                Some(program) if package == "mosquitto" => ask(program, "-h"),
                Some(program) => ask(program, "--version"),
                None => String::new(),
            },
            Need::Cargo(program) => {
                find_built(program).map_or_else(String::new, |it| ask(it, "--version"))
            }
        }
    }
}

/// The folder of the small servers and their packages.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// A file, or a program where Debian has programs and daemons.
pub(crate) fn find(what: &str) -> Option<PathBuf> {
    if what.starts_with('/') {
        return Some(PathBuf::from(what)).filter(|it| it.is_file());
    }
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    folders.iter().map(|it| Path::new(it).join(what)).find(|it| it.is_file())
}

/// A program that was built for the comparison.
pub(crate) fn find_built(program: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    Some(root.join("target/peers/bin").join(program)).filter(|it| it.is_file())
}

fn package_version(package: &str) -> String {
    let output = Command::new("dpkg-query").args(["-W", "-f", "${Version}", package]).output();
    output.map_or_else(|_| String::new(), |it| String::from_utf8_lossy(&it.stdout).into_owned())
}

fn runs(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}
