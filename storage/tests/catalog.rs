//! The catalog: what is changed stays changed, whatever becomes of its view.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::{fs, path::Path};

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
