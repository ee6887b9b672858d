//! What all threads share: where the node is, how far the run is, numbers, and the history.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use loadtest::history::{Event, Recorder};

use super::node::pause;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everyone does everything.
    Work,
    /// Nobody asks for more, and everyone who was cut comes back.
    Drain,
    /// Everyone ends.
    Done,
}

/// Without an event for this long nothing is under way.
const QUIET: Duration = Duration::from_millis(700);
const QUIET_TRIES: u32 = 30;

pub(crate) struct World {
    /// Where the node listens; 0 while it does not.
    port: AtomicU16,
    phase: AtomicU8,
    numbers: AtomicU64,
    noted: AtomicU64,
    recorder: Recorder,
}

impl World {
    pub(crate) fn new(recorder: Recorder) -> Self {
        let (port, phase) = (AtomicU16::new(0), AtomicU8::new(0));
        let (numbers, noted) = (AtomicU64::new(1), AtomicU64::new(0));
        Self { port, phase, numbers, noted, recorder }
    }

    /// The port of the node, if it has one.
    pub(crate) fn port(&self) -> Option<u16> {
        Some(self.port.load(Ordering::SeqCst)).filter(|it| *it != 0)
    }

    pub(crate) fn listen(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Work,
            1 => Phase::Drain,
            _ => Phase::Done,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// Lets time pass while there is work: whoever rests wakes for the end.
    pub(crate) fn pause_at_work(&self, length: Duration) {
        let until = Instant::now() + length;
        while self.phase() == Phase::Work && Instant::now() < until {
            pause(Duration::from_millis(20));
        }
    }

    /// A number that nothing else has; they rise.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn note(&self, event: Event) {
        self.noted.fetch_add(1, Ordering::SeqCst);
        self.recorder.note(event);
    }

    /// Waits until nobody has anything to say any more.
    pub(crate) fn wait_until_quiet(&self) {
        for _ in 0..QUIET_TRIES {
            let before = self.noted.load(Ordering::SeqCst);
            pause(QUIET);
            if before == self.noted.load(Ordering::SeqCst) {
                return;
            }
        }
        panic!("it never becomes quiet");
    }
}

/// Chance of one thread, from its seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let it = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub(crate) fn between_ms(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(low + self.next() % (high - low))
    }
}
