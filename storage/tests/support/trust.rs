//! How long a test is, and what its long form saw: as the tests of the server have it, with what those of a log need on top.

#[path = "../../../engine/tests/server/trust.rs"]
mod shared;

pub(crate) use shared::{is_long, rounds, skipped};

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
