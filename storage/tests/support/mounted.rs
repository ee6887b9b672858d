//! A small real file system: ext4 in a file, behind a loop device. Only root can have one.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use super::trust;

/// See the module. It is gone with this.
pub(crate) struct Mounted {
    dir: tempfile::TempDir,
    is_mounted: bool,
}

impl Mounted {
    /// One of so many MiB; `None`, and a word, where it cannot be had.
    pub(crate) fn new(name: &str, mib: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("mount")).unwrap();
        let mut made = Self { dir, is_mounted: false };
        let can = made.format(mib) && made.try_mount();
        if !can {
            trust::skipped(name, "it needs root, mkfs.ext4, python3 and loop devices");
        }
        can.then_some(made)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("mount")
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    fn format(&self, mib: u64) -> bool {
        let file = std::fs::File::create(self.image()).unwrap();
        file.set_len(mib * 1024 * 1024).unwrap();
        succeeds(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(self.image()))
    }

    fn try_mount(&mut self) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).args([self.image(), self.path()]);
        // Another test may have taken the free loop device just before.
        self.is_mounted = (0..20).any(|_| succeeds(&mut mount));
        self.is_mounted
    }

    /// An empty one of so many MiB in its place.
    pub(crate) fn renew(&mut self, mib: u64) {
        self.unmount();
        assert!(self.format(mib) && self.try_mount());
    }

    /// Stops the file system at once: nothing that is not on its device gets there any more.
    pub(crate) fn cut(&self) {
        // FS_IOC_SHUTDOWN with FSOP_GOING_FLAGS_NOLOGFLUSH.
        let script = "import fcntl,os,struct,sys;\
                      fcntl.ioctl(os.open(sys.argv[1],os.O_RDONLY),0x8004587D,struct.pack('I',2))";
        assert!(succeeds(Command::new("python3").args(["-c", script]).arg(self.path())));
    }

    /// Mounts it anew, as after a boot.
    pub(crate) fn restart(&mut self) {
        self.unmount();
        assert!(self.try_mount());
    }

    fn unmount(&mut self) {
        if std::mem::take(&mut self.is_mounted) {
            // A process that another test is about to start has the descriptors of this one until it does.
            let is_free = || unmounted(&self.path(), &[]) || pause();
            assert!((0..UNMOUNTS).any(|_| is_free()), "somebody has {:?} open", self.path());
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.is_mounted {
            unmounted(&self.path(), &["--lazy"]);
        }
    }
}

/// How often it is tried to take a file system away, with a pause between.
const UNMOUNTS: usize = 100;

#[expect(clippy::disallowed_methods, reason = "whoever has it open needs time to let go")]
fn pause() -> bool {
    std::thread::sleep(Duration::from_millis(20));
    false
}

fn unmounted(path: &Path, options: &[&str]) -> bool {
    succeeds(Command::new("umount").args(options).arg(path))
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|it| it.success())
}
