//! A node under test: started, asked for its addresses and keys, stopped, and never left behind.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a script may take, or a browser: each of its waits has an end of its own.
pub(crate) const PATIENCE_WITH_SCRIPTS: Duration = Duration::from_mins(1);

/// A configuration with two tenants that speak Cohesivity.
pub(crate) const TWO_TENANTS: &str = r#"
[server]
shards = 2

[[tenant]]
name = "one"
[tenant.cohesivity]
application_key = "coh_app_11111111111111111111"
management_key = "coh_man_11111111111111111111"

[[tenant]]
name = "two"
[tenant.cohesivity]
application_key = "coh_app_22222222222222222222"
management_key = "coh_man_22222222222222222222"
"#;

/// The binary in a folder, without the settings of whoever runs the tests.
pub(crate) fn stentor(folder: &Path) -> Command {
    stentor_at(Path::new(env!("CARGO_BIN_EXE_stentor")), folder)
}

/// The same of a copy of it.
pub(crate) fn stentor_at(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STENTOR_")) {
        command.env_remove(name);
    }
    command
}

/// A running node.
pub(crate) struct Node {
    child: Child,
    /// What it said until it listened.
    began: Vec<String>,
    log: Receiver<String>,
    ready: Value,
    address: SocketAddr,
    /// Removed with the node.
    _folder: Option<tempfile::TempDir>,
}

impl Node {
    /// A node of two shards that keeps nothing on disk.
    pub(crate) fn ephemeral() -> Self {
        Self::with(&["--ephemeral", "--shards", "2"])
    }

    /// A node with these flags, in a folder of its own.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut node = Self::start(folder.path(), arguments);
        node._folder = Some(folder);
        node
    }

    /// A node with these flags in a folder that outlives it. Returns once it listens.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::launch(stentor(folder), folder, arguments)
    }

    /// The same, by a command to which `serve` and the flags are added.
    pub(crate) fn launch(mut command: Command, folder: &Path, arguments: &[&str]) -> Self {
        let ready_file = folder.join("ready.json");
        command.args(["serve", "--log-format", "text"]).args(arguments);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.arg("--print-secrets").arg("--ready-file").arg(&ready_file);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, log) = channel();
        read_lines(child.stderr.take().unwrap(), sender);
        let mut before = Vec::new();
        loop {
            let Ok(line) = log.recv_timeout(PATIENCE) else {
                let _ = child.kill(); // it may have ended
                panic!("the node did not start: {:?}\n{}", child.wait(), before.join("\n"));
            };
            let listens = line.contains("node listens");
            before.push(line);
            if listens {
                break;
            }
        }
        let ready: Value = serde_json::from_slice(&std::fs::read(&ready_file).unwrap()).unwrap();
        let address = ready["http"].as_str().unwrap().strip_prefix("http://").unwrap();
        let address = address.parse().unwrap();
        Self { child, began: before, log, ready, address, _folder: None }
    }

    /// What the ready file says.
    pub(crate) fn ready(&self) -> &Value {
        &self.ready
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The application key of its first tenant.
    pub(crate) fn key(&self) -> &str {
        self.ready["tenants"][0]["application_key"].as_str().unwrap()
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The URL of a path that is called with the key.
    pub(crate) fn keyed(&self, path: &str) -> String {
        let join = if path.contains('?') { '&' } else { '?' };
        format!("{}{join}key={}", self.url(path), self.key())
    }

    /// Its process.
    pub(crate) fn pid(&self) -> i32 {
        Pid::from_child(&self.child).as_raw_nonzero().get()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    /// Waits until the log says this.
    pub(crate) fn wait_for_log(&self, text: &str) {
        while !self.log.recv_timeout(PATIENCE).expect(text).contains(text) {}
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }

    /// Waits for its end, which a script brings about; `None` when that is over, and the node lives.
    pub(crate) fn wait_for_script(&mut self, is_over: impl Fn() -> bool) -> Option<ExitStatus> {
        for _ in 0..PATIENCE_WITH_SCRIPTS.as_millis() / LOOK_AGAIN.as_millis() {
            let is_over = is_over();
            let status = self.child.try_wait().unwrap();
            if is_over || status.is_some() {
                return status;
            }
            pause(LOOK_AGAIN);
        }
        panic!("neither the node nor the script ended within {PATIENCE_WITH_SCRIPTS:?}");
    }

    /// Asks it to stop, and sees that it ends well.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.wait().code(), Some(0));
    }

    /// The same, and gives what it logged since it listened.
    pub(crate) fn stop_and_read(mut self) -> String {
        self.signal(Signal::TERM);
        assert_eq!(self.wait().code(), Some(0));
        let began = std::mem::take(&mut self.began);
        began.into_iter().chain(self.log.iter()).collect::<Vec<_>>().join("\n")
    }

    /// Ends it between two instructions.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let has_failed =
            matches!(self.child.try_wait(), Ok(Some(it)) if it.code().is_some_and(|it| it != 0));
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait(); // so that no zombie is left
        if thread::panicking() || has_failed {
            let lines: Vec<_> = self.log.try_iter().collect();
            tell(&format!("the node's log:\n{}", lines.join("\n")));
        }
    }
}

/// Waits for what a node writes once it is ready. One that ends before, or takes too long, is told of with its log.
pub(crate) fn wait_for_ready(child: &mut Child, (ready, log): (&Path, &Path)) -> String {
    for _ in 0..PATIENCE.as_millis() / LOOK_AGAIN.as_millis() {
        if let Ok(text) = std::fs::read_to_string(ready) {
            return text;
        }
        if child.try_wait().unwrap().is_some() {
            break;
        }
        pause(LOOK_AGAIN);
    }
    let _ = child.kill(); // it may have ended
    let log = std::fs::read_to_string(log).unwrap_or_default();
    panic!("the node did not start: {:?}\n{log}", child.wait());
}

/// Waits for a child; one that does not end is killed, and the test with it.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    wait_within(child, PATIENCE)
}

/// The same, with another patience.
pub(crate) fn wait_within(child: &mut Child, patience: Duration) -> ExitStatus {
    for _ in 0..patience.as_millis() / LOOK_AGAIN.as_millis() {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        pause(LOOK_AGAIN);
    }
    child.kill().unwrap();
    panic!("a process did not end within {patience:?}");
}

const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Lets time pass.
pub(crate) fn pause(duration: Duration) {
    thread::park_timeout(duration);
}

#[expect(clippy::print_stderr, reason = "a test that fails says what it saw")]
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}

/// Ends with the stream; nobody needs to join it.
fn read_lines(stream: impl std::io::Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
}

/// What a command said, and how it ended. It is killed when it takes too long.
pub(crate) fn run(command: &mut Command) -> (ExitStatus, String, String) {
    run_within(command, PATIENCE)
}

/// The same, with another patience.
pub(crate) fn run_within(
    command: &mut Command,
    patience: Duration,
) -> (ExitStatus, String, String) {
    let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let (mut out, mut error) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read_error = thread::spawn(move || {
        let mut text = Vec::new();
        error.read_to_end(&mut text).unwrap();
        text
    });
    let read_out = thread::spawn(move || {
        let mut text = Vec::new();
        out.read_to_end(&mut text).unwrap();
        text
    });
    let status = wait_within(&mut child, patience);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status, text(read_out.join().unwrap()), text(read_error.join().unwrap()))
}

/// The folder of the clients' scripts.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e")
}
