//! `/edge/realtimekit/*` against a real server: what goes there, how its answers stream back, and what neither side can do.

use serde_json::json;

use super::node::Node;
use super::raw::{Raw, request};
use super::tools::{curl, post};
use super::upstream::{CANARY, Upstream};

fn get(node: &Node, path: &str) -> String {
    request("GET", &format!("/edge/realtimekit/{path}?key={}", node.key()), "")
}

#[test]
fn a_request_is_passed_on_whole_and_as_the_account() {
    let upstream = Upstream::start();
    let node = upstream.node(&["--log-level", "trace"]);
    let path = format!("/edge/realtimekit/meetings/a%20b/echo?x=1&key={}&y=%2F", node.key());
    let url = node.url(&path);
    let mut arguments = vec![url.as_str(), "-X", "PATCH", "--data-binary", "{\"title\":\"ä\"}"];
    arguments.extend(["-H", "Content-Type: application/json", "-H", "X-Own: 1", "-H", "X-Hop: 1"]);
    arguments.extend([
        "-H",
        "Connection: X-Hop",
        "-H",
        "Cookie: secret",
        "-H",
        "X-Auth-Key: secret",
    ]);
    let answer = curl(&arguments);
    assert_eq!(answer.status, 201, "{}", answer.body);
    for (name, value) in [
        ("content-type", Some("application/json")),
        ("cf-ray", Some("ray")),
        ("set-cookie", None),
        ("access-control-allow-origin", Some("*")),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let seen = &answer.json()["data"];
    assert_eq!(seen["method"], "PATCH");
    assert_eq!(seen["url"], "/v4/accounts/acc/realtime/kit/app/meetings/a%20b/echo?x=1&y=%2F");
    assert_eq!(seen["body"], "{\"title\":\"ä\"}");
    let headers = &seen["headers"];
    let authorization = format!("Bearer {CANARY}");
    for (name, value) in [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("x-own", "1"),
        ("content-length", "14"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    for name in ["x-hop", "cookie", "x-auth-key"] {
        assert!(headers.get(name).is_none(), "{name}: {headers}");
    }
    assert!(!answer.body.contains(node.key()), "{}", answer.body);
    let lines = node.stop_and_read();
    assert!(!lines.contains(CANARY), "{lines}");
}

#[test]
fn a_bearer_token_opens_the_way_and_goes_no_further() {
    let upstream = Upstream::start();
    let node = upstream.node(&[]);
    let session = curl(&["-X", "POST", &node.keyed("/edge/session")]).json();
    let bearer = format!("Authorization: Bearer {}", session["token"].as_str().unwrap());
    let answer = curl(&[&node.url("/edge/realtimekit/presets"), "-H", &bearer]);
    assert_eq!(answer.json()["data"]["headers"]["authorization"], format!("Bearer {CANARY}"));
    node.stop();
}

#[test]
fn every_method_and_form_of_answer_comes_through() {
    let upstream = Upstream::start();
    let node = upstream.node(&[]);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let answer = curl(&["-X", method, &node.keyed("/edge/realtimekit/meetings")]);
        assert_eq!((answer.status, &answer.json()["data"]["method"]), (201, &json!(method)));
    }
    let head = curl(&["--head", &node.keyed("/edge/realtimekit/much?bytes=7")]);
    assert_eq!((head.status, head.header("content-length")), (200, Some("7")));
    let empty = curl(&["-X", "DELETE", &node.keyed("/edge/realtimekit/empty")]);
    assert_eq!((empty.status, empty.body.as_str()), (204, ""));
    let moved = curl(&[&node.keyed("/edge/realtimekit/moved")]);
    assert_eq!((moved.status, moved.header("location")), (302, None));
    let old = curl(&["--http1.0", &node.keyed("/edge/realtimekit/meetings")]);
    assert_eq!((old.status, old.header("connection")), (201, Some("close")));
    assert_eq!(old.header("transfer-encoding"), None);
    assert_eq!(old.json()["success"], true);
    let options = curl(&["-X", "OPTIONS", &node.url("/edge/realtimekit/meetings")]);
    assert_eq!(options.status, 204);
    assert!(options.header("allow").unwrap().contains("PATCH"));
    node.stop();
}

#[test]
fn a_part_is_seen_before_the_next_one_exists() {
    let upstream = Upstream::start();
    let node = upstream.node(&[]);
    let mut raw = Raw::open(&node);
    raw.send(get(&node, "parts"));
    let head = raw.read_until("one\n\r\n");
    assert!(head.contains("Transfer-Encoding: chunked\r\n"), "{head}");
    assert!(head.contains("Content-Type: text/event-stream\r\n"), "{head}");
    assert_eq!(upstream.told("second"), 0);
    upstream.go();
    assert_eq!(raw.read_until("0\r\n\r\n"), "4\r\ntwo\n\r\n0\r\n\r\n");
    // The connection is as good as before.
    raw.send("GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(raw.read_to_end().starts_with("HTTP/1.1 200 OK"));
    node.stop();
}

#[test]
fn streams_keep_their_places_among_pipelined_answers() {
    let upstream = Upstream::start();
    let node = upstream.node(&[]);
    let mut raw = Raw::open(&node);
    let live = "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let much =
        request("GET", &format!("/edge/realtimekit/much?bytes=300000&key={}", node.key()), "");
    raw.send(format!("{live}{}{much}{}{last}", get(&node, "parts"), get(&node, "nowhere/echo")));
    raw.read_until("one\n\r\n");
    upstream.wait_until("asked", |it| it == 3);
    upstream.go();
    let rest = raw.read_to_end();
    let answers: Vec<&str> = rest.split("HTTP/1.1 ").collect();
    assert_eq!(answers.len(), 4, "{rest}");
    assert_eq!(answers[0], "4\r\ntwo\n\r\n0\r\n\r\n");
    assert_eq!(answers[1].split("\r\n\r\n").nth(1).unwrap().len(), 300_000);
    assert!(answers[2].starts_with("201"), "{}", answers[2]);
    assert!(answers[3].contains("stentor"), "{}", answers[3]);
    node.stop();
}

#[test]
fn a_client_that_leaves_ends_the_request_behind_the_node() {
    let upstream = Upstream::start();
    let node = upstream.node(&["--limits-side-calls-max", "1"]);
    for path in ["parts", "nothing"] {
        let before = upstream.told("aborted");
        let mut raw = Raw::open(&node);
        raw.send(get(&node, path));
        upstream.wait_until("asked", |it| it == before + 1);
        drop(raw);
        upstream.wait_until("aborted", |it| it == before + 1);
    }
    node.stop();
}

#[test]
fn a_slow_reader_slows_the_server_behind_the_node_down() {
    const BYTES: usize = 64 * 1024 * 1024;
    let upstream = Upstream::start();
    let node = upstream.node(&["--limits-outbox-age-ms-max", "60000"]);
    let mut raw = Raw::open(&node);
    let path = format!("/edge/realtimekit/much?bytes={BYTES}&key={}", node.key());
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    raw.read_until("\r\n\r\n");
    // Nobody reads: soon nothing more is written. What is under way is in sockets, not in the node.
    let mut written = 0;
    let mut same = 0;
    while same < 20 {
        super::node::pause(std::time::Duration::from_millis(20));
        let now = upstream.told("written");
        same = if now == written { same + 1 } else { 0 };
        written = now;
    }
    assert!(written < BYTES as u64 / 2, "{written} bytes are under way");
    // Others are served meanwhile.
    assert_eq!(curl(&[&node.url("/health/ready")]).status, 200);
    assert_eq!(curl(&[&node.keyed("/edge/realtimekit/meetings")]).status, 201);
    assert_eq!(raw.read_to_end().trim_end().len(), BYTES);
    node.stop();
}

#[test]
fn a_reader_that_stands_still_is_cut_by_the_outbox() {
    let upstream = Upstream::start();
    let node = upstream.node(&["--limits-outbox-age-ms-max", "300"]);
    let mut raw = Raw::open(&node);
    let path = format!("/edge/realtimekit/much?bytes=100000000&key={}", node.key());
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    raw.read_until("\r\n\r\n");
    upstream.wait_until("aborted", |it| it == 1);
    node.stop();
}

#[test]
fn what_the_server_behind_the_node_does_wrong_is_told() {
    let upstream = Upstream::start();
    let node = upstream.node(&["--limits-side-answer-timeout-ms", "300"]);
    let late = curl(&[&node.keyed("/edge/realtimekit/nothing")]);
    assert_eq!((late.status, &late.json()["error"]["status"]), (504, &json!("DEADLINE_EXCEEDED")));
    upstream.wait_until("aborted", |it| it == 1);
    for path in ["broken", "cut"] {
        let mut raw = Raw::open(&node);
        raw.send(get(&node, path));
        let answer = raw.read_to_end();
        assert!(answer.contains("begun"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{path} looks whole: {answer}");
    }
    drop(upstream);
    let gone = curl(&[&node.keyed("/edge/realtimekit/meetings")]);
    assert_eq!((gone.status, &gone.json()["error"]["status"]), (502, &json!("UNAVAILABLE")));
    assert!(!gone.body.contains("acc") && !gone.body.contains(CANARY), "{}", gone.body);
    node.stop();
}

#[test]
fn a_pause_within_an_answer_has_an_end() {
    let upstream = Upstream::start();
    let node = upstream.node(&["--limits-side-idle-timeout-ms", "200"]);
    let mut raw = Raw::open(&node);
    raw.send(get(&node, "parts"));
    let answer = raw.read_to_end();
    assert!(answer.ends_with("one\n\r\n"), "{answer}");
    node.stop();
}

#[test]
fn only_so_many_calls_run_at_once() {
    let upstream = Upstream::start();
    let node = upstream.node(&["--limits-side-calls-max", "1", "--shards", "1"]);
    let mut raw = Raw::open(&node);
    raw.send(get(&node, "parts"));
    raw.read_until("one\n\r\n");
    let refused = curl(&[&node.keyed("/edge/realtimekit/meetings")]);
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"]["message"], "Overloaded: side_calls_max");
    assert_eq!(post(&node.keyed("/edge/realtime"), r#"{"channel":"a","data":1}"#).status, 200);
    upstream.go();
    raw.read_until("0\r\n\r\n");
    assert_eq!(curl(&[&node.keyed("/edge/realtimekit/meetings")]).status, 201);
    node.stop();
}

#[test]
fn whoever_has_no_key_or_no_setting_is_told() {
    let upstream = Upstream::start();
    let node = upstream.node(&[]);
    let nobody = curl(&[&node.url("/edge/realtimekit/meetings")]);
    assert_eq!(nobody.status, 401);
    let wrong = curl(&[&node.url("/edge/realtimekit/meetings?key=coh_app_aaaaaaaaaaaaaaaaaaaa")]);
    assert_eq!(wrong.status, 401);
    let escape = curl(&["--path-as-is", &node.keyed("/edge/realtimekit/%2e%2e/%2e%2e/other")]);
    assert_eq!(escape.status, 400);
    assert_eq!(upstream.told("asked"), 0);
    node.stop();
    let node = Node::ephemeral();
    let absent = curl(&[&node.keyed("/edge/realtimekit/meetings")]);
    assert_eq!((absent.status, &absent.json()["error"]["status"]), (501, &json!("UNIMPLEMENTED")));
    assert!(absent.body.contains("[realtimekit]"), "{}", absent.body);
    node.stop();
}
