//! What the Cargo.toml files say.

use toml::de::{DeTable, DeValue};

use crate::workspace::{CRATES, Workspace};

/// The only arrows there are: a crate, and the crates of ours that it may name.
const ARROWS: [(&str, &[&str]); 6] = [
    ("protocol", &[]),
    ("storage", &[]),
    ("engine", &["protocol", "storage", "loadtest"]),
    ("loadtest", &["protocol"]),
    ("benches", &["protocol", "storage", "engine", "loadtest"]),
    ("xtask", &[]),
];

/// A dependency that a manifest names.
pub(crate) struct Dependency {
    /// Whose manifest.
    pub(crate) of: &'static str,
    /// What it names.
    pub(crate) name: String,
    /// Whether it takes the version that the workspace sets.
    is_of_workspace: bool,
}

/// Every dependency of every crate, for building, running and testing.
pub(crate) fn dependencies(workspace: &Workspace) -> Vec<Dependency> {
    let of_crate = |of: &'static str| {
        let text = workspace.read(&format!("{of}/Cargo.toml"));
        let manifest = DeTable::parse(&text).unwrap();
        let mut found = Vec::new();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let table = manifest.get_ref().get(section).and_then(|it| it.get_ref().as_table());
            for (name, value) in table.into_iter().flatten() {
                let is_of_workspace = match value.get_ref().get("workspace") {
                    Some(value) => matches!(value.get_ref(), DeValue::Boolean(true)),
                    None => false,
                };
                found.push(Dependency { of, name: name.get_ref().to_string(), is_of_workspace });
            }
        }
        found
    };
    CRATES.into_iter().flat_map(of_crate).collect()
}

/// Faults against the arrows, and versions that stand outside the workspace's list.
pub(crate) fn arrows(workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for it in dependencies(workspace) {
        let allowed = ARROWS.iter().find(|(of, _)| *of == it.of).map_or(&[][..], |(_, to)| to);
        // A crate may name itself, to turn on a feature for its own tests.
        let is_own = it.name == it.of;
        if CRATES.contains(&it.name.as_str()) && !is_own && !allowed.contains(&it.name.as_str()) {
            faults.push(format!("{}/Cargo.toml: no arrow leads to {}", it.of, it.name));
        }
        if !it.is_of_workspace {
            let rule = "its version belongs into [workspace.dependencies]";
            faults.push(format!("{}/Cargo.toml: {}: {rule}", it.of, it.name));
        }
    }
    faults
}

/// The crates whose fuzz targets are a package of their own, with a lock file of its own.
const FUZZED: [&str; 2] = ["protocol", "storage"];

/// Dependencies of a fuzzed crate that the lock file of its fuzz targets does not know: nobody could build them.
pub(crate) fn unlocked(workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for of in FUZZED {
        let path = format!("{of}/fuzz/Cargo.lock");
        let lock = workspace.read(&path);
        let own =
            lock.split("\n[[package]]\n").find(|it| it.starts_with(&format!("name = \"{of}\"\n")));
        let manifest = workspace.read(&format!("{of}/Cargo.toml"));
        let manifest = DeTable::parse(&manifest).unwrap();
        let table = manifest.get_ref().get("dependencies").and_then(|it| it.get_ref().as_table());
        let names = table.into_iter().flatten().map(|(name, _)| name.get_ref().to_string());
        // With its version behind it where there are several.
        let is_of = |line: &str, name: &str| {
            line.trim_start_matches([' ', '"']).split([' ', '"']).next() == Some(name)
        };
        let is_locked =
            |name: &str| own.is_some_and(|it| it.lines().skip(1).any(|line| is_of(line, name)));
        let rule = format!("cargo metadata --manifest-path {of}/fuzz/Cargo.toml writes it anew");
        faults.extend(
            names.filter(|it| !is_locked(it)).map(|it| format!("{path}: has no {it}: {rule}")),
        );
    }
    faults
}
