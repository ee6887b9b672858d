//! What `stentor policy test` says of policies is what the node does that has them: at both wires, for hearing and for publishing.
//! While they are only tried, it does all, and logs what it would not have done.

use std::path::Path;

use protocol::auth::insforge::sign_user;
use serde_json::{Value, json};

use super::admin::{
    ANON, API, PERMISSIONS, SECRET, call, create, ok, plain, socket, start, start_with, subscribe,
};
use super::node::{Node, run, stentor};
use super::raw::{Raw, frame};

const DENIED: &str = "  \"lobby\" is for other channels";

fn policies() -> Value {
    let own = "split(channel, ':', 1) == sub";
    let policy = |name: &str, pattern: &str, using: &str| json!({"policyName": name, "pattern": pattern, "using": using});
    let mut typing =
        policy("typing", "user:%", &format!("{own} && event in [\"typing\", \"sent\"]"));
    typing["roles"] = json!(["authenticated"]);
    json!({
        "subscribe": {"policies": [
            policy("lobby", "lobby", "true"),
            policy("own", "user:%", own),
            policy("team", "team:%", "split(channel, ':', 1) == claims.team"),
        ]},
        "publish": {"policies": [typing]}
    })
}

/// Whoever asks, as both the command and the node know them.
fn askers() -> [(&'static str, String); 4] {
    let user = |claims: Value| sign_user(&claims.to_string(), SECRET);
    [
        ("anon", ANON.to_owned()),
        ("ada", user(json!({"sub": "ada"}))),
        ("ada of the reds", user(json!({"sub": "ada", "team": "red"}))),
        ("a server", API.to_owned()),
    ]
}

/// What the command says: whether it may be done, and why.
fn explained(folder: &Path, token: &str, question: &[&str]) -> (bool, Vec<String>) {
    let who = match token {
        ANON => "anon",
        API => "api-key",
        token => token,
    };
    let mut command = stentor(folder);
    command.args(["policy", "test", "--config", "stentor.toml", "--as", who]).args(question);
    let (status, out, error) = run(&mut command);
    let lines: Vec<String> = out.lines().map(str::to_owned).collect();
    match status.code() {
        Some(0) => assert!(lines[0].starts_with("allow: "), "{out}"),
        Some(77) => assert!(lines[0].starts_with("deny: "), "{out}"),
        _ => panic!("{question:?}: {out}{error}"),
    }
    (status.success(), lines)
}

/// Whether a client may hear a channel: the same on both wires.
fn may_hear(node: &Node, token: &str, channel: &str) -> bool {
    let answer = subscribe(&mut socket(node, token), channel);
    let is_in = answer["ok"] == true;
    if !is_in {
        let message = "Not authorized to subscribe to this channel";
        let error = json!({"code": "REALTIME_UNAUTHORIZED", "message": message});
        assert_eq!(answer, json!({"ok": false, "channel": channel, "error": error}));
    }
    let mut raw = plain(node, token);
    let told = ask(&mut raw, &json!({"type": "subscribe", "channel": channel}));
    if is_in {
        assert_eq!(told["type"], "subscribed", "{told}");
    } else {
        let message = "Channel not found or not accessible";
        assert_eq!(told, json!({"type": "error", "message": message}));
    }
    is_in
}

fn ask(raw: &mut Raw, what: &Value) -> Value {
    raw.send(frame(&what.to_string()));
    serde_json::from_str(&raw.read_frame()).unwrap()
}

/// Whether a client may publish: the same on both wires, where the one lets it hear the channel.
fn may_publish(node: &Node, token: &str, channel: &str, event: &str) -> bool {
    let what = json!({"type": "publish", "channel": channel, "event": event, "payload": {}});
    let told = ask(&mut plain(node, token), &what);
    let is_done = told["type"] == "published";
    let message = "Not authorized to publish to this channel";
    if !is_done {
        assert_eq!(told, json!({"type": "error", "message": message}));
    }
    let mut raw = socket(node, token);
    if subscribe(&mut raw, channel)["ok"] != true {
        return is_done;
    }
    let what = json!({"channel": channel, "event": event, "payload": {}});
    raw.send(frame(&format!("42[\"realtime:publish\",{what}]")));
    let told = next_event(&mut raw);
    if is_done {
        assert_eq!(told[0], event, "its own message comes back");
    } else {
        let error =
            json!({"channel": channel, "code": "REALTIME_UNAUTHORIZED", "message": message});
        assert_eq!(told, json!(["realtime:error", error]));
    }
    is_done
}

/// What a client of Socket.IO hears next, beside those who came and went before it.
fn next_event(raw: &mut Raw) -> Value {
    loop {
        let text = raw.read_frame();
        let event: Value = serde_json::from_str(text.strip_prefix("42").unwrap()).unwrap();
        if !event[0].as_str().unwrap().starts_with("presence:") {
            return event;
        }
    }
}

#[test]
fn the_node_does_what_the_command_says() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    for pattern in ["lobby", "user:%", "team:%"] {
        create(&node, pattern);
    }
    ok(&node, "PUT", PERMISSIONS, Some(&policies()), 200);
    let mut seen = Vec::new();
    for (name, token) in askers() {
        for channel in ["lobby", "user:ada", "user:bob", "team:red", "team:"] {
            let (is_allowed, lines) = explained(folder.path(), &token, &["subscribe", channel]);
            assert_eq!(lines.len(), 4, "a line for each policy: {lines:?}");
            assert_eq!(may_hear(&node, &token, channel), is_allowed, "{name} {channel} {lines:?}");
            seen.push(format!("{name} hears {channel}: {}", lines[0]));
        }
        for (channel, event) in [
            ("user:ada", "typing"),
            ("user:ada", "left"),
            ("user:bob", "typing"),
            ("lobby", "sent"),
        ] {
            let (is_allowed, lines) =
                explained(folder.path(), &token, &["publish", channel, event]);
            assert_eq!(lines.len(), 2, "a line for each policy: {lines:?}");
            let is_done = may_publish(&node, &token, channel, event);
            assert_eq!(is_done, is_allowed, "{name} {channel} {event} {lines:?}");
            seen.push(format!("{name} says {event} in {channel}: {}", lines[0]));
        }
    }
    for expected in [
        "anon hears lobby: allow: \"lobby\" grants it",
        "anon hears user:ada: deny: no policy grants it",
        "ada hears user:ada: allow: \"own\" grants it",
        "ada hears user:bob: deny: no policy grants it",
        "ada hears team:red: deny: no policy grants it",
        "ada of the reds hears team:red: allow: \"team\" grants it",
        "ada says typing in user:ada: allow: \"typing\" grants it",
        "ada says left in user:ada: deny: no policy grants it",
        "a server says left in user:ada: allow: no policy holds for a project_admin",
    ] {
        assert!(seen.iter().any(|it| it == expected), "{expected}: {seen:#?}");
    }
    // Why a policy grants nothing is said as well.
    let (_, lines) = explained(folder.path(), ANON, &["subscribe", "team:red"]);
    assert_eq!(lines[1], DENIED);
    assert!(lines[3].starts_with("  \"team\" grants nothing: "), "{lines:?}");
    check_unknown(folder.path(), &node);
    check_broken(folder.path(), &node);
    node.stop();
}

