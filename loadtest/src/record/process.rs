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

/// CPU nanoseconds of all threads that a process has or had, user and system; `None` if there is no such process. Its clock is as
/// exact as the scheduler is; `/proc/PID/stat` has hundredths of a second.
pub(crate) fn cpu_ns(pid: i32) -> Option<u64> {
    let clock = nix::time::ClockId::pid_cpu_clock_id(nix::unistd::Pid::from_raw(pid)).ok()?;
    let time = clock.now().ok()?;
    Some(u64::try_from(time.tv_sec()).ok()? * 1_000_000_000 + u64::try_from(time.tv_nsec()).ok()?)
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
    fn time_of_a_thread_that_ended_is_counted_to_less_than_a_tick() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let before = cpu_ns(pid).unwrap();
        let work = || {
            while own_cpu_ns() < 3_000_000 {
                std::hint::spin_loop();
            }
        };
        std::thread::spawn(work).join().unwrap();
        assert!(cpu_ns(pid).unwrap() - before >= 3_000_000);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        // It may not have run yet.
        while cpu_ns(pid) == Some(0) {
            std::thread::yield_now();
        }
        let used = cpu_ns(pid);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(used.is_some(), "it is there, and used some");
        assert_eq!(cpu_ns(pid), None);
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
