//! See `protocol::fuzzing::insforge_plain`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::insforge_plain(bytes));
