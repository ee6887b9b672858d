//! `deploy/stentor.service`: how much it exposes, whether a node lives within what it allows, and what one says on hosts that allow
//! less. systemd need not have started the machine; its tools, Python and libseccomp are asked for, and what lacks them says so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::node::{run, scripts, wait, wait_for_ready};
use super::raw::{Raw, upgrade};
use super::tools::{curl, post, target};
use super::trust::{figures, is_long, skipped};

/// What `systemd-analyze security` may say at most, times ten.
const EXPOSURE_MAX: u32 = 20;
const GROUP_OF_NOBODY: &str = "65534";

fn unit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/stentor.service")
}

/// Whether the tools are there; a test that is skipped says which is not.
fn has(tools: &[&[&str]]) -> bool {
    tools.iter().all(|tool| {
        let is_there = Command::new(tool[0]).args(&tool[1..]).output();
        let is_there = is_there.is_ok_and(|it| it.status.success());
        if !is_there {
            skipped("the unit", &format!("this needs {}", tool.join(" ").replace('"', "")));
        }
        is_there
    })
}

const ANALYZE: &[&str] = &["systemd-analyze", "--version"];
const CONFINE: &[&str] = &["python3", "-c", "import ctypes; ctypes.CDLL('libseccomp.so.2')"];

fn analyze(unit: &Path) -> (bool, String) {
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--no-pager", &threshold]).arg(unit);
    let (status, out, error) = run(&mut command);
    (status.success(), out + &error)
}

