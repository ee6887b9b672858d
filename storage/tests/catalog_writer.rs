//! The catalog's thread: one answer to each ask, in order, to whoever asked; all of an ask or none of it.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

use storage::{Catalog, CatalogHandle, CatalogWriter, JournalError, OwnedChange, QueueFull, Wake};

type Wakes = flume::Receiver<()>;

fn spawn(dir: &Path, shards: usize) -> (CatalogWriter, Vec<CatalogHandle>, Vec<Wakes>) {
    let wakes: Vec<_> = (0..shards).map(|_| flume::unbounded()).collect();
    let wake = |to: &flume::Sender<()>| {
        let to = to.clone();
        Box::new(move || {
            let _ = to.send(()); // The test may have ended.
        }) as Wake
    };
    let catalog = Catalog::open(dir).unwrap();
    let made = CatalogWriter::spawn(catalog, wakes.iter().map(|it| wake(&it.0)).collect());
    let (writer, handles) = made.unwrap();
    (writer, handles, wakes.into_iter().map(|it| it.1).collect())
}

fn put(key: &str, value: impl Into<Vec<u8>>) -> OwnedChange {
    let (table, key) = ("tenant".to_owned(), key.as_bytes().to_vec());
    OwnedChange::Put { table, key, value: value.into() }
}

fn delete(key: &str) -> OwnedChange {
    OwnedChange::Delete { table: "tenant".to_owned(), key: key.as_bytes().to_vec() }
}

/// Takes answers until there are so many.
fn answers(
    handle: &CatalogHandle,
    wakes: &Wakes,
    count: usize,
) -> Vec<(u64, Result<(), JournalError>)> {
    let mut all = Vec::new();
    while all.len() < count {
        wakes.recv().unwrap();
        all.extend(handle.answers());
    }
    all
}

#[test]
fn each_shard_gets_its_own_answers_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, handles, wakes) = spawn(dir.path(), 3);
    for number in 0..400 {
        for (shard, handle) in handles.iter().enumerate() {
            let key = format!("{shard}:{}", number % 50);
            handle.try_apply(number, vec![put(&key, number.to_le_bytes())]).unwrap();
        }
    }
    for (handle, wakes) in handles.iter().zip(&wakes) {
        let all = answers(handle, wakes, 400);
        assert!(all.iter().map(|it| it.0).eq(0..400), "in the order of the asks");
        assert!(all.iter().all(|it| it.1.is_ok()));
    }
    drop(writer);
    assert_eq!(handles.first().unwrap().try_apply(1, Vec::new()), Err(QueueFull), "it has ended");
    let catalog = Catalog::open(dir.path()).unwrap();
    assert_eq!(catalog.entries("tenant").unwrap().len(), 150);
    let value = catalog.get("tenant", b"2:49").unwrap().unwrap();
    assert_eq!(value, 399_u64.to_le_bytes(), "the last one holds");
}

#[test]
fn an_ask_that_is_refused_changes_nothing_and_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, handles, wakes) = spawn(dir.path(), 1);
    let (handle, wakes) = (handles.first().unwrap(), wakes.first().unwrap());
    handle.try_apply(1, vec![put("a", "one"), put("b", "one")]).unwrap();
    handle.try_apply(2, vec![put("a", "two"), put("large", vec![7; 5_000_000])]).unwrap();
    handle.try_apply(3, vec![put("c", "one"), delete("b"), put("c", "two")]).unwrap();
    let all = answers(handle, wakes, 3);
    assert!(all.iter().map(|it| it.0).eq(1..=3));
    let [_, (_, refused), _] = all.as_slice() else { unreachable!("there are three") };
    assert!(matches!(refused, Err(JournalError::TooLarge { .. })));
    assert_eq!(all.iter().filter(|it| it.1.is_ok()).count(), 2);
    let huge = vec![put("huge", vec![7; 17_000_000])];
    assert_eq!(handle.try_apply(4, huge), Err(QueueFull), "what waits is bounded in bytes");
    let check = |catalog: &Catalog| {
        let value = |key: &str| catalog.get("tenant", key.as_bytes()).unwrap();
        assert_eq!(value("a"), Some(b"one".to_vec()));
        assert_eq!((value("b"), value("large")), (None, None));
        assert_eq!(value("c"), Some(b"two".to_vec()));
    };
    check(&writer.shutdown().unwrap());
    check(&Catalog::open(dir.path()).unwrap());
}

#[test]
fn the_end_comes_after_all_that_waits() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, handles, _wakes) = spawn(dir.path(), 1);
    let handle = handles.first().unwrap();
    (0..500).for_each(|it| handle.try_apply(it, vec![put(&it.to_string(), "x")]).unwrap());
    let catalog = writer.shutdown().unwrap();
    assert_eq!(catalog.entries("tenant").unwrap().len(), 500);
    assert!(handle.answers().all(|it| it.1.is_ok()));
}
