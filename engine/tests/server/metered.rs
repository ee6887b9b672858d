//! A tier and rates of a tenant that speaks both dialects: what is counted is counted over both, and each refuses in its own
//! shape.

use std::fs;
use std::path::Path;
use std::thread;

use engine::reactor::Clock;
use serde_json::{Value, json};

use super::node::Node;
use super::raw::{self, Raw, request};
use super::tools::{Answer, curl, post};

const KEY: &str = "ifr_pk_proj_1111111111111111";

fn start(folder: &Path, tier: &str, rates: &str) -> Node {
    let text = format!(
        "[server]\nshards = 2\n[tiers.small]\n{tier}\n[[tenant]]\nname = \"demo\"\ntier = \"small\"\n\
         [tenant.infrai]\nproject_key = \"{KEY}\"\n[tenant.cohesivity]\n\
         application_key = \"coh_app_11111111111111111111\"\n\
         management_key = \"coh_man_11111111111111111111\"\n[tenant.rates]\n{rates}"
    );
    fs::write(folder.join("stentor.toml"), text).unwrap();
    Node::start(folder, &["--config", "stentor.toml"])
}

fn call(node: &Node, path: &str, body: &Value) -> Answer {
    let url = node.url(&format!("/v1/realtime/{path}"));
    curl(&[&url, "-H", &format!("Authorization: Bearer {KEY}"), "--json", &body.to_string()])
}

fn message(key: Option<String>) -> Value {
    let mut message = json!({"channel": "a", "event": "e", "data": 1});
    if let Some(key) = key {
        message["idempotency_key"] = json!(key);
    }
    message
}

