//! The catalog: what is changed stays changed, whatever becomes of its view.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::{collections::BTreeMap, fs, path::Path};

use storage::{Catalog, Change};

fn put<'a>(table: &'a str, key: &'a str, value: &'a str) -> Change<'a> {
    Change::Put { table, key: key.as_bytes(), value: value.as_bytes() }
}

/// Opens, and checks what every test below has written.
fn check(dir: &Path) {
    let catalog = Catalog::open(dir).unwrap();
    assert_eq!(catalog.get("tenant", b"acme").unwrap(), Some(b"two".to_vec()));
    assert_eq!(catalog.get("tenant", b"gone").unwrap(), None);
    assert_eq!(catalog.get("key", b"acme").unwrap(), Some(b"secret".to_vec()));
    let tenants = catalog.entries("tenant").unwrap();
    assert_eq!(tenants.len(), 101);
    assert!(tenants.is_sorted());
}

fn fill(dir: &Path) {
    let mut catalog = Catalog::open(dir).unwrap();
    let first = [put("tenant", "acme", "one"), put("tenant", "gone", "x")];
    catalog.apply(&first, 1).unwrap();
    catalog.apply(&[put("tenant", "acme", "two"), put("key", "acme", "secret")], 2).unwrap();
    catalog.apply(&[Change::Delete { table: "tenant", key: b"gone" }], 3).unwrap();
    for number in 0..100 {
        catalog.apply(&[put("tenant", &format!("t{number}"), "some value")], 4).unwrap();
    }
}

#[test]
fn a_catalog_is_as_it_was_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    check(dir.path());
    check(dir.path());
}

#[test]
fn a_view_that_is_gone_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    fs::remove_dir_all(dir.path().join("view")).unwrap();
    check(dir.path());
}

#[test]
fn a_view_with_flipped_bytes_is_made_anew() {
    for at in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path());
        let path = dir.path().join("view").join("db");
        let mut bytes = fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|it| *it != 0).unwrap();
        let target = at * used / 40;
        bytes[target] ^= 0x40;
        fs::write(&path, bytes).unwrap();
        check(dir.path());
    }
}

#[test]
fn a_long_history_is_rewritten_and_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path());
    {
        let mut catalog = Catalog::open(dir.path()).unwrap();
        for round in 0..30 {
            let value = format!("value {round}");
            let changes: Vec<_> = (0..500).map(|_| put("busy", "key", &value)).collect();
            catalog.apply(&changes, 5).unwrap();
        }
    }
    for _ in 0..2 {
        check(dir.path());
        let catalog = Catalog::open(dir.path()).unwrap();
        assert_eq!(catalog.get("busy", b"key").unwrap(), Some(b"value 29".to_vec()));
    }
}

/// Rows as large as those of patterns: so many of them fit no single block of the journal.
#[test]
fn a_long_history_of_large_rows_is_rewritten_too() {
    let dir = tempfile::tempdir().unwrap();
    let value = "x".repeat(20_000);
    {
        let mut catalog = Catalog::open(dir.path()).unwrap();
        let keys: Vec<_> = (0..512).map(|row| format!("p{row:03}")).collect();
        for some in keys.chunks(16) {
            let puts: Vec<_> = some.iter().map(|it| put("pattern", it, &value)).collect();
            catalog.apply(&puts, 1).unwrap();
        }
        for _ in 0..21 {
            let changes: Vec<_> = (0..500).map(|_| put("busy", "key", "value")).collect();
            catalog.apply(&changes, 2).unwrap();
        }
    }
    for _ in 0..2 {
        let catalog = Catalog::open(dir.path()).unwrap();
        let rows = catalog.entries("pattern").unwrap();
        assert_eq!(rows.len(), 512);
        assert!(rows.iter().all(|it| it.1 == value.as_bytes()));
    }
}

/// What a catalog has to hold after some changes, each of them of two large rows.
#[derive(Default)]
struct Model {
    changes: u8,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Model {
    /// Sets a row and sets or removes another.
    fn change(&mut self, catalog: &mut Catalog) {
        self.changes = self.changes.wrapping_mul(5).wrapping_add(3);
        let (row, other) = ([self.changes % 24], [24 + self.changes % 7]);
        let value = vec![self.changes; 20_000];
        let set = Change::Put { table: "t", key: &row, value: &value };
        self.rows.insert(row.to_vec(), value.clone());
        let second = if self.changes.is_multiple_of(3) {
            self.rows.remove(other.as_slice());
            Change::Delete { table: "t", key: &other }
        } else {
            self.rows.insert(other.to_vec(), value.clone());
            Change::Put { table: "t", key: &other, value: &value }
        };
        catalog.apply(&[set, second], 1).unwrap();
    }

    fn check(&self, catalog: &Catalog) {
        assert_eq!(catalog.quarantined(), 0);
        let rows: BTreeMap<_, _> = catalog.entries("t").unwrap().into_iter().collect();
        assert!(rows == self.rows, "other rows");
    }

    fn check_size(&self, dir: &Path) {
        let bytes = support::bytes_of(&dir.join("journal"));
        assert!(bytes < JOURNAL_BYTES_MAX, "{bytes} bytes for {} rows", self.rows.len());
    }
}

/// Three segments and the reserve: the one that is written, one that is being rewritten, a spare.
const JOURNAL_BYTES_MAX: u64 = 17 * 1024 * 1024;

#[test]
fn the_journal_of_a_catalog_that_is_never_closed_stays_small() {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    let mut catalog = Catalog::open(dir.path()).unwrap();
    for _ in 0..1_000 {
        model.change(&mut catalog);
        model.check_size(dir.path());
    }
    model.check(&catalog);
    drop(catalog);
    model.check(&Catalog::open(dir.path()).unwrap());
}

#[test]
fn a_journal_that_is_being_rewritten_says_the_same_at_any_moment() {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    let mut catalog = Catalog::open(dir.path()).unwrap();
    for round in 0..60 {
        (0..7).for_each(|_| model.change(&mut catalog));
        drop(catalog);
        if round % 2 == 0 {
            fs::remove_dir_all(dir.path().join("view")).unwrap();
        }
        catalog = Catalog::open(dir.path()).unwrap();
        model.check(&catalog);
        model.check_size(dir.path());
    }
}

/// sled forgets files of its own when it is closed.
#[test]
fn a_view_that_takes_far_more_than_it_holds_is_copied_at_an_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    for round in 0..20 {
        if round == 10 {
            // The process was killed over a copy.
            fs::create_dir(dir.path().join("view.copy")).unwrap();
            fs::write(dir.path().join("view.copy").join("db"), "no database").unwrap();
        }
        let mut catalog = Catalog::open(dir.path()).unwrap();
        let bytes = support::bytes_of(&dir.path().join("view"));
        assert!(bytes < 12 * 1024 * 1024, "round {round}: {bytes} bytes");
        assert!(!dir.path().join("view.copy").exists(), "round {round}");
        model.check(&catalog);
        (0..60).for_each(|_| model.change(&mut catalog));
    }
}