#[test]
fn the_unit_exposes_little() {
    if !has(&[ANALYZE]) {
        return;
    }
    let (is_low, report) = analyze(&unit());
    assert!(is_low, "{report}");
    let level = report.split("exposure level for stentor.service: ").nth(1);
    let level = level.and_then(|it| it.split(' ').next()).unwrap();
    figures("unit", &format!(r#""exposure":{level},"of_at_most":2.0"#));
    // Without its walls it is told apart.
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("stentor.service");
    let text = fs::read_to_string(unit()).unwrap();
    let lines = text.lines().filter(|it| !it.starts_with("Protect") && !it.starts_with("System"));
    fs::write(&bare, lines.collect::<Vec<_>>().join("\n")).unwrap();
    assert!(!analyze(&bare).0);
    // Every word of it is one that systemd knows. The binary is the one that was built.
    let text = text.replace("/usr/local/bin/stentor", env!("CARGO_BIN_EXE_stentor"));
    fs::write(&bare, text).unwrap();
    let (status, out, error) = run(Command::new("systemd-analyze").arg("verify").arg(&bare));
    assert!(status.success() && out.is_empty() && error.is_empty(), "{out}{error}");
}

/// The binary where everyone can run it, and a folder where everyone can write.
struct Place {
    folder: tempfile::TempDir,
    binary: PathBuf,
}

impl Place {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("stentor");
        fs::copy(env!("CARGO_BIN_EXE_stentor"), &binary).unwrap();
        for path in [folder.path(), &binary] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        Self { folder, binary }
    }

    /// A command as the unit would start it.
    fn confined(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("python3");
        command.arg(scripts().join("sandbox.py")).arg(unit()).args(arguments);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn stentor(&self, arguments: &[&str]) -> Command {
        self.confined(&[&[self.binary.to_str().unwrap()], arguments].concat())
    }

    fn serve(&self) -> Command {
        let mut command = self.stentor(&["serve", "--listen", "127.0.0.1:0", "--shards", "2"]);
        command.args(["--webhooks-allow-private-targets", "--print-secrets"]);
        command.args(["--ready-file", "ready.json"]);
        command
    }

    /// Waits for a node of here. What it says goes to the file `log`.
    fn start(&self) -> (Child, Value) {
        let [ready, log] = ["ready.json", "log"].map(|it| self.folder.path().join(it));
        let to_log = fs::File::create(&log).unwrap();
        let mut child = self.serve().stdout(Stdio::null()).stderr(to_log).spawn().unwrap();
        let told = wait_for_ready(&mut child, (&ready, &log));
        (child, serde_json::from_str(&told).unwrap())
    }
}

/// One test changes the host for everyone who is confined: they take turns, each in its process.
fn alone() -> fs::File {
    let turn = fs::File::create(target().join("confined.lock")).unwrap();
    rustix::fs::flock(&turn, FlockOperation::LockExclusive).unwrap();
    turn
}

#[test]
fn a_node_lives_within_what_its_unit_allows() {
    if !has(&[ANALYZE, CONFINE]) {
        return;
    }
    let _alone = alone();
    let place = Place::make();
    let (mut child, ready) = place.start();
    let url = ready["http"].as_str().unwrap();
    let tenant = &ready["tenants"][0];
    let key = tenant["application_key"].as_str().unwrap();
    let at =
        |path: &str| format!("{url}{path}{}key={key}", if path.contains('?') { '&' } else { '?' });
    let answer = post(&at("/edge/realtime"), r#"{"channel":"a","data":1}"#);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(curl(&[&at("/edge/realtime/history?channel=a")]).json()["messages"][0]["data"], 1);
    let count = json!({"query": "SELECT count(*) AS n FROM realtime_messages"}).to_string();
    assert_eq!(post(&at("/edge/database"), &count).json()["rows"][0]["n"], 1);
    let api_key = format!("X-API-Key: {}", tenant["api_key"].as_str().unwrap());
    // The name is looked up, and nobody answers.
    let hook = json!({"pattern": "a", "webhookUrls": ["https://stentor.invalid/"]}).to_string();
    let made = curl(&[&format!("{url}/api/realtime/channels"), "-H", &api_key, "--json", &hook]);
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(post(&at("/edge/realtime"), r#"{"channel":"a","data":2}"#).status, 200);
    let token = post(&at("/edge/realtime/token"), r#"{"user_id":"u"}"#).json();
    let token = token["token"].as_str().unwrap();
    let target = format!("/edge/realtime?channel=a&token={token}");
    let mut raw = Raw::to(url.trim_start_matches("http://"));
    raw.send(upgrade(&target));
    raw.read_until("\"subscribed\"");
    drop(raw);
    let (status, _, error) = run(&mut place.stentor(&["tenant", "add", "other"]));
    assert!(status.success(), "{error}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = wait(&mut child);
    let log = fs::read_to_string(place.folder.path().join("log")).unwrap();
    assert_eq!((status.code(), status.signal()), (Some(0), None), "{log}");
    // It starts on what it left.
    fs::remove_file(place.folder.path().join("ready.json")).unwrap();
    let (mut child, _) = place.start();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
    check_walls(&place);
    figures("node in the unit's sandbox", r#""ended_by_the_filter":0"#);
}

/// What the unit forbids ends a process here, so that a node which lives has done none of it.
fn check_walls(place: &Place) {
    let python = |text: &str| {
        let output = place.confined(&["/usr/bin/python3", "-c", text]).output().unwrap();
        (output.status.code(), output.status.signal())
    };
    let killed = (None, Some(Signal::SYS.as_raw()));
    assert_eq!(python("import os; os.chroot('/')"), killed, "a system call");
    let netlink = "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)";
    assert_eq!(python(netlink), killed, "a kind of socket");
    let memory = "import mmap; mmap.mmap(-1, 4096, prot=7)";
    assert_eq!(python(memory), (Some(1), None), "memory that is written and run");
    assert_eq!(python("open('/etc/stentor-was-here', 'w')"), (Some(1), None), "another's files");
    assert_eq!(python("import mmap; mmap.mmap(-1, 4096, prot=3)"), (Some(0), None));
}

#[test]
fn a_node_that_is_denied_io_uring_says_what_to_set() {
    if !has(&[ANALYZE, CONFINE]) {
        return;
    }
    let _alone = alone();
    let place = Place::make();
    for command in ["serve", "doctor"] {
        let mut command = place.stentor(&[command]);
        let (status, _, error) = run(command.env("SANDBOX_REFUSED", "io_uring_setup"));
        assert_eq!(status.code(), Some(77), "{error}");
        for part in ["seccomp", "SystemCallFilter=@system-service io_uring_setup", "stentor doctor"]
        {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
}

/// A value of the kernel that is put back.
struct Sysctl {
    path: PathBuf,
    before: String,
}

impl Sysctl {
    /// `None` where it may not be written.
    fn set(name: &str, value: &str) -> Option<Self> {
        let path = Path::new("/proc/sys/kernel").join(name);
        let before = fs::read_to_string(&path).ok()?;
        fs::write(&path, value).ok()?;
        Some(Self { path, before })
    }
}

impl Drop for Sysctl {
    fn drop(&mut self) {
        let is_back = fs::write(&self.path, &self.before).is_ok();
        assert!(is_back || std::thread::panicking(), "{} stays changed", self.path.display());
    }
}

/// It changes the host for a second, for those who are not root: only where the full length is asked for.
#[test]
fn a_host_that_keeps_io_uring_for_a_group_is_named_with_the_group_to_set() {
    if !is_long() || !has(&[ANALYZE, CONFINE]) {
        return;
    }
    let _alone = alone();
    let place = Place::make();
    let Some(_disabled) = Sysctl::set("io_uring_disabled", "1") else {
        return skipped("kernel.io_uring_disabled=1", "only root may set it");
    };
    for command in ["serve", "doctor"] {
        let (status, _, error) = run(&mut place.stentor(&[command]));
        assert_eq!(status.code(), Some(77), "{error}");
        for part in [
            "kernel.io_uring_disabled=1, kernel.io_uring_group=-1",
            &format!("`sysctl -w kernel.io_uring_group={GROUP_OF_NOBODY}`"),
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
    let _group = Sysctl::set("io_uring_group", GROUP_OF_NOBODY).unwrap();
    let (mut child, _) = place.start();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0), "what it said to set is enough");
    figures("kernel.io_uring_disabled=1", r#""exit_code":77,"starts_with_the_group":true"#);
}
