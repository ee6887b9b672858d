//! Buffers that the kernel lends to the driver. The fuzzer has a stricter one of these, which catches every use outside a loan.

/// Lends a buffer: it may be read and written.
pub(crate) fn begin(_: &mut [u8]) {}

/// Takes a buffer back: whoever still reads it does not find what it hoped for.
pub(crate) fn end(buffer: &mut [u8]) {
    buffer.fill(0xDD);
}
