//! What this host gives a node: kernel, cores, limits, and what its io_uring can do. Reads only; `doctor` judges.

use std::io;

use io_uring::{IoUring, Probe, cqueue, opcode, squeue};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Entries of the ring that is opened to look: enough to see whether it opens at all.
const PROBE_ENTRIES: u32 = 8;

type Builder = io_uring::Builder<squeue::Entry, cqueue::Entry>;

/// What was found.
pub(crate) struct Host {
    /// The kernel's release.
    pub(crate) kernel: String,
    /// Cores this process may run on.
    pub(crate) cores: usize,
    /// Open files.
    pub(crate) descriptors: Bounds,
    /// Locked memory, in bytes.
    pub(crate) locked_memory: Bounds,
    /// What the kernel's rings can do, or why they cannot be had.
    pub(crate) ring: io::Result<Vec<Feature>>,
}

/// A resource limit. `None` is no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Bounds {
    /// What holds now.
    pub(crate) soft: Option<u64>,
    /// How far the process may raise it.
    pub(crate) hard: Option<u64>,
}

/// A thing that rings can do.
pub(crate) struct Feature {
    /// What it is called here.
    pub(crate) name: &'static str,
    /// Whether this kernel has it.
    pub(crate) is_there: bool,
    /// Whether a node needs it.
    pub(crate) need: Need,
}

/// Whether a node runs without a feature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// No.
    Required,
    /// Yes.
    Unused,
}

impl Host {
    /// Looks.
    pub(crate) fn look() -> Self {
        Self {
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            descriptors: Bounds::of(Resource::Nofile),
            locked_memory: Bounds::of(Resource::Memlock),
            ring: ring_features(),
        }
    }
}

impl Bounds {
    fn of(resource: Resource) -> Self {
        let Rlimit { current, maximum } = getrlimit(resource);
        Self { soft: current, hard: maximum }
    }

    /// The two numbers in words, through the given way of writing one.
    pub(crate) fn text(self, number: fn(u64) -> String) -> String {
        let word = |it: Option<u64>| it.map_or_else(|| "unlimited".to_owned(), number);
        if self.soft == self.hard {
            word(self.soft)
        } else {
            format!("{} of at most {}", word(self.soft), word(self.hard))
        }
    }
}

/// Raises the limits of descriptors and locked memory as far as this process may.
pub(crate) fn raise_limits() -> io::Result<()> {
    for resource in [Resource::Nofile, Resource::Memlock] {
        let Rlimit { maximum, .. } = getrlimit(resource);
        setrlimit(resource, Rlimit { current: maximum, maximum })?;
    }
    Ok(())
}

fn ring_features() -> io::Result<Vec<Feature>> {
    let plain = IoUring::new(PROBE_ENTRIES)?;
    let mut probe = Probe::new();
    plain.submitter().register_probe(&mut probe)?;
    let parameters = plain.params();
    let deferred = || {
        let mut builder: Builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun();
        builder.setup_taskrun_flag().setup_submit_all();
        builder
    };
    let opens = |builder: &Builder| builder.build(PROBE_ENTRIES).is_ok();
    let required = |name, is_there| Feature { name, is_there, need: Need::Required };
    let zero_copy = probe.is_supported(opcode::SendZc::CODE);
    Ok(vec![
        required("deferred work", opens(&deferred())),
        required("no submission array", opens(deferred().setup_no_sqarray())),
        required("lossless completions", parameters.is_feature_nodrop()),
        required("skipped completions", parameters.is_feature_skip_cqe_on_success()),
        required("ring messages", probe.is_supported(opcode::MsgRingData::CODE)),
        Feature { name: "zero-copy send", is_there: zero_copy, need: Need::Unused },
    ])
}

/// The features that are there, by name.
pub(crate) fn features_text(features: &[Feature]) -> String {
    let found = features.iter().filter(|it| it.is_there).map(|it| it.name);
    found.collect::<Vec<_>>().join(", ")
}

/// Bytes as a person reads them.
pub(crate) fn bytes_text(bytes: u64) -> String {
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let fits = UNITS.into_iter().find(|(_, shift)| bytes >> shift > 0);
    fits.map_or_else(|| format!("{bytes} B"), |(unit, shift)| format!("{} {unit}", bytes >> shift))
}

/// A count as it is.
pub(crate) fn count_text(count: u64) -> String {
    count.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_as_words() {
        let check = |soft, hard, expected: &str| {
            assert_eq!(Bounds { soft, hard }.text(bytes_text), expected);
        };
        check(Some(8 << 20), Some(8 << 20), "8 MiB");
        check(Some(1024), Some(3 << 30), "1 KiB of at most 3 GiB");
        check(None, None, "unlimited");
        check(Some(1023), None, "1023 B of at most unlimited");
    }
}
