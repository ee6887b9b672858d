//! A tier and rates of a tenant that speaks both dialects: what is counted is counted over both, and each refuses in its own
//! shape.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use engine::reactor::Clock;
use serde_json::{Value, json};

use super::admin::{self, ANON};
use super::node::{Node, PATIENCE, pause};
use super::raw::{self, Raw, frame, request, upgrade};
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
    let node = start(folder.path(), "sockets_max = 2\n", &admin::keys());
    let come = |client: &mut Raw| admin::introduce(client, &json!({"token": ANON}));
    let auth = json!({"type": "auth", "token": ANON}).to_string();
    let mut plain = raw::open(&node, "/realtime");
    // Who says so again is still one.
    for _ in 0..3 {
        plain.send(frame(&auth));
        assert!(plain.read_frame().contains("auth_success"));
    }
    let (mut first, mut second) = (admin::stranger(&node), admin::stranger(&node));
    assert!(come(&mut first).starts_with("40{\"sid\""));
    for _ in 0..2 {
        let refused = come(&mut second);
        assert!(
            refused.starts_with("44{\"message\":")
                && refused.contains("Connection limit reached: sockets_max is 2"),
            "{refused}"
        );
    }
    let mut late = raw::open(&node, "/realtime");
    late.send(frame(&auth));
    let refused = late.read_frame();
    assert!(
        refused.contains("\"error\"")
            && refused.contains("Connection limit reached: sockets_max is 2"),
        "{refused}"
    );
    let issued = call(&node, "token/issue", &json!({"client_id": "a"})).json();
    let infrai = format!("/v1/realtime/ws?token={}", issued["data"]["token"].as_str().unwrap());
    assert!(socket(&node, &infrai).read_until("\r\n\r\n").contains(" 429 "));
    // What one leaves is another's, whether it stays connected or not.
    first.send(frame("41"));
    first.send(frame("40{}"));
    assert!(first.read_frame().starts_with("44"), "it has left");
    let until_in = |client: &mut Raw| {
        let is_in = (0..PATIENCE.as_millis() / 5).any(|_| {
            pause(Duration::from_millis(5));
            come(client).starts_with("40{")
        });
        assert!(is_in, "nobody's place became free");
    };
    until_in(&mut second);
    assert!(come(&mut first).starts_with("44"));
    drop(plain);
    until_in(&mut first);
    node.stop();
}

fn socket(node: &Node, path: &str) -> Raw {
    let mut raw = Raw::open(node);
    raw.send(upgrade(path));
    raw
}

/// Each kind of rate of a tenant, over all of its connections.
#[test]
fn every_rate_of_a_tenant_holds() {
    let folder = tempfile::tempdir().unwrap();
    let check = |rate: &str, path: &str, body: &dyn Fn(usize) -> Value, admitted: usize| {
        let name = rate.split(' ').next().unwrap();
        let node = start(folder.path(), "", &format!("{rate}\n"));
        let all: String = (0..admitted + 20).map(|it| infrai(path, &body(it))).collect();
        let dripped = Dripped::start();
        let answers = at_once(&node, vec![all]).remove(0);
        let most = admitted + dripped.count();
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
    let opener = |rate: &str| {
        let node = start(folder.path(), "", &slow(rate, 2));
        let issued = call(&node, "token/issue", &json!({"client_id": "a"})).json();
        let path = format!("/v1/realtime/ws?token={}", issued["data"]["token"].as_str().unwrap());
        (node, path)
    };
    let (node, path) = opener("subscriptions");
    let mut raw = raw::open(&node, &path);
    assert!(raw.read_frame().contains("\"connected\""));
    let asks = (1..=20).map(|id| format!(r#"{{"id":{id},"type":"subscribe","channel":"c{id}"}}"#));
    let asks: Vec<u8> = asks.flat_map(|it| frame(&it)).collect();
    let dripped = Dripped::start();
    raw.send(asks);
    let mut told: Vec<_> = (0..20).map(|_| raw.read_frame()).collect();
    told.retain(|it| !it.contains("\"type\":\"subscribed\""));
    assert!((2..=2 + dripped.count()).contains(&(20 - told.len())), "{told:?}");
    let is_named = |it: &String| it.contains("RATE_LIMITED") && it.contains("subscriptions_per_s");
    assert!(told.iter().all(is_named), "{told:?}");
    node.stop();
    let (node, path) = opener("connections");
    let dripped = Dripped::start();
    let mut asked: Vec<_> = (0..20).map(|_| socket(&node, &path)).collect();
    let heads: Vec<_> = asked.iter_mut().map(|it| it.read_until("\r\n\r\n")).collect();
    let of = |status: &str| heads.iter().filter(|it| it[9..12] == *status).count();
    assert!((2..=2 + dripped.count()).contains(&of("101")), "{heads:?}");
    assert_eq!(of("101") + of("429"), 20, "{heads:?}");
    node.stop();
}

/// A busy host takes a while for a burst: what drips in meanwhile, one a second, is admitted too.
struct Dripped(Clock, u64);

impl Dripped {
    fn start() -> Self {
        let clock = Clock::start();
        let began_ms = clock.now().monotonic_ms;
        Self(clock, began_ms)
    }

    fn count(&self) -> usize {
        let took_ms = self.0.now().monotonic_ms - self.1;
        usize::try_from(took_ms.div_ceil(1000)).unwrap()
    }
}

/// Every call of InsForge is a request, whatever it is about.
#[test]
fn calls_of_insforge_are_requests() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), "requests_in_all = 4\n", &admin::keys());
    let call = |method: &str, path: &str| {
        admin::call(&node, method, &format!("/api/realtime/{path}"), None)
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
