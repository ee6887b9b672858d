//! Who may speak InsForge: keys of the configuration, of the development tenant and of commands; users by the host they come to.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::node::{Node, pause};
use super::operate::{done, start, walk, word};
use super::tools::{Answer, curl};

/// Asks for the anon key, which an administrator may read.
fn anon_key(node: &Node, header: &str) -> Answer {
    curl(&[&node.url("/api/metadata/anon-key"), "-H", header])
}

/// The tenant's anon key, or the status and the code of the refusal.
fn read(answer: &Answer) -> Result<String, (u16, String)> {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    if answer.status == 200 { Ok(text("anonKey")) } else { Err((answer.status, text("error"))) }
}

fn refused(status: u16, code: &str) -> Result<String, (u16, String)> {
    Err((status, code.to_owned()))
}

fn issue(folder: &Path, more: &[&str]) -> String {
    let always = ["token", "issue", "--dialect", "insforge", "--user", "ada"];
    done(folder, &[&always[..], more].concat()).trim().to_owned()
}

const ADMIN: [&str; 2] = ["--role", "project_admin"];

#[test]
fn the_development_tenant_speaks_insforge_and_keeps_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let tenant = node.ready()["tenants"][0].clone();
    let (api_key, anon) = (tenant["api_key"].as_str().unwrap(), tenant["anon_key"].as_str());
    assert!(api_key.starts_with("ik_") && api_key.len() == 67, "{api_key}");
    let found = || Ok(anon.unwrap().to_owned());
    assert_eq!(read(&anon_key(&node, &format!("X-API-Key: {api_key}"))), found());
    assert_eq!(read(&anon_key(&node, &format!("Authorization: Bearer {api_key}"))), found());
    let older = node.url("/api/auth/tokens/anon");
    let older = curl(&["-X", "POST", &older, "-H", &format!("X-API-Key: {api_key}")]);
    assert_eq!(older.json()["accessToken"].as_str(), anon);
    let token = issue(folder.path(), &ADMIN);
    assert_eq!(read(&anon_key(&node, &format!("Authorization: Bearer {token}"))), found());
    for (header, status, code) in [
        ("X-A: b".to_owned(), 401, "AUTH_INVALID_CREDENTIALS"),
        (format!("X-API-Key: {api_key}0"), 401, "AUTH_INVALID_API_KEY"),
        (format!("Authorization: Bearer {}", anon.unwrap()), 401, "AUTH_UNAUTHORIZED"),
        (format!("Authorization: Bearer {}", issue(folder.path(), &[])), 403, "AUTH_UNAUTHORIZED"),
        (format!("Authorization: Bearer {token}x"), 401, "AUTH_UNAUTHORIZED"),
    ] {
        assert_eq!(read(&anon_key(&node, &header)), refused(status, code), "{header}");
    }
    node.stop();
    let node = start(folder.path());
    assert_eq!(node.ready()["tenants"][0], tenant, "the second start has the keys of the first");
    node.stop();
}

