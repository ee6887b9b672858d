//! See `protocol::fuzzing::utf8_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::utf8_stream(bytes));
