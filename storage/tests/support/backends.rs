//! The same steps on every backend, with segments so small that many are sealed.

use std::{path::Path, sync::Arc};

use storage::{Journal, JournalKind, JournalOptions, Keep, Prepare, Retention, open};

use super::keep_all;

const KINDS: [JournalKind; 3] = [JournalKind::Memory, JournalKind::Segment, JournalKind::Sled];

pub(crate) fn journal(kind: JournalKind, dir: &Path) -> Box<dyn Journal> {
    let options = JournalOptions { segment_bytes: 32 * 1024, prepare: Prepare::InPlace };
    open(kind, dir, &options).unwrap()
}

pub(crate) fn on_each(steps: impl Fn(JournalKind, &Path)) {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        steps(kind, &dir.path().join("journal"));
    }
}

pub(crate) fn keep(keep: Keep) -> Retention {
    Retention { keep: Arc::new(move |_| keep), ..keep_all() }
}
