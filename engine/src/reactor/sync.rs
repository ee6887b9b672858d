//! What lanes and doorbells are made of, named once: `tests/concurrency` puts a model checker's pieces in their place, and reads the
//! same files.

pub(super) use std::sync::Arc;
pub(super) use std::sync::atomic::{AtomicBool, Ordering, fence};

pub(super) use crossbeam::queue::ArrayQueue;
