//! Gives the binary the commit it was built from; `unknown` outside a git checkout.

use std::path::Path;
use std::process::Command;

fn main() {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // HEAD's log grows with each commit and checkout, in a linked worktree too.
    if let Some(log) =
        git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|it| Path::new(it).exists())
    {
        emit(&format!("rerun-if-changed={log}"));
    }
    emit("rerun-if-changed=build.rs");
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    // Not `STENTOR_…`: `cargo run` passes it on, and the node would take it for a setting.
    emit(&format!("rustc-env=BUILD_COMMIT={commit}"));
}

fn emit(line: &str) {
    println!("cargo::{line}");
}
