//! The load test against servers that we did not write: Socket.IO, `ws` and Soketi, each in a process of node, and brokers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod brokers;
mod server;

use clap::Parser;
use loadtest::cli::{BenchArgs, EXIT_GENERATOR, EXIT_USAGE, EXIT_WRONG, run};
use serde_json::Value;
use server::Server;
use std::path::Path;
use std::process::ExitCode;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    bench: BenchArgs,
}

impl Server {
    /// Runs a command line against it; words are split at spaces, and `~` stands for one.
    fn bench(&self, line: &str) -> (ExitCode, Value) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        let (port, pid) = (self.port, self.child.id());
        let line =
            format!("bench {line} --server-pid {pid} --no-progress --json {}", path.display());
        let line = line.replace("PORT", &port.to_string());
        let words = line.split_whitespace().map(|word| word.replace('~', " "));
        let args = Line::try_parse_from(words).unwrap_or_else(|why| panic!("{why}"));
        let code = run(args.bench, Path::new("/bin/false"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        (code, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Everybody hears everything. Whether this machine kept the rate is its own affair.
    fn check(&self, line: &str, listeners: u64) -> Value {
        let (code, result) = self.bench(line);
        let told = [ExitCode::SUCCESS, ExitCode::from(EXIT_GENERATOR)].contains(&code);
        assert!(told, "{line}: {}", result["verdict"]);
        let checked = &result["checked"];
        let sent = checked["sent"].as_u64().unwrap();
        assert!(sent > 20, "{line}: {checked}");
        assert_eq!(checked["deliveries"], sent * listeners, "{line}: {checked}");
        assert!(result["window"]["acknowledged"].as_u64().unwrap() > 0, "{line}: {result}");
        assert!(result["window"]["server_cpu_seconds"].is_number(), "{result}");
        result
    }
}

const SMALL: &str = "fanout --subscribers 9 --channels 3 --rate 200 --warmup 0.1 --duration 0.5";

#[test]
fn a_server_of_socket_io_is_driven_by_its_events() {
    let server = Server::start("events.mjs", "");
    let how =
        "--target socketio --url ws://127.0.0.1:PORT --subscribe-event enter --publish-event shout";
    // Three publishing sockets hear their own channels too: four on each.
    let result = server.check(&format!("{SMALL} {how}"), 4);
    assert_eq!(
        (&result["settings"]["dialect"], &result["settings"]["via"]),
        (&"socketio".into(), &"ws".into())
    );
    let (code, _) = server.bench(&format!("connect --subscribers 20 --hold 0.1 {how}"));
    assert_eq!(code, ExitCode::SUCCESS);
    let (code, _) = server.bench(&format!("{SMALL} {how} --via http"));
    assert_eq!(code, ExitCode::from(EXIT_USAGE), "nothing is published over HTTP there");
}

const TEXTS: &str = r#"--target raw --url ws://127.0.0.1:PORT/live --subscribe {"sub":"{channel}"} --publish {"pub":"{channel}","x":"{payload}"}"#;

#[test]
fn a_server_of_texts_is_driven_by_templates() {
    let server = Server::start("texts.mjs", "");
    server.check(&format!("{SMALL} {TEXTS} --subscribed joined"), 4);
    server.check(&format!("{SMALL} {TEXTS} --subscribed joined --publish-path /publish"), 3);
    // Nobody says when a subscription stands: there is time for it.
    server.check(&format!("{SMALL} {TEXTS}"), 4);
}

#[test]
fn what_another_server_loses_is_found() {
    let server = Server::start("texts.mjs", "drop");
    let line = format!("{SMALL} {TEXTS} --subscribed joined --publish-path /publish");
    let (code, result) = server.bench(&line);
    assert_eq!(code, ExitCode::from(EXIT_WRONG), "{}", result["verdict"]);
    assert_eq!(result["checked"]["lost"], 1);
}

#[test]
fn soketi_is_driven_in_pushers_protocol() {
    let server = Server::start("soketi.mjs", "");
    let app = "--target pusher --url ws://127.0.0.1:PORT --app-id app-id --app-key app-key";
    let result = server.check(&format!("{SMALL} {app} --app-secret app-secret"), 3);
    assert_eq!(result["checked"]["refused"], serde_json::json!({}));
    let (code, result) = server.bench(&format!("{SMALL} {app} --app-secret wrong"));
    assert_eq!(code, ExitCode::from(EXIT_WRONG), "{}", result["verdict"]);
}
