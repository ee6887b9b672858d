//! The receive buffers of one ring: memory that the kernel fills and the core borrows, buffer by buffer.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use super::start::{StartError, explain};

/// Buffers of equal size, each either the kernel's or lent to the core.
pub(super) struct Pool {
    bytes: Pages,
    entries: Pages,
    buffer_bytes: usize,
    tail: u16,
    /// Which buffers the core holds. The kernel writes only to the others.
    lent: Vec<bool>,
}

impl Pool {
    /// Makes the pool and gives all of it to the ring, as group 0.
    pub(super) fn register(
        ring: &IoUring,
        count: u16,
        buffer_bytes: u32,
    ) -> Result<Self, StartError> {
        let count = count.next_power_of_two();
        let failed = |cause| explain("receive buffers", cause);
        let buffer_bytes = buffer_bytes as usize;
        let bytes = Pages::new(usize::from(count) * buffer_bytes).map_err(failed)?;
        let entries = Pages::new(usize::from(count) * size_of::<BufRingEntry>()).map_err(failed)?;
        register(ring, &entries, count).map_err(failed)?;
        let lent = vec![true; usize::from(count)];
        let mut pool = Self { bytes, entries, buffer_bytes, tail: 0, lent };
        (0..count).for_each(|id| pool.give_back(id));
        Ok(pool)
    }

    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.lent.len()).unwrap_or(u16::MAX)
    }

    /// The kernel named this buffer in a completion: it is the core's now.
    pub(super) fn lend(&mut self, id: u16) {
        if let Some(lent) = self.lent.get_mut(usize::from(id)) {
            *lent = true;
        }
    }

    /// # Panics
    ///
    /// When the buffer is not lent, or shorter.
    #[expect(unsafe_code, reason = "memory shared with the kernel")]
    pub(super) fn bytes(&mut self, id: u16, len: usize) -> &mut [u8] {
        let index = usize::from(id);
        let is_lent = self.lent.get(index).is_some_and(|lent| *lent);
        assert!(is_lent && len <= self.buffer_bytes, "buffer {id} is not lent");
        // SAFETY: the index is in range, so this is within the mapping, which lives as long as `self`. The buffer is
        // lent, so the kernel does not write to it, and `&mut self` keeps any other borrow away.
        unsafe {
            let at = self.bytes.start.as_ptr().add(index * self.buffer_bytes);
            std::slice::from_raw_parts_mut(at, len)
        }
    }

    /// # Panics
    ///
    /// When the buffer is not lent.
    #[expect(unsafe_code, reason = "memory shared with the kernel")]
    pub(super) fn give_back(&mut self, id: u16) {
        let index = usize::from(id);
        let was_lent = self.lent.get_mut(index).is_some_and(std::mem::take);
        assert!(was_lent, "buffer {id} is not lent");
        let place = usize::from(self.tail & (self.count() - 1));
        self.tail = self.tail.wrapping_add(1);
        let base = self.entries.start.as_ptr().cast::<BufRingEntry>();
        // SAFETY: the mapping is page-aligned, zeroed and holds a power of two of entries, of which `place` is one.
        // The kernel reads an entry only below the tail, which is stored last. The tail shares entry 0 with fields
        // that are set apart from it.
        unsafe {
            let entry = &mut *base.add(place);
            entry.set_addr(self.bytes.start.as_ptr().add(index * self.buffer_bytes) as u64);
            entry.set_len(u32::try_from(self.buffer_bytes).unwrap_or(u32::MAX));
            entry.set_bid(id);
            let tail = BufRingEntry::tail(base).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}

#[expect(unsafe_code, reason = "hands memory to the kernel")]
fn register(ring: &IoUring, entries: &Pages, count: u16) -> io::Result<()> {
    let at = entries.start.as_ptr() as u64;
    // SAFETY: the mapping holds `count` entries, is page-aligned, and is dropped after the ring (see `KernelRing`).
    unsafe { ring.submitter().register_buf_ring_with_flags(at, count, 0, 0) }
}

/// Zeroed memory of its own pages, which a child process does not inherit.
struct Pages {
    start: NonNull<u8>,
    len: usize,
}

impl Pages {
    #[expect(unsafe_code, reason = "the kernel wants whole pages")]
    fn new(len: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_ANONYMOUS | libc::MAP_PRIVATE;
        // SAFETY: a new private mapping at a place of the kernel's choice touches no memory of ours.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start =
            NonNull::new(at.cast()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?;
        Ok(Self { start, len })
    }
}

impl Drop for Pages {
    #[expect(unsafe_code, reason = "undoes the mapping")]
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new` with this length, and nothing borrows from it any more.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert_eq!(result, 0, "unmapping what was mapped");
    }
}
