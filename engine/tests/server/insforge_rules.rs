//! The calls of InsForge's administrators about patterns, retention and policies: their answers, that every shard knows what was
//! answered, and that it outlives the node.

use serde_json::{Value, json};

use super::admin::{ANON, API, CHANNELS, PERMISSIONS, asked, call, create, ok, start};
use super::node::Node;
use super::raw::Raw;
use super::tools::{Answer, curl};

fn check(answer: &Answer, status: u16, code: &str, message: &str) {
    let body = answer.json();
    let got = (answer.status, body["error"].as_str(), body["message"].as_str());
    assert_eq!(got, (status, Some(code), Some(message)));
    assert_eq!(body["statusCode"], status);
}

fn patterns(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it["pattern"].as_str().unwrap()).collect()
}

#[test]
fn channels_are_made_changed_listed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    assert_eq!(ok(&node, "GET", CHANNELS, None, 200), json!([]));
    let made = json!({
        "pattern": "order:%", "description": "orders", "webhookUrls": ["https://a.example/x"], "enabled": false
    });
    let made = ok(&node, "POST", CHANNELS, Some(&made), 201);
    let keys: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected =
        ["id", "pattern", "description", "webhookUrls", "enabled", "createdAt", "updatedAt"];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!((&made["enabled"], &made["createdAt"]), (&json!(false), &made["updatedAt"]));
    let bare = create(&node, "chat:*");
    assert_eq!((&bare["description"], &bare["webhookUrls"]), (&Value::Null, &Value::Null));
    assert_eq!(bare["enabled"], true);
    let all = ok(&node, "GET", CHANNELS, None, 200);
    assert_eq!(all, json!([bare, made]), "the newest first");

    let one = format!("{CHANNELS}/{}", made["id"].as_str().unwrap());
    assert_eq!(ok(&node, "GET", &one, None, 200), made);
    check_changes(&node, &one, &made);
    node.stop();
}

/// Changes a channel in every way, until it is gone. There is another one beside it.
fn check_changes(node: &Node, one: &str, made: &Value) {
    let capitals = format!("{CHANNELS}/{}", made["id"].as_str().unwrap().to_uppercase());
    assert_eq!(ok(node, "GET", &capitals, None, 200), *made);
    let changed = ok(node, "PUT", one, Some(&json!({"enabled": true, "description": ""})), 200);
    assert_eq!((&changed["enabled"], &changed["description"]), (&json!(true), &json!("")));
    assert_eq!((&changed["webhookUrls"], &changed["id"]), (&made["webhookUrls"], &made["id"]));
    assert!(changed["updatedAt"].as_str() > made["updatedAt"].as_str());
    assert_eq!(ok(node, "GET", one, None, 200), changed);

    check_taken(node, one);
    assert_eq!(ok(node, "DELETE", one, None, 200), json!({"message": "Channel deleted"}));
    let missing = |answer: &Answer| {
        check(answer, 404, "REALTIME_CHANNEL_NOT_FOUND", "Channel not found");
    };
    for (method, body) in [("GET", None), ("DELETE", None), ("PUT", Some(&json!({})))] {
        missing(&call(node, method, one, body));
    }
    missing(&call(node, "GET", &format!("{CHANNELS}/17"), None));
    assert_eq!(patterns(&ok(node, "GET", CHANNELS, None, 200)), ["chat:*"]);
}

fn check_taken(node: &Node, one: &str) {
    let taken = call(node, "POST", CHANNELS, Some(&json!({"pattern": "chat:*"})));
    let unique = "duplicate key value violates unique constraint \"channels_pattern_key\"";
    check(&taken, 409, "DATABASE_DUPLICATE", unique);
    assert!(taken.json()["nextActions"].as_str().unwrap().contains("field(pattern)"));
    let taken = call(node, "PUT", one, Some(&json!({"pattern": "chat:*"})));
    check(&taken, 409, "DATABASE_DUPLICATE", unique);
}

