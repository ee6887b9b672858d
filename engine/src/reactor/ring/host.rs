//! What only a driver on the real ring has: starting it, and the ways in which others wake its core.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use super::bell::{Bell, Waker};
use super::driver::Driver;
use super::kernel::KernelRing;
use super::op::{Op, Ring};
use super::settings::Settings;
use super::start::StartError;
use super::tag::{Kind, Tag};

impl Driver<KernelRing> {
    /// Starts a driver on this thread, listening on `address`. Several cores may share an address.
    ///
    /// # Errors
    ///
    /// When the kernel lacks or refuses something; the error says what to do.
    pub fn start(address: SocketAddr, settings: Settings) -> Result<Self, StartError> {
        Ok(Self::new(KernelRing::start(&settings, address)?, settings))
    }

    /// The address that is listened on.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.ring.local_address()
    }

    /// How another core wakes this one.
    #[must_use]
    pub fn bell(&self) -> Bell {
        Bell { ring: self.ring.ring_fd(), sleeping: self.sleeping.clone() }
    }

    /// How a thread without a ring wakes this core.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker {
            descriptor: self.ring.wake_descriptor(),
            signal: self.ring.signal_descriptor(),
            sleeping: self.sleeping.clone(),
        }
    }

    /// A descriptor that becomes readable whenever something happens in the ring, for a host that waits elsewhere.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn enable_eventfd(&self) -> io::Result<OwnedFd> {
        self.ring.enable_eventfd()
    }

    /// Whether that descriptor is told of what happens from now on. What happened before is in the ring.
    pub fn tell_host(&mut self, is_told: bool) {
        self.ring.tell_host(is_told);
    }
}

impl<R: Ring> Driver<R> {
    /// Wakes another core if it sleeps, with the next submission. Call it after the work is in its lane.
    pub fn ring(&mut self, bell: &Bell) {
        if bell.sleeping.claim() {
            self.counters.doorbells_rung += 1;
            let tag = Tag::of(Kind::Bell).0;
            self.push(Op::Ring { target: bell.ring, tag }, Tag::of(Kind::Quiet));
        }
    }

    /// Says that this core is about to sleep: from here on others ring. Look into the lanes once more *after* this,
    /// and sleep only if they are empty. `submit_and_wait` ends it.
    pub fn doze(&self) {
        self.sleeping.set();
    }

    /// Says that this core is awake after all.
    pub fn rouse(&self) {
        self.sleeping.clear();
    }
}
