//! kill -9 under load: a child appends and says what was acknowledged, the parent kills it and looks.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise; it waits for a real process for a random time"
)]

mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use storage::{
    Journal, JournalKind, JournalOptions, Keep, Offset, Prepare, Publication, Retention, open,
};
use support::{Random, channel, keep_all, publication};

const DIR: &str = "STENTOR_CRASH_DIR";
const KIND: &str = "STENTOR_CRASH_KIND";
const CHANNELS: u64 = 7;

fn journal(kind: JournalKind, dir: &Path) -> Box<dyn Journal> {
    let options = JournalOptions { segment_bytes: 128 * 1024, prepare: Prepare::Ahead };
    open(kind, dir, &options).unwrap()
}

fn lasts(journal: &dyn Journal) -> BTreeMap<u64, u64> {
    let number = |name: &str| name.trim_start_matches("room:").parse().unwrap();
    let states = journal.channels().into_iter();
    states.map(|(key, state)| (number(key.name()), state.position.offset.0)).collect()
}

/// The child: it appends until it is killed, and prints the last offsets once they are acknowledged.
#[test]
fn child_that_is_killed() {
    let (Ok(dir), Ok(kind)) = (std::env::var(DIR), std::env::var(KIND)) else {
        return; // Only `crash` starts it in earnest.
    };
    let kind = if kind == "sled" { JournalKind::Sled } else { JournalKind::Segment };
    let mut journal = journal(kind, Path::new(&dir));
    let mut lasts = lasts(&*journal);
    let mut random = Random(u64::from(std::process::id()));
    let mut out = std::io::stdout().lock();
    loop {
        let batch: Vec<_> = (0..1 + random.below(40))
            .map(|_| {
                let number = random.below(CHANNELS);
                let last = lasts.entry(number).or_default();
                *last += 1;
                publication(&channel(number), 1, *last)
            })
            .collect();
        journal.append(&batch).unwrap();
        let text: Vec<_> = lasts.iter().map(|(number, last)| format!("{number}:{last}")).collect();
        writeln!(out, "acked {}", text.join(" ")).unwrap();
        out.flush().unwrap();
        if random.chance(30) {
            let keep = Keep { messages_max: 2_000, ..Keep::ALL };
            let policy = Retention { keep: std::sync::Arc::new(move |_| keep), ..keep_all() };
            journal.retain(&policy, 0).unwrap();
        }
    }
}

/// Runs the child for a while; returns what it said was acknowledged last.
fn run_and_kill(kind: &str, dir: &Path, time: Duration) -> BTreeMap<u64, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env(DIR, dir)
        .env(KIND, kind)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acked = BTreeMap::new();
    // The time begins with the first acknowledgement, however long the start takes.
    let mut note = |line: String| {
        if let Some((_, text)) = line.split_once("acked ") {
            let pairs = text.split(' ').filter_map(|it| it.split_once(':'));
            acked = pairs.map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).collect();
        }
    };
    for line in lines.by_ref().map_while(Result::ok) {
        let is_first = line.contains("acked ");
        note(line);
        if is_first {
            break;
        }
    }
    std::thread::sleep(time);
    child.kill().unwrap();
    lines.map_while(Result::ok).for_each(note);
    child.wait().unwrap();
    acked
}

fn crash(kind: &str, rounds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("journal");
    let mut random = Random(rounds);
    let mut total = 0;
    for round in 0..rounds {
        let acked = run_and_kill(kind, &dir, Duration::from_millis(random.below(50)));
        assert!(!acked.is_empty(), "round {round}: the child worked");
        let kind = if kind == "sled" { JournalKind::Sled } else { JournalKind::Segment };
        let mut journal = journal(kind, &dir);
        assert_eq!(journal.stats().quarantined, 0, "round {round}: a kill is no damage");
        let found = lasts(&*journal);
        for (number, last) in acked {
            let key = channel(number);
            assert!(found.get(&number) >= Some(&last), "round {round}: {key:?} has {last}");
            let read = tail(&mut *journal, number, last.saturating_sub(500));
            let first = last.saturating_sub(500) + 1;
            for (publication, at) in read.iter().zip(first..) {
                assert_eq!(**publication, *support::publication(&key, 1, at), "round {round}");
            }
            assert_eq!(read.len() as u64 + first - 1, found[&number], "round {round}");
            total += read.len();
        }
    }
    assert!(total > 1_000, "{total} messages were looked at");
}

fn tail(journal: &mut dyn Journal, number: u64, after: u64) -> Vec<std::sync::Arc<Publication>> {
    journal.read(&channel(number), Offset(after), usize::MAX).unwrap()
}

#[test]
fn a_killed_segment_log_has_every_acknowledged_message_once_and_in_order() {
    crash("segment", 200);
}

#[test]
fn a_killed_sled_journal_has_every_acknowledged_message_once_and_in_order() {
    crash("sled", 20);
}
