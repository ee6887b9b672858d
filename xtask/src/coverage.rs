//! `cargo xtask coverage`: which lines of `protocol` its tests run. The compiler counts, the tools of its LLVM read the counts.
//!
//! Only the crates of the workspace are built anew for it: this program stands between cargo and the compiler for them.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::steps::cargo;
use crate::{Places, install, say};

/// Set where cargo calls this program in place of the compiler.
const WRAPS: &str = "XTASK_WRAPS_THE_COMPILER";

/// Of a hundred lines so many are run, or the task fails.
const PERCENT_MIN: usize = 95;

/// What is counted. The functions that fuzzers call are tests.
const SOURCES: &str = "protocol/src/";
const TESTS: &str = "protocol/src/fuzzing/";

/// Compiles, if that is what this program was called for.
pub(crate) fn compile() -> Option<ExitCode> {
    env::var_os(WRAPS)?;
    let mut arguments = env::args_os().skip(1);
    let status =
        Command::new(arguments.next()?).args(arguments).arg("-Cinstrument-coverage").status();
    let code = status.ok().and_then(|it| it.code()).and_then(|it| u8::try_from(it).ok());
    Some(ExitCode::from(code.unwrap_or(1)))
}

/// Runs the tests and says what they missed.
pub(crate) fn run() -> ExitCode {
    match measure(&Places::find()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&why);
            ExitCode::FAILURE
        }
    }
}

fn measure(places: &Places) -> Result<bool, String> {
    let tools = install::llvm()?;
    let folder = &places.coverage;
    let _ = fs::remove_dir_all(folder); // there may be none
    fs::create_dir_all(folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    let tests = test(places, folder)?;
    let merged = folder.join("merged");
    let mut merge = Command::new(tools.join("llvm-profdata"));
    merge.args(["merge", "-sparse", "-o"]).arg(&merged).args(counts(folder));
    if !install::succeeds(&mut merge) {
        return Err(format!("{merge:?} failed"));
    }
    let lines = lines(&export(&tools, &merged, &tests)?, &places.root);
    Ok(tell(&lines))
}

/// Builds and runs the tests. Returns their programs.
fn test(places: &Places, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let this = env::current_exe().map_err(|why| format!("this program: {why}"))?;
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(cargo());
        command.args(["test", "--package=protocol", "--locked"]).args(arguments);
        command.current_dir(&places.root).env(WRAPS, "1").env("RUSTC_WORKSPACE_WRAPPER", &this);
        command.env("LLVM_PROFILE_FILE", folder.join("%m-%p.profraw"));
        // The tests as they are every day, whatever this was called from.
        command.env_remove("TRUST").env_remove("HYPER_CASES");
        command
    };
    let built = cargo(&["--no-run", "--message-format=json"]).stderr(Stdio::inherit()).output();
    let built = built.map_err(|why| format!("cargo: {why}"))?;
    let has_run = cargo(&["--lib", "--tests"]).status().is_ok_and(|it| it.success());
    if !built.status.success() || !has_run {
        return Err("the tests failed".to_owned());
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let program = |line: &str| {
        let (_, behind) = line.split_once(r#""executable":""#)?;
        Some(PathBuf::from(behind.split('"').next()?))
    };
    Ok(messages.lines().filter_map(program).collect())
}

/// Where the tests left what they counted.
fn counts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|it| it.path())
        .filter(|it| it.extension().is_some_and(|it| it == "profraw"))
        .collect()
}

fn export(tools: &Path, merged: &Path, tests: &[PathBuf]) -> Result<String, String> {
    let mut command = Command::new(tools.join("llvm-cov"));
    command.args(["export", "-format=lcov"]).arg("-instr-profile").arg(merged);
    for (index, program) in tests.iter().enumerate() {
        if index > 0 {
            command.arg("-object");
        }
        command.arg(program);
    }
    let output = command.output().map_err(|why| format!("llvm-cov: {why}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A file, and each of its lines that can run with whether it did.
type Lines = BTreeMap<String, BTreeMap<usize, bool>>;

/// Reads lcov: `SF:` names a file, `DA:` gives a line and how often it ran.
fn lines(lcov: &str, root: &Path) -> Lines {
    let mut all = Lines::new();
    let mut file: Option<(String, usize)> = None;
    for line in lcov.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            file = name_of(path, root).map(|name| (name, tests_at(Path::new(path))));
        } else if let (Some((name, tests_at)), Some(data)) = (&file, line.strip_prefix("DA:")) {
            let mut numbers = data.split(',').map_while(|it| it.parse::<usize>().ok());
            if let (Some(number), Some(count)) = (numbers.next(), numbers.next())
                && number < *tests_at
            {
                *all.entry(name.clone()).or_default().entry(number).or_default() |= count > 0;
            }
        }
    }
    all
}

/// The path inside the workspace of a file that is counted.
fn name_of(path: &str, root: &Path) -> Option<String> {
    let name = Path::new(path).strip_prefix(root).ok()?.to_str()?;
    (name.starts_with(SOURCES) && !name.starts_with(TESTS)).then(|| name.to_owned())
}

/// The line at which a file's own tests begin.
fn tests_at(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().position(|it| it == "#[cfg(test)]").map_or(usize::MAX, |index| index + 1)
}

/// Whether enough of them ran.
fn tell(all: &Lines) -> bool {
    let (mut run, mut total) = (0, 0);
    for (name, lines) in all {
        let missed: Vec<String> =
            lines.iter().filter(|(_, ran)| !**ran).map(|(line, _)| line.to_string()).collect();
        let ran = lines.len() - missed.len();
        run += ran;
        total += lines.len();
        if !missed.is_empty() {
            say(&format!("{:>6} %  {name}: {}", percent(ran, lines.len()), missed.join(" ")));
        }
    }
    let share = percent(run, total);
    say(&format!(
        r#"trust {{"what":"lines of protocol that its tests run","run":{run},"of":{total},"percent":{share}}}"#
    ));
    total > 0 && run * 100 >= total * PERCENT_MIN
}

/// With two digits, rounded down.
fn percent(run: usize, of: usize) -> String {
    let hundredths = run * 10_000 / of.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// The tools of the LLVM that the compiler has, in a folder.
pub(crate) fn tools_in(folders: &[PathBuf]) -> Option<PathBuf> {
    let has = |folder: &&PathBuf| {
        ["llvm-cov", "llvm-profdata"].iter().all(|it| folder.join(it).is_file())
    };
    folders.iter().find(has).cloned()
}

/// What the compiler says of itself, under a name.
pub(crate) fn compiler_says(key: &str) -> Option<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(rustc).arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let value = text.lines().find_map(|it| it.strip_prefix(key)?.strip_prefix(": "))?;
    Some(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_programs_are_joined() {
        let root = Path::new("/a");
        let lcov = "SF:/a/protocol/src/x.rs\nDA:1,0\nDA:2,5\nDA:3,0\nend_of_record\n\
            SF:/a/protocol/src/x.rs\nDA:1,7\nend_of_record\n\
            SF:/a/protocol/src/fuzzing/mod.rs\nDA:1,0\nSF:/b/other.rs\nDA:1,0\n";
        let all = lines(lcov, root);
        assert_eq!(all.len(), 1);
        assert_eq!(percent(2, 3), "66.66");
        assert_eq!(all["protocol/src/x.rs"], BTreeMap::from([(1, true), (2, true), (3, false)]));
    }
}
