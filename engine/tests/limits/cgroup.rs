//! A group of processes with little memory, of either version. Where none can be made the tests say that they were skipped.

use std::fs;
use std::path::{Path, PathBuf};

use super::trust::skipped;

/// A group. It is gone once it is dropped, if nobody is left in it.
pub(crate) struct Cgroup {
    dir: PathBuf,
    is_first_version: bool,
}

impl Cgroup {
    /// One with so many bytes.
    pub(crate) fn new(test: &str, bytes: u64) -> Option<Self> {
        let name = format!("stentor-test-{}", std::process::id());
        let made = [("/sys/fs/cgroup/memory", true), ("/sys/fs/cgroup", false)]
            .into_iter()
            .find_map(|(top, is_first_version)| {
                let dir = own_dir(Path::new(top), is_first_version)?.join(&name);
                fs::create_dir(&dir).ok()?;
                let group = Self { dir, is_first_version };
                let limit = if is_first_version { "memory.limit_in_bytes" } else { "memory.max" };
                fs::write(group.dir.join(limit), bytes.to_string()).ok().map(|()| group)
            });
        if made.is_none() {
            skipped(test, "only root may limit the memory of a group of processes");
        }
        made
    }

    /// A line of a shell by which it joins.
    pub(crate) fn join_line(&self) -> String {
        format!("echo $$ > {}", self.dir.join("cgroup.procs").display())
    }

    /// The most that it had, with what the kernel keeps of files.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let name = if self.is_first_version { "memory.max_usage_in_bytes" } else { "memory.peak" };
        let text = fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// How often the kernel killed one of its processes for want of memory.
    pub(crate) fn kills(&self) -> u64 {
        let name = if self.is_first_version { "memory.oom_control" } else { "memory.events" };
        let text = fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        let count = text.lines().find_map(|it| it.strip_prefix("oom_kill "));
        count.and_then(|it| it.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.dir); // a process of a test that failed may be in it
    }
}

/// Where the group of this process is; of the second version a group with processes has none below it, so its parent.
fn own_dir(top: &Path, is_first_version: bool) -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mark = if is_first_version { ":memory:/" } else { "0::/" };
    let own = groups.lines().find_map(|it| it.split_once(mark).map(|(_, path)| top.join(path)))?;
    let dir = if is_first_version { own } else { own.parent()?.to_owned() };
    dir.is_dir().then_some(dir)
}
