//! Each third-party package and the places where it may be used. `docs/decisions/dependencies.md` says why it is there.

use crate::manifests::dependencies;
use crate::workspace::{CRATES, Text, Workspace, has_word};

const DECISIONS: &str = "docs/decisions/dependencies.md";

/// Name in the manifests, and where it may be used.
const PLACES: &[(&str, &[&str])] = &[
    ("aws-lc-rs", &["protocol/src/auth/", "protocol/tests/"]),
    (
        "base64",
        &[
            "protocol/src/auth/",
            "protocol/src/dialect/",
            "protocol/src/engineio/",
            "protocol/tests/",
            "engine/src/side/webhook/",
            "engine/tests/server/insforge_tokens.rs",
            "engine/tests/webhook/",
        ],
    ),
    ("crc32c", &["storage/"]),
    (
        "clap",
        &[
            "engine/src/cli/",
            "loadtest/src/cli/",
            "loadtest/src/client/dialect.rs",
            "loadtest/src/publish/wire.rs",
            "loadtest/tests/",
            "benches/",
        ],
    ),
    ("criterion", &["benches/"]),
    ("crossbeam", &["engine/src/reactor/sync.rs"]),
    ("crypto_secretbox", &["protocol/src/auth/vendor/"]),
    ("fastwebsockets", &["benches/src/serve/"]),
    (
        "flume",
        &[
            "storage/",
            "engine/src/reactor/",
            "engine/src/node",
            "engine/src/side/",
            "engine/src/operator/",
        ],
    ),
    ("foldhash", &["engine/src/hasher.rs"]),
    ("futures-lite", &["engine/src/reactor/"]),
    ("futures-util", &["benches/src/serve/"]),
    ("getrandom", &["engine/src/config/", "engine/src/cli/"]),
    ("glommio", &["engine/src/reactor/", "benches/"]),
    ("hashbrown", &["engine/", "storage/"]),
    ("hickory-resolver", &["engine/src/side/webhook/egress/"]),
    ("hdrhistogram", &["loadtest/src/record/", "benches/", "engine/src/metrics"]),
    ("http-body-util", &["protocol/tests/hyper/"]),
    ("httparse", &["protocol/src/http/", "protocol/src/client"]),
    ("hyper", &["protocol/tests/hyper/"]),
    ("hyper-util", &["protocol/tests/hyper/"]),
    ("indicatif", &["loadtest/src/report/"]),
    ("io-uring", &["engine/src/reactor/ring/", "benches/"]),
    ("itoa", &["protocol/src/json/write.rs"]),
    ("jiff", &["protocol/src/dialect/", "engine/src/side/webhook/"]),
    ("jsonwebtoken", &["protocol/src/auth/", "protocol/tests/"]),
    ("libc", &["engine/src/reactor/ring/", "engine/tests/ring_fake/", "benches/"]),
    ("loom", &["engine/tests/concurrency/"]),
    ("memchr", &["protocol/src/http/", "protocol/src/dialect/"]),
    ("md-5", &["protocol/src/auth/vendor/"]),
    ("mimalloc", &["engine/src/main.rs", "engine/tests/overload/", "benches/"]),
    ("nix", &["loadtest/src/record/"]),
    ("proptest", &["protocol/", "storage/tests/", "engine/tests/"]),
    ("reqwest", &["engine/src/side/"]),
    ("rhai", &["protocol/src/policy/"]),
    ("rusqlite", &["engine/src/side/database/"]),
    (
        "rustix",
        &[
            "engine/src/reactor/",
            "engine/src/cli/host.rs",
            "engine/src/node/memory.rs",
            "engine/src/operator/",
            "engine/tests/",
            "storage/",
            "loadtest/src/",
            "benches/",
        ],
    ),
    ("serde", &["protocol/src/auth/"]),
    (
        "serde_json",
        &[
            "engine/src/cli/",
            "engine/src/operator/",
            "engine/src/side/webhook/",
            "engine/tests/",
            "loadtest/",
            "protocol/tests/",
            "benches/",
        ],
    ),
    ("signal-hook", &["engine/src/cli/serve.rs", "loadtest/src/report/"]),
    ("simd-json", &["protocol/src/json/"]),
    ("simdutf8", &["protocol/src/dialect/fields.rs", "protocol/src/http/parse.rs"]),
    ("sled", &["storage/"]),
    ("strsim", &["engine/src/config/"]),
    ("tempfile", &["engine/tests/", "storage/tests/", "loadtest/tests/", "benches/"]),
    (
        "tokio",
        &[
            "engine/src/side/",
            "engine/tests/webhook/",
            "protocol/tests/hyper/",
            "benches/src/serve/",
        ],
    ),
    ("tokio-tungstenite", &["benches/src/serve/"]),
    ("toml", &["engine/src/config/", "engine/tests/tidy/"]),
    ("tracing", &["engine/", "storage/"]),
    ("tracing-subscriber", &["engine/src/cli/logs.rs"]),
    ("tungstenite", &["protocol/", "loadtest/", "engine/tests/"]),
    ("uuid", &["protocol/src/uuid_text.rs"]),
];

