//! The dialect of Infrai: transcripts, wrong values of every field, paths, tokens, and what holds for any bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod answers;
mod paths;
mod tokens;
#[path = "../transcript/mod.rs"]
mod transcript;
mod transcripts;
mod understood;
mod wrong;
