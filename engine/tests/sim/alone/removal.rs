//! Tenants that are removed while something of theirs is under way.

use std::sync::Arc;

use engine::limits::Limits;
use engine::shard::input::Input;
use engine::tenants::Tenants;
use protocol::auth::insforge::sign_user;

use super::{Alone, ENGINE, METERED, NODE_KEY, OPEN, introduction, specs};
use crate::keys::jwt_secret;

/// The seat of a metered tenant counts a client that comes. If the tenant is removed meanwhile, the client is told, and is heard
/// again: nothing else would end its wait.
#[test]
fn who_comes_to_a_tenant_that_is_removed_meanwhile_is_told() {
    let mut alone = Alone::new(Limits::default());
    let token = sign_user(r#"{"sub":"ada"}"#, &jwt_secret(METERED));
    // One comes for the first time, the other is let in elsewhere already.
    let socket = alone.open(METERED, ENGINE);
    let plain = alone.open(OPEN, "/realtime");
    assert!(alone.tell(plain, &introduction(OPEN)).contains("auth_success"));
    alone.heard(socket);
    alone.is_catalog_slow = true;
    assert_eq!(alone.tell(socket, &format!(r#"40{{"token":"{token}"}}"#)), "");
    assert_eq!(alone.tell(plain, &introduction(METERED)), "");
    let [open, _] = specs();
    alone.handle(Input::Tenants(Arc::new(Tenants::new(&[open], NODE_KEY))));
    alone.is_catalog_slow = false;
    alone.settle();
    let told = alone.heard(socket);
    assert!(told.contains("44{\"message\":"), "{told}");
    let told = alone.heard(plain);
    assert!(told.contains("\"type\":\"error\""), "{told}");
    assert!(alone.tell(plain, r#"{"type":"ping"}"#).contains("pong"), "it is still who it was");
    assert!(alone.tell(socket, "40{}").contains("No authentication"));
    assert_eq!(alone.shard.running_calls(), 0);
}
