//! A server that we did not write, in a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Dropping it ends it.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) port: u16,
    /// Kept open: who cannot write any more ends.
    pub(crate) _out: Option<BufReader<ChildStdout>>,
    /// Removed with the server.
    pub(crate) _folder: Option<tempfile::TempDir>,
}

impl Server {
    /// One of the scripts beside this, with a fault or without. Returns once it listens.
    pub(crate) fn start(script: &str, fault: &str) -> Self {
        // Tests of the binary start some of them too.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtest/tests/peers");
        let has = folder.join("node_modules/@soketi/soketi").is_dir();
        assert!(has, "npm packages are missing: cd {} && npm ci", folder.display());
        let mut command = Command::new("node");
        command.arg(folder.join(script)).env("FAULT", fault).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("{script} says {line:?}"));
        Self { child, port, _out: Some(out), _folder: None }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
