//! Waking a core that sleeps: from another core through its ring, from any other thread through a descriptor. Why no wake-up is lost
//! stands with `sleeping`.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use super::op::RingFd;
use super::sleeping::Sleeping;

/// How another core wakes this one. Made by `Driver::bell`, used with `Driver::ring`.
#[derive(Clone, Debug)]
pub struct Bell {
    pub(super) ring: RingFd,
    pub(super) sleeping: Sleeping,
}

impl Bell {
    /// The ring that it wakes.
    #[must_use]
    pub fn target(&self) -> RingFd {
        self.ring
    }
}

/// How a thread without a ring wakes this core.
#[derive(Clone, Debug)]
pub struct Waker {
    pub(super) descriptor: Arc<OwnedFd>,
    /// What a host waits for. The ring writes it too, but when an event descriptor is what woke the ring, the kernel puts
    /// that off for an RCU grace period (`eventfd_signal_allowed`), which takes tens of milliseconds.
    pub(super) signal: Arc<OwnedFd>,
    pub(super) sleeping: Sleeping,
}

impl Waker {
    /// Wakes the core if it sleeps, in its ring or in its host. Call it after the work is in its lane.
    pub fn wake(&self) {
        if self.sleeping.claim() {
            write_one(&self.descriptor);
            write_one(&self.signal);
        }
    }
}

/// Adds one to an event descriptor. A full counter is as good as one more: the reader wakes either way.
#[expect(unsafe_code, reason = "a system call without a wrapper in std")]
fn write_one(descriptor: &OwnedFd) {
    let one = 1_u64.to_ne_bytes();
    loop {
        // SAFETY: the descriptor is open as long as it is borrowed, and `one` is 8 readable bytes.
        let written =
            unsafe { libc::write(descriptor.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        if written >= 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// Makes an event descriptor that is not inherited by programs started later.
#[expect(unsafe_code, reason = "a system call without a wrapper in std")]
pub(super) fn event_descriptor() -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: no pointers are passed.
    let descriptor = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above just made it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_rings_per_sleep() {
        let sleeping = Sleeping::default();
        assert!(!sleeping.claim());
        sleeping.set();
        assert!(sleeping.claim());
        assert!(!sleeping.claim());
        sleeping.set();
        sleeping.clear();
        assert!(!sleeping.claim());
    }
}
