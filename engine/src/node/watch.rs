//! A thread that looks at how much memory a node takes. Files of the kernel are read there, never on a core.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::memory::MemoryBound;
use crate::pressure::{Gauge, Pressure};

/// Between two looks while memory is short, or may be soon. What comes in meanwhile has to fit between the bound and what the host has.
const LOOK_AGAIN_MS: u64 = 20;
/// Between two looks while it is far from short.
const LOOK_AGAIN_MS_MAX: u64 = 1_000;
/// How much more each core may take in a millisecond at most, 4 GiB a second: its memory has to be cleared by the kernel and filled.
const GROWTH_BYTES_PER_MS: u64 = 4 << 20;
/// Looks between two rounds in which everyone gives memory back, while it is short: half a second. A core that is not held up does so
/// and then gives up on consumers within it, and what it freed counts as used until the next.
const ROUND_LOOKS: u32 = 25;

/// Has a thread that is no core give memory back.
pub(super) type Tell = Box<dyn Fn() + Send>;

/// The thread that looks. It ends with this.
pub(super) struct Watch {
    /// Dropped to end it.
    until: Option<flume::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Shows on a gauge how short memory is. So many cores see there when to give memory back, `others` are told.
    pub(super) fn start(
        bound: MemoryBound,
        gauge: Arc<Gauge>,
        cores: u16,
        others: Vec<Tell>,
    ) -> io::Result<Self> {
        let (until, over) = flume::bounded::<()>(0);
        let work = move || {
            let mut watcher = Watcher { bound, gauge, cores, others, looks: 0 };
            let mut pause = Duration::ZERO;
            while over.recv_timeout(pause) == Err(flume::RecvTimeoutError::Timeout) {
                pause = watcher.look();
            }
        };
        let thread = thread::Builder::new().name("memory".to_owned()).spawn(work)?;
        Ok(Self { until: Some(until), thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.until = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // A panic there has been printed.
        }
    }
}

/// What runs on the thread.
struct Watcher {
    bound: MemoryBound,
    gauge: Arc<Gauge>,
    cores: u16,
    others: Vec<Tell>,
    /// Since memory is short.
    looks: u32,
}

impl Watcher {
    /// Looks. Returns how long to wait until the next time.
    fn look(&mut self) -> Duration {
        let used = self.bound.memory.used_bytes();
        self.judge(used);
        Duration::from_millis(self.pause_ms(used))
    }

    /// As long as the node grows no faster than [`GROWTH_BYTES_PER_MS`] for each core, whichever of its threads takes it, it is not over
    /// its bound for longer than [`LOOK_AGAIN_MS`] before it is seen.
    fn pause_ms(&self, used_bytes: u64) -> u64 {
        if self.gauge.level() != Pressure::Calm {
            return LOOK_AGAIN_MS;
        }
        let growth = GROWTH_BYTES_PER_MS * u64::from(self.cores.max(1));
        let room_ms = self.bound.bytes.saturating_sub(used_bytes) / growth;
        room_ms.clamp(LOOK_AGAIN_MS, LOOK_AGAIN_MS_MAX)
    }

    fn judge(&mut self, used_bytes: u64) {
        let before = self.gauge.level();
        let level = before.after(used_bytes, self.bound.bytes);
        if level == Pressure::Calm {
            self.looks = 0;
        } else {
            if self.looks.is_multiple_of(ROUND_LOOKS) {
                self.gauge.begin_round();
                self.others.iter().for_each(|tell| tell());
            }
            self.looks = self.looks.wrapping_add(1);
        }
        self.gauge.set(level);
        if level != before {
            tell(level, used_bytes, self.bound.bytes);
        }
    }
}

fn tell(level: Pressure, used_bytes: u64, memory_bytes_max: u64) {
    match level {
        Pressure::Calm => tracing::info!(used_bytes, memory_bytes_max, "memory suffices again"),
        Pressure::Connections => {
            tracing::warn!(used_bytes, memory_bytes_max, "memory: new connections are refused");
        }
        Pressure::Publishes => {
            tracing::warn!(used_bytes, memory_bytes_max, "memory: messages are refused too");
        }
        Pressure::Consumers => {
            tracing::warn!(used_bytes, memory_bytes_max, "memory: slow consumers are closed too");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Memory;

    #[test]
    fn a_round_begins_when_memory_is_short_and_again_while_it_is() {
        let (bound, gauge) = (Memory::look().bound(3_200), Arc::new(Gauge::new(|| ())));
        let (told, tells) = flume::unbounded();
        let others: Vec<Tell> = vec![Box::new(move || told.send(()).unwrap())];
        let mut watcher = Watcher { bound, gauge, cores: 1, others, looks: 0 };
        let mut check = |used, looks: u32, level, rounds| {
            (0..looks).for_each(|_| watcher.judge(used));
            let shown = watcher.gauge.shown();
            assert_eq!((shown.level, shown.rounds), (level, rounds), "{shown:?}");
            assert_eq!(tells.len() as u64, rounds, "each of the others is told once a round");
        };
        check(3_200, 100, Pressure::Calm, 0);
        check(3_601, 1, Pressure::Consumers, 1);
        check(3_601, ROUND_LOOKS - 1, Pressure::Consumers, 1);
        check(3_401, 1, Pressure::Publishes, 2);
        check(0, 100, Pressure::Calm, 2);
        check(3_201, 1, Pressure::Connections, 3);
    }

    #[test]
    fn it_looks_seldom_and_sees_in_time_that_memory_is_short() {
        const GIB: u64 = 1 << 30;
        for (cores, bound_bytes) in [(1, GIB / 4), (2, 18 * GIB), (64, 200 * GIB)] {
            for begin in [0, bound_bytes / 3, bound_bytes - 1] {
                check_growth(cores, bound_bytes, begin);
            }
        }
    }

    /// A node grows as fast as it may.
    fn check_growth(cores: u16, bound_bytes: u64, begin: u64) {
        let (bound, gauge) = (Memory::look().bound(bound_bytes), Arc::new(Gauge::new(|| ())));
        let mut watcher = Watcher { bound, gauge, cores, others: vec![], looks: 0 };
        let growth = GROWTH_BYTES_PER_MS * u64::from(cores);
        let (mut used, mut looks) = (begin, 0);
        while watcher.gauge.level() == Pressure::Calm {
            used += watcher.pause_ms(used) * growth;
            looks += 1;
            watcher.judge(used);
        }
        assert!(used - bound_bytes <= LOOK_AGAIN_MS * growth, "{cores} {begin}: {used}");
        assert!(looks <= 6, "{cores} {begin}: {looks}");
        assert_eq!(watcher.pause_ms(used), LOOK_AGAIN_MS);
    }

    #[test]
    fn a_watch_shows_that_memory_is_short_and_ends() {
        let gauge = Arc::new(Gauge::new(|| ()));
        let watch = Watch::start(Memory::look().bound(1), Arc::clone(&gauge), 1, vec![]).unwrap();
        for _ in 0..1_000 {
            if gauge.level() == Pressure::Consumers {
                break;
            }
            thread::park_timeout(Duration::from_millis(LOOK_AGAIN_MS));
        }
        assert_eq!(gauge.level(), Pressure::Consumers);
        drop(watch);
    }
}
