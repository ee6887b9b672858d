//! kill -9 under load: a child writes and says what was acknowledged, the parent kills it and looks.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise; it waits for a real process for a random time"
)]

mod support;

use std::{collections::BTreeMap, path::Path, time::Duration};

use storage::{Journal, Keep, Offset, Publication, Retention, TenantId};
use support::{
    Random, channel, keep_all, publication, trust,
    worker::{self, Kind, Worker},
    written::{self, CHANNELS, Looked, check_keys, stands},
};

/// Then a log is so long that looking at all of it takes more time than another kill.
const ROUNDS_OF_A_LOG: u64 = 10;

/// Runs a child for a while and kills it. Gives what it said last.
fn run_and_kill(child: &str, kind: Kind, dir: &Path, random: &mut Random) -> String {
    let worker = Worker::start(child, kind, dir);
    worker.work_for(Duration::from_millis(random.below(50)));
    worker.kill()
}

/// Through how many rounds each log lives.
fn rounds_of_logs(rounds: u64) -> impl Iterator<Item = u64> {
    let begins = (0..rounds).step_by(usize::try_from(ROUNDS_OF_A_LOG).unwrap());
    begins.map(move |it| ROUNDS_OF_A_LOG.min(rounds - it))
}

#[test]
fn child_that_is_killed() {
    written::write_if_asked();
}

fn crash(kind: Kind, rounds: u64) {
    let (mut random, mut looked) = (Random(rounds), Looked::default());
    for rounds in rounds_of_logs(rounds) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("data");
        for _ in 0..rounds {
            let said = run_and_kill("child_that_is_killed", kind, &dir, &mut random);
            looked.add(&written::check(kind, &dir, &said));
        }
    }
    // Of a catalog a round may change no more than a key.
    let least = if kind == Kind::Catalog { rounds } else { 10 * rounds };
    let looked_at = looked.at;
    assert!(looked_at > least, "{looked_at} were looked at");
    assert!(kind == Kind::Catalog || looked.at_counts > 0, "no counts were looked for");
    let figures = [
        ("rounds", rounds),
        ("looked_at", looked_at),
        ("acknowledged_lost", 0),
        ("taken_for_damage", 0),
    ];
    trust::tell(&format!("kill -9, {}", kind.name()), &figures);
}

#[test]
fn a_killed_segment_log_has_every_acknowledged_message_once_and_in_order() {
    crash(Kind::Segment, trust::rounds(60, 10_000));
}

#[test]
fn a_killed_sled_journal_has_every_acknowledged_message_once_and_in_order() {
    crash(Kind::Sled, trust::rounds(15, 1_000));
}

#[test]
fn a_killed_catalog_has_every_acknowledged_change_whole() {
    crash(Kind::Catalog, trust::rounds(15, 1_000));
}

/// Whose channels are dropped again and again: every third one is its.
const DROPPED: TenantId = TenantId(0);

fn is_dropped(number: u64) -> bool {
    channel(number).tenant() == DROPPED
}

/// As the other child, until it is killed; now and then it drops a tenant, and prints the epoch since when it has anything.
#[test]
fn child_that_drops_a_tenant() {
    let Some((kind, dir)) = worker::asked() else { return };
    let mut journal = kind.journal(&dir);
    let mut stands = stands(&*journal);
    let mut random = Random(u64::from(std::process::id()));
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
        worker::say(&format!("{} {}", journal.fresh_epoch().0, text.join(" ")));
        if random.chance(30) {
            let keep = Keep { messages_max: 300, ..Keep::ALL };
            let policy = Retention { keep: std::sync::Arc::new(move |_| keep), ..keep_all() };
            journal.retain(&policy, 0).unwrap();
        }
    }
}

/// Kills one that drops a tenant, and looks. Gives how often that happened to this log so far.
fn kill_amid_drops(kind: Kind, dir: &Path, random: &mut Random) -> u64 {
    let said = run_and_kill("child_that_drops_a_tenant", kind, dir, random);
    let mut words = said.split(' ');
    let floor: u32 = words.next().unwrap().parse().unwrap();
    let mut journal = kind.journal(dir);
    let found = stands(&*journal);
    let mut stood = BTreeMap::new();
    for word in words.filter(|it| !it.is_empty()) {
        let mut numbers = word.split(':').map(|it| it.parse::<u64>().unwrap());
        let mut next = || numbers.next().unwrap();
        let (number, epoch, last) = (next(), u32::try_from(next()).unwrap(), next());
        stood.insert(number, epoch);
        match found.get(&number) {
            Some((now, at)) if *now == epoch => assert!(*at >= last, "{number} has {last}"),
            // It was being dropped when it was killed.
            Some(_) | None => {
                assert!(is_dropped(number), "{number} is lost");
                assert!(journal.fresh_epoch().0 > epoch, "{number}");
            }
        }
    }
    for (number, (epoch, last)) in &found {
        // A kill in the middle of a drop may leave the epoch raised and the channels where they stood.
        let is_due = *epoch >= floor || stood.get(number) == Some(epoch);
        assert!(!is_dropped(*number) || is_due, "{number} came back");
        let read = tail(&mut *journal, *number, last.saturating_sub(300));
        let first = last.saturating_sub(300) + 1;
        let sent = (first..=*last).map(|it| publication(&channel(*number), *epoch, it));
        assert!(read.iter().eq(sent.collect::<Vec<_>>().iter()), "{number}");
    }
    check_keys(&*journal, &found);
    u64::from(floor - 1)
}

fn crash_drop(kind: Kind, rounds: u64) {
    let (mut random, mut drops, mut kills) = (Random(rounds), 0, 0);
    // A busy machine gets to fewer drops in a round.
    for _ in 0..10 {
        for rounds in rounds_of_logs(rounds) {
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path().join("data");
            let counts = (0..rounds).map(|_| kill_amid_drops(kind, &dir, &mut random));
            drops += counts.last().unwrap_or_default();
            kills += rounds;
        }
        if drops > 3 {
            break;
        }
    }
    assert!(drops > 3, "the tenant was dropped {drops} times");
    let figures = [("rounds", kills), ("drops", drops), ("came_back", 0)];
    trust::tell(&format!("kill -9 while tenants are dropped, {}", kind.name()), &figures);
}

fn tail(journal: &mut dyn Journal, number: u64, after: u64) -> Vec<std::sync::Arc<Publication>> {
    journal.read(&channel(number), Offset(after), usize::MAX).unwrap()
}

#[test]
fn what_a_killed_segment_log_dropped_does_not_come_back() {
    crash_drop(Kind::Segment, trust::rounds(40, 2_000));
}

#[test]
fn what_a_killed_sled_journal_dropped_does_not_come_back() {
    crash_drop(Kind::Sled, trust::rounds(8, 500));
}
