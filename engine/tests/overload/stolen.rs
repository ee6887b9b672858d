//! When the host gave this machine's processors to others: what takes long then says nothing about the node. On a machine of its own
//! that never happens, and every time counts.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(5);
/// The kernel tells of stolen time so late at most.
const LATE: Duration = Duration::from_millis(20);
/// What was stolen so long after a message was due counts. It is as long for all: a slow one is not more likely to be left out than a
/// quick one.
const AFTER: Duration = Duration::from_millis(60);

/// Looks at what was stolen until it ends.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Stolen>,
}

/// When something was stolen, in order.
#[derive(Debug, Default)]
pub(crate) struct Stolen(Vec<Instant>);

impl Watch {
    pub(crate) fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Self { stop, thread: thread::spawn(move || watch(&stopped)) }
    }

    pub(crate) fn end(self) -> Stolen {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn watch(stop: &AtomicBool) -> Stolen {
    let file = File::open("/proc/stat").unwrap();
    let (mut stolen, mut before) = (Stolen::default(), ticks(&file));
    while !stop.load(Ordering::SeqCst) {
        thread::sleep(EVERY);
        let now = ticks(&file);
        if now != before {
            stolen.0.push(Instant::now());
        }
        before = now;
    }
    stolen
}

impl Stolen {
    /// Whether what was due then was disturbed.
    pub(crate) fn disturbed(&self, due: Instant) -> bool {
        let (from, until) = (due - LATE, due + AFTER);
        let first = self.0.partition_point(|it| *it < from);
        self.0.get(first).is_some_and(|it| *it <= until)
    }
}

/// Stolen time of all processors so far: proc(5), the first line of `/proc/stat`.
fn ticks(file: &File) -> u64 {
    let mut head = [0; 128];
    let count = file.read_at(&mut head, 0).unwrap();
    let line = std::str::from_utf8(&head[..count]).unwrap().lines().next().unwrap();
    line.split_whitespace().nth(8).map_or(0, |it| it.parse().unwrap())
}

#[test]
fn what_was_due_while_something_was_stolen_is_disturbed() {
    let at = Instant::now() + Duration::from_secs(1);
    let ms = Duration::from_millis;
    let stolen = Stolen(vec![at, at + ms(500)]);
    assert!(stolen.disturbed(at - ms(60)) && stolen.disturbed(at));
    assert!(!stolen.disturbed(at - ms(61)));
    assert!(stolen.disturbed(at + ms(20)), "it may be told late");
    assert!(!stolen.disturbed(at + ms(21)));
    assert!(!stolen.disturbed(at + ms(600)));
}
