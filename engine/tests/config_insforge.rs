//! What the configuration says of a tenant that speaks InsForge.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::path::Path;

use engine::config::{Loaded, Secrets, Sources, provision, shown};
use engine::ids::TenantId;
use engine::tenants::{PolicyMode, Tenants};
use protocol::Limits;
use protocol::auth::insforge::{Credential, Role};

const SECRET: &str = "a secret that has 32 characters.";

fn key(prefix: &str, digit: &str) -> String {
    format!("{prefix}{}", digit.repeat(64))
}

/// A tenant with keys of this digit, and more rows.
fn tenant(name: &str, digit: &str, more: &str) -> String {
    format!(
        "[[tenant]]\nname = \"{name}\"\n[tenant.insforge]\napi_key = \"{}\"\nanon_key = \"{}\"\n\
         jwt_secret = \"{digit}{SECRET}\"\n{more}",
        key("ik_", digit),
        key("anon_", digit),
    )
}

/// The set of one key of 2,048 bits.
fn jwks() -> String {
    let n = format!("{}A", "b".repeat(341));
    format!(r#"{{"keys":[{{"kty":"RSA","kid":"k-1","n":"{n}","e":"AQAB"}}]}}"#)
}

fn load_in(folder: &Path, text: &str) -> Result<Loaded, String> {
    let path = folder.join("stentor.toml");
    fs::write(&path, text).unwrap();
    let loaded = Sources { file: Some(path), ..Sources::default() }.load();
    loaded.map_err(|it| it.to_string().replace(&format!("{}/", folder.display()), ""))
}

fn error(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    load_in(folder.path(), text).err().unwrap_or_else(|| "valid".to_owned())
}

fn tenants(loaded: &Loaded) -> Tenants {
    let mut config = loaded.config.clone();
    config.server.ephemeral = true;
    let provisioned = provision(&config).unwrap();
    let specs = provisioned.tenants.iter().zip(1..).map(|(it, id)| it.spec(TenantId(id)));
    Tenants::new(&specs.collect::<Vec<_>>(), *provisioned.node_secret.reveal())
}

#[test]
fn every_setting_reaches_the_shards() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("jwks.json"), jwks()).unwrap();
    let more = "jwks_file = \"jwks.json\"\nhosts = [\"App.example\", \"[::1]\"]\nshadow = true\n";
    let text = format!("{}{}", tenant("a", "a", more), tenant("b", "b", ""));
    let tenants = tenants(&load_in(folder.path(), &text).unwrap());
    let who = |offered: &str| {
        let offered = Credential::of_token(offered);
        let found = tenants.identify(offered, "localhost", 1, &Limits::default());
        found.map(|(id, who)| (id, who.role())).ok()
    };
    let (a, b) = (TenantId(1), TenantId(2));
    assert_eq!(who(&key("ik_", "a")), Some((a, Role::ProjectAdmin)));
    assert_eq!(who(&key("anon_", "b")), Some((b, Role::Anon)));
    assert_eq!(tenants.anon_key(a), Some(&*key("anon_", "a")));
    assert_eq!(tenants.policy_mode(a), PolicyMode::Shadow);
    assert_eq!(tenants.policy_mode(b), PolicyMode::Enforced);
    assert_eq!(tenants.of_host("app.example:8080"), Some(a));
    assert_eq!(tenants.of_host("other.example"), Some(b));
    let document = |id| {
        let mut out = Vec::new();
        tenants.jwks(id).unwrap().push_document(&mut out);
        String::from_utf8(out).unwrap()
    };
    assert!(document(a).contains("\"kid\":\"k-1\""));
    assert_eq!(document(b), "{\"keys\":[]}");
}

#[test]
fn what_is_shown_masks_secrets_and_gives_the_same_tenant() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("jwks.json"), jwks()).unwrap();
    let more = "jwks_file = \"jwks.json\"\nhosts = [\"App.example\", \"[::1]\"]\nshadow = true\n";
    let loaded = load_in(folder.path(), &tenant("a", "a", more)).unwrap();
    let masked = shown(&loaded, Secrets::Masked);
    for secret in [&key("ik_", "a"), SECRET] {
        assert!(!masked.contains(secret), "{secret} in\n{masked}");
    }
    for line in ["api_key = \"ik_…aa\"", "jwt_secret = \"…s.\"", &key("anon_", "a")] {
        assert!(masked.contains(line), "{line} in\n{masked}");
    }
    let whole = shown(&loaded, Secrets::Shown);
    let again = shown(&load_in(folder.path(), &whole).unwrap(), Secrets::Shown);
    let values = |text: &str| {
        let lines = text.lines().map(|it| it.split('#').next().unwrap_or_default().trim());
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(values(&whole), values(&again));
    for line in ["hosts = [\"app.example\", \"[::1]\"]", "shadow = true", &key("ik_", "a"), SECRET]
    {
        assert!(whole.contains(line), "{line} in\n{whole}");
    }
}

