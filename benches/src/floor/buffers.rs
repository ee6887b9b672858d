//! Receive buffers that the kernel fills: a bare provided-buffer ring.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

const COUNT: u16 = 512;
const BYTES: u32 = 4096;

/// The entries of the buffer ring, on a page of their own as the kernel wants it.
#[repr(C, align(4096))]
struct Entries([u8; COUNT as usize * size_of::<BufRingEntry>()]);

/// All buffers of one ring.
pub(super) struct Buffers {
    entries: *mut BufRingEntry,
    bytes: *mut u8,
    tail: u16,
}

impl Buffers {
    /// Makes them and gives all to the ring, as group 0. They live as long as the process.
    #[expect(unsafe_code, reason = "memory shared with the kernel")]
    pub(super) fn register(ring: &IoUring) -> io::Result<Self> {
        let entries = Box::leak(Box::new(Entries([0; _]))) as *mut Entries;
        let bytes = vec![0_u8; usize::from(COUNT) * BYTES as usize].leak().as_mut_ptr();
        // SAFETY: the page holds COUNT entries and is never freed.
        unsafe { ring.submitter().register_buf_ring_with_flags(entries as u64, COUNT, 0, 0)? };
        let mut buffers = Self { entries: entries.cast(), bytes, tail: 0 };
        (0..COUNT).for_each(|id| buffers.give_back(id));
        Ok(buffers)
    }

    /// What the kernel wrote into a buffer that a completion named.
    #[expect(unsafe_code, reason = "memory shared with the kernel")]
    pub(super) fn bytes(&mut self, id: u16, len: usize) -> &mut [u8] {
        let at = usize::from(id % COUNT) * BYTES as usize;
        // SAFETY: within the leaked allocation; the kernel does not write to it before `give_back`.
        unsafe { std::slice::from_raw_parts_mut(self.bytes.add(at), len.min(BYTES as usize)) }
    }

    /// The kernel may write into the buffer again.
    #[expect(unsafe_code, reason = "memory shared with the kernel")]
    pub(super) fn give_back(&mut self, id: u16) {
        let place = usize::from(self.tail % COUNT);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `place` is one of COUNT entries; the kernel reads entries only below the tail, which is stored last.
        unsafe {
            let entry = &mut *self.entries.add(place);
            entry.set_addr(self.bytes.add(usize::from(id % COUNT) * BYTES as usize) as u64);
            entry.set_len(BYTES);
            entry.set_bid(id);
            let tail = BufRingEntry::tail(self.entries).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}