/// Two tenants, of which the first has a host and a key set.
fn two_tenants(folder: &Path) {
    let n = format!("{}A", "b".repeat(341));
    let jwks = format!(r#"{{"keys":[{{"kty":"RSA","kid":"k-1","n":"{n}","e":"AQAB"}}]}}"#);
    fs::write(folder.join("jwks.json"), jwks).unwrap();
    let tenant = |name: &str, digit: &str, more: &str| {
        format!(
            "[[tenant]]\nname = \"{name}\"\n[tenant.insforge]\napi_key = \"ik_{0}\"\n\
             anon_key = \"anon_{0}\"\njwt_secret = \"{0}\"\n{more}",
            digit.repeat(64)
        )
    };
    let first = tenant("one", "1", "jwks_file = \"jwks.json\"\nhosts = [\"one.example\"]\n");
    fs::write(folder.join("stentor.toml"), format!("{first}{}", tenant("two", "2", ""))).unwrap();
}

#[test]
fn a_user_is_of_the_tenant_whose_host_they_come_to() {
    let folder = tempfile::tempdir().unwrap();
    two_tenants(folder.path());
    let config = ["--shards", "2", "--config", "stentor.toml"];
    let node = Node::start(folder.path(), &config);
    let token = |name: &str| {
        let more = ["--tenant", name, "--config", "stentor.toml"];
        issue(folder.path(), &[&more[..], &ADMIN].concat())
    };
    let ask = |host: &str, token: &str| {
        let (host, token) = (format!("Host: {host}"), format!("Authorization: Bearer {token}"));
        read(&curl(&[&node.url("/api/metadata/anon-key"), "-H", &host, "-H", &token]))
    };
    let (one, two) = (token("one"), token("two"));
    let key = |digit: &str| Ok(format!("anon_{}", digit.repeat(64)));
    assert_eq!(ask("one.example", &one), key("1"));
    assert_eq!(ask("One.Example:8080", &one), key("1"));
    assert_eq!(ask("one.example", &two), refused(401, "AUTH_UNAUTHORIZED"));
    assert_eq!(ask("two.example", &two), key("2"));
    assert_eq!(ask("two.example", &one), refused(401, "AUTH_UNAUTHORIZED"));
    // A key says itself whose it is.
    assert_eq!(ask("two.example", &format!("ik_{}", "1".repeat(64))), key("1"));
    let keys = |host: &str, path: &str| {
        let answer = curl(&[&node.url(path), "-H", &format!("Host: {host}")]);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["keys"].clone()
    };
    for path in ["/.well-known/jwks.json", "/api/.well-known/jwks.json"] {
        assert_eq!(keys("one.example", path)[0]["kid"], "k-1");
        assert_eq!(keys("two.example", path).as_array().unwrap().len(), 0);
    }
    node.stop();
}

#[test]
fn keys_that_a_command_made_rotate_and_end_and_only_the_anon_key_is_kept_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let add = ["tenant", "add", "shop", "--dialect", "insforge", "--host", "Shop.example"];
    let made = done(folder.path(), &add);
    let (api, anon) = (word(&made, "ik_"), word(&made, "anon_"));
    let ask = |key: &str| read(&anon_key(&node, &format!("X-API-Key: {key}")));
    assert_eq!(ask(&api), Ok(anon.clone()));
    let rotate = |kind: &str, time: &[&str]| {
        done(folder.path(), &[&["tenant", "rotate-key", "shop", kind][..], time].concat())
    };
    let new_anon = rotate("anon", &[]);
    assert!(new_anon.contains("The old one works for 604800 s more."), "{new_anon}");
    assert_eq!(ask(&api), Ok(word(&new_anon, "anon_")), "the new one is read");
    let new = word(&rotate("api", &["--grace", "3s"]), "ik_");
    assert!(ask(&api).is_ok() && ask(&new).is_ok(), "both work for a while");
    let ended = (0..100).any(|_| {
        pause(Duration::from_millis(100));
        ask(&api) == refused(401, "AUTH_INVALID_API_KEY")
    });
    assert!(ended, "the old key ends by itself");
    let by_token = |token: &str| {
        let token = format!("Authorization: Bearer {token}");
        let arguments = [&node.url("/api/metadata/anon-key"), "-H", "Host: shop.example", "-H"];
        curl(&[&arguments[..], &[&token]].concat()).status
    };
    let of_shop = || issue(folder.path(), &[&["--tenant", "shop"][..], &ADMIN].concat());
    let old = of_shop();
    assert_eq!(by_token(&old), 200);
    rotate("jwt", &["--grace", "1h"]);
    assert_eq!((by_token(&old), by_token(&of_shop())), (200, 200));
    rotate("jwt", &["--now"]);
    assert_eq!((by_token(&old), by_token(&of_shop())), (401, 200));
    node.kill();
    let node = start(folder.path());
    assert_eq!(anon_key(&node, &format!("X-API-Key: {new}")).status, 200, "it survives");
    for key in [&api, &new] {
        let kept = walk(folder.path(), key.as_bytes());
        assert!(kept.is_empty(), "a bearer key is kept in {kept:?}");
    }
    let list = done(folder.path(), &["tenant", "list", "--json"]);
    assert!(list.contains("\"hosts\":[\"shop.example\"]"), "{list}");
    done(folder.path(), &["tenant", "remove", "shop", "--yes"]);
    assert_eq!(anon_key(&node, &format!("X-API-Key: {new}")).status, 401);
    node.stop();
}

#[test]
fn a_host_is_of_one_tenant_and_a_tenant_without_one_takes_no_users_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path());
    let of_dev = issue(folder.path(), &[&["--tenant", "dev"][..], &ADMIN].concat());
    done(folder.path(), &["tenant", "add", "a", "--host", "a.example"]);
    done(folder.path(), &["tenant", "add", "b"]);
    let header = format!("Authorization: Bearer {of_dev}");
    assert_eq!(anon_key(&node, &header).status, 200, "the older tenant keeps its users");
    let refuse = |arguments: &[&str], why: &str| {
        let (status, _, error) =
            super::node::run(super::node::stentor(folder.path()).args(arguments));
        assert_eq!(status.code(), Some(64), "{arguments:?}");
        assert!(error.contains(why), "{arguments:?}: {error}");
    };
    let add = |more: &[&'static str]| [&["tenant", "add", "c"][..], more].concat();
    refuse(&add(&["--host", "A.example"]), "host \"a.example\" is tenant \"a\"'s");
    refuse(&add(&["--host", "http://c"]), "without a scheme and a port");
    refuse(&add(&["--host", "c", "--dialect", "infrai"]), "hosts are of the dialect insforge");
    refuse(&["tenant", "rotate-key", "b", "ik"], "api");
    node.stop();
    // The same host in a configuration.
    two_tenants(folder.path());
    let text = fs::read_to_string(folder.path().join("stentor.toml")).unwrap();
    fs::write(folder.path().join("stentor.toml"), text.replace("one.example", "a.example"))
        .unwrap();
    let list = ["tenant", "list", "--config", "stentor.toml"];
    refuse(&list, "host \"a.example\" of tenant \"one\" is also that of \"a\"");
}
