//! See `engine/tests/ring_fake`: the bytes choose what the kernel and the core do. Buffers that the core has not are poisoned.
#![no_main]

#[path = "../../tests/ring_fake/fake.rs"]
mod fake;
#[path = "../../tests/ring_fake/life.rs"]
mod life;
#[path = "../../tests/ring_fake/model.rs"]
mod model;
#[path = "../../tests/ring_fake/passing.rs"]
mod passing;
#[path = "../../tests/ring_fake/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    life::live(0, bytes);
});

mod loan {
    //! What `tests/ring_fake/loan.rs` does, and the address sanitizer is told.

    unsafe extern "C" {
        fn __asan_poison_memory_region(at: *const u8, len: usize);
        fn __asan_unpoison_memory_region(at: *const u8, len: usize);
    }

    /// Lends a buffer: it may be read and written.
    pub(crate) fn begin(buffer: &mut [u8]) {
        // SAFETY: the sanitizer only notes which of these bytes, all of which are borrowed, may be used.
        unsafe { __asan_unpoison_memory_region(buffer.as_ptr(), buffer.len()) }
    }

    /// Takes a buffer back: whoever still uses it is caught.
    pub(crate) fn end(buffer: &mut [u8]) {
        begin(buffer);
        buffer.fill(0xDD);
        // SAFETY: as above; whoever is lent the buffer next begins the loan first.
        unsafe { __asan_poison_memory_region(buffer.as_ptr(), buffer.len()) }
    }
}
