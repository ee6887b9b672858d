//! How a core that sleeps is woken.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use engine::reactor::ring::{Bell, Settings, Wait};

use crate::support::{Core, PATIENCE};

/// One core of two that pass a number back and forth, sleeping in between.
fn volley(mine: &AtomicU64, other: &AtomicU64, bells: &(mpsc::Sender<Bell>, mpsc::Receiver<Bell>)) {
    let mut core = Core::new(Settings::default());
    bells.0.send(core.driver.bell()).unwrap();
    let bell = bells.1.recv().unwrap();
    let (mut seen, mut longest) = (0, Duration::ZERO);
    while seen < 2_000 {
        core.driver.doze();
        let wait = if mine.load(Ordering::Acquire) == seen {
            Wait::For(Duration::from_secs(5))
        } else {
            Wait::Poll
        };
        let begin = Instant::now();
        core.driver.submit_and_wait(wait).unwrap();
        longest = longest.max(begin.elapsed());
        core.driver.reap(0);
        while core.driver.next().is_some() {}
        let value = mine.load(Ordering::Acquire);
        if value > seen {
            seen = value;
            other.fetch_add(1, Ordering::Release);
            core.driver.ring(&bell);
        }
    }
    core.driver.submit_and_wait(Wait::Poll).unwrap();
    assert!(longest < Duration::from_secs(4), "a wake-up was lost");
    // The last message may still be on its way into the other ring: that ring stays open until both are done.
    bells.0.send(bell).unwrap();
    bells.1.recv().unwrap();
}

#[test]
fn two_cores_wake_each_other() {
    let (a, b) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicU64::new(0)));
    let (to_b, from_a) = mpsc::channel();
    let (to_a, from_b) = mpsc::channel();
    let (a2, b2) = (Arc::clone(&a), Arc::clone(&b));
    let first = std::thread::spawn(move || volley(&a, &b, &(to_b, from_b)));
    let second = std::thread::spawn(move || volley(&b2, &a2, &(to_a, from_a)));
    first.join().unwrap();
    second.join().unwrap();
}

#[test]
fn a_thread_without_a_ring_wakes_a_core_every_time() {
    let mut core = Core::new(Settings::default());
    let waker = core.driver.waker();
    let lane = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicU64::new(0));
    let (theirs, seen_by_us) = (Arc::clone(&lane), Arc::clone(&done));
    let peer = std::thread::spawn(move || {
        for round in 1..=2_000 {
            theirs.store(round, Ordering::Release);
            waker.wake();
            while seen_by_us.load(Ordering::Acquire) < round {
                std::hint::spin_loop();
            }
        }
    });
    let mut seen = 0;
    while seen < 2_000 {
        core.driver.doze();
        let wait = if lane.load(Ordering::Acquire) == seen {
            Wait::For(Duration::from_secs(5))
        } else {
            Wait::Poll
        };
        let begin = Instant::now();
        core.driver.submit_and_wait(wait).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(4), "a wake-up was lost");
        core.driver.reap(0);
        while core.driver.next().is_some() {}
        seen = lane.load(Ordering::Acquire);
        done.store(seen, Ordering::Release);
    }
    peer.join().unwrap();
    assert!(core.driver.counters().doorbells_heard > 0);
}

#[test]
fn an_interval_goes_on_over_many_waits_and_ends_one() {
    let mut core = Core::new(Settings::default());
    let waker = core.driver.waker();
    let begin = Instant::now();
    let (mut waits, mut ended) = (0, 0);
    while ended < 3 {
        waits += 1;
        core.driver.doze();
        // Woken in every wait but each hundredth.
        if waits % 100 > 0 {
            waker.wake();
        }
        core.driver.submit_and_wait(Wait::Interval).unwrap();
        core.driver.reap(0);
        while core.driver.next().is_some() {}
        ended += u32::from(core.driver.take_interval());
        assert!(!core.driver.take_interval(), "it is told once");
    }
    assert!(begin.elapsed() >= Duration::from_millis(15), "{waits} waits");
    assert!(begin.elapsed() < PATIENCE, "{waits} waits");
}

#[test]
fn a_host_that_is_not_told_hears_nothing_until_it_is() {
    let mut core = Core::new(Settings::default());
    let mut file = std::fs::File::from(core.driver.enable_eventfd().unwrap());
    let mut count = [0; 8];
    core.turn();
    let mut hears = |core: &mut Core| {
        while file.read(&mut count).is_ok() {}
        let _stream = core.connect();
        core.opened();
        file.read(&mut count).is_ok()
    };
    for is_told in [true, false, true] {
        core.driver.tell_host(is_told);
        assert_eq!(hears(&mut core), is_told);
    }
}

#[test]
fn a_host_that_waits_elsewhere_is_told() {
    let mut core = Core::new(Settings::default());
    let descriptor = core.driver.enable_eventfd().unwrap();
    core.turn();
    let mut file = std::fs::File::from(descriptor);
    let mut count = [0; 8];
    while let Ok(read) = file.read(&mut count) {
        assert_eq!(read, 8);
    }
    assert_eq!(file.read(&mut count).unwrap_err().kind(), ErrorKind::WouldBlock);
    let _stream = core.connect();
    let begin = Instant::now();
    while file.read(&mut count).is_err() {
        assert!(begin.elapsed() < PATIENCE);
        std::hint::spin_loop();
    }
    core.opened();
}

#[test]
fn a_host_that_waits_elsewhere_is_told_at_once_by_a_thread_without_a_ring() {
    let mut core = Core::new(Settings::default());
    let mut signal = std::fs::File::from(core.driver.enable_eventfd().unwrap());
    let mut count = [0; 8];
    core.turn();
    while signal.read(&mut count).is_ok() {}
    let waker = core.driver.waker();
    core.driver.doze();
    std::thread::spawn(move || waker.wake()).join().unwrap();
    // No waiting here: a signal that only the kernel passes on from one event descriptor to the other comes far later.
    assert_eq!(signal.read(&mut count).unwrap(), 8);
}