#[test]
fn what_is_wrong_with_a_channel_is_said_as_insforge_says_it() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 1);
    let invalid = "REALTIME_INVALID_CHANNEL_REQUEST";
    let wrong = |body: Value, code: &str, message: &str| {
        check(&call(&node, "POST", CHANNELS, Some(&body)), 400, code, message);
    };
    wrong(json!({}), invalid, "pattern: Required");
    wrong(
        json!({"pattern": 1, "enabled": "x"}),
        invalid,
        "pattern: Expected string, received number, enabled: Expected boolean, received string",
    );
    wrong(
        json!({"pattern": "a", "webhookUrls": ["nowhere"]}),
        invalid,
        "webhookUrls.0: Invalid url",
    );
    let grammar = "Invalid channel pattern. Use alphanumeric characters, colons, hyphens, and % for wildcards.";
    wrong(json!({"pattern": "%"}), "REALTIME_INVALID_CHANNEL_PATTERN", grammar);
    let url = node.url(CHANNELS);
    let bearer = format!("Authorization: Bearer {API}");
    let broken = curl(&[&url, "-H", &bearer, "--json", "{\"pattern\":"]);
    check(&broken, 400, "INVALID_INPUT", "Invalid JSON in request body");
    assert_eq!(ok(&node, "GET", CHANNELS, None, 200), json!([]));
    node.stop();
}

#[test]
fn only_an_administrator_sees_rules() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 1);
    let paths = [CHANNELS, "/api/realtime/config", PERMISSIONS];
    for path in paths {
        let url = node.url(path);
        let none = curl(&[&url]);
        check(&none, 401, "AUTH_INVALID_CREDENTIALS", "No admin token provided");
        let wrong = curl(&[&url, "-H", "X-API-Key: ik_0"]);
        check(&wrong, 401, "AUTH_INVALID_API_KEY", "Invalid API key");
        let anon = curl(&[&url, "-H", &format!("Authorization: Bearer {ANON}")]);
        check(&anon, 401, "AUTH_UNAUTHORIZED", "Invalid token");
        assert_eq!(curl(&[&url, "-H", &format!("X-API-Key: {API}")]).status, 200);
    }
    node.stop();
}

#[test]
fn retention_is_shown_as_it_was_set() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    let config = "/api/realtime/config";
    ok(&node, "PATCH", config, Some(&json!({"retentionDays": 1})), 200);
    node.kill();
    let node = start(folder.path(), 2);
    assert_eq!(ok(&node, "GET", config, None, 200), json!({"retentionDays": 1}));
    ok(&node, "PATCH", config, Some(&json!({"retentionDays": null})), 200);
    assert_eq!(ok(&node, "GET", config, None, 200), json!({"retentionDays": null}));
    let said = json!({"message": "Retention config updated successfully"});
    for days in [json!(30), Value::Null, json!(7)] {
        let body = json!({"retentionDays": days});
        assert_eq!(ok(&node, "PATCH", config, Some(&body), 200), said);
        assert_eq!(ok(&node, "GET", config, None, 200), body);
    }
    let wrong = call(&node, "PATCH", config, Some(&json!({"retentionDays": 0})));
    check(&wrong, 400, "INVALID_INPUT", "retentionDays: Number must be greater than 0");
    let missing = call(&node, "PATCH", config, Some(&json!({})));
    check(&missing, 400, "INVALID_INPUT", "retentionDays: Required");

    node.stop();
}

#[test]
fn policies_are_shown_as_they_were_set() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    let none = json!({"subscribe": {"policies": []}, "publish": {"policies": []}});
    assert_eq!(ok(&node, "GET", PERMISSIONS, None, 200), none);
    let policies = json!({
        "subscribe": {"policies": [{"policyName": "own", "roles": ["authenticated"], "using": "sub == channel"}]},
        "publish": {"policies": [{"policyName": "all", "pattern": "chat:%", "withCheck": "event == \"a\""}]}
    });
    let set = ok(&node, "PUT", PERMISSIONS, Some(&policies), 200);
    let own = &set["subscribe"]["policies"][0];
    assert_eq!((&own["tableName"], &own["command"]), (&json!("channels"), &json!("SELECT")));
    assert_eq!((&own["using"], &own["withCheck"]), (&json!("sub == channel"), &Value::Null));
    let all = &set["publish"]["policies"][0];
    assert_eq!((&all["roles"], &all["pattern"]), (&json!(["public"]), &json!("chat:%")));
    assert_eq!(ok(&node, "GET", PERMISSIONS, None, 200), set);
    let broken = json!({"publish": {"policies": [{"policyName": "x", "using": "role =="}]}});
    let refused = call(&node, "PUT", PERMISSIONS, Some(&broken));
    assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("INVALID_INPUT")));
    assert_eq!(ok(&node, "GET", PERMISSIONS, None, 200), set);
    assert_eq!(ok(&node, "PUT", PERMISSIONS, Some(&set), 200), set, "what is shown can be set");

    node.kill();
    let node = start(folder.path(), 2);
    assert_eq!(ok(&node, "GET", PERMISSIONS, None, 200), set);
    assert_eq!(ok(&node, "PUT", PERMISSIONS, Some(&none), 200), none);
    node.stop();
}

