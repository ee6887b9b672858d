//! The segment log on a disk that loses power, lies about a sync, fills up, or flips bits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::{collections::BTreeMap, sync::Arc};

use storage::{
    Among, ChannelKey, ChannelState, Counted, Counts, Cursor, Journal, JournalError,
    JournalOptions, KEYED_MS, Keep, ListQuery, MessageId, Offset, Place, Prepare, Publication,
    Retention, StatsQuery, TenantId, list, open_segments, stats,
};
use support::{
    Random, channel, keep_all, publication,
    sim_disk::{Faults, Lasting, SimDisk},
    trust,
};

const SEGMENT_BYTES: u64 = 32 * 1024;

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: SEGMENT_BYTES, prepare: Prepare::InPlace }
}

fn open(disk: &SimDisk) -> Box<dyn Journal> {
    open_segments(Arc::new(disk.clone()), &options()).expect("a journal opens whatever happened")
}

/// What the publishers were told.
#[derive(Default)]
struct Told {
    /// Acknowledged messages of each channel.
    acked: BTreeMap<u64, Vec<Arc<Publication>>>,
    /// The highest offset up to which messages may be gone by retention.
    retired: BTreeMap<u64, u64>,
    /// The highest offset up to which messages were dropped: none of them comes back.
    dropped: BTreeMap<u64, u64>,
    /// What was said about messages, by id: the number that is durable, and the last one.
    said: BTreeMap<MessageId, (u64, u64)>,
    last_said: u64,
    rewritten: u64,
}

impl Told {
    fn next(&self, number: u64) -> u64 {
        self.acked.get(&number).and_then(|it| it.last()).map_or(1, |it| it.offset().unwrap().0 + 1)
    }

    /// A batch of what comes next in some channels.
    fn batch(&self, random: &mut Random) -> Vec<(u64, Arc<Publication>)> {
        let mut nexts = BTreeMap::new();
        (0..1 + random.below(12))
            .map(|_| {
                let number = random.below(7);
                let next = nexts.entry(number).or_insert_with(|| self.next(number));
                *next += 1;
                (number, publication(&channel(number), 1, *next - 1))
            })
            .collect()
    }

    /// After recovery: all that was acknowledged is there, once, in order; offsets go on.
    fn check(&mut self, journal: &mut Box<dyn Journal>, seed: u64) {
        let states: BTreeMap<_, _> =
            journal.channels().into_iter().map(|(key, state)| (key.hash(), state)).collect();
        for (number, acked) in &mut self.acked {
            let key = channel(*number);
            let state = states.get(&key.hash()).copied().unwrap_or_else(ChannelState::default);
            let last = acked.last().unwrap().offset().unwrap();
            assert!(state.position.offset >= last, "seed {seed}: offsets go on in {key:?}");
            assert_eq!(state.position.epoch.0, 1, "seed {seed}: nothing was damaged");
            let read = read_all(&mut **journal, &key);
            let retired = self.retired.get(number).copied().unwrap_or(0);
            let from =
                read.first().map_or(state.position.offset.0 + 1, |it| it.offset().unwrap().0);
            assert!(from <= retired + 1, "seed {seed}: {key:?} begins at {from}");
            let dropped = self.dropped.get(number).copied().unwrap_or(0);
            assert!(from > dropped, "seed {seed}: {key:?} begins at {from}, and was dropped");
            for (at, it) in (from..).zip(&read) {
                assert_eq!(**it, *publication(&key, 1, at), "seed {seed}: every byte is right");
            }
            assert_eq!(from + read.len() as u64, state.position.offset.0 + 1, "seed {seed}");
            // What was not acknowledged may be there; then it is as good as acknowledged.
            let late = read.iter().filter(|it| it.offset().unwrap() > last).cloned();
            acked.extend(late);
        }
        if seed.is_multiple_of(3) {
            check_lists(journal, &mut self.said, seed);
        }
        for (key, state) in journal.channels() {
            let number: u64 = key.name().trim_start_matches("room:").parse().unwrap();
            let known = self.next(number) - 1;
            if state.position.offset.0 > known {
                let late = (known + 1..=state.position.offset.0).map(|at| publication(&key, 1, at));
                self.acked.entry(number).or_default().extend(late);
            }
        }
    }
}

/// Lists, statistics and cursors say the same as the histories.
fn check_lists(
    journal: &mut Box<dyn Journal>,
    said: &mut BTreeMap<MessageId, (u64, u64)>,
    seed: u64,
) {
    let mut retained: BTreeMap<TenantId, Vec<_>> = BTreeMap::new();
    for (key, _) in journal.channels() {
        retained.entry(key.tenant()).or_default().extend(read_all(&mut **journal, &key));
    }
    for (tenant, messages) in retained {
        let counts = check_tenant(journal, tenant, messages, seed);
        for (id, counts) in counts {
            let (durable, last) = said.get(&id).copied().unwrap_or_default();
            let found = counts.ws_audience;
            assert!(durable <= found && found <= last, "seed {seed}: {found} of {durable}, {last}");
            let others = (counts.wh_audience, counts.wh_delivered);
            assert_eq!(others, (2 * found, 3 * found), "seed {seed}: all of it or nothing");
            said.insert(id, (found, found));
        }
    }
}

