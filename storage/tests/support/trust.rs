//! How long a test is: short among the others; long with `TRUST=1`, where it prints what it saw. `TRUST_SCALE=0.01` takes a
//! hundredth of the long form.

/// Whether the test takes its long numbers.
pub(crate) fn is_long() -> bool {
    std::env::var_os("TRUST").is_some()
}

/// So many, or so many in the long form.
pub(crate) fn rounds(short: u64, long: u64) -> u64 {
    if !is_long() {
        return short;
    }
    let scale = std::env::var("TRUST_SCALE").map_or(1.0, |it| it.parse().unwrap());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of rounds is small, and not negative"
    )]
    let scaled = (long as f64 * scale) as u64;
    scaled.max(1)
}

/// Each how many, for a long form that takes every one.
pub(crate) fn step(short: u64) -> usize {
    let step = if is_long() { (1_000_000 / rounds(0, 1_000_000)).max(1) } else { short };
    usize::try_from(step).unwrap()
}

/// Prints what the long form saw.
#[expect(clippy::print_stdout, reason = "the long form is read by `cargo xtask trust`")]
pub(crate) fn tell(what: &str, figures: &[(&str, u64)]) {
    if is_long() {
        let figures: String = figures.iter().map(|it| format!(r#","{}":{}"#, it.0, it.1)).collect();
        println!(r#"trust {{"what":"{what}"{figures}}}"#);
    }
}
