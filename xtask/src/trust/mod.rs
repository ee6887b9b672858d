//! `cargo xtask trust <part>`: the claims of docs/reliability.md at their full length.
//!
//! Each part is some tests, run in the profile `trust` with `TRUST=1`. They are the ordinary tests: with the variable set they take their
//! long numbers, and print what they saw as lines `trust {"what":…}`. The last line of a part is one JSON object with all of them.

mod parts;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};

use self::parts::{PARTS, Part};
use crate::{Places, header, install, now, say, seconds, steps::cargo};

/// What an ordinary test prints before its figures.
const MARK: &str = "trust ";

/// What is in the figures of a claim that could not be looked at: nobody may take it for kept.
const SKIPPED: &str = r#""skipped":"#;

/// The parts, a line each, for the help.
pub(crate) fn parts() -> String {
    let line = |it: &Part| format!("      {:<12} {}\n", it.name, it.about);
    PARTS.iter().map(line).collect()
}

/// Runs a part, or `all` of them.
pub(crate) fn run(name: &str) -> ExitCode {
    let places = Places::find();
    let chosen: Vec<&Part> = PARTS.iter().filter(|it| name == "all" || it.name == name).collect();
    if chosen.is_empty() {
        say(&format!("there is no part {name:?}; there are:\n{}", parts().trim_end()));
        return ExitCode::from(64);
    }
    if let Err(missing) = install::everything(&places) {
        say("the tests need more than is here:");
        missing.iter().for_each(|it| say(&format!("  {it}")));
        return ExitCode::FAILURE;
    }
    let lines: Vec<(bool, String)> = chosen.iter().map(|it| it.run(&places)).collect();
    say("");
    lines.iter().for_each(|(_, line)| say(line));
    let is_whole = lines.iter().all(|(passed, _)| *passed);
    if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Part {
    /// Whether all of it passed, and its line of JSON.
    fn run(&self, places: &Places) -> (bool, String) {
        header(self.name);
        let began = now();
        let (mut passed, mut figures) = (true, Vec::new());
        for arguments in self.commands {
            say(&format!("   cargo {arguments}"));
            let mut command = Command::new(cargo());
            command.args(arguments.split(' ')).current_dir(&places.root).env("TRUST", "1");
            command.env("E2E_PYTHON", places.venv.join("bin/python"));
            passed &= run_and_gather(&mut command, &mut figures);
        }
        let skipped = figures.iter().filter(|it| it.contains(SKIPPED)).count();
        if skipped > 0 {
            say(&format!("-- {skipped} of its claims could not be looked at here"));
            passed = false;
        }
        let (name, figures) = (self.name, figures.join(","));
        let time = began.elapsed().as_secs_f64();
        say(&format!("-- {name}: {}", seconds(began.elapsed())));
        let line = format!(
            r#"{{"part":"{name}","passed":{passed},"seconds":{time:.1},"figures":[{figures}]}}"#
        );
        (passed, line)
    }
}

fn run_and_gather(command: &mut Command, figures: &mut Vec<String>) -> bool {
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else { return false };
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            say(&line);
            figures.extend(figures_of(&line));
        }
    }
    child.wait().is_ok_and(|it| it.success())
}

/// The JSON object of a line of figures. The test runner may have written the test's name before it.
fn figures_of(line: &str) -> Option<String> {
    let (before, object) = line.split_once(MARK)?;
    let is_whole = object.starts_with('{') && object.ends_with('}');
    let is_alone = before.is_empty() || before.ends_with("... ");
    (is_whole && is_alone).then(|| object.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_alone_and_behind_the_name_of_a_test() {
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(figures_of(line).as_deref(), expected, "{line}");
        };
        check(r#"trust {"what":"kills","rounds":10}"#, Some(r#"{"what":"kills","rounds":10}"#));
        check(r#"test a_test ... trust {"what":"kills"}"#, Some(r#"{"what":"kills"}"#));
        check("we trust nobody", None);
        check("trust {", None);
        check("test trust ... ok", None);
    }
}
