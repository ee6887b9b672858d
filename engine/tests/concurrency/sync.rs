//! What stands in the place of the engine's `sync`: the same pieces, known to the model checker. Counts of owners are not: nothing
//! is ordered by them, and every order of the last drops would be tried.

pub use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize as Own;

use loom::sync::atomic::AtomicUsize;
pub use loom::sync::atomic::{AtomicBool, Ordering, fence};

/// A bounded ring from one thread to another. It promises the least that such a ring can: whoever sees a message's place sees the
/// message, and nothing else is ordered by it. `crossbeam`'s promises more.
#[derive(Debug)]
pub struct ArrayQueue<T> {
    /// The checker runs one thread at a time and switches at its own pieces only, so nobody ever waits for these.
    slots: Vec<Mutex<Option<T>>>,
    taken: AtomicUsize,
    put: AtomicUsize,
    sender: Side,
    receiver: Side,
}

/// What one side alone knows: its own place, and the last that it saw of the other's. Whoever looks no more often than it must has the
/// same choices, in fewer executions.
#[derive(Debug, Default)]
struct Side {
    own: Own,
    others: Own,
}

impl<T> ArrayQueue<T> {
    /// A ring for so many messages.
    pub fn new(capacity: usize) -> Self {
        let slots = (0..capacity).map(|_| Mutex::new(None)).collect();
        let (taken, put) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { slots, taken, put, sender: Side::default(), receiver: Side::default() }
    }

    /// Puts a message at the end, if there is room.
    pub fn push(&self, message: T) -> Result<(), T> {
        let put = self.sender.own.load(Ordering::Relaxed);
        if put - self.sender.others.load(Ordering::Relaxed) == self.slots.len() {
            let taken = self.taken.load(Ordering::Acquire);
            self.sender.others.store(taken, Ordering::Relaxed);
            if put - taken == self.slots.len() {
                return Err(message);
            }
        }
        *self.slots[put % self.slots.len()].lock().unwrap() = Some(message);
        self.sender.own.store(put + 1, Ordering::Relaxed);
        self.put.store(put + 1, Ordering::Release);
        Ok(())
    }

    /// Takes the oldest message.
    pub fn pop(&self) -> Option<T> {
        let taken = self.receiver.own.load(Ordering::Relaxed);
        if taken == self.receiver.others.load(Ordering::Relaxed) && self.is_empty() {
            return None;
        }
        let message = self.slots[taken % self.slots.len()].lock().unwrap().take();
        assert!(message.is_some(), "a place without its message");
        self.receiver.own.store(taken + 1, Ordering::Relaxed);
        self.taken.store(taken + 1, Ordering::Release);
        message
    }

    /// How many wait, as the receiver sees it.
    pub fn len(&self) -> usize {
        let put = self.put.load(Ordering::Acquire);
        self.receiver.others.store(put, Ordering::Relaxed);
        put - self.receiver.own.load(Ordering::Relaxed)
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
