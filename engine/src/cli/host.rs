//! What this host gives a node: cores, limits, and what its io_uring can do. Reads only; `doctor` judges.

use std::io;

use engine::node::Memory;
use engine::reactor::ring::{Features, StartError, probe};
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What was found.
pub(crate) struct Host {
    /// Cores this process may run on.
    pub(crate) cores: usize,
    /// Open files.
    pub(crate) descriptors: Bounds,
    /// Locked memory, in bytes.
    pub(crate) locked_memory: Bounds,
    /// Memory.
    pub(crate) memory: Memory,
    /// What the kernel's rings can do, or why they cannot be had.
    pub(crate) ring: Result<Features, StartError>,
}

/// A resource limit. `None` is no limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Bounds {
    /// What holds now.
    pub(crate) soft: Option<u64>,
    /// How far the process may raise it.
    pub(crate) hard: Option<u64>,
}

impl Host {
    /// Looks.
    pub(crate) fn look() -> Self {
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            descriptors: Bounds::of(Resource::Nofile),
            locked_memory: Bounds::of(Resource::Memlock),
            memory: Memory::look(),
            ring: probe(),
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

/// From now on memory comes in pages of the usual size. The allocator asks for huge ones: to clear one may take milliseconds, in which a
/// core does nothing else, and little of it may be used. A kernel that has none refuses.
pub(crate) fn take_no_huge_pages() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// From now on nobody but this user may read the files that are made, whoever may look into their folder: segments hold messages,
/// and the catalog holds answers with tokens in them.
pub(crate) fn keep_files_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// The features that are there, by name.
pub(crate) fn features_text(features: &Features) -> String {
    let found = features.found.iter().filter(|(_, is_there)| *is_there);
    found.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
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
