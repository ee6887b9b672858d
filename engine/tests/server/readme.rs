//! The commands of README.md, as they stand there. Only the build and the fixed port are replaced.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::node::{PATIENCE, run, wait};

const README: &str = include_str!("../../../README.md");
const PORT: &str = "127.0.0.1:8080";

/// A block that is marked `run=NAME`.
fn block(name: &str) -> &'static str {
    let start = format!("```sh run={name}\n");
    let (_, rest) = README.split_once(&start).unwrap_or_else(|| panic!("README has no {start}"));
    rest.split_once("```").unwrap().0
}

/// A folder where `cargo run --release` is the binary that was built for the tests.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("bin/cargo");
    fs::create_dir(folder.path().join("bin")).unwrap();
    let binary = env!("CARGO_BIN_EXE_stentor");
    let text = format!(
        "#!/bin/sh\n[ \"$1 $2\" = 'run --release' ] || exit 64\nshift 2\n[ \"$1\" = -- ] && shift\nexec '{binary}' \"$@\"\n"
    );
    fs::write(&cargo, text).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn shell(folder: &Path, text: &str) -> Command {
    let mut command = Command::new("sh");
    let path = std::env::var("PATH").unwrap();
    command.args(["-euc", text]).current_dir(folder).stdin(Stdio::null());
    command.env("PATH", format!("{}:{path}", folder.join("bin").display()));
    command
}

fn output(folder: &Path, text: &str) -> String {
    let (status, out, error) = run(&mut shell(folder, text));
    assert!(status.success(), "{text}: {status}\n{out}\n{error}");
    out
}

/// The node of the README.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(folder: &Path) -> Self {
        let text = block("serve");
        assert_eq!(text.trim(), "cargo run --release");
        // `exec`: the signal that ends it must reach the node and not the shell.
        let mut command = shell(folder, &format!("exec {text}"));
        command.env("STENTOR_SERVER_LISTEN", "127.0.0.1:0").stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        let mut serving = Self { child, address: String::new() };
        let (sender, lines) = channel();
        let out = serving.child.stdout.take().unwrap();
        thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).try_for_each(|it| sender.send(it))
        });
        loop {
            let line = lines.recv_timeout(PATIENCE).expect("a banner with the address");
            if let Some(url) = line.trim().strip_prefix("http ") {
                url.trim().strip_prefix("http://").unwrap().clone_into(&mut serving.address);
                return serving;
            }
        }
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        assert_eq!(wait(&mut self.child).code(), Some(0));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait(); // so that no zombie is left
    }
}

#[test]
fn the_first_steps_work_as_they_stand() {
    let folder = folder();
    let node = Serving::start(folder.path());
    let here = |name: &str, node: &Serving| {
        let text = block(name);
        assert!(text.contains(PORT), "{text}");
        output(folder.path(), &text.replace(PORT, &node.address))
    };
    let published = here("publish", &node);
    assert!(
        published.contains(r#""channel":"chat:hello""#) && published.contains(r#""id":1"#),
        "{published}"
    );
    node.stop();
    let node = Serving::start(folder.path());
    let history = here("history", &node);
    assert!(history.contains(r#""data":{"text":"hello"}"#), "after a restart too: {history}");
    let token = output(folder.path(), block("token"));
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    node.stop();
}

#[test]
fn the_configuration_steps_work_as_they_stand() {
    let folder = folder();
    let shown = output(folder.path(), block("config"));
    assert!(shown.contains("valid: stentor.toml") && shown.contains("[server]"), "{shown}");
}

#[test]
fn the_load_test_runs_as_it_stands() {
    let folder = folder();
    let shown = output(folder.path(), block("bench"));
    assert!(shown.contains("100"), "{shown}");
}

#[test]
fn every_marked_block_is_run() {
    let known = ["serve", "publish", "history", "token", "config", "bench"];
    let marked: Vec<_> = README.lines().filter_map(|it| it.strip_prefix("```sh run=")).collect();
    assert_eq!(marked, known);
}
