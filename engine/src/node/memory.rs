//! The memory that there is for a node, how much of it may be taken, and how much is.

use std::fs;
use std::path::{Path, PathBuf};

const CGROUPS: &str = "sys/fs/cgroup";

/// The memory that there is for a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Memory {
    /// Of the host.
    pub host_bytes: u64,
    /// The group of processes that has less, if one has.
    pub group: Option<Group>,
    root: PathBuf,
}

/// A group of processes with a limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// What it may have.
    pub limit_bytes: u64,
    dir: PathBuf,
    files: &'static Files,
}

/// What the files of a group are called, and which of its memory the kernel takes back by itself.
#[derive(Debug, Eq, PartialEq)]
struct Files {
    limit: &'static str,
    usage: &'static str,
    reclaimable: &'static [&'static str],
}

static FIRST_VERSION: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: &["total_inactive_file", "total_active_file"],
};
static SECOND_VERSION: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: &["inactive_file", "active_file", "slab_reclaimable"],
};

/// How much a node may take.
#[derive(Clone, Debug)]
pub struct MemoryBound {
    /// Over it new connections are refused, and then more: see [`Pressure`](crate::pressure::Pressure).
    pub bytes: u64,
    /// What there is.
    pub memory: Memory,
    /// Has the allocator of the calling thread return what nobody uses.
    pub give_back: fn(),
}

impl Memory {
    /// Finds out. Without anything to read there is no bound.
    #[must_use]
    pub fn look() -> Self {
        Self::look_in(Path::new("/"))
    }

    fn look_in(root: &Path) -> Self {
        let kib = fs::read_to_string(root.join("proc/meminfo")).ok();
        let kib = kib.and_then(|text| number_after(&text, "MemTotal:"));
        let host_bytes = kib.map_or(u64::MAX, |it| it.saturating_mul(1024));
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let group = tightest(root, &groups).filter(|it| it.limit_bytes < host_bytes);
        Self { host_bytes, group, root: root.to_owned() }
    }

    /// What a node can have at most.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.group.as_ref().map_or(self.host_bytes, |it| it.limit_bytes)
    }

    /// The bound that a setting means: 0 is four fifths of what there is.
    #[must_use]
    pub fn bound(self, setting_bytes: u64) -> MemoryBound {
        let bytes = if setting_bytes == 0 { self.bytes() / 5 * 4 } else { setting_bytes };
        MemoryBound { bytes, memory: self, give_back: || () }
    }

    /// What is in use and does not come back by itself: of this process, or of its group if that is more. The group's has what the
    /// kernel keeps for it, such as buffers of sockets.
    pub(super) fn used_bytes(&self) -> u64 {
        let own = fs::read_to_string(self.root.join("proc/self/statm")).ok();
        let own = own.and_then(|text| own_pages(&text)).unwrap_or(0);
        let own_bytes = own.saturating_mul(rustix::param::page_size() as u64);
        own_bytes.max(self.group.as_ref().and_then(Group::used_bytes).unwrap_or(0))
    }
}

impl Group {
    fn used_bytes(&self) -> Option<u64> {
        let usage = read_number(&self.dir.join(self.files.usage))?;
        let stat = fs::read_to_string(self.dir.join("memory.stat")).ok()?;
        let names = self.files.reclaimable.iter();
        let reclaimable = names.filter_map(|it| number_after(&stat, it)).sum();
        Some(usage.saturating_sub(reclaimable))
    }
}

/// The group with the lowest limit of those that this process is in. Paths that a container does not see are left out; there its
/// own group is the root of what it sees.
fn tightest(root: &Path, groups: &str) -> Option<Group> {
    let line = |of: &str| groups.lines().find_map(|it| it.split_once(of).map(|(_, path)| path));
    let (top, path, files) = match line(":memory:") {
        Some(path) => (root.join(CGROUPS).join("memory"), path, &FIRST_VERSION),
        None => (root.join(CGROUPS), line("0::")?, &SECOND_VERSION),
    };
    let path = PathBuf::from(path.trim_start_matches('/'));
    let limited = path.ancestors().filter_map(|it| {
        let dir = top.join(it);
        let limit_bytes = read_number(&dir.join(files.limit))?;
        Some(Group { limit_bytes, dir, files })
    });
    limited.min_by_key(|it| it.limit_bytes)
}

