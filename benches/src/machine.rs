//! This machine: its cores, its clock of work, and what a table says about it.

use std::fs;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The two cores of a comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    /// Of the server.
    pub(crate) server: usize,
    /// Of the load generator.
    pub(crate) generator: usize,
}

/// The time now. Benchmarks are about nothing else.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
#[expect(clippy::disallowed_methods, reason = "no shard runs on this thread")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// CPU time that this process has used.
pub(crate) fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Binds this thread, and the threads and processes that it starts, to a core.
pub(crate) fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Runs something bound to a core, and returns to the cores of before.
pub(crate) fn pinned<T>(core: usize, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    pin(core)?;
    let result = work();
    sched_setaffinity(None, &before)?;
    result
}

/// Time of all cores so far, in clock ticks: proc(5), `/proc/stat`.
pub(crate) struct Spent {
    busy: u64,
    stolen: u64,
}

impl Spent {
    /// Until now.
    pub(crate) fn read() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).filter_map(|it| it.parse().ok()).collect();
        let at = |place: usize| ticks.get(place).copied().unwrap_or_default();
        // user, nice, system, idle, iowait, irq, softirq, steal
        Ok(Self { busy: at(0) + at(1) + at(2) + at(5) + at(6), stolen: at(7) })
    }

    /// Of the time that the cores were wanted, the share in which the host gave them to other machines.
    pub(crate) fn stolen_since(&self, before: &Self) -> f64 {
        let stolen = self.stolen.saturating_sub(before.stolen) as f64;
        let busy = self.busy.saturating_sub(before.busy) as f64;
        if stolen > 0.0 { stolen / (stolen + busy) } else { 0.0 }
    }
}

/// Processor, cores and kernel, in one line.
pub(crate) fn description() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// What a command prints, or nothing.
pub(crate) fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output
        .map_or_else(|_| String::new(), |it| String::from_utf8_lossy(&it.stdout).trim().to_owned())
}
