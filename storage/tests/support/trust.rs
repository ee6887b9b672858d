//! How long a test is, and what its long form saw: as the tests of the server have it, with what those of a log need on top.

#[path = "../../../engine/tests/server/trust.rs"]
mod shared;

pub(crate) use shared::{is_long, rounds, skipped};

/// The seeds of a run: so many from zero on, or so many in the long form, and those that once failed. `SEED=s` takes seed `s`
/// alone, as a failure names it: `SEED=9132 cargo test -p storage --test powercut whatever`.
pub(crate) fn seeds(short: u64, long: u64, failed_once: &[u64]) -> Vec<u64> {
    if let Ok(seed) = std::env::var("SEED") {
        return vec![seed.parse().unwrap()];
    }
    let count = rounds(short, long);
    let beyond = failed_once.iter().copied().filter(|it| *it >= count);
    (0..count).chain(beyond).collect()
}

/// Each how many, for a long form that takes every one.
pub(crate) fn step(short: u64) -> usize {
    let step = if is_long() { (1_000_000 / rounds(0, 1_000_000)).max(1) } else { short };
    usize::try_from(step).unwrap()
}

/// Prints what the long form saw.
pub(crate) fn tell(what: &str, figures: &[(&str, u64)]) {
    if is_long() {
        let figures: Vec<_> = figures.iter().map(|it| format!(r#""{}":{}"#, it.0, it.1)).collect();
        shared::figures(what, &figures.join(","));
    }
}
