//! Pages of other origins: what a tenant's list lets in, by every kind of socket and over HTTP.

use serde_json::{Value, json};

use super::client::{Answer, answer, ask};
use super::node::{Node, run, stentor};
use super::raw::{Raw, frame, request};

const ANON: &str = "anon_";

fn key(prefix: &str, digit: char, count: usize) -> String {
    format!("{prefix}{}", digit.to_string().repeat(count))
}

fn tenant(name: &str, digit: char, more: &str) -> String {
    format!(
        "[[tenant]]\nname = \"{name}\"\n{more}\n[tenant.cohesivity]\napplication_key = \"{}\"\nmanagement_key = \"{}\"\n\
         [tenant.infrai]\nproject_key = \"{}\"\n[tenant.insforge]\napi_key = \"{}\"\nanon_key = \"{}\"\njwt_secret = \"{}\"\n\
         hosts = [\"{name}.example\"]\n",
        key("coh_app_", digit, 20),
        key("coh_man_", digit, 20),
        key("ifr_pk_proj_", digit, 20),
        key("ik_", digit, 64),
        key(ANON, digit, 64),
        key("", digit, 40),
    )
}

fn node(folder: &std::path::Path, tenants: &[String]) -> Node {
    std::fs::write(folder.join("stentor.toml"), tenants.concat()).unwrap();
    Node::start(folder, &["--config", "stentor.toml", "--ephemeral", "--shards", "2"])
}

/// A GET with these header lines.
fn get(node: &Node, target: &str, lines: &str) -> Answer {
    let mut raw = Raw::open(node);
    ask(&mut raw, &format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).unwrap()
}

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A way in that a page may take, and what says that it is open.
struct Way {
    target: String,
    lines: String,
    opened: u16,
}

fn ways(node: &Node) -> Vec<Way> {
    let body = r#"{"user_id":"ada"}"#;
    let token =
        request("POST", &format!("/edge/realtime/token?key={}", key("coh_app_", '1', 20)), body);
    let token =
        ask(&mut Raw::open(node), &token).unwrap().json()["token"].as_str().unwrap().to_owned();
    let body = json!({"client_id": "ada", "capabilities": ["subscribe"]}).to_string();
    let issue = format!(
        "POST /v1/realtime/token/issue HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        key("ifr_pk_proj_", '1', 20),
        body.len()
    );
    let issued = ask(&mut Raw::open(node), &issue).unwrap();
    let infrai = issued.json()["data"]["token"]
        .as_str()
        .unwrap_or_else(|| panic!("{}", issued.body))
        .to_owned();
    let way = |target: String, lines: &str, opened| Way { target, lines: lines.to_owned(), opened };
    vec![
        way(format!("/edge/realtime?channel=a&token={token}"), UPGRADE, 101),
        way(format!("/v1/realtime/ws?token={infrai}"), UPGRADE, 101),
        way("/realtime".to_owned(), UPGRADE, 101),
        way("/socket.io/?EIO=4&transport=websocket".to_owned(), UPGRADE, 101),
        way("/socket.io/?EIO=4&transport=polling".to_owned(), "", 200),
        way(format!("/edge/realtime/history?channel=a&key={}", key("coh_app_", '1', 20)), "", 200),
        way(
            "/v1/realtime/channels".to_owned(),
            &format!("Authorization: Bearer {}\r\n", key("ifr_pk_proj_", '1', 20)),
            200,
        ),
        way(
            "/api/realtime/channels".to_owned(),
            &format!("X-API-Key: {}\r\n", key("ik_", '1', 64)),
            200,
        ),
    ]
}

/// An answer that no page reads.
fn assert_denied(found: &Answer, origin: &str, way: &str) {
    assert_eq!(found.status, 403, "{way} from {origin}: {}", found.body);
    assert!(found.body.contains(&origin.replace('"', "\\\"")), "{way}: {}", found.body);
    assert!(!found.head.contains("Access-Control-Allow-Origin"), "{way}: {}", found.head);
    assert!(found.head.contains("Vary: Origin\r\n"), "{way}: {}", found.head);
}

