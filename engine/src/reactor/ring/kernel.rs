//! The real ring: one io_uring with its listener, its direct descriptors and its pool of receive buffers. All memory
//! that the kernel writes to is owned here.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{CancelBuilder, DestinationSlot, Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};

use super::bell::event_descriptor;
use super::listen::listen;
use super::op::{Completion, Data, Full, Mode, Op, Ring, RingFd, SendOp, Wait};
use super::pool::Pool;
use super::restrict;
use super::settings::Settings;
use super::start::{StartError, explain, limit, probe};
use super::tag::SLOTS_MAX;

/// How long a core that has nothing to do waits in its own ring before it sleeps in its host's, which takes several calls there and back:
/// with some hundred messages a second it never gets there.
static INTERVAL: Timespec = Timespec::new().nsec(5_000_000);
/// For a socket that has no time, once it is closed, to send what it holds.
static AT_ONCE: libc::linger = libc::linger { l_onoff: 1, l_linger: 0 };
/// Its length, two C integers.
const LINGER_BYTES: u32 = 8;
const _: () = assert!(size_of::<libc::linger>() == LINGER_BYTES as usize);
const ENTRIES_MIN: u32 = 256;
const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

/// An io_uring of this thread. It stays on the thread that made it.
///
/// Its descriptor is not registered with the thread: the crate uses the registered number only through the one
/// `Submitter` that asked for it, and the kernel would keep the ring open until the thread ends.
pub struct KernelRing {
    // Dropped first: while the ring is open, the kernel may still write into the pool.
    ring: IoUring,
    pool: Pool,
    listener: TcpListener,
    wake: Arc<OwnedFd>,
    signal: Arc<OwnedFd>,
    slots: u32,
}

impl KernelRing {
    /// Makes a ring on this thread, listening on `address`.
    ///
    /// # Errors
    ///
    /// When the kernel lacks or refuses something; the error says what to do.
    pub fn start(settings: &Settings, address: SocketAddr) -> Result<Self, StartError> {
        let features = probe()?;
        if let Some(missing) = features.missing() {
            return Err(StartError::Kernel { release: features.release, missing });
        }
        let listener = listen(address, settings.unsent_bytes_max)?;
        let descriptor = || event_descriptor().map_err(|cause| explain("eventfd", cause));
        let (wake, signal) = (Arc::new(descriptor()?), Arc::new(descriptor()?));
        let ring = build(settings)?;
        let slots = register_slots(&ring, settings.conns_max)?;
        let pool = Pool::register(&ring, settings.buffers, settings.buffer_bytes)?;
        restrict::enable(&ring)?;
        Ok(Self { ring, pool, listener, wake, signal, slots })
    }

    /// The address that is listened on.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Has the kernel write to a descriptor whenever a completion comes, for a host that waits elsewhere.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn enable_eventfd(&self) -> io::Result<OwnedFd> {
        self.ring.submitter().register_eventfd(self.signal.as_raw_fd())?;
        self.signal.try_clone()
    }

    /// Whether completions are told to that descriptor. It costs a little for each, so that a ring whose core does not wait elsewhere
    /// is better off without.
    pub(super) fn tell_host(&mut self, is_told: bool) {
        let completions = self.ring.completion();
        if is_told {
            completions.enable_eventfd();
        } else {
            completions.disable_eventfd();
        }
    }

    pub(super) fn ring_fd(&self) -> RingFd {
        RingFd(self.ring.as_raw_fd())
    }

    pub(super) fn wake_descriptor(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.wake)
    }

    pub(super) fn signal_descriptor(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.signal)
    }

    #[expect(unsafe_code, reason = "the crate's push is unsafe because entries carry pointers")]
    fn push_entry(&mut self, entry: &Entry) -> Result<(), Full> {
        // SAFETY: entries without caller's memory point to nothing, or into the pool that outlives the ring; for
        // sends the caller of `push_send` keeps the memory.
        unsafe { self.ring.submission().push(entry) }.map_err(|_| Full)
    }
}

impl Drop for KernelRing {
    /// Ends everything in flight before the memory that it uses goes away.
    fn drop(&mut self) {
        let patience = Timespec::new().sec(1);
        let ended =
            self.ring.submitter().register_sync_cancel(Some(patience), CancelBuilder::any());
        // Closing the ring, which follows, cancels as well; this only makes it certain that it has happened.
        let is_done =
            ended.as_ref().err().is_none_or(|cause| cause.raw_os_error() == Some(libc::ENOENT));
        debug_assert!(is_done || std::thread::panicking(), "{ended:?}");
    }
}

fn build(settings: &Settings) -> Result<IoUring, StartError> {
    let (mut sq, mut cq) = (settings.sq_entries, settings.cq_entries);
    loop {
        let mut builder = IoUring::<Entry>::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun();
        builder.setup_taskrun_flag().setup_submit_all().setup_no_sqarray();
        builder.setup_cqsize(cq).setup_r_disabled().dontfork();
        match builder.build(sq) {
            Ok(ring) => return Ok(ring),
            // RLIMIT_MEMLOCK is shared by all cores; a smaller ring works, only with more calls.
            Err(cause) if cause.raw_os_error() == Some(libc::ENOMEM) && sq > ENTRIES_MIN => {
                sq /= 2;
                cq /= 2;
            }
            Err(cause) => return Err(explain("io_uring_setup with deferred task work", cause)),
        }
    }
}

