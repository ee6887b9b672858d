//! The command line as a script sees it: exit codes, what goes where, and what a running node tells.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn stentor(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stentor"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STENTOR_")) {
        command.env_remove(name);
    }
    command
}

fn output(folder: &Path, arguments: &[&str]) -> Output {
    stentor(folder, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn check(arguments: &[&str], code: i32, error: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = output(folder.path(), arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(stderr.contains(error), "{arguments:?}: {stderr}");
    assert!(stderr.lines().count() <= 24, "an error fits a screen: {stderr}");
}

/// A node that ends with the test.
struct Running {
    child: Child,
    ready: Value,
    banner: String,
}

impl Running {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let ready_file = folder.join("ready.json");
        let always = ["serve", "--listen", "127.0.0.1:0", "--shards", "1", "--ready-file"];
        let mut command = stentor(folder, &always);
        command.arg(&ready_file).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The log line follows the ready file; no sleep is needed.
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("node listens"), "{line}");
        let ready = serde_json::from_slice(&fs::read(&ready_file).unwrap()).unwrap();
        assert_eq!(fs::metadata(&ready_file).unwrap().permissions().mode() & 0o777, 0o600);
        Self { child, ready, banner: String::new() }
    }

    /// Asks it to stop; its exit code.
    fn stop(&mut self, signal: Signal) -> Option<i32> {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).unwrap();
        let status = self.child.wait().unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut self.banner).unwrap();
        status.code()
    }

    fn key(&self) -> String {
        self.ready["tenants"][0]["application_key"].as_str().unwrap().to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait(); // so that no zombie is left
    }
}

#[test]
fn a_wrong_command_line_ends_with_64() {
    check(&["--bogus"], 64, "--bogus");
    check(&["serv"], 64, "serve");
    check(&["config"], 64, "config");
    check(&["token", "issue"], 64, "--user");
    check(&["token", "issue", "--user", "a", "--ttl", "0"], 64, "--ttl");
    check(&["token", "issue", "--user", ""], 64, "--user has 0 bytes; it must have 1 to 128");
    check(
        &["token", "issue", "--user", "a", "--tenant", "b"],
        64,
        "there is no tenant \"b\"; there is dev",
    );
    check(&["token", "issue", "--user", "a", "--ephemeral"], 64, "ephemeral");
}

#[test]
fn a_wrong_configuration_ends_with_78() {
    check(
        &["--limits-headers-max", "3"],
        78,
        "flag --limits-headers-max: limits.headers_max is 3; it must be 8 to 256 headers",
    );
    check(&["serve", "--listen", "nowhere"], 78, "flag --listen: server.listen is \"nowhere\"");
    check(&["config", "check", "--config", "absent.toml"], 78, "read absent.toml: No such file");
    check(&["serve", "--listen", "192.0.2.1:1"], 78, "listen on 192.0.2.1:1");
}

#[test]
fn an_address_in_use_ends_with_69() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let expected = format!("listen on {address}: Address already in use (os error 98)");
    check(&["serve", "--ephemeral", "--listen", &address], 69, &expected);
}

#[test]
fn a_data_directory_that_is_a_file_ends_with_74() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("data"), "").unwrap();
    let output = output(folder.path(), &["token", "issue", "--user", "a", "--data-dir", "data"]);
    assert_eq!(output.status.code(), Some(74), "{}", text(&output.stderr));
}

#[test]
fn help_and_version_end_with_0_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["-h"], &["serve", "--help"], &["--version"]] {
        let output = output(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stderr.is_empty() && text(&output.stdout).contains("stentor"));
    }
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was written");
}

#[test]
fn the_default_file_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let default = output(folder.path(), &["config", "default"]);
    fs::write(folder.path().join("stentor.toml"), default.stdout).unwrap();
    let checked = output(folder.path(), &["config", "check", "--config", "stentor.toml"]);
    assert_eq!(
        text(&checked.stdout),
        "valid: stentor.toml, the environment and flags; no tenant: serving makes a development tenant\n"
    );
}

#[test]
fn the_environment_is_read_and_its_unknown_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name: &str| {
        let mut command = stentor(folder.path(), &["config", "show"]);
        command.env(name, "3").output().unwrap()
    };
    let shown = text(&with("STENTOR_SERVER_SHARDS").stdout);
    assert!(shown.lines().any(|it| it.starts_with("shards = 3 ") && it.ends_with("# environment")));
    let refused = with("STENTOR_SERVER_SHARD");
    assert_eq!(refused.status.code(), Some(78));
    assert!(text(&refused.stderr).contains("did you mean `STENTOR_SERVER_SHARDS`?"));
}

