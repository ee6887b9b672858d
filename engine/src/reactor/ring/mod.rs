//! The socket datapath of one core: accepts, receives and sends through one io_uring. It knows slots, bytes and
//! frames; it knows nothing of WebSockets or shards.
//!
//! A turn is: `submit_and_wait`, `reap`, then `next` until it is empty, `share` and `gather`, and again. All sends of
//! a turn leave in one submission.

mod accept;
mod bell;
mod conn;
mod driver;
mod event;
mod host;
mod kernel;
mod line;
mod listen;
mod message;
mod op;
mod pass;
mod pool;
mod receive;
mod restrict;
mod send;
mod settings;
mod settle;
mod shed;
mod sleeping;
mod start;
mod tag;

use super::sync;
pub use bell::{Bell, Waker};
pub use driver::Driver;
pub use event::{Event, How, Received, Why};
pub use kernel::KernelRing;
pub use listen::claim;
pub use op::{Completion, Data, Full, Mode, Op, Ring, RingFd, SendOp, Wait};
pub use settings::{Counters, Settings};
pub use start::{Features, StartError, probe};
pub use tag::SLOTS_MAX;
