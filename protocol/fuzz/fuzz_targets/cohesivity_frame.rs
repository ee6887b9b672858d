//! See `protocol::fuzzing::cohesivity_frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::cohesivity_frame(bytes));
