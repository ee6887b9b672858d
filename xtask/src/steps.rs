//! What `cargo xtask test` runs, in order.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use crate::{Places, install, say};

/// Where nextest is told how many tests to run at once.
const THREADS: &str = "NEXTEST_TEST_THREADS";

/// One command with its name.
pub(crate) struct Step {
    /// What its header says.
    pub(crate) name: &'static str,
    arguments: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    totals: Totals,
}

/// Who adds up the tests.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Totals {
    /// The command, or there are none.
    Told,
    /// We: it prints a result for each test binary.
    Counted,
}

const CHECKS: [Step; 3] = [
    step("format", &["fmt", "--all", "--check"]),
    step("clippy", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    Step {
        variables: &[("RUSTDOCFLAGS", "-D warnings")],
        ..step("documentation", &["doc", "--workspace", "--no-deps", "--locked"])
    },
];

const WITH_NEXTEST: [Step; 2] = [
    step("documentation tests", &["test", "--workspace", "--doc", "--locked"]),
    step("tests", &["nextest", "run", "--workspace", "--locked"]),
];

const WITHOUT_NEXTEST: [Step; 1] = [Step {
    totals: Totals::Counted,
    ..step("tests", &["test", "--workspace", "--no-fail-fast", "--locked"])
}];

const fn step(name: &'static str, arguments: &'static [&'static str]) -> Step {
    Step { name, arguments, variables: &[], totals: Totals::Told }
}

/// All steps, with the test runner that is there.
pub(crate) fn all(places: &Places) -> Vec<Step> {
    let mut nextest = Command::new(cargo());
    nextest.args(["nextest", "--version"]).current_dir(&places.root);
    if install::succeeds(&mut nextest) {
        CHECKS.into_iter().chain(WITH_NEXTEST).collect()
    } else {
        CHECKS.into_iter().chain(WITHOUT_NEXTEST).collect()
    }
}

impl Step {
    /// Runs it; whether it passed.
    pub(crate) fn run(&self, places: &Places) -> bool {
        let mut command = Command::new(cargo());
        command.args(self.arguments).current_dir(&places.root);
        command.envs(self.variables.iter().copied());
        command.env("E2E_PYTHON", places.venv.join("bin/python"));
        if env::var_os(THREADS).is_none() {
            command.env(THREADS, threads().to_string());
        }
        say(&format!("   cargo {}", self.arguments.join(" ")));
        match self.totals {
            Totals::Told => command.status().is_ok_and(|it| it.success()),
            Totals::Counted => run_and_count(&mut command),
        }
    }
}

/// How many tests run at once. Most of them wait for a node, a client or a disk.
fn threads() -> usize {
    2 * thread::available_parallelism().map_or(1, usize::from)
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn run_and_count(command: &mut Command) -> bool {
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else { return false };
    let (mut passed, mut failed) = (0, 0);
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            say(&line);
            if let Some((more, less)) = result_of(&line) {
                passed += more;
                failed += less;
            }
        }
    }
    say(&format!("{passed} passed, {failed} failed"));
    child.wait().is_ok_and(|it| it.success())
}

/// The numbers of `test result: ok. 3 passed; 1 failed; …`.
fn result_of(line: &str) -> Option<(u64, u64)> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let mut parts = counts.split("; ");
    let mut number = |word: &str| parts.next()?.strip_suffix(word)?.trim().parse().ok();
    Some((number("passed")?, number("failed")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_test_binaries_are_counted() {
        let check = |line: &str, expected| assert_eq!(result_of(line), expected, "{line}");
        check("test result: ok. 16 passed; 0 failed; 0 ignored", Some((16, 0)));
        check("test result: FAILED. 8 passed; 4 failed; 0 ignored", Some((8, 4)));
        check("test result_of ... ok", None);
        check("running 3 tests", None);
    }
}
