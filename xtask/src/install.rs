//! What the tests need beside Rust: installed where that is allowed, else named with the command that installs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::coverage::{compiler_says, tools_in};
use crate::{Places, say};

/// A tool, how to see that it is there, and the Debian package that has it.
struct Tool {
    package: &'static str,
    /// Any of these commands will do.
    any_of: &'static [&'static [&'static str]],
}

/// Servers that `cargo install` builds, which takes long: name, version, and what that needs of Debian.
const BUILT: [(&str, &str, [Tool; 2]); 1] = [(
    "sockudo",
    "5.2.0",
    [
        Tool { package: "protobuf-compiler", any_of: &[&["protoc", "--version"]] },
        Tool { package: "libprotobuf-dev", any_of: &[&["test", "-f", TIMESTAMP]] },
    ],
)];
/// What it builds on imports this.
const TIMESTAMP: &str = "/usr/include/google/protobuf/timestamp.proto";

/// What small servers in JavaScript need.
const NODE: [Tool; 2] = [
    Tool { package: "nodejs", any_of: &[&["node", "--version"]] },
    Tool { package: "npm", any_of: &[&["npm", "--version"]] },
];

const TOOLS: [Tool; 9] = [
    Tool { package: "curl", any_of: &[&["curl", "--version"]] },
    Tool {
        package: "chromium",
        any_of: &[&["chromium", "--version"], &["google-chrome", "--version"]],
    },
    Tool { package: "haproxy", any_of: &[&["haproxy", "-v"], &["/usr/sbin/haproxy", "-v"]] },
    Tool {
        package: "libseccomp2",
        any_of: &[&["python3", "-c", "import ctypes; ctypes.CDLL('libseccomp.so.2')"]],
    },
    Tool { package: "nodejs", any_of: &[&["node", "--version"]] },
    Tool { package: "npm", any_of: &[&["npm", "--version"]] },
    Tool { package: "openssl", any_of: &[&["openssl", "version"]] },
    Tool { package: "python3-venv", any_of: &[&["python3", "-c", "import ensurepip, venv"]] },
    Tool { package: "systemd", any_of: &[&["systemd-analyze", "--version"]] },
];

/// Servers that Stentor is compared with, by the names that the comparison gives them.
const PEERS: [(&str, Tool); 5] = [
    ("nchan", Tool { package: "nginx", any_of: &[&["nginx", "-v"], &["/usr/sbin/nginx", "-v"]] }),
    ("nchan", Tool { package: "libnginx-mod-nchan", any_of: &[&["test", "-f", NCHAN]] }),
    ("redis", Tool { package: "redis-server", any_of: &[&["redis-server", "--version"]] }),
    (
        "nats",
        Tool {
            package: "nats-server",
            any_of: &[&["nats-server", "--version"], &["/usr/sbin/nats-server", "--version"]],
        },
    ),
    // It has no option that only tells its version.
    ("mosquitto", Tool { package: "mosquitto", any_of: &[&["test", "-x", "/usr/sbin/mosquitto"]] }),
];
/// Those of them that the load test drives in its tests.
const BROKERS: &str = "redis,nats,mosquitto";
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
/// Those that run on Node, from one list of npm packages.
const NODE_PEERS: [&str; 5] =
    ["uWebSockets.js", "ws", "Socket.IO", "Socket.IO on uWebSockets.js", "soketi"];

/// Keeps what was installed from which list, inside what was installed.
const STAMP: &str = ".installed-from";

/// Installs what is absent.
///
/// # Errors
/// With a line for each thing that is missing: what, and the command that gets it.
pub(crate) fn everything(places: &Places) -> Result<(), Vec<String>> {
    debian_packages(&TOOLS)?;
    let brokers = debian_packages(debian_peers(Some(BROKERS))).err().unwrap_or_default();
    let npm = [&places.clients, &places.chat, &places.peers];
    let npm = npm.into_iter().filter_map(|it| node_packages(it, &["ci"]).err());
    let python = [
        (&places.venv, places.clients.join("requirements.txt")),
        // In a folder of its own: it brings programs, and no client needs it.
        (&places.kosoku, places.clients.join("kosoku.txt")),
    ];
    let python = python.into_iter().filter_map(|(venv, list)| python_packages(venv, &list).err());
    let missing: Vec<String> = brokers.into_iter().chain(npm).chain(python).collect();
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}

/// Installs the servers of a comparison that are absent, as far as that is possible: a missing one is left out of it.
///
/// `only` names those that take part; `None` is everybody.
pub(crate) fn peers(places: &Places, only: Option<&str>, with: Option<&str>) {
    if let Err(missing) = debian_packages(debian_peers(only)) {
        missing.iter().for_each(|it| say(&format!("   without it: {it}")));
    }
    if takes_part(only, &NODE_PEERS) {
        if let Err(missing) = debian_packages(&NODE).map_err(|it| it.join(", ")) {
            say(&format!("   without it: {missing}"));
        } else if let Err(missing) = node_packages(&places.compared, &["install", "--no-save"]) {
            say(&format!("   without it: {missing}"));
        }
    }
    let built = with.and_then(|name| BUILT.iter().find(|it| it.0 == name));
    if let Some((name, version, tools)) = built {
        if let Err(missing) = debian_packages(tools) {
            missing.iter().for_each(|it| say(&format!("   {name} needs: {it}")));
        }
        let mut build = Command::new(crate::steps::cargo());
        build.args(["install", "--locked", name, "--version", version, "--root"]);
        if !run(build.arg(&places.built)) {
            say(&format!("   without it: {name} {version} could not be built"));
        }
    }
}

/// What of Debian is needed by those who take part.
fn debian_peers(only: Option<&str>) -> Vec<&'static Tool> {
    PEERS.iter().filter(|(name, _)| takes_part(only, &[name])).map(|(_, tool)| tool).collect()
}

