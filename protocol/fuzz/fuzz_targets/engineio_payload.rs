//! See `protocol::fuzzing::engineio_payload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::engineio_payload(bytes));
