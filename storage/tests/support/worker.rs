//! A process that writes until it is killed or its disk is gone, and says what was acknowledged; and what must be there afterwards.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use storage::{
    Catalog, Change, Journal, JournalError, JournalKind, JournalOptions, Keep, Offset, OpenError,
    Prepare, Retention, open,
};

use super::{Random, channel, keep_all, publication};

const DIR: &str = "STENTOR_WORKER_DIR";
const KIND: &str = "STENTOR_WORKER_KIND";
const CHANNELS: u64 = 7;
/// What each channel keeps, now and then.
const KEPT: u64 = 1_000;
/// Every so manyth change of a key of the catalog removes it.
const DELETES: u64 = 5;

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

/// The last acknowledged number of each channel, or key of the catalog.
pub(crate) type Acked = BTreeMap<u64, u64>;

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Sled => "sled",
            Self::Catalog => "catalog",
        }
    }

    fn journal(self, dir: &Path) -> Box<dyn Journal> {
        let kind = if self == Self::Sled { JournalKind::Sled } else { JournalKind::Segment };
        let options = JournalOptions { segment_bytes: 256 * 1024, prepare: Prepare::Ahead };
        unlocked(|| open(kind, dir, &options))
    }
}

/// Opens what a child that another test is just starting may hold: it has a copy of every open file, until it is another program.
fn unlocked<T>(open: impl Fn() -> Result<T, OpenError>) -> T {
    loop {
        match open() {
            Err(OpenError::Locked { .. }) => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

/// A running child.
pub(crate) struct Worker {
    child: Child,
    said: JoinHandle<String>,
    first: std::sync::mpsc::Receiver<()>,
}

impl Worker {
    /// Starts this test binary again as a child that runs `test`, which is [`work_if_asked`].
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
        Self { child, said, first }
    }

    /// Lets it work for a while from its first acknowledgement on, however long the start takes.
    #[expect(clippy::disallowed_methods, reason = "a real process works for a random time")]
    pub(crate) fn work_for(&self, time: Duration) {
        self.first.recv_timeout(PATIENCE).unwrap();
        std::thread::sleep(time);
    }

    /// Kills it, and says what was acknowledged.
    pub(crate) fn kill(mut self) -> Acked {
        self.child.kill().unwrap();
        self.acked()
    }

    /// Waits for its end, which comes when its disk is gone: it was refused from then on. Says what was acknowledged.
    #[expect(clippy::disallowed_methods, reason = "a real process takes its time to end")]
    pub(crate) fn end(mut self) -> Acked {
        for _ in 0..PATIENCE.as_millis() / LOOK_AGAIN.as_millis() {
            if self.child.try_wait().unwrap().is_some() {
                return self.acked();
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        let _ = self.child.kill(); // It may have ended just now.
        panic!("nothing was answered on a disk that is gone");
    }

    fn acked(mut self) -> Acked {
        let status = self.child.wait().unwrap();
        assert!(status.code().is_none_or(|it| it == 0), "it was not refused for good: {status}");
        let said = self.said.join().unwrap();
        let pairs = said.split(' ').filter_map(|it| it.split_once(':'));
        pairs.map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).collect()
    }
}

/// What a line says was acknowledged. One without its end was being written when the child was killed.
fn acked(line: &str) -> Option<String> {
    Some(line.strip_suffix(" .")?.split_once("acked ")?.1.to_owned())
}

/// The child's side: works until it is killed or its disk is gone. Returns at once where nobody asked for it.
pub(crate) fn work_if_asked() {
    let (Ok(dir), Ok(kind)) = (std::env::var(DIR), std::env::var(KIND)) else { return };
    let dir = PathBuf::from(dir);
    let refused = match kind.as_str() {
        "catalog" => write_catalog(&dir),
        "sled" => write_journal(Kind::Sled, &dir),
        _ => write_journal(Kind::Segment, &dir),
    };
    // Without closing anything: the disk is gone, and what was refused stays refused.
    std::process::exit(i32::from(!refused));
}

fn say(acked: &Acked) {
    let text: Vec<_> = acked.iter().map(|(number, last)| format!("{number}:{last}")).collect();
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: then nothing is acknowledged either.
    let said = writeln!(out, "acked {} .", text.join(" "));
    let _ = said.and_then(|()| out.flush());
}

/// Appends until that fails. Says whether it was refused then for good.
fn write_journal(kind: Kind, dir: &Path) -> bool {
    let mut journal = kind.journal(dir);
    let mut lasts = lasts(&*journal);
    let mut random = Random(u64::from(std::process::id()));
    loop {
        let batch: Vec<_> = (0..1 + random.below(100))
            .map(|_| {
                let number = random.below(CHANNELS);
                let last = lasts.entry(number).or_default();
                *last += 1;
                publication(&channel(number), 1, *last)
            })
            .collect();
        if journal.append(&batch).is_err() {
            return (0..3).all(|_| matches!(journal.append(&batch), Err(JournalError::Fenced)));
        }
        say(&lasts);
        if random.chance(30) {
            let keep = Keep { messages_max: KEPT, ..Keep::ALL };
            let policy = Retention { keep: Arc::new(move |_| keep), ..keep_all() };
            // The next append tells of an error.
            let _ = journal.retain(&policy, 0);
        }
    }
}

fn lasts(journal: &dyn Journal) -> Acked {
    let number = |name: &str| name.trim_start_matches("room:").parse().unwrap();
    let states = journal.channels().into_iter();
    states.map(|(key, state)| (number(key.name()), state.position.offset.0)).collect()
}

/// The number of the last change of each key.
fn changes(catalog: &Catalog) -> Acked {
    let number = |bytes: Vec<u8>| u64::from_be_bytes(bytes.try_into().unwrap());
    let entries = catalog.entries("last").unwrap().into_iter();
    entries.map(|(key, value)| (number(key), number(value))).collect()
}

/// Changes keys until that fails. Each change sets or removes a value, and notes its number in the same breath.
fn write_catalog(dir: &Path) -> bool {
    let mut catalog = unlocked(|| Catalog::open(dir));
    let mut lasts = changes(&catalog);
    let mut random = Random(u64::from(std::process::id()));
    loop {
        let key = random.below(CHANNELS * 10);
        let last = lasts.entry(key).or_default();
        *last += 1;
        let (key, value) = (key.to_be_bytes(), last.to_be_bytes());
        let long = value.repeat(1 + usize::try_from(*last % 40).unwrap());
        let change = match last.is_multiple_of(DELETES) {
            true => Change::Delete { table: "value", key: &key },
            false => Change::Put { table: "value", key: &key, value: &long },
        };
        let note = Change::Put { table: "last", key: &key, value: &value };
        if catalog.apply(&[change, note], 0).is_err() {
            return (0..3).all(|_| matches!(catalog.apply(&[note], 0), Err(JournalError::Fenced)));
        }
        say(&lasts);
    }
}

/// Looks for everything that was acknowledged. Returns how much there is.
pub(crate) fn check(kind: Kind, dir: &Path, acked: &Acked) -> u64 {
    if kind == Kind::Catalog { check_catalog(dir, acked) } else { check_journal(kind, dir, acked) }
}

fn check_journal(kind: Kind, dir: &Path, acked: &Acked) -> u64 {
    let mut journal = kind.journal(dir);
    assert_eq!(journal.stats().quarantined, 0, "it is no damage");
    let found = lasts(&*journal);
    for (number, last) in acked {
        assert!(found.get(number) >= Some(last), "room:{number} has {last}, found {found:?}");
    }
    let mut count = 0;
    for (key, state) in journal.channels() {
        let last = state.position.offset.0;
        let first = state.first_retained.0;
        assert!(first <= last.saturating_sub(KEPT) + 1, "{key:?}: {state:?}");
        assert_eq!(state.position.epoch.0, 1, "{key:?}");
        let mut next = first;
        while next <= last {
            let read = journal.read(&key, Offset(next - 1), 1_000).unwrap();
            assert!(!read.is_empty(), "{key:?} reads up to {next} of {last}");
            for it in read {
                assert_eq!(*it, *publication(&key, 1, next));
                next += 1;
            }
        }
        count += next - first;
    }
    count
}

fn check_catalog(dir: &Path, acked: &Acked) -> u64 {
    let catalog = unlocked(|| Catalog::open(dir));
    assert_eq!(catalog.quarantined(), 0, "it is no damage");
    let found = changes(&catalog);
    for (key, last) in acked {
        assert!(found.get(key) >= Some(last), "{key} has {last}, found {found:?}");
    }
    for (key, last) in &found {
        let value = catalog.get("value", &key.to_be_bytes()).unwrap();
        let long = last.to_be_bytes().repeat(1 + usize::try_from(*last % 40).unwrap());
        let expected = (!last.is_multiple_of(DELETES)).then_some(long);
        assert_eq!(value, expected, "{key}: all of a change or none of it");
    }
    found.len() as u64
}
