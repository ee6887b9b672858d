//! `POST /edge/database` on a real node: SQL over what was published, on disk and after a restart, and what it may not take.

use serde_json::{Value, json};

use super::node::Node;
use super::raw::Raw;
use super::tools::{Answer, curl, post};

fn ask(node: &Node, query: &str, params: &Value) -> Answer {
    let body = json!({"query": query, "params": params}).to_string();
    post(&node.keyed("/edge/database"), &body)
}

fn rows(node: &Node, query: &str, params: &Value) -> Value {
    let answer = ask(node, query, params);
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()["rows"].clone()
}

fn refused(node: &Node, query: &str, params: &Value) -> String {
    let answer = ask(node, query, params);
    assert_eq!(answer.status, 400, "{query}: {}", answer.body);
    let error = &answer.json()["error"];
    assert_eq!(error["status"], "INVALID_ARGUMENT");
    error["message"].as_str().unwrap().to_owned()
}

fn publish(node: &Node, channel: &str, n: u64) {
    let body = json!({"channel": channel, "event": "e", "data": {"n": n}}).to_string();
    let answer = post(&node.keyed("/edge/realtime"), &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

const PAGE: &str = "SELECT id, channel, event, data FROM realtime_messages WHERE channel = ? ORDER BY id DESC LIMIT 2";

fn check_messages(node: &Node) {
    let expected = json!([
        {"id": 3, "channel": "a", "event": "e", "data": "{\"n\":3}"},
        {"id": 2, "channel": "a", "event": "e", "data": "{\"n\":2}"},
    ]);
    assert_eq!(rows(node, PAGE, &json!(["a"])), expected);
    // Channels live on different shards.
    let counts = "SELECT channel, count(*) AS n FROM realtime_messages GROUP BY channel";
    let expected: Vec<Value> =
        ["a", "b", "c", "d", "e", "f"].iter().map(|it| json!({"channel": it, "n": 3})).collect();
    assert_eq!(rows(node, counts, &Value::Null), json!(expected));
}

#[test]
fn what_was_published_is_found_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    for n in 1..=3 {
        for channel in ["a", "b", "c", "d", "e", "f"] {
            publish(&node, channel, n);
        }
    }
    check_messages(&node);
    let session = curl(&["-X", "POST", &node.keyed("/edge/session")]).json();
    let bearer = format!("Authorization: Bearer {}", session["token"].as_str().unwrap());
    let body = json!({"query": PAGE, "params": ["none"]}).to_string();
    let answer = curl(&[&node.url("/edge/database"), "-H", &bearer, "--json", &body]);
    assert_eq!((answer.status, answer.body.as_str()), (200, "{\"rows\":[]}"));
    node.stop();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    check_messages(&node);
    node.stop();
}

#[test]
fn a_result_may_be_larger_than_what_is_under_way_at_once() {
    let node = Node::ephemeral();
    let found = rows(
        &node,
        "SELECT hex(zeroblob(1000000)) AS x, ? AS n",
        &json!([9_007_199_254_740_993_i64]),
    );
    assert_eq!(found[0]["x"].as_str().unwrap().len(), 2_000_000);
    assert_eq!(found[0]["n"], json!(9_007_199_254_740_993_i64));
    node.stop();
}

#[test]
fn a_query_that_is_wrong_or_takes_too_much_is_refused() {
    let node = Node::with(&[
        "--ephemeral",
        "--shards",
        "1",
        "--limits-database-time-ms-max",
        "300",
        "--limits-database-memory-bytes-max",
        "4194304",
        "--limits-database-rows-max",
        "2",
    ]);
    publish(&node, "a", 1);
    let none = Value::Null;
    assert_eq!(refused(&node, "SELEC", &none), "near \"SELEC\": syntax error");
    assert_eq!(refused(&node, "CREATE TABLE a(b)", &none), "only SELECT is allowed");
    assert_eq!(refused(&node, "ATTACH 'x' AS x", &none), "only SELECT is allowed");
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let over = "query over its limit: database_time_ms_max is 300 ms";
    assert_eq!(refused(&node, endless, &none), over);
    let large = "SELECT hex(zeroblob(1800000)) AS a, hex(zeroblob(1800000)) AS b";
    let over = "query over its limit: database_memory_bytes_max is 4194304 bytes";
    assert_eq!(refused(&node, large, &none), over);
    let many = "SELECT value FROM json_each('[1,2,3]')";
    assert_eq!(refused(&node, many, &none), "query over its limit: database_rows_max is 2 rows");
    assert_eq!(
        rows(&node, "SELECT data FROM realtime_messages", &none),
        json!([{"data": "{\"n\":1}"}])
    );
    for body in ["", "{", "[]", "{}", r#"{"query":1}"#, r#"{"query":"SELECT 1","params":7}"#] {
        assert_eq!(post(&node.keyed("/edge/database"), body).status, 400, "{body}");
    }
    let nobody = post(&node.url("/edge/database"), r#"{"query":"SELECT 1"}"#);
    assert_eq!(nobody.status, 401);
    node.stop();
}

#[test]
fn queries_wait_for_each_other_and_nobody_else_does() {
    let node = Node::with(&[
        "--ephemeral",
        "--shards",
        "1",
        "--limits-database-time-ms-max",
        "1500",
        "--limits-database-queries-max",
        "1",
    ]);
    let endless = r#"{"query":"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"}"#;
    let request =
        super::raw::request("POST", &format!("/edge/database?key={}", node.key()), endless);
    let mut waiting: Vec<Raw> = (0..3)
        .map(|_| {
            let mut raw = Raw::open(&node);
            raw.send(&request);
            raw
        })
        .collect();
    // None of them can have ended yet when this is answered.
    publish(&node, "a", 1);
    let mut statuses: Vec<String> = waiting
        .iter_mut()
        .map(|it| it.read_until("\r\n").split(' ').nth(1).unwrap().to_owned())
        .collect();
    statuses.sort_unstable();
    assert!(
        statuses.contains(&"400".to_owned()) && statuses.contains(&"503".to_owned()),
        "{statuses:?}"
    );
    node.stop();
}
