//! What the official server answers, taken from its own code.

use std::path::Path;

use protocol::Limits;
use protocol::auth::insforge::{Jwks, Role, UserKeys};
use protocol::dialect::insforge::Pattern;
use serde_json::Value;

const NOW_S: u64 = 1_800_000_000;

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/insforge/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn patterns_are_those_of_the_reference_server() {
    let vectors = vectors();
    let cases = vectors["pattern_validation"].as_array().unwrap();
    for case in cases {
        let text = case["pattern"].as_str().unwrap();
        // `*` for `%` is ours.
        let is_valid = case["valid"] == true || text == "order:*";
        assert_eq!(Pattern::parse(text).is_ok(), is_valid, "{text}");
    }
    let names = vectors["like"].as_array().unwrap();
    for case in names {
        let (pattern, name) =
            (case["pattern"].as_str().unwrap(), case["channel"].as_str().unwrap());
        let matches = Pattern::parse(pattern).unwrap().matches(name);
        assert_eq!(Some(matches), case["matches"].as_bool(), "{pattern} {name}");
    }
    assert!(cases.len() >= 15 && names.len() >= 10);
}

#[test]
fn tokens_are_those_of_the_reference_server() {
    let vectors = vectors();
    let secret = vectors["jwt_secret"].as_str().unwrap();
    let keys = UserKeys::new(secret, Jwks::default()).unwrap();
    let verify = |name: &str| {
        let token = vectors["tokens"][name]["token"].as_str().unwrap();
        keys.verify(token, NOW_S, &Limits::default())
    };
    for name in ["authenticated", "project_admin"] {
        let claims = &vectors["tokens"][name]["claims"];
        let user = verify(name).unwrap();
        assert_eq!(Some(&*user.id), claims["sub"].as_str());
        assert_eq!(user.email.as_deref(), claims["email"].as_str());
        assert_eq!(user.role.name(), claims["role"].as_str().unwrap());
        assert_eq!(serde_json::from_str::<Value>(&user.claims).unwrap(), *claims);
    }
    for name in ["expired", "no_sub"] {
        let text = verify(name).unwrap_err().to_string();
        assert_eq!(Some(&*text), vectors["tokens"][name]["expect"].as_str());
    }
    assert_eq!(verify("project_admin").unwrap().role, Role::ProjectAdmin);
}
