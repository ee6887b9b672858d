//! See `protocol::fuzzing::http_head`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::http_head(bytes));