#[test]
fn every_way_in_is_open_to_pages_on_the_list_and_to_who_is_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let list = "allowed_origins = [\"https://app.example\", \"http://localhost:3000\"]";
    let node = node(folder.path(), &[tenant("one", '1', list)]);
    for Way { target, lines, opened } in ways(&node) {
        for page in ["", "Origin: https://app.example\r\n", "origin: HTTP://localhost:3000\r\n"] {
            let found = get(&node, &target, &format!("{lines}{page}"));
            assert_eq!(found.status, opened, "{target} {page}: {}", found.body);
            let is_readable = found.head.contains("Access-Control-Allow-Origin");
            // A socket needs no such line, and a request of Socket.IO without a page names none.
            assert_eq!(is_readable, opened == 200, "{target}: {}", found.head);
        }
        for origin in [
            "https://evil-app.example",
            "https://app.example.evil.org",
            "https://app.example:444",
            "http://app.example",
            "null",
        ] {
            let found = get(&node, &target, &format!("{lines}Origin: {origin}\r\n"));
            assert_denied(&found, origin, &target);
        }
        let twice = "Origin: https://app.example\r\nOrigin: https://app.example\r\n";
        assert_eq!(get(&node, &target, &format!("{lines}{twice}")).status, 403, "{target}");
    }
    // What a browser asks before.
    let before = |origin: &str| {
        let text =
            format!("OPTIONS /edge/realtime HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\n\r\n");
        ask(&mut Raw::open(&node), &text).unwrap()
    };
    assert_eq!(before("https://app.example").status, 204);
    assert_denied(&before("https://evil.example"), "https://evil.example", "OPTIONS");
    node.stop();
}

/// With several tenants the socket's is known once its client has said who it is.
#[test]
fn a_client_of_insforge_is_kept_out_by_its_own_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (
        "allowed_origins = [\"https://one.example\"]",
        "allowed_origins = [\"https://two.example\"]",
    );
    let node = node(folder.path(), &[tenant("one", '1', one), tenant("two", '2', two)]);
    let enter = |digit: char, origin: &str| -> Value {
        let mut raw = Raw::open(&node);
        raw.send(format!("GET /realtime HTTP/1.1\r\nHost: a\r\n{UPGRADE}Origin: {origin}\r\n\r\n"));
        let opened = answer(&mut raw).unwrap();
        assert_eq!(opened.status, 101, "{}", opened.body);
        raw.send(frame(&json!({"type": "auth", "token": key(ANON, digit, 64)}).to_string()));
        serde_json::from_str(&raw.read_frame()).unwrap()
    };
    assert_eq!(enter('1', "https://one.example")["type"], "auth_success");
    assert_eq!(enter('2', "https://two.example")["type"], "auth_success");
    let kept_out = enter('2', "https://one.example");
    assert_eq!(kept_out["type"], "error", "{kept_out}");
    assert!(kept_out.to_string().contains("https://one.example"), "{kept_out}");
    let nobody = get(&node, "/realtime", &format!("{UPGRADE}Origin: https://three.example\r\n"));
    assert_denied(&nobody, "https://three.example", "/realtime");
    node.stop();
}

#[test]
fn a_tenant_that_a_command_makes_may_have_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), &["--shards", "1"]);
    let command = |arguments: &[&str]| run(stentor(folder.path()).args(arguments));
    let (status, _, said) = command(&["tenant", "add", "shop", "--origin", "https://*.example"]);
    assert!(status.code() == Some(64) && said.contains("https://*.example"), "{said}");
    let (status, made, said) =
        command(&["tenant", "add", "shop", "--origin", "https://Shop.example:443"]);
    assert!(status.success(), "{said}");
    let application_key =
        made.lines().find_map(|it| it.strip_prefix("application key")).unwrap().trim();
    let (_, listed, _) = command(&["tenant", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let shop = listed.as_array().unwrap().iter().find(|it| it["name"] == "shop").unwrap();
    assert_eq!(shop["origins"], json!(["https://shop.example"]));
    let target = format!("/edge/realtime/history?channel=a&key={application_key}");
    assert_eq!(get(&node, &target, "Origin: https://shop.example\r\n").status, 200);
    assert_denied(
        &get(&node, &target, "Origin: https://evil.example\r\n"),
        "https://evil.example",
        &target,
    );
    // The tenant beside it has no list.
    let target = format!("/edge/realtime/history?channel=a&key={}", node.key());
    assert_eq!(get(&node, &target, "Origin: https://evil.example\r\n").status, 200);
    node.stop();
}
