//! See `protocol::fuzzing::infrai_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::infrai_frame(bytes));
