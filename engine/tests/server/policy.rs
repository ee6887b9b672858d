//! `stentor policy test`: what policies allow, and why.

use std::fs;
use std::path::Path;

use super::node::{run, stentor};
use super::operate::{done, start};

const POLICIES: &str = r#"{
  "subscribe": {"policies": [
    {"policyName": "own", "roles": ["authenticated"], "pattern": "user:%", "using": "split(channel, ':', 1) == sub"},
    {"policyName": "team", "pattern": "team:%", "using": "split(channel, ':', 1) == claims.team"}
  ]},
  "publish": {"policies": []}
}"#;

/// The code, and what was printed.
fn test(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let always = ["policy", "test", "--policies", "policies.json", "--as"];
    let (status, out, error) = run(stentor(folder).args(always).args(arguments));
    (status.code(), format!("{out}{error}"))
}

#[test]
fn a_decision_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policies.json"), POLICIES).unwrap();
    let check = |arguments: &[&str], code: i32, lines: &[&str]| {
        let (found, out) = test(folder.path(), arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {out}");
        let out: Vec<_> = out.lines().collect();
        assert!(lines.iter().zip(&out).all(|(line, out)| out.starts_with(line)), "{out:#?}");
        assert!(out.len() >= lines.len(), "{out:#?}");
    };
    let ada = ["authenticated", "--user", "ada"];
    let as_ada = |more: &[&'static str]| [&ada[..], more].concat();
    let team = "  \"team\" is for other channels";
    let lines = ["allow: \"own\" grants it", "  \"own\" is true", team];
    check(&as_ada(&["subscribe", "user:ada"]), 0, &lines);
    let lines = ["deny: no policy grants it", "  \"own\" is false", team];
    check(&as_ada(&["subscribe", "user:bob"]), 77, &lines);
    let other = "  \"own\" is for other channels";
    let lines = ["deny: no policy grants it", other, "  \"team\" grants nothing: "];
    check(&as_ada(&["subscribe", "team:a"]), 77, &lines);
    let claimed = as_ada(&["--claims", "{\"team\":\"a\"}", "subscribe", "team:a"]);
    check(&claimed, 0, &["allow: \"team\" grants it", other, "  \"team\" is true"]);
    let lines = ["deny: no policy grants it", "  \"own\" is for other roles"];
    check(&["anon", "subscribe", "user:ada"], 77, &lines);
    let lines = ["allow: no policy holds for a project_admin"];
    check(&["api-key", "subscribe", "user:ada"], 0, &lines);
    let lines = ["allow: there is no policy for this action"];
    check(&["anon", "publish", "user:ada", "typing"], 0, &lines);
    let issue = ["token", "issue", "--dialect", "insforge", "--user", "ada"];
    let token = done(folder.path(), &issue);
    check(&[token.trim(), "subscribe", "user:ada"], 0, &["allow: \"own\" grants it"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policies.json"), POLICIES).unwrap();
    let check = |arguments: &[&str], code: i32, why: &str| {
        let (found, out) = test(folder.path(), arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {out}");
        assert!(out.contains(why), "{arguments:?}: {out}");
    };
    check(&["authenticated", "subscribe", "a"], 64, "--as authenticated needs --user");
    check(&["anon", "publish", "a"], 64, "publish needs an EVENT");
    check(&["anon", "subscribe", "a", "b"], 64, "subscribe has no EVENT");
    check(&["nobody", "subscribe", "a"], 64, "Invalid token");
    check(&["api-key", "--user", "ada", "subscribe", "a"], 64, "are of roles");
    let broken = ["authenticated", "--user", "a", "--claims", "[]", "subscribe", "a"];
    check(&broken, 64, "--claims must be a JSON object");
    check(&["anon", "listen", "a"], 64, "listen");
    let text = POLICIES.replace("== sub", "= sub");
    fs::write(folder.path().join("policies.json"), text).unwrap();
    check(&["anon", "subscribe", "a"], 78, "policies.json: ");
    let text = POLICIES.replace("== sub", "== 'ada'");
    fs::write(folder.path().join("policies.json"), text).unwrap();
    check(&["anon", "subscribe", "a"], 78, "a text stands in \"…\"");
    fs::remove_file(folder.path().join("policies.json")).unwrap();
    check(&["anon", "subscribe", "a"], 74, "read policies.json");
}

#[test]
fn a_token_of_insforge_has_what_insforge_has() {
    let folder = tempfile::tempdir().unwrap();
    let check = |more: &[&str], why: &str| {
        let (status, _, error) =
            run(stentor(folder.path()).args(["token", "issue", "--user", "a"]).args(more));
        assert_eq!(status.code(), Some(64), "{more:?}");
        assert!(error.contains(why), "{more:?}: {error}");
    };
    check(&["--dialect", "insforge", "--channel", "a"], "are of other dialects");
    check(&["--dialect", "insforge", "--claims", "x"], "--claims is no JSON");
    check(&["--email", "a@b"], "are of --dialect insforge");
    check(&["--dialect", "insforge", "--role", "boss"], "project_admin");
}

#[test]
fn without_a_file_the_policies_are_those_of_the_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |more: &[&str]| {
        let always = ["policy", "test", "--as", "anon", "subscribe", "chat:7"];
        done(folder.path(), &[&always[..], more].concat())
    };
    let open = "allow: there is no policy for this action\n";
    assert_eq!(ask(&[]), open, "of a data directory that holds nothing yet");
    let node = start(folder.path());
    assert_eq!(ask(&[]), open, "of a node that runs");
    done(folder.path(), &["tenant", "add", "shop", "--dialect", "insforge"]);
    assert_eq!(ask(&["--tenant", "shop"]), open);
    let (status, _, error) =
        run(stentor(folder.path()).args(["policy", "test", "--as", "anon", "subscribe", "a"]));
    assert_eq!(status.code(), Some(64), "two tenants: {error}");
    node.stop();
    assert_eq!(ask(&["--tenant", "shop"]), open, "of a node that is stopped");
}
