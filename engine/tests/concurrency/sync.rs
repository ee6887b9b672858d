//! What stands in the place of the engine's `sync`: the same pieces, known to the model checker.

use std::sync::Mutex;

use loom::sync::atomic::AtomicUsize;
pub use loom::sync::atomic::{AtomicBool, Ordering, fence};

pub use loom::sync::Arc;

/// A bounded ring from one thread to another. It promises the least that such a ring can: whoever sees a message's place sees the
/// message, and nothing else is ordered by it. `crossbeam`'s promises more.
#[derive(Debug)]
pub struct ArrayQueue<T> {
    /// The checker runs one thread at a time and switches at its own pieces only, so nobody ever waits for these.
    slots: Vec<Mutex<Option<T>>>,
    taken: AtomicUsize,
    put: AtomicUsize,
}

impl<T> ArrayQueue<T> {
    /// A ring for so many messages.
    pub fn new(capacity: usize) -> Self {
        let slots = (0..capacity).map(|_| Mutex::new(None)).collect();
        Self { slots, taken: AtomicUsize::new(0), put: AtomicUsize::new(0) }
    }

    /// Puts a message at the end, if there is room.
    pub fn push(&self, message: T) -> Result<(), T> {
        let put = self.put.load(Ordering::Relaxed);
        if put - self.taken.load(Ordering::Acquire) == self.slots.len() {
            return Err(message);
        }
        *self.slots[put % self.slots.len()].lock().unwrap() = Some(message);
        self.put.store(put + 1, Ordering::Release);
        Ok(())
    }

    /// Takes the oldest message.
    pub fn pop(&self) -> Option<T> {
        let taken = self.taken.load(Ordering::Relaxed);
        if taken == self.put.load(Ordering::Acquire) {
            return None;
        }
        let message = self.slots[taken % self.slots.len()].lock().unwrap().take();
        assert!(message.is_some(), "a place without its message");
        self.taken.store(taken + 1, Ordering::Release);
        message
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.put.load(Ordering::Acquire) - self.taken.load(Ordering::Acquire)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
