//! What a ring may do once it works. seccomp does not see the operations of a ring, so whoever gets hold of one could open files and
//! connect anywhere; the kernel refuses that here, for as long as the ring lives.

use io_uring::register::Restriction;
use io_uring::squeue::Flags;
use io_uring::{IoUring, opcode};

use super::start::{StartError, explain};

/// The operations of the driver, each with what people are told of it. `Ring::push` and `Ring::push_send` make no others.
pub(super) const OPERATIONS: [(&str, u8); 11] = [
    ("accept", opcode::AcceptMulti::CODE),
    ("receive", opcode::RecvMulti::CODE),
    ("send", opcode::Send::CODE),
    ("sendmsg", opcode::SendMsg::CODE),
    ("shutdown", opcode::Shutdown::CODE),
    ("cancel", opcode::AsyncCancel::CODE),
    ("close", opcode::Close::CODE),
    ("options of sockets", opcode::SetSockOpt::CODE),
    ("poll", opcode::PollAdd::CODE),
    ("timeout", opcode::Timeout::CODE),
    ("messages between rings", opcode::MsgRingData::CODE),
];

/// How they may be asked for. Not in chains, not on the kernel's worker threads.
const FLAGS: Flags = Flags::FIXED_FILE.union(Flags::BUFFER_SELECT).union(Flags::SKIP_SUCCESS);

/// `IORING_REGISTER_EVENTFD` and `IORING_REGISTER_SYNC_CANCEL` of the kernel's `io_uring.h`, for a host that waits elsewhere and for
/// the end. Everything else is registered before.
const REGISTRATIONS: [u8; 2] = [4, 24];

/// Lets a ring that was made disabled work, and allows it what the driver uses, for good.
///
/// # Errors
///
/// When the kernel refuses.
pub(super) fn enable(ring: &IoUring) -> Result<(), StartError> {
    let operations = OPERATIONS.map(|(_, code)| Restriction::sqe_op(code)).into_iter();
    let registrations = REGISTRATIONS.map(Restriction::register_op);
    let flags = Restriction::sqe_flags_allowed(FLAGS.bits());
    let mut all: Vec<_> = operations.chain(registrations).chain([flags]).collect();
    let submitter = ring.submitter();
    submitter
        .register_restrictions(&mut all)
        .map_err(|cause| explain("io_uring_register(restrictions)", cause))?;
    submitter
        .register_enable_rings()
        .map_err(|cause| explain("io_uring_register(enable rings)", cause))
}

#[cfg(test)]
mod tests {
    use std::io;

    use io_uring::squeue::Entry;
    use io_uring::{Probe, types::Fd};

    use super::*;

    /// A ring as the driver has it; the other one may do everything.
    fn rings() -> [IoUring; 2] {
        let build = || {
            let mut builder = IoUring::<Entry>::builder();
            builder.setup_single_issuer().setup_defer_taskrun().setup_r_disabled();
            builder.build(8).unwrap()
        };
        let [restricted, free] = [build(), build()];
        enable(&restricted).unwrap();
        free.submitter().register_enable_rings().unwrap();
        [restricted, free]
    }

    #[expect(
        unsafe_code,
        reason = "entries carry pointers; these carry none that the kernel could use"
    )]
    fn result_of(ring: &mut IoUring, entry: &Entry) -> i32 {
        // SAFETY: the entry has a descriptor that is not open, or no memory.
        unsafe { ring.submission().push(entry) }.unwrap();
        ring.submit_and_wait(1).unwrap();
        ring.completion().next().unwrap().result()
    }

    /// An operation of that code on no descriptor, with no memory.
    #[expect(
        unsafe_code,
        reason = "the crate builds operations by name, and this is about all of them"
    )]
    fn operation(code: u8) -> Entry {
        let mut entry = opcode::Close::new(Fd(-1)).build();
        // SAFETY: an entry is the kernel's `io_uring_sqe`, whose first byte is the operation; any value is one.
        unsafe { (&raw mut entry).cast::<u8>().write(code) };
        entry
    }

    #[test]
    fn an_operation_that_the_driver_does_not_use_is_refused() {
        let [mut restricted, free] = rings();
        let mut kernel = Probe::new();
        free.submitter().register_probe(&mut kernel).unwrap();
        let known: Vec<u8> = (0..=u8::MAX).filter(|&code| kernel.is_supported(code)).collect();
        let is_ours = |code| OPERATIONS.iter().any(|(_, it)| it == code);
        let others = known.iter().filter(|code| !is_ours(*code));
        let mut refused = 0;
        for &code in others {
            assert_eq!(result_of(&mut restricted, &operation(code)), -libc::EACCES, "{code}");
            refused += 1;
        }
        assert!(refused >= 40, "{refused} operations of {}", known.len());
    }

    #[test]
    fn it_is_the_restriction_that_refuses() {
        let [mut restricted, mut free] = rings();
        let open = opcode::OpenAt::new(Fd(libc::AT_FDCWD), std::ptr::null()).build();
        assert_eq!(result_of(&mut restricted, &open), -libc::EACCES);
        assert_eq!(result_of(&mut free, &open), -libc::EFAULT);
        let close = opcode::Close::new(Fd(-1)).build();
        assert_eq!(result_of(&mut restricted, &close), -libc::EBADF);
        let later = close.flags(Flags::ASYNC);
        assert_eq!(result_of(&mut restricted, &later), -libc::EACCES);
    }

    #[test]
    fn nothing_more_is_registered() {
        let [restricted, free] = rings();
        let check = |register: fn(&IoUring) -> io::Result<()>| {
            let code = |ring| register(ring).err().and_then(|it| it.raw_os_error());
            assert_eq!(code(&restricted), Some(libc::EACCES));
            assert_eq!(code(&free), None);
        };
        check(|it| it.submitter().register_files_sparse(1));
        check(|it| it.submitter().register_probe(&mut Probe::new()));
        check(|it| it.submitter().register_personality().map(|_| ()));
        let again = restricted.submitter().register_restrictions(&mut [Restriction::sqe_op(18)]);
        assert!(again.is_err(), "what was restricted stays so");
    }
}
