//! Every call that the second tenant makes, with what the first one knows: in an order in which each finds something to do.

use serde_json::{Value, json};

use super::Known;
use super::keys::{Call, Door, bare, full};

/// The calls of all dialects.
pub(super) fn all(known: &Known) -> Vec<Call> {
    let mut calls = infrai(known);
    calls.extend(insforge(known));
    calls.extend(edge());
    calls.extend(open());
    calls
}

fn infrai(known: &Known) -> Vec<Call> {
    let Known { token, jti, cursor, .. } = known;
    let message = json!({"channel": "canary", "event": "e", "data": 1});
    let path = |rest: &str| format!("/v1/realtime{rest}");
    let get = |rest: &str| bare(Door::Infrai, "GET", &path(rest));
    let delete = |rest: &str| bare(Door::Infrai, "DELETE", &path(rest));
    let post = |rest: &str, body: Value| full(Door::Infrai, "POST", &path(rest), &body);
    let sign = |vendor: &str| {
        json!({"client_id": "canary-client", "channels": ["private-canary"], "socket_id": "1.2",
               "vendor": vendor})
    };
    vec![
        get("/channel/get/canary"),
        get("/channels/canary"),
        get("/channel/list"),
        get("/channels"),
        get(&format!("/channel/list?cursor={cursor}")),
        get("/presence/get/canary"),
        get("/channels/canary/presence"),
        delete("/channel/delete/canary"),
        delete("/channels/canary-two"),
        post("/token/revoke", json!({"token_or_jti": token})),
        post("/token/revoke", json!({"token_or_jti": jti})),
        post("/user/disconnect", json!({"client_id": "canary-client"})),
        post("/user/disconnect", json!({"client_id": "canary-user"})),
        post("/user/disconnect", json!({"client_id": "canary-client", "channel": "canary"})),
        post(
            "/publish",
            json!({"channel": "canary", "event": "e", "data": 1, "idempotency_key": "canary-key"}),
        ),
        post(
            "/publish",
            json!({"channel": "canary", "event": "canary-event", "data": "of the twin"}),
        ),
        post(
            "/publish/batch",
            json!({"messages": [message, message], "idempotency_key": "canary-key"}),
        ),
        get("/channel/get/canary"),
        post("/channel/create", json!({"name": "canary", "type": "public"})),
        post("/channels", json!({"name": "canary", "type": "private"})),
        post("/token/issue", json!({"client_id": "canary-client", "channels": ["canary"]})),
        post("/token", json!({"client_id": "canary-client"})),
        post("/auth/sign", sign("pusher")),
        post("/auth/sign", sign("ably")),
        post("/auth/sign", sign("liveblocks")),
        get("/event/types"),
        get("/presence/get/canary"),
        get("/channel/list"),
    ]
}

fn insforge(known: &Known) -> Vec<Call> {
    let id = &known.pattern_id;
    let own = |path: &str| format!("/api/realtime{path}");
    let of_id = own(&format!("/channels/{id}"));
    let get = |path: &str| bare(Door::Insforge, "GET", path);
    let send = |method, path: &str, body: Value| full(Door::Insforge, method, path, &body);
    let [channels, messages, stats] = ["/channels", "/messages", "/messages/stats"].map(own);
    let [config, permissions] = ["/config", "/permissions"].map(own);
    let policy = json!({"policyName": "canary-policy", "using": "sub == channel"});
    let policies = json!({"subscribe": {"policies": [policy]}, "publish": {"policies": []}});
    let open = json!({"subscribe": {"policies": []}, "publish": {"policies": []}});
    vec![
        get(&channels),
        get(&of_id),
        send("PUT", &of_id, json!({"enabled": false, "description": "of the twin"})),
        bare(Door::Insforge, "DELETE", &of_id),
        get(&messages),
        get(&format!("{messages}?channelId={id}")),
        get(&format!("{messages}?eventName=canary-event&limit=1000")),
        get(&stats),
        get(&format!("{stats}?channelId={id}")),
        get(&config),
        get(&permissions),
        send("POST", &channels, json!({"pattern": "canary"})),
        send("POST", &channels, json!({"pattern": "canary", "description": "again"})),
        get(&channels),
        bare(Door::Insforge, "DELETE", &messages),
        get(&messages),
        send("PATCH", &config, json!({"retentionDays": 3})),
        get(&config),
        send("PUT", &permissions, policies),
        get(&permissions),
        send("PUT", &permissions, open),
        get("/api/metadata/anon-key"),
        bare(Door::Insforge, "POST", "/api/auth/tokens/anon"),
        get("/.well-known/jwks.json"),
        get("/api/.well-known/jwks.json"),
        // A session of Engine.IO that was never opened.
        get("/socket.io/?EIO=4&transport=polling&sid=canary"),
        bare(Door::Insforge, "POST", "/socket.io/?EIO=4&transport=polling&sid=canary"),
    ]
}

/// Those of Cohesivity leave the tenant without its resource for a while.
fn edge() -> Vec<Call> {
    let query = |text: &str| json!({"query": text});
    let all = query("SELECT * FROM realtime_messages ORDER BY channel, id");
    let count = query("SELECT count(*) AS n FROM realtime_messages WHERE channel = 'canary'");
    let message = json!({"channel": "canary", "event": "e", "data": "two"});
    let get = |path: &str| bare(Door::Edge, "GET", path);
    let post = |path: &str, body: &Value| full(Door::Edge, "POST", path, body);
    let manage = |method, body: Value| full(Door::Manage, method, "/api/resources/realtime", &body);
    let history = "/edge/realtime/history?channel=canary";
    let kit = |method| bare(Door::Edge, method, "/edge/realtimekit/meetings");
    vec![
        bare(Door::Edge, "POST", "/edge/session"),
        post("/edge/realtime/token", &json!({"user_id": "canary-user"})),
        get(history),
        get(&format!("{history}&after=1")),
        post("/edge/database", &all),
        post("/edge/realtime", &message),
        get(history),
        post("/edge/database", &count),
        post("/edge/database", &all),
        kit("GET"),
        kit("POST"),
        kit("PUT"),
        kit("PATCH"),
        kit("DELETE"),
        manage("POST", json!({"write_region": "weur"})),
        manage("DELETE", json!({})),
        get(history),
        post("/edge/realtime", &message),
        manage("DELETE", json!({})),
        manage("POST", json!({"write_region": "apac"})),
        post("/edge/database", &all),
    ]
}

/// What everyone may ask.
fn open() -> Vec<Call> {
    let get = |path| bare(Door::Open, "GET", path);
    vec![
        get("/v1/discovery"),
        get("/v1/discovery/realtime.publish"),
        get("/health/live"),
        get("/health/ready"),
        get("/version"),
    ]
}
