//! See `protocol::fuzzing::insforge_rest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::insforge_rest(bytes));
