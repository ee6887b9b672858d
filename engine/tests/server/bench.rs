//! `stentor bench` against the built binary, in the dialects that it speaks.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use crate::node::{Node, PATIENCE, pause, stentor, wait, wait_within};

/// Runs a load against a node, with all the keys that it may ask for, and returns the result.
fn bench(node: &Node, line: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let tenant = &node.ready()["tenants"][0];
    let mut command = stentor(folder.path());
    command.arg("bench").args(line.split(' ')).args(["--no-progress", "--json", "result.json"]);
    command.args(["--url", &node.url("")]);
    if !line.contains("--duration") && !line.starts_with("connect") {
        command.args(["--warmup", "0.1", "--duration", "0.5"]);
    }
    if !line.contains("--rounds") {
        command.args(["--server-pid", &node.ready()["pid"].to_string()]);
    }
    for (name, key) in [
        ("STENTOR_BENCH_PROJECT_KEY", "project_key"),
        ("STENTOR_BENCH_KEY", "application_key"),
        ("STENTOR_BENCH_API_KEY", "api_key"),
        ("STENTOR_BENCH_ANON_KEY", "anon_key"),
        ("STENTOR_BENCH_JWT_SECRET", "jwt_secret"),
    ] {
        command.env(name, tenant[key].as_str().unwrap());
    }
    wait(&mut command.stdout(Stdio::null()).spawn().unwrap());
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
    check(&node, "fanout --subscribers 20 --rate 200 --dialect infrai", 20);
    node.stop();
}

/// Nothing was lost, doubled or refused, and nobody was missing. What it took is the machine's affair.
#[track_caller]
fn plays(node: &Node, line: &str) -> Value {
    let result = bench(node, line);
    let kind = result["verdict"]["kind"].as_str().unwrap_or_default().to_owned();
    assert!(kind != "wrong" && !kind.is_empty(), "{line}: {}", result["verdict"]);
    let checked = &result["checked"];
    for fault in ["lost", "duplicated", "foreign", "damaged"] {
        assert_eq!(checked[fault], 0, "{line}: {fault}: {checked}");
    }
    let missing = checked["missing"].as_object().unwrap();
    assert!(missing.values().all(|count| *count == 0), "{line}: {checked}");
    result
}

#[test]
fn those_who_come_and_go_hear_everything_while_they_are_there() {
    let node = Node::ephemeral();
    let result = plays(&node, "presence --residents 6 --channels 2 --rate 20 --hold 0.2");
    let counts = &result["counts"];
    // Ten visitors in the window, each heard by the three residents of its channel when it comes and when it goes.
    assert_eq!(counts["visits"], 10, "{counts}");
    assert_eq!((&counts["joins_heard"], &counts["leaves_heard"]), (&30.into(), &30.into()));
    assert_eq!(result["latency_ns"]["join_seen"]["count"], 30);

    let result = plays(&node, "churn --rate 60 --hold 0.2 --channels 3 --publish-rate 90");
    assert_eq!(result["counts"]["entered"], 30, "{result}");
    assert!(result["checked"]["deliveries"].as_u64().unwrap() > 60, "{}", result["checked"]);

    let result = plays(&node, "storm --subscribers 40 --rounds 2 --channels 2 --publish-rate 100");
    assert_eq!(result["counts"]["back"], 80);
    assert_eq!(result["latency_ns"]["everybody_back"]["count"], 2);
    node.stop();
}

#[test]
fn those_who_resume_miss_nothing_and_hear_nothing_twice() {
    let node = Node::ephemeral();
    let line = "resume --subscribers 12 --channels 2 --cut-every 0.8 --away 0.2 --publish-rate 200 \
                --warmup 0 --duration 2.5";
    let result = plays(&node, &line.split_whitespace().collect::<Vec<_>>().join(" "));
    let counts = &result["counts"];
    assert!(counts["resumed"].as_u64().unwrap() >= 12, "{counts}");
    let caught_up = &result["latency_ns"]["caught_up"];
    assert_eq!(caught_up["count"], counts["resumed"], "{caught_up}");
    node.stop();
}

#[test]
fn a_soak_tells_how_its_end_differs_from_its_beginning() {
    let node = Node::ephemeral();
    let result = bench(&node, "soak --subscribers 5 --rate 100 --warmup 0 --duration 1.5");
    let drift = &result["drift"];
    assert!(drift["first_p99_ns"].as_u64().unwrap() > 0, "{drift}");
    assert!(drift["last_rss"].as_u64().unwrap() > 1 << 20, "{drift}");
    assert!(result["latency_over_time_ns"]["p99"].as_array().unwrap().len() > 10, "{drift}");
    node.stop();
}

#[test]
fn several_generators_measure_one_load() {
    let node = Node::ephemeral();
    // Three publishers and ten subscribers on two channels, shared by three processes.
    let load = "fanout --subscribers 10 --channels 2 --publishers 3 --rate 300 --generators 3";
    let result = bench(&node, load);
    let checked = &result["checked"];
    let sent = checked["sent"].as_u64().unwrap();
    assert_eq!(checked["deliveries"], sent * 5, "{checked}");
    for fault in ["lost", "duplicated", "reordered", "foreign", "damaged", "closed"] {
        assert_eq!(checked[fault], 0, "{fault}: {checked}");
    }
    assert_eq!(result["window"]["due"], 150);
    let heard = &result["latency_ns"]["from_due"]["count"];
    let acknowledged = &result["latency_ns"]["acknowledged"]["count"];
    assert_eq!(heard.as_u64().unwrap(), acknowledged.as_u64().unwrap() * 5, "{result}");
    assert_eq!(result["connections"]["each_ns"]["count"], 13);
    assert_eq!(result["settings"]["generators"], 3);

    let sockets = "fanout --subscribers 4 --publishers 2 --via ws --rate 200 --generators 2";
    let checked = &bench(&node, sockets)["checked"];
    assert_eq!(checked["deliveries"], checked["sent"].as_u64().unwrap() * 6, "{checked}");
    node.stop();
}

