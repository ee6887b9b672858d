//! `auth.sign` for Liveblocks: the node asks a real server for the token, whatever that server does.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::node::Node;
use super::raw::Raw;
use super::server::{Server, data, refused};
use super::tools::curl;
use super::upstream::{Upstream, authority};

/// What Liveblocks knows a tenant by.
const SECRET: &str = "sk_canary_5b1f0c9e";
const KIT_KEY: &str = "coh_app_11111111111111111111";
const SIGN: &str = "/v1/realtime/auth/sign";

/// A node with a tenant for each base URL, and one more that has no vendor at all.
struct World {
    node: Node,
    folder: tempfile::TempDir,
}

fn project_key(tenant: usize) -> String {
    format!("ifr_pk_proj_{tenant:020}")
}

fn world(base_urls: &[String], settings: &str, flags: &[&str]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut config = settings.to_owned();
    for tenant in 0..=base_urls.len() {
        let key = project_key(tenant);
        config.push_str(&format!(
            "[[tenant]]\nname = \"t{tenant}\"\n[tenant.infrai]\nproject_key = \"{key}\"\n"
        ));
        if let Some(base_url) = base_urls.get(tenant) {
            config.push_str(&format!(
                "[tenant.liveblocks]\nsecret_key = \"{SECRET}\"\nbase_url = \"{base_url}\"\n"
            ));
        }
    }
    fs::write(folder.path().join("stentor.toml"), config).unwrap();
    let shards: &[&str] = if flags.contains(&"--shards") { &[] } else { &["--shards", "2"] };
    let start = ["--config", "stentor.toml", "--log-level", "trace"];
    let node = Node::start(folder.path(), &[&start, shards, flags].concat());
    World { node, folder }
}

impl World {
    fn server(&self, tenant: usize) -> Server<'_> {
        Server::with(&self.node, &project_key(tenant))
    }

    /// Nothing that it logged or kept has the secret, beside the file that it was given in.
    fn stop(self) {
        let log = self.node.stop_and_read();
        assert!(!log.contains("canary"), "{log}");
        let mut kept = super::operate::walk(self.folder.path(), b"canary");
        kept.retain(|it| !it.ends_with("/stentor.toml"));
        assert!(kept.is_empty(), "{kept:?}");
    }
}

fn rooms() -> Value {
    json!({
        "client_id": "ada", "channels": ["room-42", "org:*"], "vendor": "liveblocks",
        "capabilities": ["subscribe", "presence", "publish"], "channel_data": {"name": "Ada ✓"},
    })
}

#[test]
fn the_token_is_that_of_liveblocks() {
    let upstream = Upstream::start();
    let world = world(&[upstream.url("/as/token")], "", &[]);
    let server = world.server(0);
    let signed = server.post(SIGN, &rooms());
    assert_eq!(signed, json!({"vendor": "liveblocks", "token": "signed"}));
    let asked = upstream.last();
    assert_eq!(
        (&asked["method"], &asked["url"]),
        (&json!("POST"), &json!("/as/token/v2/authorize-user"))
    );
    assert_eq!(asked["headers"]["authorization"], format!("Bearer {SECRET}"));
    assert_eq!(asked["headers"]["content-type"], "application/json");
    let write = json!(["room:read", "*:write", "room:presence:write"]);
    let body: Value = serde_json::from_str(asked["body"].as_str().unwrap()).unwrap();
    let mut permissions = body["permissions"].clone();
    for room in ["room-42", "org:*"] {
        let given = permissions[room].as_array_mut().unwrap();
        given.sort_by_key(|it| write.as_array().unwrap().iter().position(|known| known == it));
    }
    assert_eq!(permissions, json!({"room-42": write, "org:*": write}));
    assert_eq!((&body["userId"], &body["userInfo"]), (&json!("ada"), &json!({"name": "Ada ✓"})));
    // A tenant that has nothing else need not name the vendor; it has no word for the others'.
    let plain = json!({"client_id": "bob", "channels": ["a"]});
    assert_eq!(server.post(SIGN, &plain)["vendor"], "liveblocks");
    let last: Value = serde_json::from_str(upstream.last()["body"].as_str().unwrap()).unwrap();
    assert_eq!(last, json!({"userId": "bob", "permissions": {"a": ["room:read"]}}));
    let other = json!({"client_id": "bob", "channels": ["a"], "vendor": "ably"}).to_string();
    let unconfigured = (422, "VENDOR_NOT_CONFIGURED".to_owned());
    assert_eq!(refused(&server.call("POST", SIGN, &["--json", &other])), unconfigured);
    let nobody = world.server(1).call("POST", SIGN, &["--json", &rooms().to_string()]);
    assert_eq!(refused(&nobody), unconfigured);
    assert_eq!(upstream.told("asked"), 2, "who is refused is not asked for");
    world.stop();
}

