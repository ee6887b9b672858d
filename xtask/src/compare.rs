//! `cargo xtask compare`: Stentor beside servers that others wrote. It installs them, builds both sides, and hands over to
//! `benches compare`.

use std::process::{Command, ExitCode};

use crate::{Places, header, install, say, steps};

const ROUNDS: &str = "3";
const USAGE: u8 = 64;

/// What was asked for.
#[derive(Debug, Default, PartialEq)]
struct Asked<'a> {
    rounds: Option<&'a str>,
    only: Option<&'a str>,
    with: Option<&'a str>,
    is_quick: bool,
}

/// Compares.
pub(crate) fn run(options: &[&str]) -> ExitCode {
    let asked = match read(options) {
        Ok(asked) => asked,
        Err(wrong) => {
            say(&wrong);
            return ExitCode::from(USAGE);
        }
    };
    let places = Places::find();
    header("servers to compare with");
    install::peers(&places, asked.only, asked.with);
    header("build");
    let has_built = [&["build", "--release"][..], &["build", "--release", "--package", "benches"]]
        .into_iter()
        .all(|arguments| {
            let mut build = Command::new(steps::cargo());
            build.args(arguments).arg("--locked").current_dir(&places.root);
            build.status().is_ok_and(|it| it.success())
        });
    if !has_built {
        return ExitCode::FAILURE;
    }
    header("compare");
    let built = places.target.strip_prefix(&places.root).unwrap_or(&places.target).join("release");
    let mut compare = Command::new(places.root.join(&built).join("benches"));
    compare.args(words(&asked)).arg("--server").arg(built.join("stentor"));
    compare.current_dir(&places.root);
    if compare.status().is_ok_and(|it| it.success()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn read<'a>(options: &[&'a str]) -> Result<Asked<'a>, String> {
    let mut asked = Asked::default();
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        let mut value = || rest.next().copied().ok_or_else(|| format!("{option} wants a value"));
        match *option {
            "--quick" => asked.is_quick = true,
            "--rounds" => asked.rounds = Some(value()?),
            "--only" => asked.only = Some(value()?),
            "--with" => asked.with = Some(value()?),
            other => return Err(format!("`{other}` is unknown: see cargo xtask --help")),
        }
    }
    if let Some(rounds) = asked.rounds.filter(|it| !it.parse::<u32>().is_ok_and(|it| it > 0)) {
        return Err(format!("--rounds wants a number of at least 1: {rounds}"));
    }
    if let Some(name) = asked.with.filter(|it| !install::is_built(it)) {
        return Err(format!("nothing builds `{name}`; --with knows sockudo"));
    }
    Ok(asked)
}

/// What `benches` is told. A smoke test and a choice write no page: it would lack the others.
fn words<'a>(asked: &Asked<'a>) -> Vec<&'a str> {
    let mut words = vec!["compare", "--html", "target/compare.html"];
    words.extend(["--rounds", asked.rounds.unwrap_or(ROUNDS)]);
    if let Some(names) = asked.only {
        words.extend(["--only", names]);
    }
    if asked.is_quick {
        words.push("--quick");
    }
    if asked.only.is_none() && !asked.is_quick {
        words.extend(["--page", "docs/benchmarks.md"]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smoke_test_and_a_choice_write_no_page() {
        let check = |options: &[&str], writes: bool| {
            let words = words(&read(options).unwrap());
            assert_eq!(words.contains(&"--page"), writes, "{options:?}");
        };
        check(&[], true);
        check(&["--rounds", "5"], true);
        check(&["--quick"], false);
        check(&["--only", "ws,nchan"], false);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |options: &[&str]| assert!(read(options).is_err(), "{options:?}");
        check(&["--rounds"]);
        check(&["--rounds", "0"]);
        check(&["--with", "everything"]);
        check(&["--fast"]);
    }
}