fn check_tenant(
    journal: &mut Box<dyn Journal>,
    tenant: TenantId,
    mut retained: Vec<Arc<Publication>>,
    seed: u64,
) -> Vec<(MessageId, Counts)> {
    let query = StatsQuery { tenant, among: Among::All, since_ms: 0 };
    let counted = stats(&mut [journal], &query).unwrap();
    assert_eq!(counted.messages, retained.len() as u64, "seed {seed}");
    let mut cursor = Cursor::new(tenant, Place::START);
    let mut given = Vec::new();
    loop {
        let slice = cursor.next(journal, 100).unwrap();
        given.extend(slice.messages.into_iter().map(|it| it.1));
        if slice.is_end {
            break;
        }
    }
    let by_id = |it: &Arc<Publication>| it.id();
    given.sort_by_key(by_id);
    retained.sort_by_key(by_id);
    assert_eq!(given, retained, "seed {seed}");
    let query = ListQuery { tenant, among: Among::All, event: None, limit: 1000, offset: 0 };
    let listed = list(&mut [journal], &query).unwrap();
    let counts: Vec<_> = listed.iter().map(|it| (it.publication.id(), it.counts)).collect();
    let sum: u64 = counts.iter().map(|it| it.1.ws_audience).sum();
    assert_eq!(counted.counts.ws_audience, sum, "seed {seed}");
    let mut listed: Vec<_> = listed.into_iter().map(|it| it.publication).collect();
    assert!(listed.is_sorted_by_key(|it| std::cmp::Reverse(it.at_ms())), "seed {seed}");
    listed.sort_by_key(by_id);
    assert_eq!(listed, retained, "seed {seed}");
    counts
}

