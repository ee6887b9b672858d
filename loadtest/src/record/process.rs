//! What a local process uses, from /proc; and what the generator itself uses.

use rustix::time::{ClockId, clock_gettime};
use std::fs;

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident.
    pub(crate) rss: u64,
    /// Resident, shared pages counted in part.
    pub(crate) pss: u64,
}

/// CPU nanoseconds that the calling thread has used.
pub(crate) fn own_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Nanoseconds that the calling thread was ready to run and another had its core.
pub(crate) fn own_wait_ns() -> u64 {
    let times = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    // Zero where the kernel does not count it.
    times.split_ascii_whitespace().nth(1).and_then(|wait| wait.parse().ok()).unwrap_or(0)
}

/// CPU nanoseconds of a process, user and system; `None` if it is not ours to see.
pub(crate) fn cpu_ns(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second();
    Some(cpu_ticks(&stat)? * tick_ns)
}

/// Memory of a process; `None` if it is not ours to see.
pub(crate) fn memory(pid: i32) -> Option<Memory> {
    parse_memory(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?)
}

/// Resident bytes of a process, cheaply; `None` if it is not ours to see.
pub(crate) fn resident(pid: i32) -> Option<u64> {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The last of the kernel's release, the processor's name and the number of cores.
pub(crate) fn machine() -> (String, String, usize) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let processor = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name.to_owned())
        })
        .unwrap_or_else(|| "unknown".to_owned());
    (kernel, processor, std::thread::available_parallelism().map_or(1, usize::from))
}

/// User and system ticks. The name before them may hold anything, so fields count from its end.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn parse_memory(rollup: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    Some(Memory { rss: field("Rss:")?, pss: field("Pss:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_spaces_and_brackets() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 120 34 0 0 20 0 1 0 99";
        assert_eq!(cpu_ticks(stat), Some(154));
        assert_eq!(cpu_ticks("12 (a) S 1"), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let rollup = "0-1 ---p 0 00:00 0 [rollup]\nRss:    20 kB\nPss:    7 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(parse_memory(rollup), Some(Memory { rss: 20_480, pss: 7168 }));
        assert_eq!(parse_memory(""), None);
    }

    #[test]
    fn this_process_is_ours_to_see() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(cpu_ns(pid).is_some());
        assert!(memory(pid).unwrap().rss > 0);
        assert!(resident(pid).unwrap() > 100 * 1024);
        let before = own_cpu_ns();
        let work: u64 = (0..100_000_u64).map(std::hint::black_box).sum();
        assert!(work > 0 && own_cpu_ns() > before);
    }
}
