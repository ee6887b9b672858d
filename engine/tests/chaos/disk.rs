//! A file system of its own that can be frozen: whatever is written or synced waits, as on a disk that pauses.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::node::run;

const BYTES: u64 = 1 << 30;

/// Gone with the test, and never left frozen.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// `None` where this user may not mount.
    pub(crate) fn mount(folder: &Path) -> Option<Self> {
        let (image, place) = (folder.join("image"), folder.join("disk"));
        std::fs::File::create(&image).unwrap().set_len(BYTES).unwrap();
        std::fs::create_dir(&place).unwrap();
        succeeds(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image)).then_some(())?;
        let mut mount = Command::new("mount");
        succeeds(mount.args(["-o", "loop"]).arg(&image).arg(&place)).then_some(Self(place))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it stands still now.
    pub(crate) fn freeze(&self) -> bool {
        succeeds(Command::new("fsfreeze").arg("--freeze").arg(&self.0))
    }

    pub(crate) fn thaw(&self) {
        succeeds(Command::new("fsfreeze").arg("--unfreeze").arg(&self.0));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.thaw();
        succeeds(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

/// Whether a command is there, and did what it should.
fn succeeds(command: &mut Command) -> bool {
    let exists = Command::new("which").arg(command.get_program()).output();
    exists.is_ok_and(|it| it.status.success()) && run(command).0.success()
}
