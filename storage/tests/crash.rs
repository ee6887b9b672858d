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
    Among, Counted, Counts, Journal, JournalKind, JournalOptions, Keep, ListQuery, Offset,
    OpenError, Prepare, Publication, Retention, StatsQuery, TenantId, list, open, stats,
};
use support::{
    Random, channel, keep_all, publication, trust,
    worker::{self, Worker},
};

const DIR: &str = "STENTOR_CRASH_DIR";
const KIND: &str = "STENTOR_CRASH_KIND";
const CHANNELS: u64 = 7;
/// Then a log is so long that looking at all of it takes more time than another kill.
const ROUNDS_OF_A_LOG: u64 = 10;

fn journal(kind: JournalKind, dir: &Path) -> Box<dyn Journal> {
    let options = JournalOptions { segment_bytes: 128 * 1024, prepare: Prepare::Ahead };
    loop {
        match open(kind, dir, &options) {
            // A child that another test is just starting has a copy of every open file, until it is another program.
            Err(OpenError::Locked { .. }) => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
}

fn kind_of(name: &str) -> JournalKind {
    if name == "sled" { JournalKind::Sled } else { JournalKind::Segment }
}

/// The key of every durable message is listed, whatever was retired, and no other: each third message has one.
fn check_keys(journal: &dyn Journal, durable: &BTreeMap<u64, (u32, u64)>, round: u64) {
    let mut listed: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for record in journal.keyed_since(0, usize::MAX).unwrap() {
        let number = record.channel.name().trim_start_matches("room:").parse().unwrap();
        let sent = publication(&record.channel, record.epoch.0, record.offset.0);
        assert_eq!(Some(record.idempotency), sent.idempotency(), "round {round}");
        assert_eq!((record.id, record.at_ms), (sent.id(), sent.at_ms()), "round {round}");
        assert_eq!(record.epoch.0, durable[&number].0, "round {round}");
        listed.entry(number).or_default().push(record.offset.0);
    }
    for (number, (_, last)) in durable {
        let offsets = listed.remove(number).unwrap_or_default();
        assert!(offsets.into_iter().eq((3..=*last).step_by(3)), "round {round}: keys of {number}");
    }
}

/// As many messages are counted, listed and gone along as are retained.
fn check_counts(journal: &mut Box<dyn Journal>, round: u64) {
    let mut retained: BTreeMap<TenantId, u64> = BTreeMap::new();
    for (key, state) in journal.channels() {
        let count = state.position.offset.0 + 1 - state.first_retained.0;
        *retained.entry(key.tenant()).or_default() += count;
    }
    for (tenant, count) in retained {
        let query = StatsQuery { tenant, among: Among::All, since_ms: 0 };
        let counted = stats(&mut [journal], &query).unwrap();
        assert_eq!(counted.messages, count, "round {round}");
        let oldest = ListQuery {
            tenant,
            among: Among::All,
            event: None,
            limit: 10,
            offset: count.max(3) - 3,
        };
        let listed = list(&mut [journal], &oldest).unwrap();
        assert_eq!(listed.len() as u64, count.min(3), "round {round}");
        let newest = ListQuery { limit: 100, offset: 0, ..oldest };
        for it in listed.into_iter().chain(list(&mut [journal], &newest).unwrap()) {
            let offset = it.publication.offset().unwrap().0;
            // What was killed between a batch and its counts says nothing.
            let is_right = [0, offset].contains(&it.counts.ws_audience);
            assert!(is_right, "round {round}: {offset} has {:?}", it.counts);
        }
    }
}

/// What is said about a message.
fn counted(of: &Publication) -> Counted {
    let offset = of.offset().unwrap();
    let counts = Counts { ws_audience: offset.0, ..Counts::default() };
    Counted { channel: std::sync::Arc::clone(of.channel()), epoch: of.epoch(), offset, counts }
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
    let mut journal = journal(kind_of(&kind), Path::new(&dir));
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
        let counted: Vec<_> = batch.iter().map(|it| counted(it)).collect();
        journal.count(&counted).unwrap();
        let text: Vec<_> = lasts.iter().map(|(number, last)| format!("{number}:{last}")).collect();
        writeln!(out, "acked {} .", text.join(" ")).unwrap();
        out.flush().unwrap();
        if random.chance(30) {
            let keep = Keep { messages_max: 2_000, ..Keep::ALL };
            let policy = Retention { keep: std::sync::Arc::new(move |_| keep), ..keep_all() };
            journal.retain(&policy, 0).unwrap();
        }
    }
}

/// Runs the child for a while; returns what it said was acknowledged last.
fn run_and_kill(child: &str, kind: &str, dir: &Path, time: Duration) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", child, "--nocapture"])
        .env(DIR, dir)
        .env(KIND, kind)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acked = String::new();
    // The time begins with the first acknowledgement, however long the start takes.
    let mut note = |line: String| {
        // A line without its end was being written when it was killed.
        if let Some((_, text)) = line.strip_suffix(" .").and_then(|it| it.split_once("acked ")) {
            text.clone_into(&mut acked);
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
    let mut dirs: Vec<_> = Vec::new();
    let mut random = Random(rounds);
    let mut total = 0;
    for round in 0..rounds {
        if round % ROUNDS_OF_A_LOG == 0 {
            dirs = vec![tempfile::tempdir().unwrap()];
        }
        let dir = dirs[0].path().join("journal");
        let time = Duration::from_millis(random.below(50));
        let acked = run_and_kill("child_that_is_killed", kind, &dir, time);
        assert!(!acked.is_empty(), "round {round}: the child worked");
        let pairs = acked.split(' ').filter_map(|it| it.split_once(':'));
        let acked = pairs.map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap()));
        let acked: BTreeMap<u64, u64> = acked.collect();
        let mut journal = journal(kind_of(kind), &dir);
        assert_eq!(journal.stats().quarantined, 0, "round {round}: a kill is no damage");
        let found = lasts(&*journal);
        let durable = found.iter().map(|(number, last)| (*number, (1, *last))).collect();
        check_keys(&*journal, &durable, round);
        check_counts(&mut journal, round);
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
    let figures = [
        ("rounds", rounds),
        ("looked_at", total as u64),
        ("acknowledged_lost", 0),
        ("taken_for_damage", 0),
    ];
    trust::tell(&format!("kill -9, {kind}"), &figures);
}

fn tail(journal: &mut dyn Journal, number: u64, after: u64) -> Vec<std::sync::Arc<Publication>> {
    journal.read(&channel(number), Offset(after), usize::MAX).unwrap()
}

#[test]
fn a_killed_segment_log_has_every_acknowledged_message_once_and_in_order() {
    crash("segment", trust::rounds(200, 10_000));
}

#[test]
fn a_killed_sled_journal_has_every_acknowledged_message_once_and_in_order() {
    crash("sled", trust::rounds(20, 1_000));
}

type Stands = BTreeMap<u64, (u32, u64)>;

fn stands(journal: &dyn Journal) -> Stands {
    let number = |name: &str| name.trim_start_matches("room:").parse().unwrap();
    let states = journal.channels().into_iter();
    let stand = |it: storage::ChannelState| (it.position.epoch.0, it.position.offset.0);
    states.map(|(key, state)| (number(key.name()), stand(state))).collect()
}

/// Whose channels are dropped again and again: every third one is its.
const DROPPED: TenantId = TenantId(0);

fn is_dropped(number: u64) -> bool {
    channel(number).tenant() == DROPPED
}

/// As the other child; now and then it drops a tenant, and prints the epoch since when it has anything.
#[test]
fn child_that_drops_a_tenant() {
    let (Ok(dir), Ok(kind)) = (std::env::var(DIR), std::env::var(KIND)) else {
        return; // Only `crash_drop` starts it in earnest.
    };
    let mut journal = journal(kind_of(&kind), Path::new(&dir));
    let mut stands = stands(&*journal);
    let mut random = Random(u64::from(std::process::id()));
    let mut out = std::io::stdout().lock();
    loop {
        if random.chance(6) {
            journal.drop_tenant(DROPPED).unwrap();
            stands.retain(|number, _| !is_dropped(*number));
        } else {
            let epoch = journal.fresh_epoch().0;
            let batch = (0..1 + random.below(40)).map(|_| {
                let number = random.below(CHANNELS);
                let (epoch, last) = stands.entry(number).or_insert((epoch, 0));
                *last += 1;
                publication(&channel(number), *epoch, *last)
            });
            journal.append(&batch.collect::<Vec<_>>()).unwrap();
        }
        let text: Vec<_> =
            stands.iter().map(|(it, (epoch, at))| format!("{it}:{epoch}:{at}")).collect();
        writeln!(out, "acked {} {} .", journal.fresh_epoch().0, text.join(" ")).unwrap();
        out.flush().unwrap();
        if random.chance(30) {
            let keep = Keep { messages_max: 300, ..Keep::ALL };
            let policy = Retention { keep: std::sync::Arc::new(move |_| keep), ..keep_all() };
            journal.retain(&policy, 0).unwrap();
        }
    }
}

fn crash_drop(kind: &str, rounds: u64) {
    let mut dirs: Vec<_> = Vec::new();
    let mut random = Random(rounds);
    let (mut drops, mut dropped) = (0, 0);
    for round in 0..10 * rounds {
        // A busy machine gets to fewer drops in a round.
        if round >= rounds && dropped + drops > 3 {
            break;
        }
        if round % ROUNDS_OF_A_LOG == 0 {
            dirs = vec![tempfile::tempdir().unwrap()];
            dropped += drops;
        }
        let dir = dirs[0].path().join("journal");
        let time = Duration::from_millis(random.below(50));
        let acked = run_and_kill("child_that_drops_a_tenant", kind, &dir, time);
        let mut words = acked.split(' ');
        let floor: u32 = words.next().unwrap().parse().unwrap();
        drops = floor - 1;
        let mut journal = journal(kind_of(kind), &dir);
        let found = stands(&*journal);
        let mut stood = BTreeMap::new();
        for word in words.filter(|it| !it.is_empty()) {
            let mut numbers = word.split(':').map(|it| it.parse::<u64>().unwrap());
            let mut next = || numbers.next().unwrap();
            let (number, epoch, last) = (next(), u32::try_from(next()).unwrap(), next());
            stood.insert(number, epoch);
            match found.get(&number) {
                Some((now, at)) if *now == epoch => assert!(*at >= last, "round {round}"),
                // It was being dropped when it was killed.
                Some(_) | None => {
                    assert!(is_dropped(number), "round {round}: {number}");
                    assert!(journal.fresh_epoch().0 > epoch, "round {round}: {number}");
                }
            }
        }
        for (number, (epoch, last)) in &found {
            // A kill in the middle of a drop may leave the epoch raised and the channels where they stood.
            let is_due = *epoch >= floor || stood.get(number) == Some(epoch);
            assert!(!is_dropped(*number) || is_due, "round {round}: {number} came back");
            let read = tail(&mut *journal, *number, last.saturating_sub(300));
            let first = last.saturating_sub(300) + 1;
            let sent = (first..=*last).map(|it| publication(&channel(*number), *epoch, it));
            assert!(read.iter().eq(sent.collect::<Vec<_>>().iter()), "round {round}: {number}");
        }
        check_keys(&*journal, &found, round);
    }
    dropped += drops;
    assert!(dropped > 3, "the tenant was dropped {dropped} times");
    let figures = [("rounds", rounds), ("drops", dropped.into()), ("came_back", 0)];
    trust::tell(&format!("kill -9 while tenants are dropped, {kind}"), &figures);
}

#[test]
fn what_a_killed_segment_log_dropped_does_not_come_back() {
    crash_drop("segment", trust::rounds(60, 2_000));
}

#[test]
fn what_a_killed_sled_journal_dropped_does_not_come_back() {
    crash_drop("sled", trust::rounds(8, 500));
}

#[test]
fn child_that_is_killed_amid_changes() {
    worker::work_if_asked();
}

#[test]
fn a_killed_catalog_has_every_acknowledged_change_whole() {
    let (mut random, mut looked_at) = (Random(3), 0);
    let rounds = trust::rounds(20, 1_000);
    let dir = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let kind = worker::Kind::Catalog;
        let worker = Worker::start("child_that_is_killed_amid_changes", kind, dir.path());
        worker.work_for(Duration::from_millis(random.below(50)));
        let acked = worker.kill();
        assert!(!acked.is_empty(), "round {round}: the child worked");
        looked_at += worker::check(kind, dir.path(), &acked);
    }
    let figures = [
        ("rounds", rounds),
        ("looked_at", looked_at),
        ("acknowledged_lost", 0),
        ("taken_for_damage", 0),
    ];
    trust::tell("kill -9, catalog", &figures);
}
