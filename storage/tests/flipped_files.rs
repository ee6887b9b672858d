//! Flipped bits in the files of the sled journal and of the catalog: what is served is right, and what is not is told.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use storage::{Catalog, Change, JournalKind, JournalOptions, OpenError, open};
use support::{
    Random,
    log::{audit, batch, check_goes_on},
    trust,
};

/// Files with what was written in them.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(path).unwrap())),
        }
    }
    found
}

/// One past the last byte that is not zero.
fn used(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|it| *it != 0).map_or(0, |it| it as u64 + 1)
}

/// Puts the files of a directory somewhere else, with one bit flipped in what was written of one of them. Says which.
fn put_flipped(
    files: &[(PathBuf, Vec<u8>)],
    (from, to): (&Path, &Path),
    random: &mut Random,
) -> String {
    let written: Vec<_> = files.iter().filter(|it| used(&it.1) > 0).collect();
    let chosen = written[usize::try_from(random.below(written.len() as u64)).unwrap()];
    let bit = random.below(8 * used(&chosen.1));
    let (byte, mask) = (usize::try_from(bit / 8).unwrap(), 1 << (bit % 8));
    for (path, bytes) in files {
        let copy = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        let mut bytes = bytes.clone();
        if *path == chosen.0 {
            bytes[byte] ^= mask;
        }
        fs::write(copy, bytes).unwrap();
    }
    format!("{}, bit {bit}", chosen.0.display())
}

#[test]
fn a_flipped_bit_in_a_file_of_sled_is_detected_or_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    let options = JournalOptions::default();
    let mut journal = open(JournalKind::Sled, &original, &options).unwrap();
    (0..40).for_each(|it| journal.append(&batch(it * 5 + 1, 5)).unwrap());
    drop(journal);
    let files = files(&original);
    let (flips, mut detected, mut refused) = (trust::rounds(40, 5_000), 0, 0);
    for seed in 0..flips {
        let copy = dir.path().join("copy");
        let mut random = Random(seed);
        let what = put_flipped(&files, (&original, &copy), &mut random);
        match open(JournalKind::Sled, &copy, &options) {
            Ok(mut journal) => {
                let is_seen = journal.stats().quarantined > 0;
                let (count, is_told) = audit(&mut *journal);
                assert!(count == 600 || is_seen || is_told, "{what}: {count} of 600, and no word");
                detected += u64::from(is_seen || is_told);
                check_goes_on(&mut *journal, &what);
            }
            Err(OpenError::Unreadable { .. }) => refused += 1,
            Err(other) => panic!("{what}: {other}"),
        }
        fs::remove_dir_all(copy).unwrap();
    }
    let figures = [
        ("opens", flips),
        ("detected", detected),
        ("refused_to_open", refused),
        ("of_no_account", flips - detected - refused),
        ("lost_untold", 0),
        ("wrong_bytes", 0),
        ("panics", 0),
    ];
    trust::tell("flipped bits in files of sled", &figures);
}

#[test]
fn a_flipped_bit_in_a_file_of_the_catalog_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    let mut catalog = Catalog::open(&original).unwrap();
    for number in 0..200_u64 {
        let (key, value) = ((number % 50).to_be_bytes(), number.to_be_bytes().repeat(20));
        catalog.apply(&[Change::Put { table: "t", key: &key, value: &value }], number).unwrap();
    }
    let right = catalog.entries("t").unwrap();
    drop(catalog);
    let files = files(&original);
    let (flips, mut told) = (trust::rounds(30, 5_000), 0);
    for seed in 0..flips {
        let copy = dir.path().join("copy");
        let mut random = Random(seed);
        let what = put_flipped(&files, (&original, &copy), &mut random);
        let mut catalog = Catalog::open(&copy).unwrap_or_else(|why| panic!("{what}: {why}"));
        // It is the journal or its view that is whole.
        assert!(catalog.entries("t").unwrap() == right, "{what}");
        told += u64::from(catalog.quarantined() > 0);
        let put = Change::Put { table: "u", key: b"k", value: b"v" };
        assert!(catalog.apply(&[put], 0).is_ok(), "{what}: the catalog goes on");
        drop(catalog);
        let again = Catalog::open(&copy).unwrap();
        assert_eq!(again.get("u", b"k").unwrap().as_deref(), Some(&b"v"[..]), "{what}");
        assert!(again.entries("t").unwrap() == right, "{what}: also after the next start");
        drop(again);
        fs::remove_dir_all(copy).unwrap();
    }
    let figures = [("opens", flips), ("told", told), ("changes_lost", 0), ("panics", 0)];
    trust::tell("flipped bits in files of the catalog", &figures);
}