/// A channel that no pattern matches: whatever policies say, nobody hears it.
fn check_unknown(folder: &Path, node: &Node) {
    for (name, token) in askers() {
        assert!(!may_hear(node, &token, "nowhere:1"), "{name}");
        assert!(!may_publish(node, &token, "nowhere:1", "typing"), "{name}");
        let (is_allowed, _) = explained(folder, &token, &["subscribe", "nowhere:1"]);
        assert_eq!(is_allowed, name == "a server", "policies know no patterns: {name}");
    }
}

/// Policies that cannot be used: the node refuses them with their place, so does the command, and those before hold on.
fn check_broken(folder: &Path, node: &Node) {
    for (using, why) in [
        ("role ==", "subscribe.policies.1.using: "),
        ("while true {}", "subscribe.policies.1.using: "),
        ("nobody == sub", "subscribe.policies.1.using: "),
    ] {
        let mut broken = policies();
        broken["subscribe"]["policies"][1]["using"] = json!(using);
        let refused = call(node, "PUT", PERMISSIONS, Some(&broken));
        let told = refused.json();
        assert_eq!((refused.status, &told["error"]), (400, &json!("INVALID_INPUT")), "{using}");
        let message = told["message"].as_str().unwrap();
        assert!(message.starts_with(why), "{using}: {message}");
        std::fs::write(folder.join("broken.json"), broken.to_string()).unwrap();
        let arguments = ["policy", "test", "--policies", "broken.json", "--as", "anon"];
        let (status, _, error) = run(stentor(folder).args(arguments).args(["subscribe", "lobby"]));
        assert_eq!(status.code(), Some(78), "{using}: {error}");
        assert!(error.contains(message), "{using}: {error} and not {message}");
    }
    assert!(may_hear(node, ANON, "lobby") && !may_hear(node, ANON, "user:ada"));
}

#[test]
fn policies_that_are_only_tried_are_logged_and_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let node = start_with(folder.path(), 2, "shadow = true\n");
    create(&node, "user:%");
    ok(&node, "PUT", PERMISSIONS, Some(&policies()), 200);
    let ada = sign_user(&json!({"sub": "ada"}).to_string(), SECRET);
    assert!(may_hear(&node, &ada, "user:ada"), "what is granted is not logged");
    assert!(may_hear(&node, &ada, "user:bob") && may_publish(&node, &ada, "user:bob", "typing"));
    let (is_allowed, lines) = explained(folder.path(), &ada, &["subscribe", "user:bob"]);
    assert!(!is_allowed, "the command says what would be: {lines:?}");
    // What no pattern matches stays closed.
    assert!(!may_hear(&node, &ada, "nowhere:1"));
    let log = node.stop_and_read();
    let told: Vec<&str> =
        log.lines().filter(|it| it.contains("policies would deny this")).collect();
    let count = |what: &str| told.iter().filter(|it| it.contains(what)).count();
    // Heard at both wires, and once more to publish over Socket.IO; published at both.
    assert_eq!((count("action=\"subscribe\""), count("action=\"publish\"")), (3, 2), "{log}");
    for what in ["who=\"ada\"", "channel=\"user:bob\"", "no policy grants it"] {
        assert_eq!(count(what), told.len(), "{what}: {log}");
    }
    assert_eq!(count("\"own\" is false"), 3, "each policy has its word: {log}");
}
