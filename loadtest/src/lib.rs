//! A load test as a library.
