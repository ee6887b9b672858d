//! See `protocol::fuzzing::path_router`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::path_router(bytes));
