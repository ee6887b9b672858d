//! Every REST call with curl: status, headers, body; and how one connection carries many.

use serde_json::json;

use super::node::Node;
use super::raw::{Raw, request};
use super::tools::{curl, post};

#[test]
fn tokens_are_made_for_servers_and_clients() {
    let node = Node::ephemeral();
    let session = curl(&["-X", "POST", &node.keyed("/edge/session")]);
    assert_eq!(session.status, 200, "{}", session.body);
    assert_eq!(session.header("cache-control"), Some("private, no-store, max-age=0"));
    assert_eq!(session.header("content-type"), Some("application/json"));
    let session = session.json();
    assert_eq!((&session["token_type"], &session["expires_in"]), (&json!("Bearer"), &json!(60)));
    let bearer = format!("Authorization: Bearer {}", session["token"].as_str().unwrap());
    let with_bearer =
        |path: &str, body: &str| curl(&[&node.url(path), "-H", &bearer, "--json", body]);
    let token = with_bearer("/edge/realtime/token", r#"{"user_id":"ada","ttl":60}"#);
    assert_eq!(token.status, 200, "{}", token.body);
    assert_eq!(token.header("cache-control"), Some("private, no-store, max-age=0"));
    assert_eq!(token.json()["expires_in"], 60);
    let token = post(&node.keyed("/edge/realtime/token"), r#"{"user_id":30}"#);
    assert_eq!(token.json()["expires_in"], 300);
    let published = with_bearer("/edge/realtime", r#"{"channel":"a","data":1}"#);
    assert_eq!(published.status, 200, "{}", published.body);
    node.stop();
}

#[test]
fn what_is_published_is_in_history() {
    let node = Node::ephemeral();
    let publish = |body: &str| {
        let answer = post(&node.keyed("/edge/realtime"), body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    for id in 1..=3 {
        let answer = publish(&format!(r#"{{"channel":"käse","event":"e","data":{id}}}"#));
        let at_ms = answer["created_at_ms"].clone();
        assert!(at_ms.as_u64().unwrap() > 1_700_000_000_000, "{answer}");
        let expected =
            json!({"channel":"käse","action":"e","event":"e","created_at_ms":at_ms,"id":id});
        assert_eq!(answer, expected);
    }
    let passing = publish(r#"{"channel":"käse","data":0,"persist":false}"#);
    assert!(passing.get("id").is_none() && passing["event"] == "message", "{passing}");
    let ids = |query: &str| {
        let url = node.keyed(&format!("/edge/realtime/history?channel=k%C3%A4se{query}"));
        let answer = curl(&[&url]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let messages = answer.json()["messages"].clone();
        let messages = messages.as_array().unwrap();
        assert!(messages.iter().all(|it| it["data"] == it["id"] && it["action"] == "e"));
        messages.iter().map(|it| it["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(""), [1, 2, 3]);
    assert_eq!(ids("&after=1"), [2, 3]);
    assert_eq!(ids("&after=1&limit=1"), [2]);
    assert_eq!(ids("&after=3"), [0; 0]);
    assert_eq!(ids("&limit=1000"), [1, 2, 3]);
    node.stop();
}

#[test]
fn a_node_tells_how_it_is() {
    let node = Node::ephemeral();
    let check = |path: &str, body: &str| {
        let answer = curl(&[&node.url(path)]);
        assert_eq!((answer.status, answer.body.as_str()), (200, body));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let head = curl(&["--head", &node.url(path)]);
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        assert_eq!(head.header("content-length"), Some(body.len().to_string().as_str()));
    };
    check("/health/live", r#"{"status":"ok"}"#);
    check("/health/ready", r#"{"status":"ready"}"#);
    let version = env!("CARGO_PKG_VERSION");
    check("/version", &format!(r#"{{"name":"stentor","version":"{version}"}}"#));
    node.stop();
}

#[test]
fn a_browser_may_ask_what_it_may_do() {
    let node = Node::ephemeral();
    let answer = curl(&[
        &node.url("/edge/realtime"),
        "-X",
        "OPTIONS",
        "-H",
        "Origin: https://example.com",
        "-H",
        "Access-Control-Request-Method: POST",
    ]);
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let methods = answer.header("access-control-allow-methods").unwrap();
    assert!(methods.contains("POST") && methods.contains("GET"), "{methods}");
    let headers = answer.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("Authorization") && headers.contains("Content-Type"), "{headers}");
    node.stop();
}

#[test]
fn one_connection_carries_many_requests() {
    let node = Node::ephemeral();
    let url = node.url("/version");
    let format = ["--silent", "--output", "/dev/null", "--write-out", "%{num_connects}\n"];
    let mut command = std::process::Command::new("curl");
    command.args(format).arg(&url).args(["--output", "/dev/null"]).arg(&url);
    let (status, out, error) = super::node::run(&mut command);
    assert!(
        status.success() && out == "1\n0\n",
        "the second request opened no connection: {out}{error}"
    );
    node.stop();
}

#[test]
fn the_head_of_a_history_has_its_length_and_no_body() {
    let node = Node::ephemeral();
    let path = format!("/edge/realtime/history?channel=h&key={}", node.key());
    let mut raw = Raw::open(&node);
    raw.send(request("HEAD", &path, ""));
    raw.send("GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let answers = raw.read_to_end();
    let (first, second) = answers.split_once("\r\n\r\n").unwrap();
    assert!(first.contains("Content-Length: 15"), "{first}");
    assert!(second.starts_with("HTTP/1.1 200 OK"), "a body came: {second}");
    node.stop();
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let node = Node::ephemeral();
    let publish = format!("/edge/realtime?key={}", node.key());
    let history = format!("/edge/realtime/history?channel=p&limit=100&key={}", node.key());
    let mut batch = String::new();
    for n in 1..=8 {
        let body =
            format!(r#"{{"channel":"p","event":"e{n}","data":{n},"persist":{}}}"#, n % 2 == 1);
        batch += &request("POST", &publish, &body);
        batch += &request("GET", "/health/live", "");
    }
    batch += &request("GET", &history, "");
    batch += "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let mut raw = Raw::open(&node);
    raw.send(batch);
    let mut answers = Vec::new();
    for answer in raw.read_to_end().split("HTTP/1.1 ").skip(1) {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        answers.push((head[..3].to_owned(), body.to_owned()));
    }
    assert_eq!(answers.len(), 18);
    for n in 1..=8 {
        let (status, body) = &answers[2 * n - 2];
        assert!(status == "200" && body.contains(&format!(r#""event":"e{n}""#)), "{body}");
        assert_eq!(answers[2 * n - 1].1, r#"{"status":"ok"}"#);
    }
    assert_eq!(answers[16].0, "200");
    assert_eq!(answers[17].0, "404");
    node.stop();
}
