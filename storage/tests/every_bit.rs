//! Every prefix of a log, and every flipped bit of one: what was acknowledged is served, or its loss is told; and no wrong byte.
//!
//! A flipped bit is *detected* when the open sets a range aside, or a read says that what it was asked for is damaged. It is *of no
//! account* when nobody looks at it: behind the last block of a segment, in the block that only says that the log was closed, or,
//! where a sidecar stands in for a sealed segment, between its messages. Then every message is served, byte for byte.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::collections::BTreeMap;

use storage::ChannelState;
use support::{
    channel,
    log::{audit, batch, check_goes_on, files, open, unlink_sidecars},
    sim_disk::SimDisk,
    trust,
};

const ALIGNMENT: usize = 64;
/// The last block of a sealed segment.
const SEAL_BYTES: usize = 2 * ALIGNMENT;

/// A log of some segments that was closed, and how much of it there was after each append.
struct Log {
    disk: SimDisk,
    segment_bytes: usize,
    names: Vec<String>,
    /// Bytes, and messages of each channel that were acknowledged then.
    acked: Vec<(usize, u64)>,
    /// Messages.
    all: u64,
}

/// Of 64 KiB in the long form, else of 12 KiB.
fn log() -> Log {
    let (segment_bytes, segments) = if trust::is_long() { (16 * 1024, 4) } else { (4 * 1024, 3) };
    let disk = SimDisk::new(7);
    let mut journal = open(&disk, segment_bytes as u64);
    let (mut next, mut acked) = (1, Vec::new());
    // The last one is filled up to where no further batch fits.
    loop {
        journal.append(&batch(next, 2)).unwrap();
        next += 2;
        let names = files(&disk, ".log");
        let bytes = (names.len() - 1) * segment_bytes + used(&disk, names.last().unwrap());
        acked.push((bytes, next - 1));
        if bytes + segment_bytes / 3 > segments * segment_bytes {
            break;
        }
    }
    drop(journal);
    let names = files(&disk, ".log");
    assert_eq!(names.len(), segments);
    Log { disk, segment_bytes, names, acked, all: 3 * (next - 1) }
}

/// Bytes up to the end of the last block.
fn used(disk: &SimDisk, name: &str) -> usize {
    let last = disk.file(name).iter().rposition(|it| *it != 0).unwrap();
    (last + 1).next_multiple_of(ALIGNMENT)
}

/// What follows a prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rest {
    /// Zeros: the file had been prepared.
    Zeros,
    /// Nothing: the file ends there.
    Nothing,
}

impl Log {
    fn bytes(&self) -> usize {
        self.names.len() * self.segment_bytes
    }

    /// A disk with the first so many bytes.
    fn prefix(&self, bytes: usize, rest: Rest) -> SimDisk {
        let disk = SimDisk::new(bytes as u64);
        let mut has_header = false;
        for (number, name) in self.names.iter().enumerate() {
            let begins = number * self.segment_bytes;
            // Before a segment is sealed the next one has its header.
            let header = if has_header && rest == Rest::Zeros { ALIGNMENT } else { 0 };
            let count = bytes.saturating_sub(begins).max(header);
            if count == 0 {
                break;
            }
            has_header = count > used(&self.disk, name) - SEAL_BYTES;
            let mut file = self.disk.file(name);
            file.truncate(count);
            if rest == Rest::Zeros {
                file.resize(self.segment_bytes, 0);
            }
            disk.put(name, file);
        }
        disk
    }

    /// How much of each channel was acknowledged when there were so many bytes.
    fn acked(&self, bytes: usize) -> u64 {
        let known = self.acked.iter().filter(|it| it.0 <= bytes);
        known.map(|it| it.1).max().unwrap_or(0)
    }
}

#[test]
fn every_prefix_of_a_log_has_what_was_acknowledged_by_then() {
    let log = log();
    let (mut prefixes, mut quiet, mut torn) = (0, 0, 0);
    for rest in [Rest::Zeros, Rest::Nothing] {
        for bytes in (0..=log.bytes()).step_by(trust::step(17)) {
            let what = format!("{bytes} bytes and then {rest:?}");
            let mut journal = open(&log.prefix(bytes, rest), log.segment_bytes as u64);
            let acked = log.acked(bytes);
            let states: BTreeMap<_, _> =
                journal.channels().into_iter().map(|it| (it.0.hash(), it.1)).collect();
            for number in (0..3).filter(|_| acked > 0) {
                let state = states[&channel(number).hash()];
                let last = state.position.offset.0;
                assert!(last >= acked, "{what}: {state:?}, {acked} were acknowledged");
                assert!(last <= acked + 2 && state.first_retained.0 == 1, "{what}: {state:?}");
            }
            let (count, is_told) = audit(&mut *journal);
            assert!(count >= 3 * acked && !is_told, "{what}: {count} of {acked} each");
            // The block that was being written is cut off, and no damage; a shortened file is.
            let is_quiet = journal.stats().quarantined == 0;
            assert!(is_quiet || rest == Rest::Nothing || bytes < ALIGNMENT, "{what}");
            torn += u64::from(journal.stats().torn_bytes > 0);
            check_goes_on(&mut *journal, &what);
            prefixes += 1;
            quiet += u64::from(is_quiet);
        }
    }
    assert!(torn > prefixes / 8, "{torn} of {prefixes} prefixes had a torn end");
    let figures = [
        ("log_bytes", log.bytes() as u64),
        ("opens", prefixes),
        ("torn_ends", torn),
        ("told_of_damage", prefixes - quiet),
        ("acknowledged_lost", 0),
        ("wrong_bytes", 0),
        ("panics", 0),
    ];
    trust::tell("every prefix of a log", &figures);
}

