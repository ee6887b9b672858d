//! How long a test is: short among the others; long with `TRUST=1`, of which `TRUST_SCALE=0.01` takes a hundredth. And what it
//! saw, as `cargo xtask trust` gathers it.

use std::time::Duration;

/// Whether the test takes its long form.
pub(crate) fn is_long() -> bool {
    std::env::var_os("TRUST").is_some()
}

/// How much of the long form is asked for: 1 is all of it.
fn scale() -> f64 {
    std::env::var("TRUST_SCALE").map_or(1.0, |it| it.parse().unwrap())
}

/// So many, or so many in the long form.
pub(crate) fn rounds(short: u64, long: u64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of rounds is small, and not negative"
    )]
    let scaled = (long as f64 * scale()) as u64;
    if is_long() { scaled.max(1) } else { short }
}

/// So long, or so long in the long form, and never shorter.
pub(crate) fn length(short: Duration, long: Duration) -> Duration {
    if is_long() { long.mul_f64(scale()).max(short) } else { short }
}

/// Figures of a claim: the inside of a JSON object.
#[expect(clippy::print_stdout, reason = "what gathers them reads standard output")]
pub(crate) fn figures(what: &str, figures: &str) {
    println!(r#"trust {{"what":"{what}",{figures}}}"#);
}

/// Says by name that a claim was not looked at: a long run does not pass without it.
pub(crate) fn skipped(what: &str, why: &str) {
    figures(what, &format!(r#""skipped":"{why}""#));
}
