//! What a tier allows, exactly: counted over all shards and connections, through restarts, and refused with what a client needs
//! to come back.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use engine::reactor::Clock;

use super::node::{Node, pause, run, stentor};
use super::raw::{Raw, request};
use super::tools::{Answer, curl, post, token};
use super::upstream::{CANARY, Upstream};

/// A node whose one tenant has a tier with these bounds.
fn start(folder: &Path, bounds: &str) -> Node {
    start_with(folder, bounds, &[])
}

/// The same, with more flags.
fn start_with(folder: &Path, bounds: &str, more: &[&str]) -> Node {
    let text = format!(
        "[server]\nshards = 2\n[tiers.small]\n{bounds}\n[[tenant]]\nname = \"demo\"\ntier = \"small\"\n\
         [tenant.cohesivity]\napplication_key = \"coh_app_11111111111111111111\"\n\
         management_key = \"coh_man_11111111111111111111\"\n"
    );
    fs::write(folder.join("stentor.toml"), text).unwrap();
    Node::start(folder, &[&["--config", "stentor.toml"], more].concat())
}

fn publish(node: &Node) -> Answer {
    post(&node.keyed("/edge/realtime"), r#"{"channel":"a","data":1}"#)
}

fn mint(node: &Node) -> Answer {
    post(&node.keyed("/edge/realtime/token"), r#"{"user_id":"ada"}"#)
}

fn history(node: &Node) -> Answer {
    curl(&[&node.keyed("/edge/realtime/history?channel=a")])
}

fn session(node: &Node) -> Answer {
    curl(&["-X", "POST", &node.keyed("/edge/session")])
}

/// The answer says what is used up, for how long, and when to come back.
fn assert_used_up(answer: &Answer, what: &str, window: &str) {
    assert_eq!(answer.status, 429, "{}", answer.body);
    let body = answer.json();
    assert_eq!(body["window_kind"], window);
    assert_eq!(
        (&body["error"]["code"], &body["error"]["status"]),
        (&429.into(), &"RESOURCE_EXHAUSTED".into())
    );
    assert!(body["error"]["message"].as_str().unwrap().contains(what), "{body}");
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    let most = match window {
        "utc_minute" => 60,
        "month" => 31 * 86_400,
        _ => 86_400,
    };
    assert!((1..=most).contains(&after), "{after}");
}

/// What a test does in one minute takes no longer.
const TAKES_MS: u64 = 12_000;

/// Waits, if a minute is about to end: what follows is in one window.
fn early_in_a_minute() {
    while left_of_the_minute_ms() < TAKES_MS {
        pause(Duration::from_millis(100));
    }
}

fn left_of_the_minute_ms() -> u64 {
    60_000 - Clock::start().now().wall_ms % 60_000
}

/// Eight connections at once send each so many requests, as fast as they go. Returns how many were admitted and refused.
fn storm(node: &Node, text: &str, each: usize) -> (usize, usize) {
    let answers = at_once(node, &text.repeat(each), |raw| {
        raw.finish();
        raw.read_to_end()
    });
    let count = |it: &str| answers.iter().map(|(all, _)| all.matches(it).count()).sum();
    (count("HTTP/1.1 200 "), count("HTTP/1.1 429 "))
}

/// Eight connections send the same at once. What each of them reads, and the connections.
fn at_once(node: &Node, text: &str, read: fn(&mut Raw) -> String) -> Vec<(String, Raw)> {
    let raws: Vec<Raw> = (0..8).map(|_| Raw::open(node)).collect();
    thread::scope(|scope| {
        let mut clients = Vec::new();
        for mut raw in raws {
            clients.push(scope.spawn(move || {
                raw.send(text);
                (read(&mut raw), raw)
            }));
        }
        clients.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

#[test]
fn exactly_as_many_are_admitted_as_the_tier_holds() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = "messages_in_all = 101\nmints_in_all = 37\nhistory_reads_per_month = 53\n";
    let node = start(folder.path(), bounds);
    let key = node.key();
    let message =
        request("POST", &format!("/edge/realtime?key={key}"), r#"{"channel":"a","data":1}"#);
    assert_eq!(storm(&node, &message, 20), (101, 59));
    let token = request("POST", &format!("/edge/realtime/token?key={key}"), r#"{"user_id":"a"}"#);
    assert_eq!(storm(&node, &token, 10), (37, 43));
    let read = request("GET", &format!("/edge/realtime/history?channel=a&key={key}"), "");
    assert_eq!(storm(&node, &read, 10), (53, 27));
    assert_used_up(&publish(&node), "published messages", "lifetime");
    assert_used_up(&mint(&node), "token mints", "lifetime");
    assert_used_up(&history(&node), "history reads", "month");
    assert_eq!(session(&node).status, 200, "requests have no bound here");
    node.stop();
    // Nothing that was refused is there: a reader of another tier sees as many messages as were admitted.
    let node = start(folder.path(), "");
    let query = r#"{"query":"SELECT count(*) AS n FROM realtime_messages"}"#;
    assert_eq!(post(&node.keyed("/edge/database"), query).json()["rows"][0]["n"], 101);
    node.stop();
}

#[test]
fn requests_of_every_kind_are_counted_by_the_minute() {
    early_in_a_minute();
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "requests_per_minute = 6\n");
    let query = || post(&node.keyed("/edge/database"), r#"{"query":"SELECT 1 AS one"}"#);
    assert_eq!(session(&node).status, 200);
    assert_eq!(mint(&node).status, 200);
    assert_eq!(publish(&node).status, 200);
    assert_eq!(history(&node).status, 200);
    assert_eq!(query().json()["rows"][0]["one"], 1);
    let kit = || curl(&[&node.keyed("/edge/realtimekit/presets")]);
    assert_eq!(kit().status, 501, "nobody is behind it, and still it is a request");
    for answer in [session(&node), mint(&node), publish(&node), history(&node), query(), kit()] {
        assert_used_up(&answer, "requests", "utc_minute");
    }
    // What says how the node is, and what a manager asks, is no request of the plan.
    assert_eq!(curl(&[&node.url("/health/ready")]).status, 200);
    let manager = "Authorization: Bearer coh_man_11111111111111111111";
    let again = curl(&["-X", "POST", &node.url("/api/resources/realtime"), "-H", manager]);
    assert_eq!(again.status, 200, "{}", again.body);
    node.stop();
}

#[test]
fn what_is_used_up_for_the_minute_comes_back_with_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "mints_per_minute = 3\nmints_in_all = 4\n");
    early_in_a_minute();
    let key = node.key();
    let token = request("POST", &format!("/edge/realtime/token?key={key}"), r#"{"user_id":"a"}"#);
    assert_eq!(storm(&node, &token, 2), (3, 13));
    let refused = mint(&node);
    assert_used_up(&refused, "token mints", "utc_minute");
    // The simulator waits for it; here it is enough that the answer says when.
    let after_ms: u64 = refused.header("retry-after").unwrap().parse::<u64>().unwrap() * 1000;
    let left_ms = left_of_the_minute_ms();
    assert!((left_ms..left_ms + 3_000).contains(&after_ms), "{after_ms} ms of {left_ms}");
    node.stop();
}

#[test]
fn what_was_used_stays_used_after_a_restart_and_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let bounds = "messages_per_month = 3\nmints_in_all = 3\nhistory_reads_in_all = 3\n";
    for stops in [true, false, false] {
        let node = start(folder.path(), bounds);
        assert_eq!(publish(&node).status, 200);
        assert_eq!(mint(&node).status, 200);
        assert_eq!(history(&node).status, 200);
        if stops { node.stop() } else { node.kill() }
    }
    let node = start(folder.path(), bounds);
    assert_used_up(&publish(&node), "published messages", "month");
    assert_used_up(&mint(&node), "token mints", "lifetime");
    assert_used_up(&history(&node), "history reads", "lifetime");
    assert_eq!(history(&node).status, 429);
    node.stop();
}

/// The head that opens a socket.
fn handshake(token: &str) -> String {
    format!(
        "GET /edge/realtime?channel=a&token={token} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Asks for a socket; the status of the answer, and the socket.
fn open(node: &Node, token: &str) -> (String, Raw) {
    let mut raw = Raw::open(node);
    raw.send(handshake(token));
    let head = raw.read_until("\r\n\r\n");
    (head.split(' ').nth(1).unwrap().to_owned(), raw)
}

/// Opens a socket whose place is about to be free.
fn open_soon(node: &Node, token: &str) -> (String, Raw) {
    for _ in 0..200 {
        let (status, raw) = open(node, token);
        if status == "101" {
            return (status, raw);
        }
        pause(Duration::from_millis(10));
    }
    panic!("no place became free");
}

/// A masked text frame.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

#[test]
fn so_many_sockets_are_open_at_once_and_a_closed_one_gives_its_place_back() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "sockets_max = 3\n");
    let token = token(&node, "ada");
    let opened = at_once(&node, &handshake(&token), |raw| raw.read_until("\r\n\r\n"));
    let (mut open_ones, refused): (Vec<_>, Vec<_>) =
        opened.into_iter().partition(|(head, _)| head.starts_with("HTTP/1.1 101 "));
    assert_eq!((open_ones.len(), refused.len()), (3, 5));
    for (head, _) in &refused {
        assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("Retry-After: "), "{head}");
    }
    // One says goodbye, one breaks the protocol, one hangs up; each place is taken again.
    for goodbye in [Some([0x88, 0x80, 0, 0, 0, 0]), Some([0x82, 0x80, 0, 0, 0, 0]), None] {
        assert_eq!(open(&node, &token).0, "429");
        let (_, mut raw) = open_ones.remove(0);
        if let Some(bytes) = goodbye {
            raw.send(bytes);
            assert_eq!(raw.try_read_until("never"), None);
        }
        drop(raw);
        open_ones.push(open_soon(&node, &token));
    }
    assert_eq!(open(&node, &token).0, "429");
    // No socket outlives the node.
    node.kill();
    let node = start(folder.path(), "sockets_max = 3\n");
    let three: Vec<_> = (0..3).map(|_| open(&node, &token)).collect();
    assert!(three.iter().all(|it| it.0 == "101"));
    assert_eq!(open(&node, &token).0, "429");
    drop(three);
    node.stop();
}

#[test]
fn a_client_that_publishes_too_much_is_told_in_a_frame_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "messages_in_all = 2\n");
    let (status, mut raw) = open(&node, &token(&node, "ada"));
    assert_eq!(status, "101");
    raw.read_until("\"presence\":[{\"id\":\"ada\"}]}");
    for _ in 0..2 {
        raw.send(frame(r#"{"action":"publish","data":1}"#));
        raw.read_until("\"action\":\"published\"");
    }
    raw.send(frame(r#"{"action":"publish","data":"late"}"#));
    let told = raw.read_until("published messages");
    assert!(told.contains("{\"error\":\""), "{told}");
    assert!(!told.contains("late"), "{told}");
    raw.send(frame("nonsense"));
    raw.read_until("Invalid JSON");
    let messages = history(&node).json()["messages"].as_array().unwrap().len();
    assert_eq!(messages, 2);
    node.stop();
}

#[test]
fn participant_tokens_are_counted_however_their_path_is_written() {
    let upstream = Upstream::start();
    let folder = tempfile::tempdir().unwrap();
    let base_url = upstream.url("/v4");
    let kit = ["--realtimekit-base-url", &base_url, "--realtimekit-account-id", "acc"];
    let more = ["--realtimekit-app-id", "app", "--realtimekit-api-token", CANARY];
    let bounds = "participant_tokens_in_all = 2\nrequests_in_all = 5\n";
    let node = start_with(folder.path(), bounds, &[kit, more].concat());
    let call = |method: &str, path: &str| {
        curl(&["-X", method, &node.keyed(&format!("/edge/realtimekit/{path}"))])
    };
    assert_eq!(call("POST", "meetings/m/participants").status, 201);
    assert_eq!(call("GET", "meetings/m/participants").status, 201);
    assert_eq!(call("POST", "meetings/m/participant%73").status, 201);
    for path in ["meetings/m/participants", "meetings/m/Participants/p/token"] {
        assert_used_up(&call("POST", path), "participant tokens", "lifetime");
    }
    assert_eq!(call("POST", "meetings/m%2Fparticipants").status, 400, "no way around");
    // Those that were refused took nothing else: two requests are left.
    assert_eq!(call("POST", "meetings").status, 201);
    assert_eq!(call("GET", "meetings/m").status, 201);
    assert_used_up(&call("GET", "meetings/m"), "requests", "lifetime");
    assert_eq!(upstream.told("asked"), 5);
    node.stop();
}

#[test]
fn who_has_no_tier_is_never_refused() {
    let node = Node::ephemeral();
    let key = node.key();
    let message =
        request("POST", &format!("/edge/realtime?key={key}"), r#"{"channel":"a","data":1}"#);
    assert_eq!(storm(&node, &message, 500), (4_000, 0));
    let token = request("POST", &format!("/edge/realtime/token?key={key}"), r#"{"user_id":"a"}"#);
    assert_eq!(storm(&node, &token, 200), (1_600, 0));
    node.stop();
}

#[test]
fn the_tiers_of_the_house_refuse_at_their_own_numbers() {
    for (tier, requests, mints) in
        [("ephemeral", 30, 5), ("free", 120, 30), ("plus", 600, 150), ("pro", 3_000, 750)]
    {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[server]\nshards = 2\n[[tenant]]\nname = \"demo\"\ntier = \"{tier}\"\n[tenant.cohesivity]\n\
             application_key = \"coh_app_11111111111111111111\"\nmanagement_key = \"coh_man_11111111111111111111\"\n"
        );
        fs::write(folder.path().join("stentor.toml"), text).unwrap();
        let node = Node::start(folder.path(), &["--config", "stentor.toml"]);
        early_in_a_minute();
        let key = node.key();
        let token =
            request("POST", &format!("/edge/realtime/token?key={key}"), r#"{"user_id":"a"}"#);
        assert_eq!(storm(&node, &token, mints / 8 + 2).0, mints, "{tier}");
        let session = request("POST", &format!("/edge/session?key={key}"), "");
        assert_eq!(storm(&node, &session, requests / 8 + 2).0, requests - mints, "{tier}");
        node.stop();
    }
}

#[test]
fn a_tier_that_nobody_knows_ends_with_78_and_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[tenant]]\nname = \"demo\"\ntier = \"fre\"\n";
    fs::write(folder.path().join("stentor.toml"), text).unwrap();
    let mut command = stentor(folder.path());
    let (status, _, error) = run(command.args(["config", "check", "--config", "stentor.toml"]));
    assert_eq!(status.code(), Some(78), "{error}");
    assert!(error.contains("ephemeral, free, plus, pro; did you mean `free`?"), "{error}");
}
