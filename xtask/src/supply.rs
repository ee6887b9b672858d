//! `cargo xtask supply` and `cargo xtask sbom`: what is linked into the binary, whether that is allowed, and the list of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::steps::cargo;
use crate::{Places, header, say};

/// The tools, in the versions that this was written with.
const DENY: &str = "cargo-deny@0.20.2";
const CYCLONEDX: &str = "cargo-cyclonedx@0.5.9";

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What the tool writes into the folder of every crate.
const WRITTEN: &str = "stentor-sbom";
/// Where the list of the binary goes.
const SBOM: &str = "target/stentor.cdx.json";

/// Licences, sources, versions, known faults, and the list: all of it against what is linked.
pub(crate) fn check() -> ExitCode {
    let places = Places::find();
    let Some(deny) = tool(&places, DENY, "deny") else { return ExitCode::FAILURE };
    header("licences, sources, versions");
    let is_allowed = run(deny(&["--offline", "check", "bans", "licenses", "sources"]));
    header("known faults");
    let advisories = if run(deny(&["fetch", "db"])) {
        if run(deny(&["check", "advisories"])) { "none" } else { "found" }
    } else {
        say(
            "the database of advisories cannot be fetched here: nothing is known about known faults",
        );
        say("where it can: cargo deny check advisories");
        "not checked"
    };
    header("the list of what is linked");
    let Some((listed, linked, missing)) = write_sbom(&places) else { return ExitCode::FAILURE };
    say(&format!(
        r#"trust {{"what":"packages","linked":{linked},"listed":{listed},"missing":{missing},"allowed":{is_allowed},"known_faults":"{advisories}"}}"#
    ));
    let is_good = is_allowed && missing == 0 && advisories != "found";
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes the list alone.
pub(crate) fn sbom() -> ExitCode {
    let is_whole = write_sbom(&Places::find()).is_some_and(|(_, _, missing)| missing == 0);
    if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How to call a subcommand of cargo, if it is there.
fn tool<'a>(
    places: &'a Places,
    package: &str,
    name: &'a str,
) -> Option<impl Fn(&[&str]) -> Command + use<'a>> {
    let call = move |arguments: &[&str]| {
        let mut command = Command::new(cargo());
        command.arg(name).args(arguments).current_dir(&places.root);
        command
    };
    if call(&["--version"]).output().is_ok_and(|it| it.status.success()) {
        return Some(call);
    }
    say(&format!("cargo-{name} is missing: cargo install --locked {package}"));
    None
}

fn run(mut command: Command) -> bool {
    say(&format!("   {command:?}"));
    command.status().is_ok_and(|it| it.success())
}

/// Writes the list and gives how many packages it has, how many are linked, and how many of those it lacks.
fn write_sbom(places: &Places) -> Option<(usize, usize, usize)> {
    let call = tool(places, CYCLONEDX, "cyclonedx")?;
    let mut command = call(&["--manifest-path", "engine/Cargo.toml", "--format", "json"]);
    command.args(["--spec-version", "1.5", "--target", TARGET, "--quiet"]);
    command.args(["--override-filename", WRITTEN]);
    // The time of the commit, not of the build: the same sources give the same list.
    if let Some(seconds) = commit_time(&places.root) {
        command.env("SOURCE_DATE_EPOCH", seconds);
    }
    let is_written = run(command);
    let text = fs::read_to_string(written(&places.root.join("engine")));
    remove_written(&places.root);
    let (true, Ok(text)) = (is_written, text) else {
        say("there is no list");
        return None;
    };
    let (listed, linked) = (listed(&text), linked(&places.root)?);
    let target = places.root.join(SBOM);
    let folder = target.parent().map_or(Ok(()), fs::create_dir_all);
    if let Err(cause) = folder.and_then(|()| fs::write(&target, text)) {
        say(&format!("write {}: {cause}", target.display()));
        return None;
    }
    let missing: Vec<_> = linked.difference(&listed).collect();
    missing.iter().for_each(|it| say(&format!("not in the list: {it}")));
    say(&format!("{}: {} packages, {} are linked", target.display(), listed.len(), linked.len()));
    Some((listed.len(), linked.len(), missing.len()))
}

fn written(folder: &Path) -> PathBuf {
    folder.join(format!("{WRITTEN}.json"))
}

fn remove_written(root: &Path) {
    let folders = fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    for folder in folders {
        let _ = fs::remove_file(written(&folder.path())); // most folders have none
    }
}

fn commit_time(root: &Path) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.args(["log", "-1", "--format=%ct"]).current_dir(root).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// `name@version` of each `"purl": "pkg:cargo/name@version?…"`.
fn listed(text: &str) -> BTreeSet<String> {
    let parts = text.split("\"purl\": \"pkg:cargo/").skip(1);
    let name = |part: &str| Some(part.split(['"', '?', '#']).next()?.replace("%2B", "+"));
    parts.filter_map(name).collect()
}

/// `name@version` of everything that the binary is built from.
fn linked(root: &Path) -> Option<BTreeSet<String>> {
    let mut command = Command::new(cargo());
    command.args(["tree", "--offline", "--locked", "--package=engine", "--edges=normal,build"]);
    command.args(["--prefix=none", "--format={p}", "--target", TARGET]).current_dir(root);
    let output = command.output().ok().filter(|it| it.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().filter_map(linked_package).collect())
}

/// `name@version` of `name v1.2.3 (…)`.
fn linked_package(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    Some(format!("{name}@{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_have_one_name_in_both_lists() {
        let text = r#"{"purl": "pkg:cargo/toml@1.2.1%2Bspec-1.1.0"}, {"purl": "pkg:cargo/engine@0.1.0?download_url=file://.#src/lib.rs"}"#;
        let expected = ["engine@0.1.0", "toml@1.2.1+spec-1.1.0"];
        assert_eq!(listed(text).iter().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        let lines = ["toml v1.2.1+spec-1.1.0", "engine v0.1.0 (/a b)", "engine v0.1.0 (/a b) (*)"];
        let packages = lines.map(|it| linked_package(it).expect("a package"));
        assert_eq!(packages, ["toml@1.2.1+spec-1.1.0", "engine@0.1.0", "engine@0.1.0"]);
        assert_eq!(linked_package(""), None);
    }
}