/// One answer with a length.
fn read(raw: &mut Raw) -> (u16, Value) {
    let head = raw.read_until("\r\n\r\n");
    let length = head.lines().find_map(|it| it.strip_prefix("Content-Length: ")).unwrap();
    let body = raw.read_exactly(length.parse().unwrap());
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(&body).unwrap())
}

#[test]
fn what_was_answered_is_known_to_every_connection() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    // Connections go to the shards by turns, or by chance: of so many, each shard has some.
    let mut connections: Vec<_> = (0..16).map(|_| Raw::open(&node)).collect();
    for round in 0..100 {
        let writer = round % connections.len();
        let body = json!({"pattern": format!("r:{round}")}).to_string();
        connections[writer].send(asked("POST", CHANNELS, &body));
        let (status, made) = read(&mut connections[writer]);
        assert_eq!(status, 201);
        let path = format!("{CHANNELS}/{}", made["id"].as_str().unwrap());
        for it in &mut connections {
            it.send(asked("GET", &path, ""));
        }
        for it in &mut connections {
            assert_eq!(read(it), (200, made.clone()), "round {round}");
        }
    }
    node.stop();
}

#[test]
fn a_long_list_goes_out_in_parts_and_whole() {
    const COUNT: usize = 2_000;
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    let mut raw = Raw::open(&node);
    fill(&mut raw, COUNT);
    // It is larger than what may wait for a connection.
    let whole = call(&node, "GET", CHANNELS, None);
    assert!(whole.body.len() > 2 * 1024 * 1024, "{}", whole.body.len());
    assert_eq!(whole.header("content-type"), Some("application/json"));
    assert_eq!(whole.header("transfer-encoding"), Some("chunked"));
    let list = whole.json();
    let number = |it: &&str| it.strip_prefix("p:").unwrap().parse().unwrap();
    let mut found: Vec<usize> = patterns(&list).iter().map(number).collect();
    found.sort_unstable();
    assert_eq!(found, (0..COUNT).collect::<Vec<_>>());
    let times: Vec<_> =
        list.as_array().unwrap().iter().map(|it| it["createdAt"].as_str()).collect();
    assert!(times.is_sorted_by(|one, other| one >= other), "the newest first");
    check_pipelined(raw, &list);
    let key = format!("X-API-Key: {API}");
    let old = curl(&["--http1.0", &node.url(CHANNELS), "-H", &key]);
    assert_eq!(old.json(), list);
    let head = curl(&["--head", &node.url(CHANNELS), "-H", &key]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    node.stop();
}

/// Makes so many patterns, a kilobyte each.
fn fill(raw: &mut Raw, count: usize) {
    let description = "d".repeat(1_000);
    for some in (0..count).collect::<Vec<_>>().chunks(16) {
        for it in some {
            let body = json!({"pattern": format!("p:{it}"), "description": description});
            raw.send(asked("POST", CHANNELS, &body.to_string()));
        }
        for _ in some {
            assert_eq!(read(raw).0, 201);
        }
    }
}

/// Lists keep their order on a connection, and another answer waits behind them.
fn check_pipelined(mut raw: Raw, list: &Value) {
    for path in [CHANNELS, CHANNELS, "/api/realtime/config"] {
        raw.send(asked("GET", path, ""));
    }
    for _ in 0..2 {
        let head = raw.read_until("\r\n\r\n");
        assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
        let body = read_chunks(&mut raw);
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), *list);
    }
    assert_eq!(read(&mut raw), (200, json!({"retentionDays": null})));
    // Who leaves in the middle is missed by nobody.
    raw.send(asked("GET", CHANNELS, ""));
    raw.read_until("\r\n\r\n");
    drop(raw);
}

fn read_chunks(raw: &mut Raw) -> String {
    let mut body = String::new();
    loop {
        let line = raw.read_until("\r\n");
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        body.push_str(&raw.read_exactly(length));
        assert_eq!(raw.read_exactly(2), "\r\n");
        if length == 0 {
            return body;
        }
    }
}
