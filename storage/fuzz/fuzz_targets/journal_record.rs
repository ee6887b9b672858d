//! See `storage::fuzzing::journal_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| storage::fuzzing::journal_record(bytes));
