//! A tenant that is removed leaves nothing, however the node ends in the middle of that: no key, no secret, no message, no row.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use engine::control::{PATTERNS, POLICIES, RETENTION, TABLES, tenant_of};
use engine::layout::{Layout, REMOVED, TENANTS, removed};
use serde_json::{Value, json};
use storage::{Catalog, OwnedChange, TenantId};

use super::node::{Node, pause, run, stentor};
use super::operate::{done, start, word};
use super::tools::{curl, post};

/// A tenant that has something of everything.
struct Shop {
    application: String,
    project: String,
}

impl Shop {
    fn open(node: &Node, folder: &Path) -> Self {
        let made = done(folder, &["tenant", "add", "shop", "--tier", "pro"]);
        let shop =
            Self { application: word(&made, "coh_app_"), project: word(&made, "ifr_pk_proj_") };
        for channel in 0..20 {
            assert_eq!(shop.publish(node, &format!("c{channel}")), 200);
        }
        let issue = json!({"client_id": "ada", "idempotency_key": "k"});
        let token = shop.call(node, "token/issue", &issue)["data"]["token"].clone();
        shop.call(node, "token/revoke", &json!({"token": token}));
        shop.call(node, "channel/create", &json!({"name": "made", "idempotency_key": "k"}));
        let management = format!("Authorization: Bearer {}", word(&made, "coh_man_"));
        let url = node.url("/api/resources/realtime");
        assert_eq!(curl(&["-X", "DELETE", &url, "-H", &management]).status, 200);
        assert_eq!(curl(&["-X", "POST", &url, "-H", &management]).status, 200);
        assert_eq!(shop.publish(node, "kept"), 200);
        shop
    }

    fn publish(&self, node: &Node, channel: &str) -> u16 {
        let url = node.url(&format!("/edge/realtime?key={}", self.application));
        post(&url, &format!(r#"{{"channel":"{channel}","data":1}}"#)).status
    }

    fn call(&self, node: &Node, path: &str, body: &Value) -> Value {
        let url = node.url(&format!("/v1/realtime/{path}"));
        let bearer = format!("Authorization: Bearer {}", self.project);
        let answer = curl(&[&url, "-H", &bearer, "--json", &body.to_string()]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Nobody finds anything of it on the node, which is stopped then.
    fn assert_gone(&self, node: Node, folder: &Path) {
        assert_eq!(self.publish(&node, "kept"), 401);
        assert!(!folder.join("stentor-data/tenants/shop.toml").exists(), "its secrets are there");
        // A tenant of its name is another one.
        let made = done(folder, &["tenant", "add", "shop"]);
        let url = node.url(&format!("/edge/database?key={}", word(&made, "coh_app_")));
        let rows = post(&url, r#"{"query":"SELECT * FROM realtime_messages"}"#).json();
        assert_eq!(rows, json!({"rows": []}));
        done(folder, &["tenant", "remove", "shop", "--yes"]);
        node.kill();
        assert_no_rows(folder);
    }
}

/// Every row of the catalog belongs to a tenant that there is.
fn assert_no_rows(folder: &Path) {
    let catalog = Catalog::open(&folder.join("stentor-data/catalog")).unwrap();
    let live: Vec<Vec<u8>> = catalog.entries(TENANTS).unwrap().into_iter().map(|it| it.1).collect();
    for table in TABLES {
        for (key, _) in catalog.entries(table).unwrap() {
            let (TenantId(number), _) = tenant_of(&key).unwrap();
            assert!(live.contains(&number.to_le_bytes().to_vec()), "{table} of tenant {number}");
        }
    }
    assert!(catalog.entries(REMOVED).unwrap().is_empty(), "a removal is not finished");
}

/// How many rows of each table a tenant has, in the order of the tables.
fn rows(folder: &Path, tenant: TenantId) -> Vec<usize> {
    let catalog = Catalog::open(&folder.join("stentor-data/catalog")).unwrap();
    let of = |table: &str| {
        let all = catalog.entries(table).unwrap();
        all.iter().filter(|(key, _)| tenant_of(key).is_some_and(|it| it.0 == tenant)).count()
    };
    TABLES.into_iter().map(of).collect()
}

#[test]
fn what_a_removed_tenant_had_is_gone_once_the_command_returns() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    Shop::open(&node, folder.path());
    done(folder.path(), &["tenant", "remove", "shop", "--yes"]);
    node.kill();
    assert_no_rows(folder.path());
    // The same without a server.
    let node = start(folder.path());
    let shop = Shop::open(&node, folder.path());
    node.stop();
    done(folder.path(), &["tenant", "remove", "shop", "--yes"]);
    assert_no_rows(folder.path());
    let node = start(folder.path());
    shop.assert_gone(node, folder.path());
}

#[test]
fn a_removal_that_ended_with_its_first_change_is_finished_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let shop = Shop::open(&node, folder.path());
    node.kill();
    let data = folder.path().join("stentor-data");
    let mut layout = Layout::open(&data, 0, 2, 0).unwrap();
    let id = layout.tenant("shop", 0).unwrap();
    drop(layout);
    let mut layout = Layout::open(&data, 0, 2, 0).unwrap();
    // A tenant that a command made has no rules of its own yet.
    let rule = |table: &str| {
        let (table, key) = (table.to_owned(), id.0.to_be_bytes().to_vec());
        OwnedChange::Put { table, key, value: vec![1, 0, 0, 0] }
    };
    layout.apply(&[PATTERNS, RETENTION, POLICIES].map(rule), 0).unwrap();
    drop(layout);
    assert!(rows(folder.path(), id).iter().all(|it| *it > 0), "there is something to forget");
    let mut layout = Layout::open(&data, 0, 2, 0).unwrap();
    let delete = |table: &str| {
        let (table, key) = (table.to_owned(), b"shop".to_vec());
        OwnedChange::Delete { table, key }
    };
    let last = layout.last_tenant().unwrap();
    let changes = [&[delete("made"), delete(TENANTS)][..], &removed("shop", id, last)].concat();
    layout.apply(&changes, 0).unwrap();
    drop(layout);
    let node = start(folder.path());
    shop.assert_gone(node, folder.path());
}

#[test]
fn a_tenant_whose_removal_was_killed_is_there_or_gone_and_nothing_between() {
    let folder = tempfile::tempdir().unwrap();
    for delay_ms in [5, 12, 20, 30, 45] {
        let node = start(folder.path());
        let shop = Shop::open(&node, folder.path());
        thread::scope(|scope| {
            let remove = scope.spawn(|| {
                // It fails when the node ends before it answers.
                run(stentor(folder.path()).args(["tenant", "remove", "shop", "--yes"])).0.success()
            });
            pause(Duration::from_millis(delay_ms));
            node.kill();
            let _ = remove.join().unwrap(); // which of both it was is seen below
        });
        let node = start(folder.path());
        let list = done(folder.path(), &["tenant", "list", "--json"]);
        if list.contains("\"shop\"") {
            assert_eq!(shop.publish(&node, "kept"), 200, "after {delay_ms} ms");
            let url =
                node.url(&format!("/edge/realtime/history?channel=kept&key={}", shop.application));
            assert_eq!(curl(&[&url]).json()["messages"].as_array().unwrap().len(), 2);
            done(folder.path(), &["tenant", "remove", "shop", "--yes"]);
            node.stop();
        } else {
            shop.assert_gone(node, folder.path());
        }
        assert_no_rows(folder.path());
    }
    assert!(fs::read_dir(folder.path().join("stentor-data/tenants")).unwrap().next().is_none());
}