/// Whether one of these takes part. `only` is names with commas between them, as `benches compare` takes them.
fn takes_part(only: Option<&str>, names: &[&str]) -> bool {
    only.is_none_or(|only| only.split(',').any(|it| names.contains(&it)))
}

/// Whether a server can be built for the comparison.
pub(crate) fn is_built(name: &str) -> bool {
    BUILT.iter().any(|it| it.0 == name)
}

/// Where the tools are that read what the compiler's programs count: of the same LLVM, or they cannot.
///
/// # Errors
/// With the command that gets them.
pub(crate) fn llvm() -> Result<PathBuf, String> {
    let version = compiler_says("LLVM version").unwrap_or_default();
    let major = version.split('.').next().unwrap_or_default();
    let package = format!("llvm-{major}");
    let mut folders = vec![PathBuf::from(format!("/usr/lib/{package}/bin"))];
    if let (Ok(output), Some(host)) =
        (Command::new("rustc").args(["--print", "sysroot"]).output(), compiler_says("host"))
    {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        folders.push(Path::new(&sysroot).join("lib/rustlib").join(host).join("bin"));
    }
    if let Some(folder) = tools_in(&folders) {
        return Ok(folder);
    }
    install_as_root(&[&package]);
    tools_in(&folders).ok_or_else(|| {
        format!(
            "the tools of LLVM {major}: rustup component add llvm-tools, or sudo apt-get install {package}"
        )
    })
}

/// Whether a command runs and ends well. What it prints is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|it| it.success())
}

