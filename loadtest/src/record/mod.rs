//! What a run leaves: checked sequence numbers, latencies, rates, and what the processes used.

pub(crate) mod books;
pub(crate) mod check;
pub(crate) mod latency;
pub(crate) mod process;
pub(crate) mod series;
pub(crate) mod slices;