fn read_all(journal: &mut dyn Journal, key: &ChannelKey) -> Vec<Arc<Publication>> {
    let mut all: Vec<Arc<Publication>> = Vec::new();
    loop {
        let after = all.last().map_or(Offset(0), |it| it.offset().unwrap());
        let some = journal.read(key, after, 7).unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

/// Works until the disk fails; says how.
fn work(
    journal: &mut dyn Journal,
    told: &mut Told,
    random: &mut Random,
    rounds: u64,
) -> Option<JournalError> {
    for _ in 0..rounds {
        let result = match random.below(12) {
            0 => retain(journal, told, random),
            1 => drop_one(journal, told, random),
            2 => count(journal, told, random),
            _ => append(journal, told, random),
        };
        if let Err(why) = result {
            return Some(why);
        }
    }
    None
}

fn append(
    journal: &mut dyn Journal,
    told: &mut Told,
    random: &mut Random,
) -> Result<(), JournalError> {
    let batch = told.batch(random);
    let publications: Vec<_> = batch.iter().map(|it| Arc::clone(&it.1)).collect();
    journal.append(&publications)?;
    // What was said before is durable with it.
    told.said.values_mut().for_each(|it| it.0 = it.1);
    for (number, publication) in batch {
        told.acked.entry(number).or_default().push(publication);
    }
    Ok(())
}

fn count(
    journal: &mut dyn Journal,
    told: &mut Told,
    random: &mut Random,
) -> Result<(), JournalError> {
    let mut counted = Vec::new();
    for acked in told.acked.values() {
        let retained = journal.read(acked[0].channel(), Offset(0), 1_000)?;
        for it in retained.iter().filter(|_| random.chance(4)) {
            told.last_said += 1;
            let said = told.last_said;
            told.said.entry(it.id()).or_default().1 = said;
            let (channel, offset) = (Arc::clone(it.channel()), it.offset().unwrap());
            let counts =
                Counts { ws_audience: said, wh_audience: 2 * said, wh_delivered: 3 * said };
            counted.push(Counted { channel, epoch: it.epoch(), offset, counts });
        }
    }
    journal.count(&counted)
}

fn retain(
    journal: &mut dyn Journal,
    told: &mut Told,
    random: &mut Random,
) -> Result<(), JournalError> {
    let messages_max = random.below(40);
    for (number, acked) in &told.acked {
        let last = acked.last().unwrap().offset().unwrap().0;
        let floor = last.saturating_sub(messages_max);
        let retired = told.retired.entry(*number).or_default();
        *retired = (*retired).max(floor);
    }
    let keep = Keep { messages_max, ..Keep::ALL };
    let policy = Retention { keep: Arc::new(move |_| keep), ..keep_all() };
    // Keys hold segments for a day: in half of the runs they are older, and sparse segments are rewritten.
    let now_ms = if random.chance(2) { 0 } else { 2 * KEYED_MS };
    told.rewritten += journal.retain(&policy, now_ms)?.rewritten;
    Ok(())
}

fn drop_one(
    journal: &mut dyn Journal,
    told: &mut Told,
    random: &mut Random,
) -> Result<(), JournalError> {
    let number = random.below(7);
    let last = told.next(number) - 1;
    told.retired.insert(number, last);
    journal.drop_channel(&channel(number))?;
    told.dropped.insert(number, last);
    Ok(())
}

#[test]
fn whatever_was_acknowledged_survives_power_cuts_at_any_call() {
    let (mut cuts, mut torn, mut rewritten) = (0, 0, 0);
    let seeds = trust::seeds(200, 25_000, &[9132]);
    for seed in &seeds {
        let seen = cut_power(*seed);
        (cuts, torn, rewritten) = (cuts + seen.0, torn + seen.1, rewritten + seen.2);
    }
    let count = seeds.len() as u64;
    // One seed alone need not come by all of it.
    if count > 1 {
        assert!(rewritten > count / 12, "{rewritten} segments were rewritten");
        assert!(cuts > count * 5 / 3, "the power was cut {cuts} times");
        assert!(torn > count / 12, "{torn} tails were torn");
    }
    let figures = [("cuts", cuts), ("torn_tails", torn), ("acknowledged_lost", 0)];
    trust::tell("power cut at any call, simulated disk", &figures);
}

/// Works and cuts the power a few times. Says how often it was cut at work, tails were torn, and segments rewritten.
fn cut_power(seed: u64) -> (u64, u64, u64) {
    let (mut cuts, mut torn) = (0, 0);
    let disk = SimDisk::new(seed);
    let mut random = Random(seed);
    let mut told = Told::default();
    for _ in 0..4 {
        let mut journal = open(&disk);
        torn += u64::from(journal.stats().torn_bytes > 0);
        assert_eq!(journal.stats().quarantined, 0, "seed {seed}: a torn tail is no damage");
        told.check(&mut journal, seed);
        let power_fails_in = Some(random.below(150));
        disk.set_faults(Faults { power_fails_in, ..Faults::default() });
        work(&mut *journal, &mut told, &mut random, 60);
        drop(journal);
        cuts += u64::from(disk.is_off());
        disk.cut();
    }
    told.check(&mut open(&disk), seed);
    (cuts, torn, told.rewritten)
}

fn is_write(why: &JournalError, seed: u64) -> bool {
    let JournalError::Io { operation, .. } = why else { panic!("seed {seed}: {why}") };
    !operation.starts_with("read")
}

/// A journal that failed takes nothing more, also from a disk that is well again.
fn check_fence(journal: &mut dyn Journal, told: &Told, random: &mut Random, seed: u64) {
    let batch: Vec<_> = told.batch(random).into_iter().map(|it| it.1).collect();
    let appended = journal.append(&batch);
    assert!(matches!(appended, Err(JournalError::Fenced)), "seed {seed}: {appended:?}");
    let dropped = journal.drop_channel(batch[0].channel());
    assert!(matches!(dropped, Err(JournalError::Fenced)), "seed {seed}: {dropped:?}");
}

#[test]
fn an_error_of_the_disk_once_or_for_ever_loses_nothing_that_was_acknowledged() {
    let (mut errors, mut fenced, mut cuts) = (0, 0, 0);
    let seeds = trust::seeds(100, 10_000, &[8351]);
    for seed in &seeds {
        let seen = fail_disk(*seed);
        (errors, fenced, cuts) = (errors + seen.0, fenced + seen.1, cuts + seen.2);
    }
    let is_seen = fenced > seeds.len() as u64 && errors > fenced;
    // One seed alone need not come by all of it.
    assert!(is_seen || seeds.len() == 1, "{errors} errors, {fenced} of them fenced");
    let figures =
        [("errors", errors), ("fenced", fenced), ("power_cuts", cuts), ("acknowledged_lost", 0)];
    trust::tell("EIO once or for ever, simulated disk", &figures);
}

/// Works on a disk that fails a few times. Says how often it did, how often that fenced the journal, and the power was cut after it.
fn fail_disk(seed: u64) -> (u64, u64, u64) {
    let (mut errors, mut fenced, mut cuts) = (0, 0, 0);
    let disk = SimDisk::new(seed);
    let mut random = Random(seed);
    let mut told = Told::default();
    for _ in 0..4 {
        let mut journal = open(&disk);
        assert_eq!(journal.stats().quarantined, 0, "seed {seed}: an error is no damage");
        told.check(&mut journal, seed);
        let lasting = if random.chance(2) { Lasting::Once } else { Lasting::ForEver };
        let error_in = Some((random.below(120), lasting));
        disk.set_faults(Faults { error_in, ..Faults::default() });
        let why = work(&mut *journal, &mut told, &mut random, 60);
        errors += u64::from(disk.faults().error_in.is_none_or(|it| it.0 == 0));
        disk.set_faults(Faults::default());
        // A read that fails takes nothing with it.
        if why.as_ref().is_some_and(|it| is_write(it, seed)) {
            fenced += 1;
            check_fence(&mut *journal, &told, &mut random, seed);
        }
        drop(journal);
        // With the cache as it is, or without.
        if random.chance(2) {
            cuts += 1;
            disk.cut();
        }
    }
    told.check(&mut open(&disk), seed);
    (errors, fenced, cuts)
}
