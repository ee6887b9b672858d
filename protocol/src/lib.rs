//! Bytes to meaning and back. No I/O, no async, no clock, no threads.
#![forbid(unsafe_code)]
