//! The operator's commands: at a running server, on the data directory of a stopped one, and across `kill -9`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::node::{Node, pause, run, stentor};
use super::raw::Raw;
use super::tools::{curl, post};

/// What a command printed; it must end well.
pub(crate) fn done(folder: &Path, arguments: &[&str]) -> String {
    let (status, out, error) = run(stentor(folder).args(arguments));
    assert!(status.success(), "{arguments:?}: {error}");
    out
}

/// The code and the message of a command that is refused.
fn refused(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let (status, out, error) = run(stentor(folder).args(arguments));
    assert!(!status.success() && out.is_empty(), "{arguments:?}: {out}");
    (status.code(), error)
}

/// The word of an output that begins so.
pub(crate) fn word(out: &str, prefix: &str) -> String {
    let found = out.split_whitespace().find(|it| it.starts_with(prefix));
    found.unwrap_or_else(|| panic!("no {prefix} in {out}")).to_owned()
}

fn publish(node: &Node, key: &str) -> u16 {
    let url = node.url(&format!("/edge/realtime?key={key}"));
    post(&url, r#"{"channel":"room","data":1}"#).status
}

fn history(node: &Node, key: &str) -> String {
    curl(&[&node.url(&format!("/edge/realtime/history?channel=room&key={key}"))]).body
}

/// Opens a socket; gives it with the status of the answer.
fn open(node: &Node, token: &str) -> (Raw, u16) {
    let mut raw = Raw::open(node);
    raw.send(format!(
        "GET /edge/realtime?channel=room&token={token} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ));
    let head = raw.read_until("\r\n\r\n");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (raw, status)
}

pub(crate) fn start(folder: &Path) -> Node {
    Node::start(folder, &["--shards", "2"])
}

#[test]
fn a_tenant_that_was_added_is_served_at_once_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let key = word(&done(folder.path(), &["tenant", "add", "shop", "--tier", "pro"]), "coh_app_");
    assert_eq!(publish(&node, &key), 200);
    node.kill();
    let node = start(folder.path());
    assert_eq!(publish(&node, &key), 200, "the tenant survives");
    let list = done(folder.path(), &["tenant", "list", "--json"]);
    assert!(list.contains("\"name\":\"shop\"") && list.contains("\"tier\":\"pro\""), "{list}");
    assert!(!list.contains("coh_app_"), "a key is printed once: {list}");
    let kept = walk(folder.path(), key.as_bytes());
    assert!(kept.is_empty(), "a bearer key is kept in {kept:?}");
    let data = folder.path().join("stentor-data");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for file in ["secrets.toml", "dev-tenant.toml", "tenants/shop.toml", "control.sock"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    for dir in [data.clone(), data.join("tenants")] {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
    }
    node.stop();
    assert!(!data.join("control.sock").exists());
}

/// Files below a folder that hold these bytes.
pub(crate) fn walk(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let has = |text: &[u8]| text.windows(bytes.len()).any(|it| it == bytes);
    contents(folder).into_iter().filter(|(_, text)| has(text)).map(|(path, _)| path).collect()
}

/// All files of a folder, without the zeros at their ends.
pub(crate) fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if let Ok(mut text) = fs::read(&path) {
            // A segment ends in many zeros, made ahead of need.
            text.truncate(text.iter().rposition(|it| *it != 0).map_or(0, |last| last + 1));
            found.push((path.display().to_string(), text));
        }
    }
    found
}

#[test]
fn both_keys_work_during_a_rotation_and_the_old_one_ends() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let old = word(&done(folder.path(), &["tenant", "add", "shop"]), "coh_app_");
    let rotate = |time: &[&str]| {
        let all = [&["tenant", "rotate-key", "shop", "application"][..], time].concat();
        word(&done(folder.path(), &all), "coh_app_")
    };
    let new = rotate(&["--grace", "3s"]);
    assert_eq!((publish(&node, &old), publish(&node, &new)), (200, 200));
    let ended = (0..100).any(|_| {
        pause(Duration::from_millis(100));
        publish(&node, &old) == 401
    });
    assert!(ended, "the old key ends by itself");
    assert_eq!(publish(&node, &new), 200);
    let newest = rotate(&["--now"]);
    assert_eq!((publish(&node, &new), publish(&node, &newest)), (401, 200));
    node.kill();
    let node = start(folder.path());
    assert_eq!((publish(&node, &new), publish(&node, &newest)), (401, 200));
    node.stop();
}

#[test]
fn tokens_of_the_old_signing_secret_live_through_the_grace_time_alone() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    done(folder.path(), &["tenant", "add", "shop"]);
    let issue = || {
        let out = done(folder.path(), &["token", "issue", "--tenant", "shop", "--user", "ada"]);
        out.trim().to_owned()
    };
    let old = issue();
    done(folder.path(), &["tenant", "rotate-key", "shop", "signing", "--grace", "1h"]);
    let new = issue();
    assert_eq!((open(&node, &old).1, open(&node, &new).1), (101, 101));
    done(folder.path(), &["tenant", "rotate-key", "shop", "signing", "--now"]);
    assert_eq!((open(&node, &old).1, open(&node, &new).1), (401, 401));
    assert_eq!(open(&node, &issue()).1, 101);
    node.stop();
}