#[test]
fn several_generators_come_and_go_together() {
    let node = Node::ephemeral();
    let line = "presence --residents 12 --channels 4 --rate 40 --hold 0.2 --generators 2";
    let counts = &plays(&node, line)["counts"];
    // Twenty visitors in the window, each heard by the three residents of its channel.
    assert_eq!((&counts["visits"], &counts["joins_heard"]), (&20.into(), &60.into()), "{counts}");

    let line = "churn --rate 60 --hold 0.2 --channels 3 --publish-rate 90 --generators 3";
    let result = plays(&node, line);
    assert_eq!(result["counts"]["entered"], 30, "{result}");
    assert_eq!(result["settings"]["generators"], 3);
    assert!(result["checked"]["deliveries"].as_u64().unwrap() > 60, "{}", result["checked"]);

    let line = "storm --subscribers 41 --rounds 3 --channels 2 --publish-rate 100 --generators 2";
    let result = plays(&node, line);
    assert_eq!(result["counts"]["back"], 123);
    // A round is everybody's.
    assert_eq!(result["latency_ns"]["everybody_back"]["count"], 3);

    let line = "resume --subscribers 12 --channels 2 --cut-every 0.8 --away 0.2 --publish-rate 200 --generators 2";
    let result = plays(&node, &format!("{line} --warmup 0 --duration 2.5"));
    assert!(result["counts"]["resumed"].as_u64().unwrap() >= 12, "{result}");
    node.stop();
}

#[test]
fn several_generators_look_for_the_knee_together() {
    let node = Node::ephemeral();
    let line = "fanout --subscribers 4 --publishers 2 --find-knee --rate 20 --rate-step 10 --p99-max 0.001 --generators 2";
    let result = bench(&node, line);
    let steps = result["steps"].as_array().unwrap();
    // Nothing is as fast as that: the first rate breaks, and the search is over.
    assert_eq!((steps.len(), &steps[0]["rate"]), (1, &20.into()), "{result}");
    let line =
        "fanout --subscribers 4 --publishers 2 --find-knee --rate 20 --rate-step 10 --generators 2";
    let result = bench(&node, line);
    let steps = result["steps"].as_array().unwrap();
    assert!(steps.len() > 1 && steps[1]["rate"] == 200, "{result}");
    node.stop();
}

#[test]
fn several_generators_share_a_window_and_what_only_listens() {
    let node = Node::ephemeral();
    // The third has nobody who publishes, and hears what the others do.
    for (line, listeners) in [
        ("fanout --subscribers 9 --publishers 2 --window 8 --generators 3", 9),
        ("fanout --subscribers 4 --publishers 2 --via ws --window 5 --generators 2", 6),
        ("publish --connections 5 --pipeline 2 --generators 2", 0),
    ] {
        let result = bench(&node, line);
        let checked = &result["checked"];
        let sent = checked["sent"].as_u64().unwrap();
        assert!(sent > 20, "{line}: {checked}");
        assert_eq!(checked["deliveries"], sent * listeners, "{line}: {checked}");
        for fault in ["lost", "duplicated", "reordered", "foreign", "damaged", "closed", "stalls"] {
            assert_eq!(checked[fault], 0, "{line}: {fault}: {checked}");
        }
        assert!(result["window"]["acknowledged"].as_u64().unwrap() > 20, "{line}: {result}");
        assert!(result["settings"]["rate"].is_null(), "{line}: {}", result["settings"]);
    }
    let result = bench(&node, "connect --subscribers 150 --hold 0.2 --generators 3");
    assert_eq!(result["connections"]["each_ns"]["count"], 150, "{result}");
    node.stop();
}

/// The processes that a process started and that live.
fn started_by(parent: &Child) -> Vec<u32> {
    let parent = parent.id().to_string();
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    all.filter_map(|it| it.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // The name may have anything in it; behind it stand the state and the parent.
            let mut rest = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
            rest.next() != Some("Z") && rest.next() == Some(parent.as_str())
        })
        .collect()
}

/// By when all have ended, of a load that would go on for minutes.
const AT_ONCE: Duration = Duration::from_secs(5);

#[test]
fn a_signal_ends_all_generators_at_once() {
    let node = Node::ephemeral();
    let folder = tempfile::tempdir().unwrap();
    // A service manager's signal is to one process, a terminal's to all of them.
    for is_to_all in [false, true] {
        let mut command = stentor(folder.path());
        let load = "bench fanout --subscribers 10 --rate 50 --duration 600 --generators 2";
        command.args(load.split(' ')).args(["--no-progress", "--url", &node.url("")]);
        command.env("STENTOR_BENCH_KEY", node.key()).process_group(0);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let mut generators = Vec::new();
        for _ in 0..PATIENCE.as_millis() / 5 {
            generators = started_by(&child);
            if generators.len() == 2 {
                break;
            }
            pause(Duration::from_millis(5));
        }
        assert_eq!(generators.len(), 2, "generators were started");
        // Their load has begun, or is about to: both are waits for a line.
        pause(Duration::from_millis(500));
        match is_to_all {
            true => kill_process_group(pid, Signal::INT).unwrap(),
            false => kill_process(pid, Signal::TERM).unwrap(),
        }
        let status = wait_within(&mut child, AT_ONCE);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(said.contains("interrupted"), "{said}");
        for pid in generators {
            let lives = std::fs::exists(format!("/proc/{pid}")).unwrap();
            assert!(!lives, "generator {pid} was left behind");
        }
    }
    node.stop();
}
