//! Which processors there are, and staying on one of them.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors that this process may use, in rising order.
#[must_use]
pub fn cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(None);
    allowed.map_or_else(
        |_| vec![0],
        |set| (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect(),
    )
}

/// Keeps this thread on one processor. Where that is refused, it runs anywhere.
pub(super) fn to_cpu(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    if let Err(why) = sched_setaffinity(None, &set) {
        tracing::warn!(cpu, %why, "the shard is not pinned to its processor");
    }
}
