//! The command line of `stentor bench`, as the built binary takes it: which keys it keeps to itself, and what it refuses.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use crate::node::{Node, pause, run, stentor, wait};
use crate::peer::Server;

/// Runs a load with keys on its command line; none of them may stand in what it writes.
fn keeps_to_itself(command: &mut Command, folder: &Path, keys: &[&str]) {
    command.args(["--no-progress", "--json", "result.json", "--html", "page.html"]);
    let (out, said) = (folder.join("out"), folder.join("said"));
    let file = |path: &PathBuf| std::fs::File::create(path).unwrap();
    let mut child = command.stdout(file(&out)).stderr(file(&said)).spawn().unwrap();
    let line = command_line(&mut child);
    for key in keys {
        assert!(line.contains(key), "{key} is not on the command line: {line:?}");
    }
    wait(&mut child);
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let texts = [out, said, folder.join("result.json"), folder.join("page.html")].map(read);
    let [screen, _, result, page] = &texts;
    assert!(screen.contains("verdict"), "{screen}");
    let result: serde_json::Value = serde_json::from_str(result).unwrap();
    let told = result["environment"]["command"].as_str().unwrap();
    assert!(told.contains("fanout") && told.contains('…'), "{told}");
    assert!(page.contains("fanout"), "{page}");
    for key in keys {
        assert!(!texts.iter().any(|text| text.contains(key)), "{key} was told: {told}");
    }
}

/// What the kernel shows to everybody. For a moment a new program has none.
fn command_line(child: &mut Child) -> String {
    loop {
        let line = std::fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
        if !line.is_empty() || child.try_wait().unwrap().is_some() {
            return line;
        }
        pause(Duration::from_millis(1));
    }
}

#[test]
fn keys_on_the_command_line_are_told_to_nobody() {
    let node = Node::ephemeral();
    let tenant = &node.ready()["tenants"][0];
    let key = |name: &str| tenant[name].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let load =
        "bench fanout --subscribers 4 --rate 50 --warmup 0.1 --duration 0.4 --dialect insforge";
    let mut command = stentor(folder.path());
    command.args(load.split(' ')).args(["--url", &node.url("")]);
    // As a word of its own, and behind the option's name.
    command.args(["--key", key("application_key"), "--api-key", key("api_key")]);
    command.arg(format!("--jwt-secret={}", key("jwt_secret")));
    command.arg(format!("--anon-key={}", key("anon_key")));
    let keys = ["application_key", "api_key", "jwt_secret", "anon_key"].map(key);
    keeps_to_itself(&mut command, folder.path(), &keys);
    node.stop();
}

#[test]
fn the_secret_of_an_app_is_told_to_nobody() {
    let soketi = Server::start("soketi.mjs", "");
    let folder = tempfile::tempdir().unwrap();
    let mut command = stentor(folder.path());
    let load = "bench fanout --target pusher --subscribers 4 --rate 50 --warmup 0.1 --duration 0.4";
    command.args(load.split(' ')).arg("--url").arg(format!("ws://127.0.0.1:{}", soketi.port));
    // The server knows another one: it refuses each publish, and that is a result as well.
    let secret = "b5f0e1c2d3a4";
    command.args(["--app-id", "app-id", "--app-key", "app-key", "--app-secret", secret]);
    keeps_to_itself(&mut command, folder.path(), &[secret]);
}

/// Refused as wrong usage, with words that help.
#[track_caller]
fn refused(line: &str, hint: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = stentor(folder.path());
    let (status, out, said) = run(command.arg("bench").args(line.split(' ')));
    assert_eq!(status.code(), Some(64), "{line}: {said}");
    assert!(said.contains(hint), "{line}: {said}");
    assert_eq!(out, "", "{line}");
}

#[test]
fn options_of_another_target_are_refused() {
    refused("fanout --app-id 7 --key coh_app_x", "--app-id is for --target pusher");
    let check = |line: &str, hint: &str| refused(&format!("fanout --target {line}"), hint);
    check("socketio --subscribe x", "--subscribe is for --target raw");
    check("socketio --spawn", "--spawn starts a server of ours");
    check("socketio --dialect insforge", "--dialect is for --target stentor");
    check("nats --publish-path /x", "--publish-path is for --target raw");
    check("raw --publish x", "--publish has to say where the {payload} stands");
    check("raw --publish {payload} --persist true", "--persist is for --target stentor");
    check("pusher --app-id a/b --app-key k --app-secret s", "not an app's id: a/b");
    check("pusher", "--app-id <ID>");
    check("pusher --app-id 7", "--app-key <KEY>");
    check("pusher --app-id 7 --app-key k", "--app-secret <SECRET>");
    check("raw", "--publish <TEXT>");
    check("kafka", "possible values: stentor, pusher, socketio, raw, nats, mqtt, redis");
    refused("churn --generators 2", "--channels 1 is too little for 2 generators");
    refused("storm --channels 3 --subscribers 2 --generators 3", "--subscribers 2 is too little");
    refused("resume --channels 0 --generators 1", "--channels must be at least 1");
    refused("churn --target raw --publish {payload}", "give --subscribed");
    refused("churn --target nats", "are for fanout, soak, publish and connect");
    refused("presence --target socketio", "presence speaks Cohesivity's dialect");
    refused("resume --target raw --publish {payload}", "resume speaks Infrai's dialect");
}
