//! What a child writes until it is killed or its disk is gone, and what must be there afterwards.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use storage::{
    Among, Catalog, Change, ChannelKey, Counted, Counts, Journal, JournalError, Keep, ListQuery,
    Offset, Publication, Retention, StatsQuery, TenantId, list, stats,
};

use super::worker::{self, Kind};
use super::{Random, channel, keep_all, publication};

pub(crate) const CHANNELS: u64 = 7;
/// What each channel keeps, now and then.
const KEPT: u64 = 1_000;
/// Every so manyth change of a key of the catalog removes it.
const DELETES: u64 = 5;

/// The last acknowledged number of each channel, or key of the catalog.
pub(crate) type Acked = BTreeMap<u64, u64>;

/// Behind which offset of each channel, and up to which, a child said how many heard each message, and the journal acknowledged it.
type Tallied = BTreeMap<u64, (u64, u64)>;

/// Epoch and last offset of each channel.
pub(crate) type Stands = BTreeMap<u64, (u32, u64)>;

/// The child: works until it is killed or its disk is gone. Returns at once where nobody asked for it.
pub(crate) fn write_if_asked() {
    let Some((kind, dir)) = worker::asked() else { return };
    let refused = match kind {
        Kind::Catalog => write_catalog(&dir),
        Kind::Segment | Kind::Sled => write_journal(kind, &dir),
    };
    // Without closing anything: the disk is gone, and what was refused stays refused.
    std::process::exit(i32::from(!refused));
}

/// The child that looks for what another said. Returns at once where nobody asked for it.
pub(crate) fn look_if_asked() {
    let Some(((kind, dir), said)) = worker::asked().zip(worker::to_look_for()) else { return };
    worker::say_looked_at(check(kind, &dir, &said).at);
}

fn say(acked: &Acked, tallied: impl Fn(u64) -> (u64, u64)) {
    let of_one = |(number, last): (&u64, &u64)| {
        let (behind, upto) = tallied(*number);
        format!("{number}:{last}:{behind}:{upto}")
    };
    let text: Vec<_> = acked.iter().map(of_one).collect();
    worker::say(&text.join(" "));
}

fn numbers(said: &str) -> impl Iterator<Item = [u64; 4]> {
    said.split_whitespace().map(|it| {
        let all: Vec<_> = it.split(':').map(|it| it.parse().unwrap()).collect();
        all.try_into().unwrap()
    })
}

/// What the child said.
pub(crate) fn acked(said: &str) -> Acked {
    numbers(said).map(|[number, last, ..]| (number, last)).collect()
}

fn tallied(said: &str) -> Tallied {
    numbers(said).map(|[number, _, behind, upto]| (number, (behind, upto))).collect()
}

/// Appends until that fails. Says whether it was refused then for good.
fn write_journal(kind: Kind, dir: &Path) -> bool {
    let mut journal = kind.journal(dir);
    let mut lasts = lasts(&*journal);
    let mut random = Random(u64::from(std::process::id()));
    let mut is_counted = true;
    let before = lasts.clone();
    let mut counted_upto = lasts.clone();
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
        assert!(is_counted, "counts were refused, and messages are not");
        // With these messages the counts of the last ones are acknowledged.
        let last = |of: &Acked, number| of.get(&number).copied().unwrap_or_default();
        say(&lasts, |it| (last(&before, it), last(&counted_upto, it)));
        let counts: Vec<_> = batch.iter().map(|it| counted(it)).collect();
        is_counted = journal.count(&counts).is_ok();
        counted_upto.clone_from(&lasts);
        if random.chance(30) {
            let keep = Keep { messages_max: KEPT, ..Keep::ALL };
            let policy = Retention { keep: Arc::new(move |_| keep), ..keep_all() };
            // The next append tells of an error.
            let _ = journal.retain(&policy, 0);
        }
    }
}

/// Where each channel stands.
pub(crate) fn stands(journal: &dyn Journal) -> Stands {
    let states = journal.channels().into_iter();
    let stand = |it: storage::ChannelState| (it.position.epoch.0, it.position.offset.0);
    states.map(|(key, state)| (number_of(&key), stand(state))).collect()
}

fn lasts(journal: &dyn Journal) -> Acked {
    stands(journal).into_iter().map(|(number, (_, last))| (number, last)).collect()
}

/// The number of the last change of each key.
fn changes(catalog: &Catalog) -> Acked {
    let number = |bytes: Vec<u8>| u64::from_be_bytes(bytes.try_into().unwrap());
    let entries = catalog.entries("last").unwrap().into_iter();
    entries.map(|(key, value)| (number(key), number(value))).collect()
}

/// The value of a change. So long that the catalog's journal is rewritten every few hundred of them.
fn long(change: u64) -> Vec<u8> {
    change.to_be_bytes().repeat(1 + usize::try_from(change * 97 % 3_000).unwrap())
}

/// Changes keys until that fails. Each change sets or removes a value, and notes its number in the same breath.
fn write_catalog(dir: &Path) -> bool {
    let mut catalog = worker::catalog(dir);
    let mut lasts = changes(&catalog);
    let mut random = Random(u64::from(std::process::id()));
    loop {
        let key = random.below(CHANNELS * 10);
        let last = lasts.entry(key).or_default();
        *last += 1;
        let (key, value) = (key.to_be_bytes(), last.to_be_bytes());
        let long = long(*last);
        let change = match last.is_multiple_of(DELETES) {
            true => Change::Delete { table: "value", key: &key },
            false => Change::Put { table: "value", key: &key, value: &long },
        };
        let note = Change::Put { table: "last", key: &key, value: &value };
        if catalog.apply(&[change, note], 0).is_err() {
            return (0..3).all(|_| matches!(catalog.apply(&[note], 0), Err(JournalError::Fenced)));
        }
        say(&lasts, |_| (0, 0));
    }
}

