//! A comparison, for a moment: servers are started, driven and ended, and every delivery is checked on the way.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

/// Those that need nothing, and those of npm if their packages are there.
const SERVERS: &str = "ring floor,epoll floor,tungstenite,fastwebsockets,ws,uWebSockets.js";

fn compare(arguments: &[&str]) -> Output {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_benches"));
    command.args(["compare", "--rounds", "1", "--seconds", "0.3", "--data"]);
    // Any machine has this core.
    command.arg(data.path()).args(["--server-core", "0", "--generator-core", "0"]);
    command.args(arguments).output().unwrap()
}

#[test]
fn servers_are_started_driven_and_ended() {
    let plots = tempfile::NamedTempFile::new().unwrap();
    let file = plots.path().display().to_string();
    let loads = "isolated,HTTP publish";
    let output = compare(&["--alone", "--only", SERVERS, "--loads", loads, "--html", &file]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!text.contains("it failed"), "{text}\n{said}");
    let has_packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/node_modules").is_dir();
    for name in SERVERS.split(',') {
        let is_of_npm = ["ws", "uWebSockets.js"].contains(&name);
        let row = text.lines().find(|it| it.starts_with(&format!("| {name} |")));
        if is_of_npm && !has_packages {
            assert!(text.contains(&format!("{name} was left out: ")), "{text}");
            continue;
        }
        let figures = row
            .unwrap()
            .split('|')
            .filter(|it| it.trim().starts_with(|it: char| it.is_ascii_digit()));
        assert_eq!(figures.count(), 2, "{row:?}");
    }
    let page = std::fs::read_to_string(plots.path()).unwrap();
    assert!(page.contains("<rect class=\"floor\""), "{page}");
}

#[test]
fn what_is_worth_nothing_replaces_nothing() {
    let before = "plots of a run that stands";
    let plots = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(plots.path(), before).unwrap();
    let file = plots.path().display().to_string();
    let choice = ["--only", "ring floor", "--loads", "isolated", "--html", &file];
    let output = compare(&[&choice[..], &["--server", "/does/not/exist"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("Stentor failed in 1 of 1 runs"), "{said}");
    assert_eq!(std::fs::read_to_string(plots.path()).unwrap(), before);
}

#[test]
fn an_unknown_name_is_refused_with_those_that_there_are() {
    let output = compare(&["--alone", "--only", "wss"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("`wss` is unknown; there are"), "{said}");
}
