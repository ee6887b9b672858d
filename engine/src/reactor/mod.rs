//! The rim of a core: the one place that talks to the kernel, reads a clock, and waits.
//!
//! `core` is the loop of one core on a page; `ring` is its sockets, `lanes` and `journal` its ways to the other threads,
//! `host` who runs it.

mod catalog;
mod clock;
mod core;
mod host;
mod journal;
mod lanes;
#[cfg(test)]
mod lanes_tests;
mod leisure;
mod order;
mod pin;
mod relief;
mod retention;
pub mod ring;
mod side;
mod sockets;
mod sync;
mod thirst;

pub use catalog::CatalogPort;
pub use clock::Clock;
pub use host::{Reactor, run};
pub use journal::JournalPort;
pub use lanes::{Lanes, between};
pub use order::{Go, OperationAnswer, Order};
pub use pin::cpus;
pub use side::SidePort;

pub use self::core::{Core, Parts};
