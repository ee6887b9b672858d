//! A connection of any bytes, read by this crate and by hyper: see `tests/hyper`, which does the same from a seed.
#![no_main]

#[path = "../../tests/hyper/reading.rs"]
mod reading;

thread_local! {
    static HYPER: reading::Hyper = reading::Hyper::new();
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    HYPER.with(|hyper| hyper.compare(bytes));
});
