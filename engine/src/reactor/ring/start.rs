//! Why a ring could not be started, with what to do about it, and what this kernel offers.

use std::net::SocketAddr;
use std::{fmt, io};

use io_uring::squeue::Entry;
use io_uring::{IoUring, Probe, opcode};

use super::restrict::OPERATIONS;

/// Why a driver could not start. The text says how to mend it.
#[derive(Debug)]
pub enum StartError {
    /// The system switched io_uring off.
    Disabled {
        /// The value of `kernel.io_uring_disabled`.
        value: u32,
        /// The value of `kernel.io_uring_group`, where it can be read: with value 1 its members may.
        group: String,
        /// The group that this process runs with.
        own_group: u32,
    },
    /// The kernel refuses io_uring to this process although the system allows it: a seccomp filter.
    Denied {
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel is too old.
    Kernel {
        /// Its release.
        release: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// No memory may be locked for the rings, not even for the smallest.
    Memory {
        /// `RLIMIT_MEMLOCK`, soft, in bytes.
        soft: u64,
        /// `RLIMIT_MEMLOCK`, hard, in bytes.
        hard: u64,
    },
    /// Not one descriptor is allowed.
    Descriptors {
        /// `RLIMIT_NOFILE`, soft.
        soft: u64,
        /// `RLIMIT_NOFILE`, hard.
        hard: u64,
    },
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        cause: io::Error,
    },
    /// Something else failed.
    Io {
        /// What was tried.
        operation: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled { value: 1, group, own_group } => write!(
                out,
                "io_uring is for one group on this host (kernel.io_uring_disabled=1, kernel.io_uring_group={group}; \
                 this process has group {own_group}): run `sysctl -w kernel.io_uring_group={own_group}`, or have \
                 this process run with that group (`SupplementaryGroups=` in systemd, `--group-add` in Docker)"
            ),
            Self::Disabled { value, own_group, .. } => write!(
                out,
                "io_uring is switched off on this host (kernel.io_uring_disabled={value}): run `sysctl -w \
                 kernel.io_uring_disabled=0`, or for this group alone `sysctl -w kernel.io_uring_disabled=1 \
                 kernel.io_uring_group={own_group}`"
            ),
            Self::Denied { cause } => write!(
                out,
                "io_uring is denied to this process, most likely by a seccomp filter ({cause}): allow \
                 io_uring_setup, io_uring_enter and io_uring_register; in Docker `--security-opt \
                 seccomp=<profile that allows them>`, in systemd `SystemCallFilter=@system-service io_uring_setup \
                 io_uring_enter io_uring_register`"
            ),
            Self::Kernel { release, missing } => {
                write!(out, "this kernel ({release}) has no {missing}: use Linux 6.6 or newer")
            }
            Self::Memory { soft, hard } => write!(
                out,
                "io_uring was denied locked memory for its rings (RLIMIT_MEMLOCK soft={soft}, hard={hard}): raise \
                 the limit with `ulimit -l unlimited` (shell), `LimitMEMLOCK=infinity` (systemd), or `--ulimit \
                 memlock=-1:-1` (Docker)"
            ),
            Self::Descriptors { soft, hard } => write!(
                out,
                "no descriptors for connections (RLIMIT_NOFILE soft={soft}, hard={hard}): raise the limit with \
                 `ulimit -n 65536` (shell), `LimitNOFILE=65536` (systemd), or `--ulimit nofile=65536:65536` (Docker)"
            ),
            Self::Listen { address, cause } => write!(out, "cannot listen on {address}: {cause}"),
            Self::Io { operation, cause } => write!(out, "{operation} failed: {cause}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What the kernel offers, for the start-up banner.
#[derive(Clone, Debug)]
pub struct Features {
    /// The kernel's release.
    pub release: String,
    /// Each feature by name, and whether it is there.
    pub found: Vec<(&'static str, bool)>,
}

impl Features {
    /// The first feature that a driver needs and this kernel lacks.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        self.found.iter().find(|(_, is_there)| !is_there).map(|(name, _)| *name)
    }
}

/// Asks the kernel for everything that a driver needs. Starts nothing that stays.
///
/// # Errors
///
/// When there is no io_uring for this process at all.
pub fn probe() -> Result<Features, StartError> {
    let ring = IoUring::new(8).map_err(|cause| explain("io_uring_setup", cause))?;
    let params = ring.params();
    let mut found = vec![
        ("completions that are never dropped", params.is_feature_nodrop()),
        ("waiting with a timeout", params.is_feature_ext_arg()),
        ("silent success", params.is_feature_skip_cqe_on_success()),
        ("deferred task work", is_buildable(Flag::Defer)),
        ("submission without an index array", is_buildable(Flag::NoArray)),
    ];
    let mut kernel = Probe::new();
    ring.submitter()
        .register_probe(&mut kernel)
        .map_err(|cause| explain("io_uring_register(probe)", cause))?;
    // Of the release that brought multishot receive (6.0) and before the oldest that is supported.
    let sign = ("zero-copy send", opcode::SendZc::CODE);
    let operations = OPERATIONS.into_iter().chain([sign]);
    found.extend(operations.map(|(name, code)| (name, kernel.is_supported(code))));
    Ok(Features { release: release(), found })
}

#[derive(Clone, Copy)]
enum Flag {
    Defer,
    NoArray,
}

fn is_buildable(flag: Flag) -> bool {
    let mut builder = IoUring::<Entry>::builder();
    match flag {
        Flag::Defer => builder.setup_single_issuer().setup_coop_taskrun().setup_taskrun_flag(),
        Flag::NoArray => builder.setup_no_sqarray(),
    };
    if matches!(flag, Flag::Defer) {
        builder.setup_defer_taskrun().setup_submit_all();
    }
    builder.build(8).is_ok()
}

/// Turns what the kernel said into what the operator can do about it.
pub(super) fn explain(operation: &'static str, cause: io::Error) -> StartError {
    explain_on(Switch::read(), operation, cause)
}

/// The same on a host that switched io_uring so.
fn explain_on(switch: Switch, operation: &'static str, cause: io::Error) -> StartError {
    match cause.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => match switch.disabled {
            0 => StartError::Denied { cause },
            _ => switch.refusal(),
        },
        Some(libc::ENOSYS) => match switch.disabled {
            0 => StartError::Kernel { release: release(), missing: "io_uring" },
            _ => switch.refusal(),
        },
        Some(libc::EINVAL) => StartError::Kernel { release: release(), missing: operation },
        Some(libc::ENOMEM) => {
            let (soft, hard) = limit(libc::RLIMIT_MEMLOCK);
            StartError::Memory { soft, hard }
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            let (soft, hard) = limit(libc::RLIMIT_NOFILE);
            StartError::Descriptors { soft, hard }
        }
        _ => StartError::Io { operation, cause },
    }
}

/// Whom the host lets use io_uring.
struct Switch {
    disabled: u32,
    group: String,
}

impl Switch {
    fn read() -> Self {
        let disabled = sysctl("io_uring_disabled").parse().unwrap_or(0);
        Self { disabled, group: sysctl("io_uring_group") }
    }

    fn refusal(self) -> StartError {
        let own_group = rustix::process::getegid().as_raw();
        StartError::Disabled { value: self.disabled, group: self.group, own_group }
    }
}

fn release() -> String {
    sysctl("osrelease")
}

/// A value of `kernel.*`; empty where there is none to read.
fn sysctl(name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    text.trim().to_owned()
}

/// A resource limit of this process: soft, hard.
#[expect(unsafe_code, reason = "a system call without a wrapper in std")]
pub(super) fn limit(resource: libc::__rlimit_resource_t) -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is writable and of the type that the call fills.
    let result = unsafe { libc::getrlimit(resource, &raw mut limit) };
    if result == 0 { (limit.rlim_cur, limit.rlim_max) } else { (0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_what_to_do() {
        let errno = io::Error::from_raw_os_error;
        let memory = explain("setup", errno(libc::ENOMEM)).to_string();
        assert!(memory.contains("LimitMEMLOCK=infinity"), "{memory}");
        let descriptors = explain("setup", errno(libc::EMFILE)).to_string();
        assert!(descriptors.contains("LimitNOFILE"), "{descriptors}");
        let denied = explain("setup", errno(libc::EPERM)).to_string();
        assert!(denied.contains("io_uring"), "{denied}");
        let old = explain("no array", errno(libc::EINVAL)).to_string();
        assert!(old.contains("Linux 6.6"), "{old}");
    }

    #[test]
    fn a_host_that_switched_io_uring_off_is_named_with_its_values_and_what_to_set() {
        let check = |disabled, group: &str, errno, expected: &[&str]| {
            let switch = Switch { disabled, group: group.to_owned() };
            let said = explain_on(switch, "setup", io::Error::from_raw_os_error(errno)).to_string();
            for part in expected {
                assert!(said.contains(part), "{part} in {said}");
            }
        };
        let own = rustix::process::getegid().as_raw();
        let (group, both) = (
            format!("`sysctl -w kernel.io_uring_group={own}`"),
            format!("`sysctl -w kernel.io_uring_disabled=1 kernel.io_uring_group={own}`"),
        );
        let for_a_group = ["kernel.io_uring_disabled=1,", "kernel.io_uring_group=-1;", &group];
        check(1, "-1", libc::EPERM, &for_a_group);
        for errno in [libc::EPERM, libc::ENOSYS] {
            check(2, "7", errno, &["(kernel.io_uring_disabled=2)", "io_uring_disabled=0`", &both]);
        }
        check(0, "-1", libc::EPERM, &["seccomp", "SystemCallFilter="]);
        check(0, "-1", libc::ENOSYS, &["has no io_uring"]);
    }

    #[test]
    fn this_kernel_is_described() {
        let features = probe().unwrap();
        assert!(!features.release.is_empty() && features.found.len() > 10);
    }
}
