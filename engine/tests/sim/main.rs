//! A whole node from one seed, in one thread: shards, lanes that delay, journals that fail, clients that misbehave.
//!
//! `cargo sim` runs [`SEEDS_DEFAULT`] seeds; `SEEDS=n` runs n, `SEED=s` runs one alone.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may stop at the first surprise, and prints the seed that leads there"
)]

mod alone;
mod bounds;
mod catalog;
mod checker;
mod clients;
mod closes;
mod crossing;
mod deletions;
mod dooms;
mod faults;
mod handshake;
mod hooks;
mod infrai;
mod insforge;
mod journal;
mod keys;
mod lanes;
mod memory;
mod naps;
mod net;
mod operator;
mod passing;
mod plain;
mod planted;
mod polled;
mod presence;
mod random;
mod registered;
mod restarts;
mod retries;
mod rotation;
mod rules;
mod run;
mod scene;
mod seen;
mod sides;
mod socket;
mod start;
mod taking;
mod trouble;
mod wishes;
mod world;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};

use faults::Plan;
use seen::Seen;

const SEEDS_DEFAULT: u64 = 600;
/// As many for `cargo xtask trust seeds`.
const SEEDS_TRUST: u64 = 100_000;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Runs one seed and says which it was if it fails.
fn run_seed(seed: u64) -> (Seen, u64) {
    let run = || run::run(Plan::new(seed));
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => done,
        Err(cause) => {
            eprintln!("{:?}\nSEED={seed} cargo sim", Plan::new(seed));
            std::panic::resume_unwind(cause);
        }
    }
}

fn run_seeds(seeds: impl Iterator<Item = u64>) -> Seen {
    let mut seen = Seen::default();
    seeds.for_each(|seed| seen.add(&run_seed(seed).0));
    seen
}

#[test]
fn every_seed_keeps_what_the_node_promises() {
    let is_trust = env::var_os("TRUST").is_some();
    let seeds = match number("SEED") {
        Some(seed) => seed..=seed,
        None => {
            0..=number("SEEDS").unwrap_or(if is_trust { SEEDS_TRUST } else { SEEDS_DEFAULT }) - 1
        }
    };
    let half = |odd: u64| seeds.clone().filter(move |seed| seed % 2 == odd);
    let mut seen = Seen::default();
    // Two threads, because a run is one: a seed says the same on either.
    std::thread::scope(|scope| {
        let halves = [0, 1].map(|odd| scope.spawn(move || run_seeds(half(odd))));
        for half in halves {
            match half.join() {
                Ok(counts) => seen.add(&counts),
                Err(cause) => std::panic::resume_unwind(cause),
            }
        }
    });
    eprintln!("{seen}");
    let is_many = seeds.end() - seeds.start() >= 299;
    assert!(!is_many || seen.missing().is_empty(), "never happened: {:?}", seen.missing());
    if is_trust {
        println!(r#"trust {{"what":"simulator","seeds":{},"violations":0}}"#, seeds.count());
    }
}

#[test]
fn changes_of_a_resource_that_cross_end_alike_on_all_shards() {
    for seed in 0..40 {
        crossing::run(Plan::new(seed).deleting());
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [2, 7, 19, 31] {
        assert_eq!(run_seed(seed).1, run_seed(seed).1, "seed {seed}");
    }
}