fn debian_packages<'a>(
    tools: impl IntoIterator<Item = &'a Tool> + Clone,
) -> Result<(), Vec<String>> {
    let missing = missing_of(tools.clone());
    if missing.is_empty() {
        return Ok(());
    }
    install_as_root(&missing);
    let missing = missing_of(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    Err(vec![format!(
        "{names}: sudo apt-get update && sudo apt-get install --yes --no-install-recommends {names}"
    )])
}

/// Installs packages of Debian, where that is allowed without asking. What Debian then starts by itself is stopped.
fn install_as_root(packages: &[&str]) {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|it| it.stdout == b"0\n");
    if is_root && succeeds(Command::new("apt-get").arg("--version")) {
        run(apt_get().arg("update"));
        let is_there = |it: &&&str| succeeds(Command::new("dpkg-query").args(["-W", **it]));
        let fresh: Vec<_> = packages.iter().filter(|it| !is_there(it)).collect();
        let install = ["install", "--yes", "--no-install-recommends"];
        run(apt_get().args(install).args(packages));
        for package in fresh {
            let _ = succeeds(Command::new("service").args([package, "stop"])); // it does not run, or has no service
        }
    }
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn missing_of<'a>(tools: impl IntoIterator<Item = &'a Tool>) -> Vec<&'static str> {
    let is_there = |tool: &Tool| {
        tool.any_of.iter().any(|words| match words.split_first() {
            Some((program, arguments)) => succeeds(Command::new(program).args(arguments)),
            None => false,
        })
    };
    tools.into_iter().filter(|it| !is_there(it)).map(|it| it.package).collect()
}

/// `ci` wants all that the list names; `install` takes what the registry has of packages for other systems.
fn node_packages(project: &Path, how: &[&str]) -> Result<(), String> {
    let folder = project.join("node_modules");
    let list = project.join("package-lock.json");
    let mut npm = Command::new("npm");
    npm.args(how).args(["--no-audit", "--no-fund"]).current_dir(project);
    let command = format!("cd {} && npm {}", project.display(), how.join(" "));
    install(&list, &folder, &mut [npm]).ok_or_else(|| format!("npm packages: {command}"))
}

fn python_packages(venv: &Path, list: &Path) -> Result<(), String> {
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(venv);
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r"]).arg(list);
    let command = format!(
        "python3 -m venv {0} && {0}/bin/python -m pip install -r {1}",
        venv.display(),
        list.display()
    );
    install(list, venv, &mut [make, pip]).ok_or_else(|| format!("Python packages: {command}"))
}

/// Runs the commands unless the folder was already made from this very list.
fn install(list: &Path, folder: &Path, commands: &mut [Command]) -> Option<()> {
    let wanted = fs::read(list).ok()?;
    let stamp = folder.join(STAMP);
    if fs::read(&stamp).is_ok_and(|made_from| made_from == wanted) {
        return Some(());
    }
    if commands.iter_mut().all(run) { fs::write(stamp, wanted).ok() } else { None }
}

/// Runs a command that may print; whether it ended well.
fn run(command: &mut Command) -> bool {
    say(&format!("   {command:?}"));
    command.stdin(Stdio::null()).status().is_ok_and(|it| it.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This crate depends on no other, so names stand here a second time.
    #[test]
    fn every_name_is_one_that_the_comparison_knows() {
        let known = include_str!("../../benches/src/compare/list.rs");
        let installed = PEERS.iter().map(|it| it.0).chain(BUILT.iter().map(|it| it.0));
        for name in installed.chain(NODE_PEERS).chain(BROKERS.split(',')) {
            assert!(known.contains(&format!("name: \"{name}\",")), "{name}");
        }
    }

    #[test]
    fn who_does_not_take_part_is_not_installed() {
        let packages = |only| debian_peers(only).iter().map(|it| it.package).collect::<Vec<_>>();
        assert_eq!(packages(None).len(), PEERS.len());
        assert_eq!(packages(Some("redis,nchan")), ["nginx", "libnginx-mod-nchan", "redis-server"]);
        assert!(packages(Some("ws")).is_empty());
        assert!(takes_part(Some("nats,ws"), &NODE_PEERS) && !takes_part(Some("nats"), &NODE_PEERS));
    }
}
