//! The driver on a made-up kernel: thousands of seeds, each a random life of a few connections, held against a model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod fake;
mod life;
mod loan;
mod model;
mod passing;
mod world;

use std::fs;

use life::live;
use world::byte_of;

/// Prints the seed of a run that fails.
struct Telltale(u64);

impl Drop for Telltale {
    #[expect(clippy::print_stderr, reason = "the seed is what one needs to repeat it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}", self.0);
        }
    }
}

#[test]
fn streams_stay_whole_whatever_the_kernel_does() {
    let mut sums = [0; 17];
    for seed in 0..1_000 {
        let telltale = Telltale(seed);
        let (counters, closed, [stayed, intervals]) = live(seed, &[]);
        drop(telltale);
        let seen = [
            counters.sends_short,
            counters.overruns,
            counters.overflows,
            counters.queue_full,
            counters.buffers_lacking,
            counters.receive_pauses,
            counters.accept_pauses,
            counters.closes_forced,
            counters.doorbells_heard,
            counters.bytes_received,
            counters.passes,
            stayed,
            intervals,
            closed[0],
            closed[1],
            closed[2],
            closed[3],
        ];
        sums.iter_mut().zip(seen).for_each(|(sum, count)| *sum += count);
    }
    assert!(sums.iter().all(|&sum| sum > 100), "something hardly ever happened: {sums:?}");
}

#[test]
fn any_bytes_make_a_life() {
    for length in [0, 1, 100, 5_000] {
        let bytes: Vec<u8> = (0..length).map(|at| byte_of(3, at * at)).collect();
        live(length as u64, &bytes);
    }
}

#[test]
fn every_input_that_the_fuzzer_kept_is_a_life() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/ring");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "{} inputs", paths.len());
    for path in paths {
        live(0, &fs::read(path).unwrap());
    }
}