#[test]
fn whatever_liveblocks_does_wrong_is_a_vendor_error() {
    let cases = [
        ("nothing", "liveblocks did not answer in time", true),
        ("parts", "liveblocks did not answer in time", true),
        ("broken", "liveblocks cannot be reached", true),
        ("hangup", "liveblocks cannot be reached", true),
        ("noise", "liveblocks cannot be reached", true),
        ("huge", "liveblocks answered without a token", true),
        ("garbage", "liveblocks answered without a token", true),
        ("tokenless", "liveblocks answered without a token", true),
        ("fault", "liveblocks answered 503", true),
        ("unauthorized", "liveblocks answered 401", false),
        ("refused", "liveblocks answered 403", false),
        ("moved", "liveblocks answered 302", true),
        ("empty", "liveblocks answered 204", true),
    ];
    let upstream = Upstream::start();
    let mut urls: Vec<_> = cases.iter().map(|it| upstream.url(&format!("/as/{}", it.0))).collect();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    urls.push(format!("http://{closed}"));
    urls.push(upstream.url("/as/token"));
    let world = world(&urls, "", &["--limits-side-answer-timeout-ms", "1000"]);
    let gone = ("nobody", "liveblocks cannot be reached", true);
    for (tenant, (mode, message, retryable)) in cases.into_iter().chain([gone]).enumerate() {
        let answer = world.server(tenant).call("POST", SIGN, &["--json", &rooms().to_string()]);
        assert_eq!(refused(&answer), (502, "VENDOR_ERROR".to_owned()), "{mode}");
        let error = &answer.json()["error"];
        let told = (error["message"].as_str().unwrap(), error["retryable"].as_bool().unwrap());
        let latency_ms = answer.json()["metadata"]["latency_ms"].as_u64().unwrap();
        let waited_ms = if message.ends_with("in time") { 990..10_000 } else { 0..990 };
        assert!(waited_ms.contains(&latency_ms), "{mode}: {latency_ms} ms");
        assert_eq!(told, (message, retryable), "{mode}");
        assert!(!answer.body.contains("canary") && !answer.body.contains("127.0.0.1"), "{mode}");
    }
    // Nothing of it is in the way of those that follow.
    assert_eq!(world.server(cases.len() + 1).post(SIGN, &rooms())["token"], "signed");
    world.stop();
}

#[test]
fn a_key_makes_a_retry_safe_and_keeps_no_failure() {
    let upstream = Upstream::start();
    let world = world(&[upstream.url("/as/flaky"), upstream.url("/as/later")], "", &[]);
    let body = rooms().to_string();
    let keyed = ["-H", "Idempotency-Key: k1", "--json", &body];
    let flaky = world.server(0);
    assert_eq!(refused(&flaky.call("POST", SIGN, &keyed)).0, 502);
    let first = data(&flaky.call("POST", SIGN, &keyed));
    assert_eq!(first["token"], "signed");
    assert_eq!(data(&flaky.call("POST", SIGN, &keyed)), first);
    assert_eq!(upstream.told("asked"), 2, "the third was answered from what is kept");
    let other = json!({"client_id": "eve", "channels": ["room-42"]}).to_string();
    let other = flaky.call("POST", SIGN, &["-H", "Idempotency-Key: k1", "--json", &other]);
    assert_eq!(refused(&other), (409, "IDEMPOTENCY_CONFLICT".to_owned()));
    // Who leaves while Liveblocks is asked finds the answer when it comes back.
    let mut raw = Raw::open(&world.node);
    let (key, length) = (project_key(1), body.len());
    raw.send(format!(
        "POST {SIGN} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: k2\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    upstream.wait_until("asked", |it| it == 3);
    drop(raw);
    upstream.go();
    let keyed = ["-H", "Idempotency-Key: k2", "--json", &body];
    assert_eq!(data(&world.server(1).call("POST", SIGN, &keyed))["token"], "signed");
    assert_eq!(upstream.told("asked"), 3);
    world.stop();
}

#[test]
fn only_so_many_are_asked_for_at_once_and_answers_keep_their_order() {
    let upstream = Upstream::start();
    let flags = ["--limits-side-calls-max", "1", "--shards", "1"];
    let world = world(&[upstream.url("/as/later")], "", &flags);
    let (key, body) = (project_key(0), rooms().to_string());
    let length = body.len();
    let mut raw = Raw::open(&world.node);
    let live = "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    raw.send(format!(
        "POST {SIGN} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Length: {length}\r\n\r\n{body}{live}"
    ));
    upstream.wait_until("asked", |it| it == 1);
    let full = world.server(0).call("POST", SIGN, &["--json", &body]);
    assert_eq!(refused(&full), (503, "UNAVAILABLE".to_owned()));
    assert!(full.body.contains("side_calls_max"), "{}", full.body);
    upstream.go();
    let answers = raw.read_to_end();
    let (token, live) = (answers.find("\"signed\"").unwrap(), answers.find("\"ok\"}").unwrap());
    assert!(token < live, "{answers}");
    world.stop();
}