#[test]
fn wrong_settings_are_refused_with_their_place() {
    let check = |more: &str, expected: &str| {
        let text = tenant("a", "a", more);
        assert_eq!(error(&text), format!("stentor.toml:{expected}"), "{more}");
    };
    check(
        "jwks_fil = \"x\"\n",
        "7: unknown setting `tenant.insforge.jwks_fil`; did you mean `jwks_file`?",
    );
    check("shadow = 1\n", "7: tenant.insforge.shadow is of type integer; it must be true or false");
    check(
        "hosts = \"a\"\n",
        "7: tenant.insforge.hosts is of type string; it must be a list of names",
    );
    let rule = "each must be the name of a host, without a scheme and a port";
    check(
        "hosts = [\"a\", \"http://a\"]\n",
        &format!("7: tenant.insforge.hosts is \"http://a\"; {rule}"),
    );
    check(
        &format!("hosts = [{}]\n", vec!["\"a\""; 65].join(",")),
        "7: tenant.insforge.hosts is a list of 65; it may have 64 names",
    );
    check(
        "jwks_file = \"none.json\"\n",
        "7: tenant.insforge.jwks_file: none.json: No such file or directory (os error 2)",
    );
    let keys = |ik: &str, anon: &str, secret: &str| {
        format!(
            "[[tenant]]\nname = \"a\"\n[tenant.insforge]\napi_key = \"{ik}\"\nanon_key = \"{anon}\"\n\
             jwt_secret = \"{secret}\"\n"
        )
    };
    let (ik, anon) = (key("ik_", "a"), key("anon_", "a"));
    for (text, expected) in [
        (keys("ik_x", &anon, SECRET), {
            "4: tenant.insforge.api_key is 4 characters; it must be ik_ and 64 hexadecimal digits"
        }),
        (keys(&ik, &ik, SECRET), {
            "5: tenant.insforge.anon_key is 67 characters; it must be anon_ and 64 hexadecimal digits"
        }),
        (keys(&ik, &anon, &SECRET[1..]), {
            "6: tenant.insforge.jwt_secret is 31 characters; it must have at least 32"
        }),
        (keys(&ik, &anon, SECRET).replace("anon_key", "#"), {
            "3: tenant.insforge.anon_key is missing"
        }),
    ] {
        assert_eq!(error(&text), format!("stentor.toml:{expected}"));
    }
    assert_eq!(error(&keys(&ik, &anon, SECRET)), "valid");
}

#[test]
fn a_key_set_that_cannot_be_used_is_refused_with_its_fault() {
    let text = tenant("a", "a", "jwks_file = \"keys/jwks.json\"\n");
    let check = |set: &str, expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("keys")).unwrap();
        fs::write(folder.path().join("keys/jwks.json"), set).unwrap();
        let found = load_in(folder.path(), &text).err();
        let place = "stentor.toml:7: tenant.insforge.jwks_file: keys/jwks.json: ";
        assert_eq!(found, Some(format!("{place}{expected}")));
    };
    check("[]", "is no JSON object with an array \"keys\"");
    check("{\"keys\":[{\"kty\":\"EC\"}]}", "keys[0] is no RSA key");
    let private = jwks().replace("\"kty\"", "\"d\":\"AQAB\",\"kty\"");
    check(&private, "keys[0] is a private key");
    check(&" ".repeat(256 * 1024 + 1), "more than 262144 bytes");
}

#[test]
fn two_tenants_share_nothing_that_says_whose_a_request_is() {
    let one = tenant("one", "a", "hosts = [\"a.example\"]\n");
    let check = |from: &str, to: &str, key: &str| {
        let other = tenant("two", "b", "hosts = [\"b.example\"]\n").replace(from, to);
        let expected = format!(
            "tenant.insforge.{key} of tenant \"two\" is also that of \"one\"; no two tenants share one"
        );
        assert_eq!(error(&format!("{one}{other}")), expected);
    };
    check(&key("ik_", "b"), &key("ik_", "a"), "api_key");
    check(&key("anon_", "b"), &key("anon_", "a"), "anon_key");
    check(&format!("b{SECRET}"), &format!("a{SECRET}"), "jwt_secret");
    check("b.example", "A.Example.", "hosts");
}
