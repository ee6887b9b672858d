//! `stentor bench` against the built binary, in the dialects that it speaks.

use serde_json::Value;

use crate::node::{Node, stentor, wait};

/// Runs a load against a node, with all the keys that it may ask for, and returns the result.
fn bench(node: &Node, line: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let tenant = &node.ready()["tenants"][0];
    let mut command = stentor(folder.path());
    command.arg("bench").args(line.split(' ')).args(["--no-progress", "--json", "result.json"]);
    command.args(["--url", &node.url(""), "--warmup", "0.1", "--duration", "0.5"]);
    for (name, key) in [
        ("STENTOR_BENCH_KEY", "application_key"),
        ("STENTOR_BENCH_API_KEY", "api_key"),
        ("STENTOR_BENCH_ANON_KEY", "anon_key"),
        ("STENTOR_BENCH_JWT_SECRET", "jwt_secret"),
    ] {
        command.env(name, tenant[key].as_str().unwrap());
    }
    wait(&mut command.stdout(std::process::Stdio::null()).spawn().unwrap());
    let text = std::fs::read_to_string(folder.path().join("result.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Everybody heard everything, once and in order. Whether this machine kept the rate is its own affair.
#[track_caller]
fn check(node: &Node, line: &str, listeners: u64) {
    let result = bench(node, line);
    let checked = &result["checked"];
    let sent = checked["sent"].as_u64().unwrap();
    assert!(sent > 0, "{line}: {result}");
    assert_eq!(checked["deliveries"], sent * listeners, "{line}: {checked}");
    for fault in ["lost", "duplicated", "reordered", "foreign", "damaged", "closed"] {
        assert_eq!(checked[fault], 0, "{line}: {fault}: {checked}");
    }
    assert_eq!(checked["refused"], serde_json::json!({}), "{line}");
}

#[test]
fn each_dialect_delivers_everything_to_everybody() {
    let node = Node::ephemeral();
    let load = "fanout --subscribers 20 --rate 200";
    check(&node, load, 20);
    // The first run allows the channels; the others find them allowed.
    for who in ["", " --anonymous", " --distinct-users"] {
        check(&node, &format!("{load} --dialect insforge{who}"), 20);
    }
    // Two publishers, which hear their own channel too.
    let load = "fanout --subscribers 20 --rate 200 --publishers 2 --via ws --persist true";
    check(&node, load, 22);
    check(&node, &format!("{load} --dialect insforge"), 22);
    node.stop();
}
