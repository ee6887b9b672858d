//! See `protocol::fuzzing::ws_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::ws_stream(bytes));