/// What became of a flipped bit.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Outcome {
    DetectedAtOpen,
    DetectedByRead,
    OfNoAccount,
}

/// Opens a log in which a bit was flipped. Says how many messages it cost.
fn check_flip(disk: &SimDisk, log: &Log, what: &str) -> (Outcome, u64) {
    let mut journal = open(disk, log.segment_bytes as u64);
    let is_seen = journal.stats().quarantined > 0;
    let (count, is_told) = audit(&mut *journal);
    assert!(count == log.all || is_seen || is_told, "{what}: {count} of {}, and no word", log.all);
    if is_seen && count < log.all {
        // A channel whose first messages are gone can say so: they are not retained.
        let is_honest =
            |state: &ChannelState| state.position.epoch.0 > 1 || state.first_retained.0 > 1;
        let mut states = journal.channels().into_iter().map(|it| it.1);
        assert!(states.all(|it| is_honest(&it)), "{what}: a loss costs an epoch");
    }
    check_goes_on(&mut *journal, what);
    let outcome = match (is_seen, is_told) {
        (true, _) => Outcome::DetectedAtOpen,
        (false, true) => Outcome::DetectedByRead,
        (false, false) => Outcome::OfNoAccount,
    };
    (outcome, log.all - count)
}

/// Flips every bit of the segment files, one at a time. The check is given the number of the file, the byte in it, the outcome, and
/// how many messages it cost.
fn flip_each(
    log: &Log,
    original: &SimDisk,
    step: usize,
    check: impl Fn(usize, usize, Outcome, u64),
) {
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    let (mut flips, mut lossy) = (0, 0);
    for (number, name) in log.names.iter().enumerate() {
        let whole = original.file(name);
        for bit in (0..whole.len() * 8).step_by(step) {
            let copy = original.copy();
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            copy.put(name, bytes);
            let (outcome, lost) = check_flip(&copy, log, &format!("{name}, bit {bit}"));
            check(number, bit / 8, outcome, lost);
            *outcomes.entry(outcome).or_default() += 1;
            flips += 1;
            lossy += u64::from(lost > 0);
        }
    }
    let of = |it: Outcome| outcomes.get(&it).copied().unwrap_or(0);
    let figures = [
        ("log_bytes", log.bytes() as u64),
        ("opens", flips),
        ("detected_at_open", of(Outcome::DetectedAtOpen)),
        ("detected_by_read", of(Outcome::DetectedByRead)),
        ("of_no_account", of(Outcome::OfNoAccount)),
        ("cost_messages_and_told", lossy),
        ("lost_untold", 0),
        ("wrong_bytes", 0),
        ("panics", 0),
    ];
    let has_sidecars = !files(original, ".idx").is_empty();
    let what = if has_sidecars { "beside sidecars" } else { "without sidecars" };
    trust::tell(&format!("every flipped bit of a log, {what}"), &figures);
}

#[test]
fn every_flipped_bit_of_a_log_is_seen_when_it_is_opened() {
    let log = log();
    let disk = log.disk.copy();
    unlink_sidecars(&disk);
    let ends: Vec<_> = log.names.iter().map(|it| used(&log.disk, it)).collect();
    let last = log.names.len() - 1;
    // All that was acknowledged ends before the block that says that the log was closed.
    let closed = log.acked.last().unwrap().0 - last * log.segment_bytes;
    flip_each(&log, &disk, trust::step(37), |number, at, outcome, lost| {
        let end = if number == last { closed } else { ends[number] };
        let expected = if at < end { Outcome::DetectedAtOpen } else { Outcome::OfNoAccount };
        assert_eq!((outcome, number, at), (expected, number, at), "the blocks end at {end}");
        assert!(at < end || lost == 0);
    });
}

#[test]
fn a_flipped_bit_of_a_sealed_segment_costs_at_most_the_message_it_is_in() {
    let log = log();
    let last = log.names.len() - 1;
    flip_each(&log, &log.disk, trust::step(101), |number, at, outcome, lost| {
        if number < last && at >= ALIGNMENT {
            assert_ne!(outcome, Outcome::DetectedAtOpen, "{number}, {at}");
            assert_eq!(lost, u64::from(outcome == Outcome::DetectedByRead), "{number}, {at}");
        }
    });
}

#[test]
fn a_flipped_bit_of_a_sidecar_changes_nothing() {
    let log = log();
    let mut flips = 0;
    for name in files(&log.disk, ".idx") {
        let whole = log.disk.file(&name);
        for bit in (0..whole.len() * 8).step_by(trust::step(29)) {
            let copy = log.disk.copy();
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            copy.put(&name, bytes);
            let mut journal = open(&copy, log.segment_bytes as u64);
            assert_eq!(audit(&mut *journal), (log.all, false), "{name}, bit {bit}");
            assert_eq!(journal.stats().quarantined, 0, "{name}, bit {bit}");
            flips += 1;
        }
    }
    trust::tell("every flipped bit of a sidecar", &[("opens", flips), ("changed", 0)]);
}