/// Names that the tests of any file may use as well: they help to test, and nothing ships with them.
const TEST_ONLY: [&str; 2] = ["proptest", "tempfile"];

/// Packages that a manifest names and the table does not.
pub(crate) fn listed(workspace: &Workspace) -> Vec<String> {
    let is_known =
        |name: &str| CRATES.contains(&name) || PLACES.iter().any(|(package, _)| *package == name);
    dependencies(workspace)
        .into_iter()
        .filter(|it| !is_known(&it.name))
        .map(|it| format!("{}/Cargo.toml: {} has no place in tidy/packages.rs", it.of, it.name))
        .collect()
}

/// Packages without a row in the table of the decisions, and rows without a package.
pub(crate) fn explained(workspace: &Workspace) -> Vec<String> {
    let page = workspace.read(DECISIONS);
    let rows: Vec<&str> =
        page.lines().filter_map(|it| it.strip_prefix("| `")?.split('`').next()).collect();
    let used: Vec<String> = dependencies(workspace).into_iter().map(|it| it.name).collect();
    let third_party = used.iter().filter(|it| !CRATES.contains(&it.as_str()));
    let mut faults: Vec<String> = third_party
        .filter(|it| !rows.contains(&it.as_str()))
        .map(|it| format!("{DECISIONS}: has no row for {it}"))
        .collect();
    let idle = rows.iter().filter(|row| !used.iter().any(|it| it == *row));
    faults.extend(idle.map(|it| format!("{DECISIONS}: {it} is used nowhere")));
    faults.sort();
    faults.dedup();
    faults
}

/// Uses of a package outside its places.
pub(crate) fn in_place(workspace: &Workspace) -> Vec<String> {
    let mut faults = Vec::new();
    for (package, places) in PLACES {
        let path = format!("{}::", package.replace('-', "_"));
        let names_it = |it: &&Text| !it.is_in(places) && it.text.contains(&path);
        for file in workspace.rust().filter(names_it) {
            let is_used = |line: &str| uses(line, &path);
            let used = file.code().find(|(_, line)| is_used(line));
            let tested = || file.text.lines().enumerate().find(|(_, line)| is_used(line));
            let at = match used {
                Some((at, _)) => Some(at),
                None if TEST_ONLY.contains(package) => None,
                None => tested()
                    .filter(|(_, line)| !line.trim_start().starts_with("//"))
                    .map(|(index, _)| index + 1),
            };
            if let Some(at) = at {
                faults.push(format!("{}:{at}: {package} is not used here", file.path));
            }
        }
    }
    faults
}

/// Whether a line names something of a package: `package::` that is no part of a longer path.
fn uses(line: &str, path: &str) -> bool {
    let name = path.trim_end_matches(':');
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        has_word(line, name)
            && !before.ends_with(|char: char| char.is_alphanumeric() || "_:\"".contains(char))
    })
}
