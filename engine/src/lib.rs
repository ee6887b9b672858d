//! Everything one core owns.

pub mod frame;
pub mod ids;
pub mod outbox;
pub mod reactor;