#[test]
fn a_node_stops_with_0_when_it_is_told() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let mut node = Running::start(folder.path(), &["--ephemeral"]);
        assert_eq!(node.stop(signal), Some(0));
    }
}

#[test]
fn the_ready_file_tells_a_script_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Running::start(folder.path(), &["--print-secrets"]);
    let ready = &node.ready;
    assert!(ready["tenants"][0]["project_key"].as_str().unwrap().starts_with("ifr_pk_proj_"));
    assert_eq!(ready["pid"], node.child.id());
    assert_eq!(ready["tenants"][0]["name"], "dev");
    assert_eq!(ready["data_dir"], "./stentor-data");
    let (http, ws) = (ready["http"].as_str().unwrap(), ready["ws"].as_str().unwrap());
    let port = |url: &str| url.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    assert!(http.starts_with("http://127.0.0.1:") && ws.starts_with("ws://127.0.0.1:"));
    assert_eq!(port(http), port(ws));
    assert!(ready["version"].as_str().unwrap().starts_with(env!("CARGO_PKG_VERSION")));
    assert!(node.key().starts_with("coh_app_"));
    let first = node.key();
    assert_eq!(node.stop(Signal::TERM), Some(0));
    let again = Running::start(folder.path(), &["--print-secrets"]);
    assert_eq!(again.key(), first, "the second start has the tenant of the first");
}

#[test]
fn secrets_are_printed_only_on_request_where_there_is_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut masked = Running::start(folder.path(), &["--ephemeral"]);
    assert_eq!(masked.stop(Signal::TERM), Some(0));
    for key in ["application_key", "management_key", "project_key", "api_key", "jwt_secret"] {
        assert!(masked.ready["tenants"][0][key].is_null(), "{}", masked.ready);
    }
    let anon_key = masked.ready["tenants"][0]["anon_key"].as_str().unwrap();
    assert!(anon_key.starts_with("anon_") && masked.banner.contains(anon_key), "it is no secret");
    for line in
        ["application key  coh_app_…", "Infrai key       ifr_pk_proj_…", "InsForge key     ik_…"]
    {
        assert!(masked.banner.contains(line), "{line} in\n{}", masked.banner);
    }
    assert!(masked.banner.contains("--print-secrets"), "{}", masked.banner);
    let mut shown = Running::start(folder.path(), &["--ephemeral", "--print-secrets"]);
    let key = shown.key();
    assert_eq!(shown.stop(Signal::TERM), Some(0));
    let of = |name: &str| shown.ready["tenants"][0][name].as_str().unwrap().to_owned();
    let (http, ws) = (shown.ready["http"].as_str().unwrap(), shown.ready["ws"].as_str().unwrap());
    for part in [
        &key,
        &of("project_key"),
        &of("api_key"),
        &format!("io('{http}', {{ auth: {{ token: '{}' }} }})", of("anon_key")),
        &format!("{ws}/realtime   and first {{\"type\":\"auth\",\"token\":\"anon_"),
        "/api/realtime/channels",
        "curl ",
        "/v1/realtime/publish",
        "/edge/realtime?channel=chat:hello&token=ey",
        "kernel",
        "io_uring",
    ] {
        assert!(shown.banner.contains(part), "{part} in\n{}", shown.banner);
    }
    let folder_is_empty =
        fs::read_dir(folder.path()).unwrap().all(|it| it.unwrap().file_name() == "ready.json");
    assert!(folder_is_empty, "an ephemeral node keeps nothing");
}

#[test]
fn a_token_is_issued_offline_for_the_tenant_of_the_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let issued =
        output(folder.path(), &["token", "issue", "--user", "ada", "--name", "Ada", "--ttl", "60"]);
    assert_eq!(issued.status.code(), Some(0), "{}", text(&issued.stderr));
    let token = text(&issued.stdout);
    let limits = protocol::Limits::default();
    assert_eq!(protocol::auth::peek_tenant(token.trim(), &limits).ok().as_deref(), Some("dev"));
}

#[test]
fn doctor_names_what_it_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let report = text(&output(folder.path(), &["doctor"]).stdout);
    for subject in ["kernel", "io_uring", "shards", "descriptors", "locked memory"] {
        assert!(report.contains(subject), "{subject} in {report}");
    }
}
