//! Two tenants of one configuration file share nothing, not even a channel of one name.

use std::fs;

use super::node::{Node, TWO_TENANTS};
use super::tools::{curl, javascript, post};

#[test]
fn a_tenant_sees_nothing_of_another() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("stentor.toml"), TWO_TENANTS).unwrap();
    let node = Node::start(folder.path(), &["--config", "stentor.toml"]);
    javascript(&node, "tenants.mjs");
    let history = |key: char| {
        let key = format!("coh_app_{}", key.to_string().repeat(20));
        let url = node.url(&format!("/edge/realtime/history?channel=chat:same&key={key}"));
        curl(&[&url]).body
    };
    assert!(history('1').contains("\"of one\"") && !history('1').contains("of two"));
    assert!(history('2').contains("\"of two\"") && !history('2').contains("of one"));
    let management = node.url("/edge/realtime?key=coh_man_11111111111111111111");
    assert_eq!(post(&management, r#"{"channel":"a","data":1}"#).status, 401);
    node.stop();
}