/// Pages of this process that no file stands behind.
fn own_pages(statm: &str) -> Option<u64> {
    let mut fields = statm.split_ascii_whitespace().skip(1).map(|it| it.parse::<u64>().ok());
    let (resident, shared) = (fields.next()??, fields.next()??);
    Some(resident.saturating_sub(shared))
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind the word that begins a line.
fn number_after(text: &str, word: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(word)).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const HOST: (&str, &str) = ("proc/meminfo", "MemFree: 7 kB\nMemTotal:       4194304 kB\n");

    #[test]
    fn a_group_of_the_first_version_counts_what_does_not_come_back() {
        let dir = "sys/fs/cgroup/memory";
        let root = world(&[
            HOST,
            ("proc/self/cgroup", "9:name=systemd:/\n4:memory:/a/b\n0::/\n"),
            ("proc/self/statm", "9000 30 10 1 0 20 0\n"),
            (&format!("{dir}/memory.limit_in_bytes"), "9223372036854771712\n"),
            (&format!("{dir}/a/memory.limit_in_bytes"), "536870912\n"),
            (&format!("{dir}/a/memory.usage_in_bytes"), "300000000\n"),
            (
                &format!("{dir}/a/memory.stat"),
                "cache 9\ntotal_cache 9\ntotal_inactive_file 70000000\ntotal_active_file 30000000\n",
            ),
            (&format!("{dir}/a/b/memory.limit_in_bytes"), "9223372036854771712\n"),
        ]);
        let memory = Memory::look_in(root.path());
        assert_eq!(memory.bytes(), 512 << 20);
        assert_eq!(memory.used_bytes(), 200_000_000);
        assert_eq!(memory.clone().bound(0).bytes, (512 << 20) / 5 * 4);
        assert_eq!(memory.bound(77).bytes, 77);
    }

    #[test]
    fn a_group_of_the_second_version_is_found_where_a_container_sees_it() {
        let root = world(&[
            HOST,
            ("proc/self/cgroup", "0::/somewhere/else\n"),
            ("proc/self/statm", "9000 30 10 1 0 20 0\n"),
            ("sys/fs/cgroup/memory.max", "1048576\n"),
            ("sys/fs/cgroup/memory.current", "900000\n"),
            ("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 100000\nslab_reclaimable 1000\n"),
        ]);
        let memory = Memory::look_in(root.path());
        assert_eq!((memory.bytes(), memory.used_bytes()), (1 << 20, 799_000));
    }

    #[test]
    fn without_a_limit_the_host_is_what_there_is_and_the_process_what_is_used() {
        let root = world(&[
            HOST,
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/statm", "9000 30 10 1 0 20 0\n"),
            ("sys/fs/cgroup/memory.max", "max\n"),
        ]);
        let memory = Memory::look_in(root.path());
        assert_eq!((memory.bytes(), &memory.group), (4 << 30, &None));
        assert_eq!(memory.used_bytes(), 20 * rustix::param::page_size() as u64);
    }

    #[test]
    fn without_anything_to_read_there_is_no_bound() {
        let memory = Memory::look_in(world(&[]).path());
        assert_eq!(memory.used_bytes(), 0);
        assert!(memory.bound(0).bytes > u64::MAX / 2);
    }

    #[test]
    fn this_process_has_some() {
        let memory = Memory::look();
        let used = memory.used_bytes();
        assert!(used > 0 && memory.bytes() > used, "{used} of {memory:?}");
    }
}
