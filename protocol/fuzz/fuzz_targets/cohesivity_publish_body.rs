//! See `protocol::fuzzing::cohesivity_publish_body`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::cohesivity_publish_body(bytes));
