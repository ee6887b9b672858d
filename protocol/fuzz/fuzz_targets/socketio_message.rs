//! See `protocol::fuzzing::socketio_message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| protocol::fuzzing::socketio_message(bytes));