fn secure_world(folder: &Path, ca: Option<&Path>) -> (Upstream, World) {
    let upstream = Upstream::start_secure(folder);
    let ca = ca.map_or_else(String::new, |it| format!("upstream_ca_file = \"{}\"\n", it.display()));
    let settings = format!(
        "[server]\n{ca}[realtimekit]\nbase_url = \"{}\"\naccount_id = \"acc\"\napp_id = \"app\"\napi_token = \"canary_kit\"\n\
         [[tenant]]\nname = \"kit\"\n[tenant.cohesivity]\napplication_key = \"{KIT_KEY}\"\n\
         management_key = \"coh_man_11111111111111111111\"\n",
        upstream.url("/v4")
    );
    let world = world(&[upstream.url("/as/token")], &settings, &[]);
    (upstream, world)
}

#[test]
fn https_servers_are_believed_when_the_authority_is_one_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path());
    let (upstream, world) = secure_world(folder.path(), Some(&folder.path().join("ca.pem")));
    let server = world.server(0);
    assert_eq!(server.post(SIGN, &rooms())["token"], "signed");
    assert_eq!(upstream.told("asked"), 1);
    drop((upstream, world));
    // The same server, and nobody vouches for it.
    let (upstream, world) = secure_world(folder.path(), None);
    let refusal = world.server(0).call("POST", SIGN, &["--json", &rooms().to_string()]);
    assert_eq!(refused(&refusal), (502, "VENDOR_ERROR".to_owned()));
    assert_eq!(upstream.told("asked"), 0, "nothing was said to it");
    world.stop();
}

#[test]
fn realtimekit_over_https_too() {
    let folder = tempfile::tempdir().unwrap();
    authority(folder.path());
    let other = tempfile::tempdir().unwrap();
    authority(other.path());
    for (ca, status) in [(folder.path(), 201), (other.path(), 502)] {
        let (upstream, world) = secure_world(folder.path(), Some(&ca.join("ca.pem")));
        let url = world.node.url(&format!("/edge/realtimekit/meetings?key={KIT_KEY}"));
        let answer = curl(&[&url]);
        assert_eq!(answer.status, status, "{}", answer.body);
        assert_eq!(upstream.told("asked"), u64::from(status == 201));
        assert!(status == 201 || !answer.body.contains("127.0.0.1"), "{}", answer.body);
        world.stop();
    }
}

#[test]
fn a_file_of_authorities_that_is_none_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    fs::write(folder.path().join("empty.pem"), "").unwrap();
    for file in ["ca.pem", "empty.pem", "absent.pem"] {
        let mut command = super::node::stentor(folder.path());
        command.args([
            "serve",
            "--ephemeral",
            "--listen",
            "127.0.0.1:0",
            "--upstream-ca-file",
            file,
        ]);
        let (status, _, error) = super::node::run(&mut command);
        assert_eq!(status.code(), Some(78), "{error}");
        assert!(error.contains("server.upstream_ca_file") && error.contains(file), "{error}");
    }
}