#[test]
fn a_removed_tenant_is_gone_with_its_sockets_and_messages() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let key = word(&done(folder.path(), &["tenant", "add", "shop"]), "coh_app_");
    let token = done(folder.path(), &["token", "issue", "--tenant", "shop", "--user", "ada"]);
    let (mut socket, status) = open(&node, token.trim());
    assert_eq!((status, publish(&node, &key)), (101, 200));
    assert!(history(&node, &key).contains("\"data\":1"));
    let (code, error) = refused(folder.path(), &["tenant", "remove", "shop"]);
    assert_eq!(code, Some(64), "it asks before it drops messages: {error}");
    done(folder.path(), &["tenant", "remove", "shop", "--yes"]);
    assert_eq!((publish(&node, &key), open(&node, token.trim()).1), (410, 401));
    assert_eq!(publish(&node, "coh_app_00000000000000000000"), 401, "who never had a key");
    assert!(socket.try_read_until("tenant removed").is_some(), "the socket is told and closed");
    let key = word(&done(folder.path(), &["tenant", "add", "shop"]), "coh_app_");
    assert!(!history(&node, &key).contains("\"data\":1"), "a new tenant of an old name is new");
    node.stop();
}

#[test]
fn the_same_commands_work_on_the_data_directory_of_a_stopped_server() {
    let folder = tempfile::tempdir().unwrap();
    let key = word(&done(folder.path(), &["tenant", "add", "shop"]), "coh_app_");
    let node = start(folder.path());
    assert_eq!(publish(&node, &key), 200);
    node.stop();
    let new = word(
        &done(folder.path(), &["tenant", "rotate-key", "shop", "application", "--now"]),
        "coh_app_",
    );
    let token = done(folder.path(), &["token", "issue", "--tenant", "shop", "--user", "ada"]);
    done(folder.path(), &["token", "revoke", token.trim()]);
    let found = done(folder.path(), &["token", "inspect", token.trim()]);
    assert!(found.contains("revoked"), "{found}");
    let node = start(folder.path());
    assert_eq!((publish(&node, &key), publish(&node, &new)), (401, 200));
    assert_eq!(open(&node, token.trim()).1, 401);
    node.stop();
    done(folder.path(), &["tenant", "remove", "shop", "--yes"]);
    let node = start(folder.path());
    assert_eq!(publish(&node, &new), 401);
    node.stop();
}

#[test]
fn a_revoked_token_opens_nothing_once_the_command_returns_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let issue = || {
        let out = done(folder.path(), &["token", "issue", "--user", "ada", "--ttl", "600"]);
        out.trim().to_owned()
    };
    let (token, other) = (issue(), issue());
    let signature = token.rsplit('.').next().unwrap();
    let found = done(folder.path(), &["token", "inspect", &token]);
    for part in ["valid", "client token of Cohesivity", "dev", "ada"] {
        assert!(found.contains(part), "{part} in {found}");
    }
    assert!(!found.contains(signature), "no signature is printed");
    done(folder.path(), &["token", "revoke", &token]);
    for _ in 0..8 {
        assert_eq!(open(&node, &token).1, 401, "on whichever shard");
    }
    assert_eq!(open(&node, &other).1, 101);
    let json: serde_json::Value =
        serde_json::from_str(&done(folder.path(), &["token", "inspect", &other, "--json"]))
            .unwrap();
    done(folder.path(), &["token", "revoke", json["jti"].as_str().unwrap()]);
    assert_eq!(open(&node, &other).1, 401);
    node.kill();
    let node = start(folder.path());
    assert_eq!((open(&node, &token).1, open(&node, &other).1), (401, 401));
    let found = done(folder.path(), &["token", "inspect", &token]);
    assert!(found.contains("revoked"), "{found}");
    node.stop();
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let check = |arguments: &[&str], message: &str| {
        let (code, error) = refused(folder.path(), arguments);
        assert_eq!(code, Some(64), "{arguments:?}: {error}");
        assert!(error.contains(message), "{message} in {error}");
    };
    check(&["tenant", "add", "Shop"], "the name must be 1 to 64 of a-z, 0-9, - and _");
    check(&["tenant", "add", "../x"], "the name must be");
    check(&["tenant", "add", "dev"], "there is a tenant \"dev\" already");
    check(&["tenant", "add", "a", "--tier", "gold"], "there is ephemeral, free, plus, pro");
    check(&["tenant", "add", "a", "--dialect", "pusher"], "cohesivity");
    check(&["tenant", "remove", "nobody", "--yes"], "there is no tenant \"nobody\"; there is dev");
    check(&["tenant", "rotate-key", "dev", "project"], "is of the configuration; change it there");
    check(&["tenant", "rotate-key", "dev", "project", "--grace", "1w"], "as 24h");
    check(&["token", "inspect", "nonsense"], "this is no token that a node makes");
    check(&["token", "issue", "--user", "a", "--channel", "b"], "--dialect infrai");
    check(&["token", "issue", "--user", "a", "--ttl", "7200"], "at most 3600");
    let infrai = ["token", "issue", "--user", "a", "--dialect", "infrai", "--channel", "b:*"];
    let token = done(folder.path(), &infrai).trim().to_owned();
    let found = done(folder.path(), &["token", "inspect", &token]);
    assert!(found.contains("[\"b:*\"]") && found.contains("[\"subscribe\"]"), "{found}");
    let forged = format!("{}A", &token[..token.len() - 1]);
    let forged = if forged == token { format!("{}E", &token[..token.len() - 1]) } else { forged };
    assert!(done(folder.path(), &["token", "inspect", &forged]).contains("forged"));
    check(&["token", "revoke", &forged], "was not made with the tenant's signing secret");
    node.stop();
}