/// A request of Infrai's, as bytes.
fn infrai(path: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST /v1/realtime/{path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Each text on a connection of its own, all at once. What each was answered.
fn at_once(node: &Node, texts: Vec<String>) -> Vec<String> {
    thread::scope(|scope| {
        let mut clients = Vec::new();
        for text in texts {
            let mut raw = Raw::open(node);
            clients.push(scope.spawn(move || {
                raw.send(text);
                raw.finish();
                raw.read_to_end()
            }));
        }
        clients.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

fn assert_limited(answer: &Answer, text: &str, window: &str) {
    assert_eq!(answer.status, 429, "{}", answer.body);
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "RATE_LIMITED");
    assert!(error["message"].as_str().unwrap().contains(text), "{error}");
    assert_eq!(error["details"], json!({"window_kind": window, "retry_after_seconds": after}));
    assert!(after > 0);
}

#[test]
fn messages_of_both_dialects_are_counted_together_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "messages_in_all = 101\nmints_in_all = 3\n", "");
    let mut texts = Vec::new();
    for connection in 0..3 {
        let keyed =
            (0..10).map(|it| infrai("publish", &message(Some(format!("{connection}-{it}")))));
        texts.push(keyed.collect());
        texts.push(infrai("publish", &message(None)).repeat(10));
        let url = format!("/edge/realtime?key={}", node.key());
        texts.push(request("POST", &url, r#"{"channel":"a","data":1}"#).repeat(10));
        let batch = json!({"messages": vec![message(None); 3]});
        texts.push(infrai("publish/batch", &batch).repeat(5));
    }
    let answers = at_once(&node, texts);
    let count = |part: &str| answers.iter().map(|it| it.matches(part).count()).sum::<usize>();
    let query = r#"{"query":"SELECT count(*) AS n FROM realtime_messages"}"#;
    let kept = post(&node.keyed("/edge/database"), query).json()["rows"][0]["n"].clone();
    let batches = count("\"published\":3");
    let singles = count("HTTP/1.1 200 ") - batches;
    assert_eq!(kept, json!(singles + 3 * batches), "what was admitted is there, and nothing else");
    // A batch that does not fit leaves room for what does: only two messages may be left over when only batches came last.
    let left = 101 - (singles + 3 * batches);
    assert!(left <= 2, "{left} messages were never admitted");
    assert_eq!(count("HTTP/1.1 200 ") + count("HTTP/1.1 429 "), 3 * 35);
    for _ in 0..left {
        assert_eq!(call(&node, "publish", &message(None)).status, 200);
    }
    assert_limited(&call(&node, "publish", &message(None)), "published messages", "lifetime");
    let retry = (0..10).map(|it| call(&node, "publish", &message(Some(format!("0-{it}")))));
    let again = retry.filter(|it| it.status == 200).count();
    let first = answers[0].matches("HTTP/1.1 200 ").count();
    assert_eq!(again, first, "a retry of what was admitted takes nothing");
    // Tokens of both dialects are mints.
    let mint = |user: &str| call(&node, "token/issue", &json!({"client_id": user})).status;
    let other = || post(&node.keyed("/edge/realtime/token"), r#"{"user_id":"a"}"#).status;
    assert_eq!((mint("a"), other(), mint("b"), other()), (200, 200, 200, 429));
    assert_limited(&call(&node, "token/issue", &json!({"client_id": "c"})), "mints", "lifetime");
    node.stop();
}

#[test]
fn sockets_of_both_dialects_are_counted_together() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "sockets_max = 2\n", "");
    let issued = call(&node, "token/issue", &json!({"client_id": "a"})).json();
    let infrai = format!("/v1/realtime/ws?token={}", issued["data"]["token"].as_str().unwrap());
    let token = post(&node.keyed("/edge/realtime/token"), r#"{"user_id":"a"}"#).json();
    let cohesivity = format!("/edge/realtime?channel=a&token={}", token["token"].as_str().unwrap());
    let mut one = socket(&node, &infrai);
    let mut two = socket(&node, &cohesivity);
    assert!(one.read_until("\r\n\r\n").contains(" 101 "));
    assert!(two.read_until("\r\n\r\n").contains(" 101 "));
    let answer = socket(&node, &infrai).read_until("request_id");
    assert!(answer.contains(" 429 ") && answer.contains("Retry-After: "), "{answer}");
    assert!(answer.contains("\"window_kind\":\"concurrent\""), "{answer}");
    let answer = socket(&node, &cohesivity).read_until("\"concurrent\"}");
    assert!(answer.contains("RESOURCE_EXHAUSTED\"},\"window_kind\":"), "{answer}");
    node.stop();
}

/// A client of Socket.IO is its tenant's once it said whose it is, until it leaves; one of the documents' wire until it is gone.
#[test]
fn sockets_of_insforge_are_counted_with_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let keys = format!(
        "[tenant.insforge]\napi_key = \"ik_{0}\"\nanon_key = \"anon_{0}\"\njwt_secret = \"{0}\"\n",
        "1".repeat(64)
    );
    let node = start(folder.path(), "sockets_max = 2\n", &keys);
    let token = format!("{{\"token\":\"anon_{}\"}}", "1".repeat(64));
    let come = |client: &mut Raw| {
        client.send(raw::frame(&format!("40{token}")));
        client.read_frame()
    };
    let engine = || {
        let mut client = raw::open(&node, "/socket.io/?EIO=4&transport=websocket");
        assert!(client.read_frame().starts_with('0'));
        client
    };
    let auth = token.replacen('{', r#"{"type":"auth","#, 1);
    let mut plain = raw::open(&node, "/realtime");
    // Who says so again is still one.
    for _ in 0..3 {
        plain.send(raw::frame(&auth));
        assert!(plain.read_frame().contains("auth_success"));
    }
    let (mut first, mut second) = (engine(), engine());
    assert!(come(&mut first).starts_with("40{\"sid\""));
    for _ in 0..2 {
        let refused = come(&mut second);
        assert!(
            refused.starts_with("44{\"message\":")
                && refused.contains("Connection limit reached: 2"),
            "{refused}"
        );
    }
    let mut late = raw::open(&node, "/realtime");
    late.send(raw::frame(&auth));
    let refused = late.read_frame();
    assert!(
        refused.contains("\"error\"") && refused.contains("Connection limit reached: 2"),
        "{refused}"
    );
    let issued = call(&node, "token/issue", &json!({"client_id": "a"})).json();
    let infrai = format!("/v1/realtime/ws?token={}", issued["data"]["token"].as_str().unwrap());
    assert!(socket(&node, &infrai).read_until("\r\n\r\n").contains(" 429 "));
    // What one leaves is another's, whether it stays connected or not.
    first.send(raw::frame("41"));
    first.send(raw::frame("40{}"));
    assert!(first.read_frame().starts_with("44"), "it has left");
    while !come(&mut second).starts_with("40{") {}
    assert!(come(&mut first).starts_with("44"));
    drop(plain);
    while !come(&mut first).starts_with("40{") {}
    node.stop();
}

fn socket(node: &Node, path: &str) -> Raw {
    let mut raw = Raw::open(node);
    raw.send(format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ));
    raw
}

/// A masked text frame.
fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

/// Each kind of rate of a tenant, over all of its connections.
#[test]
fn every_rate_of_a_tenant_holds() {
    let folder = tempfile::tempdir().unwrap();
    let check = |rate: &str, path: &str, body: &dyn Fn(usize) -> Value, admitted: usize| {
        let name = rate.split(' ').next().unwrap();
        let node = start(folder.path(), "", &format!("{rate}\n"));
        let all: String = (0..admitted + 20).map(|it| infrai(path, &body(it))).collect();
        let clock = Clock::start();
        let began_ms = clock.now().monotonic_ms;
        let answers = at_once(&node, vec![all]).remove(0);
        // A busy host takes a while for it: what drips in meanwhile is admitted too.
        let dripped = (clock.now().monotonic_ms - began_ms).div_ceil(1000);
        let most = admitted + usize::try_from(dripped).unwrap();
        let count = answers.matches("HTTP/1.1 200 ").count();
        assert!((admitted..=most).contains(&count), "{rate}: {count} of at most {most}");
        let refused = answers.split("HTTP/1.1 429 ").nth(1).expect("one that is refused");
        assert!(refused.contains("Retry-After: "), "{rate}: {refused}");
        assert!(refused.contains("RATE_LIMITED") && refused.contains(name), "{rate}: {refused}");
        assert!(refused.contains("\"window_kind\":\"second\""), "{rate}: {refused}");
        node.stop();
    };
    let slow = |name: &str, burst: usize| format!("{name}_per_s = 1\n{name}_burst = {burst}");
    check(&slow("requests", 4), "token/issue", &|_| json!({"client_id": "a"}), 4);
    check(&slow("publishes", 3), "publish", &|_| message(None), 3);
    let heavy = |_: usize| json!({"channel": "a", "event": "e", "data": "x".repeat(98)});
    check(&slow("bytes", 300), "publish", &heavy, 3);
    let fresh = |it: usize| json!({"channel": format!("c{it}"), "event": "e", "data": 1});
    check(&slow("channels", 2), "publish", &fresh, 2);
    let made = |it: usize| json!({"name": format!("m{it}")});
    check(&slow("channels", 2), "channel/create", &made, 2);
    let node = start(folder.path(), "", &slow("subscriptions", 2));
    let issued = call(&node, "token/issue", &json!({"client_id": "a"})).json();
    let path = format!("/v1/realtime/ws?token={}", issued["data"]["token"].as_str().unwrap());
    let mut raw = socket(&node, &path);
    raw.read_until("\"connected\"");
    for id in 1..=3 {
        raw.send(frame(&format!(r#"{{"id":{id},"type":"subscribe","channel":"c{id}"}}"#)));
    }
    let told = raw.read_until("subscriptions_per_s");
    assert_eq!(told.matches("\"type\":\"subscribed\"").count(), 2, "{told}");
    assert!(told.contains("RATE_LIMITED"), "{told}");
    node.stop();
    let node = start(folder.path(), "", &slow("connections", 2));
    let issued = call(&node, "token/issue", &json!({"client_id": "a"})).json();
    let path = format!("/v1/realtime/ws?token={}", issued["data"]["token"].as_str().unwrap());
    let opened = (0..3).map(|_| socket(&node, &path).read_until("\r\n\r\n"));
    let opened: Vec<_> = opened.map(|it| it[9..12].to_owned()).collect();
    assert_eq!(opened, ["101", "101", "429"]);
    node.stop();
}

/// Every call of InsForge is a request, whatever it is about.
#[test]
fn calls_of_insforge_are_requests() {
    let folder = tempfile::tempdir().unwrap();
    let keys = format!(
        "[tenant.insforge]\napi_key = \"ik_{0}\"\nanon_key = \"anon_{0}\"\njwt_secret = \"{0}\"\n",
        "1".repeat(64)
    );
    let node = start(folder.path(), "requests_in_all = 4\n", &keys);
    let bearer = format!("Authorization: Bearer ik_{}", "1".repeat(64));
    let call = |method: &str, path: &str| {
        curl(&["-X", method, &node.url(&format!("/api/realtime/{path}")), "-H", &bearer])
    };
    let calls =
        [("GET", "messages"), ("GET", "messages/stats"), ("DELETE", "messages"), ("GET", "config")];
    for (method, path) in calls {
        let answer = call(method, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    for (method, path) in calls {
        let answer = call(method, path);
        assert_eq!(answer.status, 429, "{path}: {}", answer.body);
        assert_eq!(answer.json()["error"], "RATE_LIMITED");
    }
    node.stop();
}
