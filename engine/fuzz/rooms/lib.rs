//! The rooms of the engine that its targets need, and no others: they are built in a minute, and coverage is of them alone.

#[path = "../../src/frame.rs"]
pub mod frame;
#[path = "../../src/ids.rs"]
pub mod ids;
#[path = "../../src/outbox.rs"]
pub mod outbox;
pub mod reactor;