/// The table may be as large as `RLIMIT_NOFILE`, no larger.
fn register_slots(ring: &IoUring, conns_max: u32) -> Result<u32, StartError> {
    let (soft, hard) = limit(libc::RLIMIT_NOFILE);
    let allowed = u32::try_from(soft).unwrap_or(u32::MAX);
    let slots = allowed.min(conns_max).min(SLOTS_MAX);
    if slots == 0 {
        return Err(StartError::Descriptors { soft, hard });
    }
    let registered = ring.submitter().register_files_sparse(slots);
    registered.map_err(|cause| explain("register files", cause))?;
    Ok(slots)
}

fn send_entry(send: SendOp) -> Entry {
    let fd = Fixed(send.slot);
    let flags = match send.mode {
        Mode::Inline => SEND_FLAGS | libc::MSG_DONTWAIT,
        Mode::Armed => SEND_FLAGS,
    };
    let entry = match send.data {
        Data::Bytes { at, len } => opcode::Send::new(fd, at, len).flags(flags).build(),
        Data::Message(header) => {
            opcode::SendMsg::new(fd, header).flags(flags.cast_unsigned()).build()
        }
    };
    match send.mode {
        Mode::Inline => entry.flags(Flags::SKIP_SUCCESS),
        Mode::Armed => entry,
    }
}

/// Sets `SO_LINGER` to no time at all.
fn reset_entry(slot: u32) -> Entry {
    let (level, option) = (libc::SOL_SOCKET.cast_unsigned(), libc::SO_LINGER.cast_unsigned());
    let value = (&raw const AT_ONCE).cast();
    opcode::SetSockOpt::new(Fixed(slot), level, option, value, LINGER_BYTES).build()
}

impl Ring for KernelRing {
    fn push(&mut self, op: Op, tag: u64) -> Result<(), Full> {
        let quiet = Flags::SKIP_SUCCESS;
        let entry = match op {
            Op::Accept => opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd()))
                .allocate_file_index(true)
                .build(),
            Op::Receive { slot } => opcode::RecvMulti::new(Fixed(slot), 0).build(),
            Op::ShutdownWrite { slot } => opcode::Shutdown::new(Fixed(slot), libc::SHUT_WR).build(),
            Op::Cancel { tag } => opcode::AsyncCancel::new(tag).build().flags(quiet),
            Op::Reset { slot } => reset_entry(slot).flags(quiet),
            Op::Close { slot } => opcode::Close::new(Fixed(slot)).build().flags(quiet),
            Op::Deafen => opcode::Shutdown::new(Fd(self.listener.as_raw_fd()), libc::SHUT_RDWR)
                .build()
                .flags(quiet),
            Op::Pass { slot, target, tag } => {
                let anywhere = DestinationSlot::auto_target();
                opcode::MsgRingSendFd::new(Fd(target.0), Fixed(slot), anywhere, tag).build()
            }
            Op::Listen => {
                let readable = u32::from(libc::POLLIN.cast_unsigned());
                opcode::PollAdd::new(Fd(self.wake.as_raw_fd()), readable).multi(true).build()
            }
            Op::Interval => opcode::Timeout::new(&raw const INTERVAL).build(),
            Op::Ring { target, tag } => {
                opcode::MsgRingData::new(Fd(target.0), 0, tag, None).build().flags(quiet)
            }
        };
        self.push_entry(&entry.user_data(tag))
    }

    #[expect(unsafe_code, reason = "the trait's contract is about the caller's memory")]
    unsafe fn push_send(&mut self, send: SendOp, tag: u64) -> Result<(), Full> {
        self.push_entry(&send_entry(send).user_data(tag))
    }

    fn enter(&mut self, wait: Wait) -> io::Result<()> {
        let time = match wait {
            // Deferred task work runs only in a call that asks for events; with want 0 the crate asks when the
            // kernel's flag says that there is some.
            Wait::Poll => return self.ring.submit().map(|_| ()),
            Wait::Interval => return self.ring.submit_and_wait(1).map(|_| ()),
            Wait::For(time) => Timespec::from(time),
        };
        let args = SubmitArgs::new().timespec(&time);
        match self.ring.submitter().submit_with_args(1, &args) {
            Err(cause) if cause.raw_os_error() == Some(libc::ETIME) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    fn queued(&mut self) -> usize {
        let mut queue = self.ring.submission();
        queue.sync();
        queue.len()
    }

    fn has_deferred(&mut self) -> bool {
        self.ring.submission().taskrun()
    }

    fn complete(&mut self) -> Option<Completion> {
        let entry = self.ring.completion().next()?;
        let buffer = cqueue::buffer_select(entry.flags());
        if let Some(id) = buffer {
            self.pool.lend(id);
        }
        Some(Completion {
            tag: entry.user_data(),
            result: entry.result(),
            more: cqueue::more(entry.flags()),
            buffer,
        })
    }

    fn is_overflown(&mut self) -> bool {
        self.ring.submission().cq_overflow()
    }

    fn buffer(&mut self, id: u16, len: usize) -> &mut [u8] {
        self.pool.bytes(id, len)
    }

    fn give_back(&mut self, id: u16) {
        self.pool.give_back(id);
    }

    fn buffers(&self) -> u16 {
        self.pool.count()
    }

    fn slots(&self) -> u32 {
        self.slots
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_ring_that_listens_opens_no_file() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut ring = KernelRing::start(&Settings::default(), address).unwrap();
        let open = opcode::OpenAt::new(Fd(libc::AT_FDCWD), c"/etc/passwd".as_ptr()).build();
        ring.push_entry(&open.user_data(7)).unwrap();
        ring.enter(Wait::For(Duration::from_secs(5))).unwrap();
        let refused = Completion { tag: 7, result: -libc::EACCES, more: false, buffer: None };
        assert_eq!(ring.complete(), Some(refused));
    }
}
