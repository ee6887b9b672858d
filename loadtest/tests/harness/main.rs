//! The whole load test against a small server on real sockets: right servers pass, wrong ones do not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod compare;
mod server;
mod socketio;

use clap::Parser;
use loadtest::cli::{BenchArgs, EXIT_GENERATOR, EXIT_SERVER, EXIT_USAGE, EXIT_WRONG, run};
use serde_json::Value;
use server::Fault;
use std::path::Path;
use std::process::ExitCode;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    bench: BenchArgs,
}

/// Runs a command line against a server with a fault; returns the exit code and the JSON result.
fn bench(fault: Fault, line: &str) -> (ExitCode, Value) {
    let address = server::start(fault);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("result.json");
    let line = format!(
        "bench {line} --url ws://{address} --key coh_app_test --no-progress --json {}",
        path.display()
    );
    let args = Line::try_parse_from(line.split_whitespace()).unwrap();
    let code = run(args.bench, Path::new("/bin/false"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    (code, serde_json::from_str(&text).unwrap_or_default())
}

const SMALL: &str = "fanout --subscribers 8 --warmup 0.1 --duration 0.5";

#[track_caller]
fn passes(line: &str) -> Value {
    let (code, result) = bench(Fault::None, line);
    assert_eq!(code, ExitCode::SUCCESS, "{}", result["verdict"]);
    result
}

#[test]
fn an_open_loop_over_http_delivers_everything_to_everybody() {
    let line = format!("{SMALL} --channels 2 --publishers 3 --rate 400");
    let result = passes(&line);
    let checked = &result["checked"];
    assert_eq!(checked["sent"], 240);
    // Three publishers on two channels: two of three messages go to channel 0. Four listen to each.
    assert_eq!(checked["deliveries"], 240 * 4);
    assert_eq!(result["window"]["due"], 200);
    assert_eq!(result["latency_ns"]["from_due"]["count"], 200 * 4);
    assert_eq!(result["latency_ns"]["acknowledged"]["count"], 200);
    assert_eq!(result["environment"]["server"]["version"], "0");
}

#[test]
fn websocket_publishers_hear_their_own_channel() {
    let result = passes(&format!("{SMALL} --channels 3 --publishers 1 --via ws --rate 300"));
    assert_eq!(result["checked"]["sent"], 180);
    // 8 subscribers and 3 publishing sockets on 3 channels: 4, 4 and 3 listen.
    assert_eq!(result["checked"]["deliveries"], 60 * (4 + 4 + 3));
    assert_eq!(result["connections"]["count"], 11);
}

/// A fan-out in InsForge's dialect, and the keys that let it in.
fn insforge(line: &str) -> String {
    format!("{SMALL} --dialect insforge {} {line}", socketio::KEYS)
}

#[test]
fn sockets_of_insforge_hear_what_is_published_over_http() {
    for who in ["", "--anonymous", "--distinct-users"] {
        let line = format!("--channels 2 --publishers 3 --rate 400 {who}");
        let result = passes(&insforge(&line));
        assert_eq!(result["checked"]["sent"], 240);
        assert_eq!(result["checked"]["deliveries"], 240 * 4);
        assert_eq!(result["latency_ns"]["acknowledged"]["count"], 200);
        assert_eq!(result["settings"]["dialect"], "insforge");
    }
}

#[test]
fn publishers_of_insforge_are_answered_by_their_echo() {
    let line = "--channels 3 --publishers 2 --via ws --persist true --rate 300";
    let result = passes(&insforge(line));
    assert_eq!(result["checked"]["sent"], 180);
    // 8 subscribers and 3 publishing sockets on 3 channels: 4, 4 and 3 listen.
    assert_eq!(result["checked"]["deliveries"], 60 * (4 + 4 + 3));
    assert_eq!(result["latency_ns"]["acknowledged"]["count"], 150);
    let line = "publish --dialect insforge --via ws --persist true --connections 4 --warmup 0 --duration 0.3";
    let (code, result) = bench(Fault::None, &format!("{line} {}", socketio::KEYS));
    assert!(code == ExitCode::SUCCESS || code == ExitCode::from(EXIT_GENERATOR), "{result}");
    let window = &result["window"];
    assert!(window["acknowledged"].as_u64().unwrap() > 32, "{window}");
}

#[test]
fn a_closed_loop_keeps_its_window_full() {
    for via in ["http", "ws"] {
        let line = format!("{SMALL} --window 16 --payload 1000 --via {via} --persist true");
        let (code, result) = bench(Fault::None, &line);
        // Whether the generator or this server runs hot is the machine's affair; what was delivered is not.
        assert!(code == ExitCode::SUCCESS || code == ExitCode::from(EXIT_GENERATOR), "{result}");
        let checked = &result["checked"];
        let listeners = if via == "ws" { 9 } else { 8 };
        assert_eq!(checked["deliveries"], checked["sent"].as_u64().unwrap() * listeners, "{via}");
        assert_eq!((&checked["lost"], &checked["stalls"]), (&0.into(), &0.into()));
    }
}

#[test]
fn publishing_alone_counts_acknowledgements() {
    let (code, result) = bench(
        Fault::None,
        "publish --connections 4 --pipeline 8 --channels 2 --warmup 0 --duration 0.4",
    );
    assert!(code == ExitCode::SUCCESS || code == ExitCode::from(EXIT_GENERATOR), "{result}");
    assert!(result["window"]["acknowledged"].as_u64().unwrap() > 32);
    assert_eq!(result["checked"]["deliveries"], 0);
    assert_eq!(result["settings"]["window"], 32);
}

#[test]
fn connections_are_opened_from_several_addresses_and_held() {
    let result = passes("connect --subscribers 40 --channels 4 --source-addresses 3 --hold 0.1");
    assert_eq!(result["connections"]["each_ns"]["count"], 40);
    let line = "connect --subscribers 8 --channels 2 --hold 0.1 --dialect insforge";
    let insforge = passes(&format!("{line} {}", socketio::KEYS));
    assert_eq!(insforge["connections"]["each_ns"]["count"], 8);
    let distinct = passes("connect --subscribers 5 --hold 0 --distinct-users");
    assert_eq!(distinct["connections"]["count"], 5);
}

#[test]
fn each_fault_is_found_and_named() {
    let faults = [
        (Fault::Drop, "lost"),
        (Fault::Double, "duplicated"),
        (Fault::Swap, "reordered"),
        (Fault::Damage, "damaged"),
        (Fault::Close, "closed"),
    ];
    let of_insforge = faults.map(|(fault, field)| (fault, field, insforge("--rate 300")));
    let faults = faults.map(|(fault, field)| (fault, field, format!("{SMALL} --rate 300")));
    for (fault, field, line) in faults.into_iter().chain(of_insforge) {
        let (code, result) = bench(fault, &line);
        assert_eq!(code, ExitCode::from(EXIT_WRONG), "{fault:?}: {}", result["verdict"]);
        let count = result["checked"][field].as_u64().unwrap();
        assert!(count >= 1, "{fault:?}: {}", result["checked"]);
        if fault != Fault::Close && fault != Fault::Drop {
            assert_eq!(count, 1, "{fault:?}: {}", result["checked"]);
        }
    }
}

#[test]
fn one_dropped_message_is_one_lost_delivery() {
    let (_, result) = bench(Fault::Drop, &format!("{SMALL} --rate 300"));
    let checked = &result["checked"];
    assert_eq!((&checked["lost"], &checked["deliveries"]), (&1.into(), &(180 * 8 - 1).into()));
}

#[test]
fn a_lost_message_does_not_stop_a_closed_loop_for_ever() {
    let (code, result) = bench(Fault::Drop, "fanout --subscribers 2 --window 1 --duration 3");
    assert_eq!(code, ExitCode::from(EXIT_WRONG), "{}", result["verdict"]);
    assert_eq!((&result["checked"]["stalls"], &result["checked"]["lost"]), (&1.into(), &1.into()));
    assert!(result["checked"]["sent"].as_u64().unwrap() > 60, "{}", result["checked"]);
}

#[test]
fn refused_publishes_are_counted_by_reason_and_not_lost() {
    let (code, result) = bench(Fault::Refuse, &format!("{SMALL} --rate 100"));
    assert_eq!(code, ExitCode::from(EXIT_WRONG));
    // A machine that stands still at the end does not get to send the last.
    let sent = &result["checked"]["sent"];
    assert!(sent.as_u64().unwrap() > 30, "{sent}");
    assert_eq!(&result["checked"]["refused"]["429 slow down"], sent);
    assert_eq!(result["checked"]["lost"], 0);
}

#[test]
fn a_rate_that_cannot_be_sent_is_not_reported_as_the_servers() {
    let line =
        "fanout --subscribers 1 --via ws --pipeline 4 --rate 5000000 --warmup 0 --duration 0.3";
    let (code, result) = bench(Fault::None, line);
    assert_eq!(code, ExitCode::from(EXIT_GENERATOR), "{}", result["verdict"]);
    let window = &result["window"];
    assert!(window["sent"].as_u64().unwrap() < window["due"].as_u64().unwrap());
}

#[test]
fn what_cannot_be_set_up_is_told_apart_from_wrong_usage() {
    let (code, _) = bench(Fault::NoToken, SMALL);
    assert_eq!(code, ExitCode::from(EXIT_SERVER));
    for wrong in [
        insforge(""),
        format!("{SMALL} --dialect insforge --api-key ik_test --jwt-secret other"),
        format!("{SMALL} --dialect insforge --api-key ik_test --anon-key other --anonymous"),
        format!("{SMALL} --dialect insforge --api-key ik_other --jwt-secret hush"),
    ] {
        let fault = if wrong.contains("other") { Fault::None } else { Fault::NoToken };
        let (code, _) = bench(fault, &wrong);
        assert_eq!(code, ExitCode::from(EXIT_SERVER), "{wrong}");
    }
    for wrong in [
        "fanout --dialect insforge --jwt-secret hush",
        "fanout --dialect insforge --api-key ik_test",
        "fanout --dialect insforge --api-key ik_test --jwt-secret hush --anonymous",
        "fanout --dialect insforge --api-key ik_test --jwt-secret hush --via ws",
        "publish --dialect insforge --api-key ik_test",
        "fanout --anonymous",
        "fanout --payload 10",
        "fanout --rate 0",
        "fanout --channels 0",
        "publish --pipeline 17",
        "publish --duration 0",
        "connect --subscribers 90000000",
        "connect --hold 1e99",
    ] {
        let (code, _) = bench(Fault::None, wrong);
        assert_eq!(code, ExitCode::from(EXIT_USAGE), "{wrong}");
    }
}

#[test]
fn the_page_holds_everything_and_refers_to_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("page.html");
    let (code, result) =
        bench(Fault::None, &format!("{SMALL} --rate 200 --html {}", path.display()));
    // On a machine that others use the generator may have come too late; the page says so like any other result.
    let is_told = [ExitCode::SUCCESS, ExitCode::from(EXIT_GENERATOR)].contains(&code);
    assert!(is_told, "{}", result["verdict"]);
    let page = std::fs::read_to_string(path).unwrap();
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(page.contains("verdict"));
    for outside in ["http://", "https://", "src=", "href=", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}
