//! Whether a core sleeps. The one rule against a lost wake-up: who puts work into a lane does so *before* it looks here, and who
//! goes to sleep looks into its lanes *after* it said so here, with a sequentially consistent fence between the two
//! steps on either side. Of two such fences one comes first in the single order of them all; whoever's comes second
//! sees what the other wrote before. So either the sleeper finds the work, or the other finds the flag and rings.

use super::sync::{Arc, AtomicBool, Ordering, fence};

/// Whether a core sleeps, as others see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sleeping(Arc<AtomicBool>);

impl Sleeping {
    /// The owner is about to sleep: from here on others ring.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The owner is awake and looks into its lanes by itself.
    pub(super) fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether the caller, whose work is in the lane, has to ring. True for one caller per sleep.
    pub(super) fn claim(&self) -> bool {
        fence(Ordering::SeqCst);
        // Whoever comes too late writes nothing.
        let is_set = self.0.load(Ordering::Relaxed);
        is_set && self.0.compare_exchange(true, false, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
