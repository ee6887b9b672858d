//! How work on a thread of its own hears that it is in vain: nothing else can stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells work that nobody waits for it any more, when it is dropped.
pub(super) struct Overdue(Arc<AtomicBool>);

impl Overdue {
    /// One of new work, and the flag that the work looks at.
    pub(super) fn watched() -> (Self, Arc<AtomicBool>) {
        let flag = Arc::new(AtomicBool::new(false));
        (Self(Arc::clone(&flag)), flag)
    }
}

impl Drop for Overdue {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