/// What was looked at.
#[derive(Default)]
pub(crate) struct Looked {
    /// Messages, or keys.
    pub(crate) at: u64,
    /// Messages whose counts were acknowledged, of those that were listed.
    pub(crate) at_counts: u64,
}

impl Looked {
    pub(crate) fn add(&mut self, more: &Self) {
        self.at += more.at;
        self.at_counts += more.at_counts;
    }
}

/// Looks for everything that a child said was acknowledged.
pub(crate) fn check(kind: Kind, dir: &Path, said: &str) -> Looked {
    match kind {
        Kind::Catalog => Looked { at: check_catalog(dir, &acked(said)), at_counts: 0 },
        Kind::Segment | Kind::Sled => check_journal(kind, dir, said),
    }
}

fn check_journal(kind: Kind, dir: &Path, said: &str) -> Looked {
    let mut journal = kind.journal(dir);
    assert_eq!(journal.stats().quarantined, 0, "it is no damage");
    let found = lasts(&*journal);
    for (number, last) in acked(said) {
        assert!(found.get(&number) >= Some(&last), "room:{number} has {last}, found {found:?}");
    }
    check_keys(&*journal, &stands(&*journal));
    let at_counts = check_counts(&mut journal, &tallied(said));
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
    Looked { at: count, at_counts }
}

fn check_catalog(dir: &Path, acked: &Acked) -> u64 {
    let catalog = worker::catalog(dir);
    assert_eq!(catalog.quarantined(), 0, "it is no damage");
    let found = changes(&catalog);
    for (key, last) in acked {
        assert!(found.get(key) >= Some(last), "{key} has {last}, found {found:?}");
    }
    for (key, last) in &found {
        let value = catalog.get("value", &key.to_be_bytes()).unwrap();
        let expected = (!last.is_multiple_of(DELETES)).then(|| long(*last));
        assert_eq!(value, expected, "{key}: all of a change or none of it");
    }
    found.len() as u64
}

/// The key of every durable message is listed, whatever was retired, and no other: each third message has one.
pub(crate) fn check_keys(journal: &dyn Journal, durable: &Stands) {
    let mut listed: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for record in journal.keyed_since(0, usize::MAX).unwrap() {
        let number = number_of(&record.channel);
        let sent = publication(&record.channel, record.epoch.0, record.offset.0);
        assert_eq!(Some(record.idempotency), sent.idempotency());
        assert_eq!((record.id, record.at_ms), (sent.id(), sent.at_ms()));
        assert_eq!(record.epoch.0, durable[&number].0);
        listed.entry(number).or_default().push(record.offset.0);
    }
    for (number, (_, last)) in durable {
        let offsets = listed.remove(number).unwrap_or_default();
        assert!(offsets.into_iter().eq((3..=*last).step_by(3)), "keys of {number}");
    }
}

/// As many messages are counted, listed and gone along as are retained, and what was acknowledged of how many heard them is there.
/// Returns of how many messages it was looked for.
fn check_counts(journal: &mut Box<dyn Journal>, tallied: &Tallied) -> u64 {
    let mut looked_for = 0;
    let mut retained: BTreeMap<TenantId, u64> = BTreeMap::new();
    for (key, state) in journal.channels() {
        let count = state.position.offset.0 + 1 - state.first_retained.0;
        *retained.entry(key.tenant()).or_default() += count;
    }
    for (tenant, count) in retained {
        let query = StatsQuery { tenant, among: Among::All, since_ms: 0 };
        let counted = stats(&mut [journal], &query).unwrap();
        assert_eq!(counted.messages, count);
        let oldest = ListQuery {
            tenant,
            among: Among::All,
            event: None,
            limit: 10,
            offset: count.max(3) - 3,
        };
        let listed = list(&mut [journal], &oldest).unwrap();
        assert_eq!(listed.len() as u64, count.min(3));
        // More than the last batch, of whose counts nothing is known.
        let newest = ListQuery { limit: 300, offset: 0, ..oldest };
        for it in listed.into_iter().chain(list(&mut [journal], &newest).unwrap()) {
            let offset = it.publication.offset().unwrap().0;
            let number = number_of(it.publication.channel());
            let is_sure = tallied.get(&number).is_some_and(|it| it.0 < offset && offset <= it.1);
            looked_for += u64::from(is_sure);
            // What was killed between a batch and its counts says nothing.
            let is_right =
                it.counts.ws_audience == offset || (!is_sure && it.counts.ws_audience == 0);
            assert!(is_right, "{offset} of room:{number} has {:?}", it.counts);
        }
    }
    looked_for
}

fn number_of(channel: &ChannelKey) -> u64 {
    channel.name().trim_start_matches("room:").parse().unwrap()
}

/// What is said about a message.
fn counted(of: &Publication) -> Counted {
    let offset = of.offset().unwrap();
    let counts = Counts { ws_audience: offset.0, ..Counts::default() };
    Counted { channel: Arc::clone(of.channel()), epoch: of.epoch(), offset, counts }
}
