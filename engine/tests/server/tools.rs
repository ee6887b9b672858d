//! The clients: where they are, and how to get them when they are not there.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::node::{Node, PATIENCE_WITH_SCRIPTS, run, run_within, scripts};

/// One answer as curl saw it.
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// The header lines.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Runs curl with these arguments; one answer must come of it.
pub(crate) fn curl(arguments: &[&str]) -> Answer {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--http1.1", "--max-time", "15"]);
    let (status, out, error) = run(command.args(["-H", "Expect:"]).args(arguments));
    assert!(status.success(), "curl {arguments:?}: {error}");
    let (head, body) = out.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {out}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// POSTs a JSON body.
pub(crate) fn post(url: &str, body: &str) -> Answer {
    curl(&[url, "--json", body])
}

/// A token for a client.
pub(crate) fn token(node: &Node, user: &str) -> String {
    let answer = post(&node.keyed("/edge/realtime/token"), &format!(r#"{{"user_id":"{user}"}}"#));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// Runs a script of `tests/e2e` with node.
pub(crate) fn javascript(node: &Node, script: &str) {
    javascript_of(node.ready(), script);
}

/// The same, with what a ready file says: the node may go away in between.
pub(crate) fn javascript_of(ready: &Value, script: &str) {
    let mut command = node_script(script);
    command.env("E2E_READY", ready.to_string()).env("E2E_TARGET", target());
    perform(&mut command, NODE_MISSING);
}

/// Runs a script of `tests/e2e` with node, without a server: it judges what it is given.
pub(crate) fn judge(script: &str, given: &Value) {
    perform(node_script(script).env("E2E_GIVEN", given.to_string()), NODE_MISSING);
}

const PACKAGES: [&str; 7] =
    ["@insforge/sdk", "ably", "playwright-core", "pusher", "pusher-js", "socket.io-client", "ws"];

const NODE_MISSING: &str = "node is missing: sudo apt-get install nodejs";

fn node_script(script: &str) -> Command {
    let folder = scripts();
    check_packages(&folder, &PACKAGES);
    let mut command = Command::new("node");
    command.arg(folder.join(script));
    command
}

/// Stops the test when a project of npm has not what it needs.
pub(crate) fn check_packages(folder: &Path, names: &[&str]) {
    let has = |name: &&str| folder.join("node_modules").join(name).is_dir();
    assert!(names.iter().all(has), "npm packages are missing: cd {} && npm ci", folder.display());
}

/// Runs a script of `tests/e2e` with Python.
pub(crate) fn python(node: &Node, script: &str) {
    let python = interpreter();
    let list = scripts().join("requirements.txt");
    let venv = python.parent().and_then(Path::parent).unwrap().to_path_buf();
    let (venv, list) = (venv.display(), list.display());
    let hint = format!(
        "the Python packages are missing: python3 -m venv {venv} && {venv}/bin/python -m pip install -r {list}"
    );
    let mut command = Command::new(&python);
    command.arg(scripts().join(script));
    command.env("E2E_READY", node.ready().to_string()).env("E2E_TARGET", target());
    perform(&mut command, &hint);
}

/// The Python that `cargo xtask test` prepared.
fn interpreter() -> PathBuf {
    std::env::var_os("E2E_PYTHON")
        .map_or_else(|| target().join("e2e-venv/bin/python"), PathBuf::from)
}

/// Where the build puts things.
pub(crate) fn target() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_stentor"));
    binary.parent().and_then(Path::parent).unwrap().to_path_buf()
}

fn perform(command: &mut Command, hint: &str) {
    let program = command.get_program().to_os_string();
    let has = Command::new(&program).arg("--version").output().is_ok_and(|it| it.status.success());
    assert!(has, "{hint}");
    let (status, out, error) = run_within(command, PATIENCE_WITH_SCRIPTS);
    assert!(status.success(), "{command:?}: {status}\n{out}\n{error}");
}
