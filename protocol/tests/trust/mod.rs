//! What tests of forged tokens saw, as `cargo xtask trust` gathers it.

#[path = "../../../engine/tests/server/trust.rs"]
#[allow(dead_code, reason = "it belongs to the tests of the server")]
mod shared;

/// So many tokens of a kind were tried, and none was accepted.
pub(crate) fn none_accepted(kind: &str, tried: usize) {
    let figures = format!(r#""of":"{kind}","tried":{tried},"accepted":0"#);
    shared::figures("forged tokens", &figures);
}
