//! `cargo xtask fuzz`: every fuzz target of every crate for a while, one after the other, with coverage and an address sanitizer.

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use crate::{Places, now, say, seconds};

/// What has targets: see its `run`.
const CRATES: [&str; 3] = ["engine/fuzz", "protocol/fuzz", "storage/fuzz"];
/// For how long each target runs, in seconds, unless `FUZZ_SECONDS` says otherwise.
const SECONDS: u64 = 60;
/// Lines that are shown of a target that failed.
const TAIL_LINES: usize = 40;

/// Runs all targets, or those whose name has this in it.
pub(crate) fn run(part: &str) -> ExitCode {
    let root = Places::find().root;
    let time_s = env::var("FUZZ_SECONDS").ok().and_then(|it| it.parse().ok()).unwrap_or(SECONDS);
    let (mut targets, mut runs, mut failed) = (0, 0, Vec::new());
    for home in CRATES.map(|it| root.join(it)) {
        let found = match names(&home) {
            Ok(found) => found,
            Err(why) => {
                say(&format!("{}: {why}", home.display()));
                return ExitCode::FAILURE;
            }
        };
        let chosen: Vec<String> = found.into_iter().filter(|it| it.contains(part)).collect();
        targets += chosen.len();
        // All of a crate at once: they are compiled side by side, and no target's time is taken for it.
        let is_built = chosen.is_empty() || build(&home);
        for name in chosen {
            match is_built.then(|| run_one(&home, &name, time_s)).flatten() {
                Some(count) => runs += count,
                None => failed.push(format!("\"{name}\"")),
            }
        }
    }
    let failed_list = failed.join(",");
    say(&format!(
        "trust {{\"what\":\"fuzz\",\"targets\":{targets},\"seconds\":{time_s},\"runs\":{runs},\"failed\":[{failed_list}]}}"
    ));
    if failed.is_empty() && targets > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The targets of a crate, in order.
fn names(home: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(home.join("fuzz_targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().and_then(|it| it.to_str()).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

/// Builds all targets of a crate; whether that went well.
fn build(home: &Path) -> bool {
    let began = now();
    let is_built = Command::new(home.join("run")).status().is_ok_and(|it| it.success());
    say(&format!("   {}: {} {}", home.display(), verdict(is_built), seconds(began.elapsed())));
    is_built
}

/// What came of building; how long it took follows.
fn verdict(is_built: bool) -> &'static str {
    if is_built { "built in" } else { "NOT BUILT, after" }
}

/// How many inputs a target took; `None` when it failed, after what it said last.
fn run_one(home: &Path, name: &str, time_s: u64) -> Option<u64> {
    let mut command = Command::new(home.join("run"));
    command.args([name, &time_s.to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().ok()?;
    let mut tail = VecDeque::new();
    let mut runs = None;
    for line in BufReader::new(child.stderr.take()?).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        runs = runs_of(&line).or(runs);
        tail.push_back(line);
        if tail.len() > TAIL_LINES {
            tail.pop_front();
        }
    }
    let is_well = child.wait().is_ok_and(|it| it.success());
    match runs.filter(|_| is_well) {
        Some(runs) => {
            say(&format!("   {name}: {runs} inputs in {time_s} s"));
            Some(runs)
        }
        None => {
            say(&format!("   {name}: FAILED"));
            tail.iter().for_each(|line| say(line));
            None
        }
    }
}

/// The number of `Done 1642970 runs in 61 second(s)`.
fn runs_of(line: &str) -> Option<u64> {
    line.strip_prefix("Done ")?.split_once(" runs in ")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_built_is_said_to_be() {
        assert!(verdict(true).starts_with("built"));
        assert!(!verdict(false).starts_with("built"));
        assert!(!build(Path::new("/nowhere/at/all")), "there is nothing to build");
    }

    #[test]
    fn the_last_line_of_a_target_says_how_much_it_did() {
        let check = |line: &str, expected| assert_eq!(runs_of(line), expected, "{line}");
        check("Done 1642970 runs in 61 second(s)", Some(1_642_970));
        check("Done well", None);
        check("#1279090\tREDUCE cov: 1926", None);
    }
}
