//! A disk that runs full: persisted publishes are refused by name, the rest goes on, and room heals it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::node::{Node, run};
use super::tools::{javascript, post};
use super::trust::{figures, skipped};

/// A small file system; gone with the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(folder.path());
        run(&mut mount).0.success().then_some(Self(folder))
    }

    /// Fills what is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(self.0.path()));
    }
}

#[test]
fn a_full_disk_refuses_what_must_be_kept_and_nothing_else() {
    let Some(disk) = SmallDisk::mount() else {
        return skipped("ENOSPC under a node", "only root may mount a small disk");
    };
    let folder = tempfile::tempdir().unwrap();
    let data_dir = disk.0.path().join("data");
    let node = start(folder.path(), &data_dir);
    assert_eq!(publish(&node, "1").0, 200);
    let ballast = disk.fill();
    let large = format!("\"{}\"", "x".repeat(60_000));
    let refused = (0..1_000).map(|_| publish(&node, &large)).find(|(status, _)| *status != 200);
    let (status, body) = refused.expect("the disk must run full");
    assert_eq!(status, 507, "{body}");
    assert!(body.contains("storage is full") && body.contains("RESOURCE_EXHAUSTED"), "{body}");
    javascript(&node, "disk_full.mjs");
    assert_eq!(
        post(&node.keyed("/edge/realtime"), r#"{"channel":"d","data":2,"persist":false}"#).status,
        200
    );
    fs::remove_file(ballast).unwrap();
    let (status, body) = publish(&node, &large);
    assert_eq!(status, 200, "room heals it without a restart: {body}");
    node.stop();
    let node = start(folder.path(), &data_dir);
    let (status, body) = publish(&node, "3");
    assert_eq!(status, 200, "and what was kept can be read again: {body}");
    node.stop();
    figures("ENOSPC under a node", r#""disk_mib":48,"healed_without_a_restart":1"#);
}

fn start(folder: &Path, data_dir: &Path) -> Node {
    let data_dir = data_dir.to_str().unwrap();
    let small = ["--storage-segment-bytes", "4194304"];
    Node::start(folder, &[&["--data-dir", data_dir, "--shards", "1"], &small[..]].concat())
}

fn publish(node: &Node, data: &str) -> (u16, String) {
    // curl reads the body from a file: it is too long for an argument.
    let mut body = tempfile::NamedTempFile::new().unwrap();
    write!(body, r#"{{"channel":"d","data":{data}}}"#).unwrap();
    let answer = post(&node.keyed("/edge/realtime"), &format!("@{}", body.path().display()));
    (answer.status, answer.body)
}
