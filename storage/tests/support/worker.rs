//! A process that writes until it is killed or its disk is gone, and says what was acknowledged: this test binary once more.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use storage::{Catalog, Journal, JournalKind, JournalOptions, OpenError, Prepare, open};

const DIR: &str = "STENTOR_WORKER_DIR";
const KIND: &str = "STENTOR_WORKER_KIND";
const SAID: &str = "STENTOR_WORKER_SAID";
const LOOKED: &str = "looked at ";

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What it writes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Segment,
    Sled,
    Catalog,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Sled => "sled",
            Self::Catalog => "catalog",
        }
    }

    fn called(name: &str) -> Self {
        let all = [Self::Segment, Self::Sled, Self::Catalog];
        all.into_iter().find(|it| it.name() == name).unwrap()
    }

    pub(crate) fn journal(self, dir: &Path) -> Box<dyn Journal> {
        let kind = if self == Self::Sled { JournalKind::Sled } else { JournalKind::Segment };
        let options = JournalOptions { segment_bytes: 128 * 1024, prepare: Prepare::Ahead };
        unlocked(|| open(kind, dir, &options))
    }
}

pub(crate) fn catalog(dir: &Path) -> Catalog {
    unlocked(|| Catalog::open(dir))
}

/// Opens what a child that another test is just starting may hold: it has a copy of every open file, until it is another program.
pub(crate) fn unlocked<T>(open: impl Fn() -> Result<T, OpenError>) -> T {
    loop {
        match open() {
            Err(OpenError::Locked { .. }) => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

/// A running child. It ends with this.
pub(crate) struct Worker {
    child: Child,
    /// `None` once it was asked for.
    said: Option<JoinHandle<String>>,
    first: std::sync::mpsc::Receiver<()>,
}

impl Worker {
    /// Starts this test binary again as a child that runs `test`, which begins with [`asked`].
    pub(crate) fn start(test: &str, kind: Kind, dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(DIR, dir)
            .env(KIND, kind.name())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (began, first) = std::sync::mpsc::channel();
        let said = std::thread::spawn(move || {
            let mut last = String::new();
            for line in lines.map_while(Result::ok).filter_map(|it| acked(&it)) {
                last = line;
                let _ = began.send(()); // Only the first one is waited for.
            }
            last
        });
        Self { child, said: Some(said), first }
    }

    /// Lets it work for a while from its first acknowledgement on, however long the start takes.
    #[expect(clippy::disallowed_methods, reason = "a real process works for a random time")]
    pub(crate) fn work_for(&self, time: Duration) {
        self.first.recv_timeout(PATIENCE).unwrap();
        std::thread::sleep(time);
    }

    /// Kills it, and gives what it said last.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.said()
    }

    /// Waits for its end, which comes when its disk is gone: it was refused from then on. Gives what it said last.
    #[expect(clippy::disallowed_methods, reason = "a real process takes its time to end")]
    pub(crate) fn end(mut self) -> String {
        for _ in 0..PATIENCE.as_millis() / LOOK_AGAIN.as_millis() {
            if self.child.try_wait().unwrap().is_some() {
                return self.said();
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        panic!("nothing was answered on a disk that is gone");
    }

    fn said(mut self) -> String {
        let status = self.child.wait().unwrap();
        assert!(status.code().is_none_or(|it| it == 0), "it was not refused for good: {status}");
        let said = self.said.take().unwrap().join().unwrap();
        assert!(!said.is_empty(), "the child worked");
        said
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill(); // It may have ended.
        let _ = self.child.wait(); // So that no zombie is left.
    }
}

/// What a line says was acknowledged. One without its end was being written when the child was killed.
fn acked(line: &str) -> Option<String> {
    Some(line.strip_suffix(" .")?.split_once("acked ")?.1.to_owned())
}

/// Has a child look for what another said was acknowledged: whatever it leaves open is closed with it. `test` calls [`to_look_for`]. Gives
/// how much it looked at.
pub(crate) fn look(test: &str, kind: Kind, dir: &Path, said: &str) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]);
    child.env(DIR, dir).env(KIND, kind.name()).env(SAID, said).stderr(Stdio::inherit());
    let looked = child.output().unwrap();
    assert!(looked.status.success(), "not all that was acknowledged is there: {said}");
    let told = String::from_utf8(looked.stdout).unwrap();
    let of_line = |it: &str| it.split_once(LOOKED)?.1.parse().ok();
    told.lines().find_map(of_line).unwrap()
}

/// The child's side: what it is to look for. `None` where nobody asked for it.
pub(crate) fn to_look_for() -> Option<String> {
    std::env::var(SAID).ok()
}

/// The child says how much it looked at.
pub(crate) fn say_looked_at(count: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{LOOKED}{count}").unwrap();
}

/// The child's side: what it is to write to, and where. `None` where nobody asked for it.
pub(crate) fn asked() -> Option<(Kind, PathBuf)> {
    let (dir, kind) = (std::env::var(DIR).ok()?, std::env::var(KIND).ok()?);
    Some((Kind::called(&kind), PathBuf::from(dir)))
}

/// The child says what is acknowledged.
pub(crate) fn say(acked: &str) {
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "acked {acked} .").and_then(|()| out.flush());
    if said.is_err() {
        // Nobody listens any more: then nothing is acknowledged, and nothing left to do.
        std::process::exit(1);
    }
}
