//! The door of a running node: a socket in its data directory that its owner alone may open, and a thread that serves one ask
//! after the other. An ask is one line of JSON, and so is its answer.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

use super::link::NodeLink;
use super::roster::Roster;
use super::{Refused, answer_line, read_answer};
use crate::reactor::Clock;

/// Its name in the data directory.
pub const SOCKET: &str = "control.sock";
const ASK_BYTES_MAX: u64 = 64 * 1024;
/// How long a caller may take to say what it wants, and to read the answer.
const CALLER_PATIENCE: Duration = Duration::from_secs(5);
/// How long a caller waits for what it asked.
const ANSWER_PATIENCE: Duration = Duration::from_secs(120);
/// After a fault of the socket, and the longest sleep.
const PAUSE_MS: u64 = 60_000;

/// An open door. The socket is gone once it is dropped.
pub struct Door {
    path: PathBuf,
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // a socket that nobody listens on says the same
    }
}

impl Door {
    /// Opens it. Whoever calls holds the catalog, so what is there is left over from a node that is gone.
    ///
    /// # Errors
    /// When the folder takes no socket: its path may be too long for one.
    pub fn open(data_dir: &Path, mut link: NodeLink, mut roster: Roster) -> Result<Self, Refused> {
        let path = data_dir.join(SOCKET);
        let wrong = |cause: io::Error| Refused::disk(format!("open {}: {cause}", path.display()));
        let listener = listen(data_dir, &path).map_err(wrong)?;
        let thread = thread::Builder::new().name("operator".to_owned());
        thread.spawn(move || serve(&listener, &mut link, &mut roster)).map_err(wrong)?;
        Ok(Self { path })
    }
}

/// The socket appears under its name with its mode, not before: until then it is in a folder that is its owner's alone.
fn listen(data_dir: &Path, path: &Path) -> io::Result<UnixListener> {
    let room = data_dir.join(".door");
    let inside = room.join(SOCKET);
    let _ = fs::remove_dir_all(&room); // it is there only if a start was cut short
    DirBuilder::new().mode(0o700).create(&room)?;
    let listener = UnixListener::bind(&inside)?;
    fs::set_permissions(&inside, Permissions::from_mode(0o600))?;
    fs::rename(&inside, path)?;
    fs::remove_dir(&room)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(listener: &UnixListener, link: &mut NodeLink, roster: &mut Roster) {
    let clock = Clock::start();
    let now_ms = || clock.now().wall_ms;
    loop {
        // An ask may bring the next time nearer.
        let next_ms = roster.keep_up(link, now_ms());
        let sleep_ms = next_ms.map_or(PAUSE_MS, |it| it.saturating_sub(now_ms()).min(PAUSE_MS));
        wait(listener, sleep_ms + 1);
        match listener.accept() {
            Ok((stream, _)) => {
                if let Err(cause) = answer(&stream, link, roster, now_ms()) {
                    tracing::debug!(%cause, "an operator went away");
                }
            }
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {}
            Err(cause) => {
                tracing::error!(%cause, "the operator's door does not open");
                thread::park_timeout(CALLER_PATIENCE);
            }
        }
    }
}

fn wait(listener: &UnixListener, sleep_ms: u64) {
    let timeout = Timespec {
        tv_sec: i64::try_from(sleep_ms / 1000).unwrap_or(0),
        tv_nsec: i64::try_from(sleep_ms % 1000 * 1_000_000).unwrap_or(0),
    };
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    let _ = poll(&mut fds, Some(&timeout)); // what it says, accept says again
}

fn answer(
    stream: &UnixStream,
    link: &mut NodeLink,
    roster: &mut Roster,
    now_ms: u64,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(CALLER_PATIENCE))?;
    stream.set_write_timeout(Some(CALLER_PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream).take(ASK_BYTES_MAX).read_line(&mut line)?;
    let result = match serde_json::from_str::<Value>(&line) {
        Ok(ask) => {
            let result = roster.perform(&ask, link, now_ms);
            let what = ask.get("do").and_then(Value::as_str).unwrap_or_default();
            tracing::info!(what, done = result.is_ok(), "operator");
            result
        }
        Err(_) => Err(Refused::asked("an ask is one line of JSON")),
    };
    let mut stream = stream;
    stream.write_all(answer_line(&result).as_bytes())
}

/// Asks the node that runs on a data directory. `None`: none does.
///
/// # Errors
/// When it refuses, or does not answer.
pub fn ask_running(data_dir: &Path, ask: &Value) -> Option<Result<Value, Refused>> {
    let stream = UnixStream::connect(data_dir.join(SOCKET)).ok()?;
    Some(ask_over(stream, ask))
}

fn ask_over(mut stream: UnixStream, ask: &Value) -> Result<Value, Refused> {
    let away = |cause: io::Error| Refused::away(format!("the server does not answer: {cause}"));
    stream.set_read_timeout(Some(ANSWER_PATIENCE)).map_err(away)?;
    stream.write_all(format!("{ask}\n").as_bytes()).map_err(away)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(away)?;
    read_answer(&line)
}
