//! Secrets that are easy to find: after all kinds of good and bad calls at the chattiest level none of them is anywhere.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use super::node::{Node, PATIENCE, pause, run, stentor, wait};
use super::operate::walk;
use super::tools::curl;

const SIGNING: &str = "ca1a41e5ca1a41e5ca1a41e5ca1a41e5ca1a41e5ca1a41e5ca1a41e5ca1a41e5";
const MASTER_KEY: &str = "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2E=";

/// Every kind of secret, each a word that stands nowhere else.
const CANARIES: [&str; 8] = [
    "coh_app_canaryapplication001",
    "coh_man_canarymanagement0001",
    "ifr_pk_proj_canaryproject0001",
    SIGNING,
    "canarypushersecret0001",
    MASTER_KEY,
    "canaryablysecret0001",
    "sk_canaryliveblocks0001",
];

fn config() -> String {
    let [application, management, project, signing, pusher, master, ably, liveblocks] = CANARIES;
    format!(
        "[storage]\nsegment_bytes = 4194304\n[[tenant]]\nname = \"bird\"\nsigning_secret = \"{signing}\"\n\
         [tenant.cohesivity]\napplication_key = \"{application}\"\nmanagement_key = \"{management}\"\n\
         [tenant.infrai]\nproject_key = \"{project}\"\n\
         [tenant.pusher]\napp_id = \"1\"\nkey = \"k\"\nsecret = \"{pusher}\"\nencryption_master_key_base64 = \"{master}\"\n\
         [tenant.ably]\nkey = \"app.id:{ably}\"\n\
         [tenant.liveblocks]\nsecret_key = \"{liveblocks}\"\n"
    )
}

/// Everything that a client may do with a key, right or wrong; gives what was answered.
fn calls(url: &str, key: &str, token: &str) -> String {
    let bearer = format!("Authorization: Bearer {key}");
    let mut answers = String::new();
    let mut call = |arguments: &[&str]| {
        let answer = curl(arguments);
        answers.push_str(&answer.head);
        answers.push_str(&answer.body);
    };
    let good = r#"{"channel":"a","event":"e","data":1,"user_id":"u"}"#;
    for body in [good, "{"] {
        for path in [
            "/edge/realtime",
            "/edge/realtime/token",
            "/edge/session",
            "/v1/realtime/publish",
            "/v1/realtime/token/issue",
            "/v1/realtime/auth/sign",
            "/api/resources/realtime",
            "/edge/database",
        ] {
            call(&[&format!("{url}{path}?key={key}"), "--json", body]);
            call(&[&format!("{url}{path}"), "-H", &bearer, "--json", body]);
        }
    }
    for path in ["/health", "/v1/discovery", "/nowhere", "/edge/realtime/history?channel=a"] {
        call(&[&format!("{url}{path}")]);
        let join = if path.contains('?') { '&' } else { '?' };
        call(&[&format!("{url}{path}{join}key={key}")]);
    }
    for wrong in [format!("{key}x"), key.to_uppercase(), format!("%00{key}")] {
        call(&[&format!("{url}/edge/realtime?key={wrong}"), "--json", good]);
    }
    for token in [token, &format!("{token}x"), key] {
        call(&[&format!("{url}/edge/realtime?channel=a&token={token}")]);
        call(&[&format!("{url}/v1/realtime/ws?token={token}")]);
    }
    call(&["-X", "DELETE", &format!("{url}/api/resources/realtime"), "-H", &bearer]);
    answers
}

/// A node that logs everything into the folder. Returns it and its ready file.
fn serve(path: &Path) -> (Child, String) {
    fs::write(path.join("stentor.toml"), config()).unwrap();
    let file = |name| Stdio::from(fs::File::create(path.join(name)).unwrap());
    let mut command = stentor(path);
    command.args(["serve", "--config", "stentor.toml", "--listen", "127.0.0.1:0"]);
    command.args(["--shards", "2", "--log-level", "trace", "--ready-file", "ready.json"]);
    let child = command.stdout(file("out")).stderr(file("log")).spawn().unwrap();
    let ready = path.join("ready.json");
    for _ in 0..PATIENCE.as_millis() / 20 {
        if ready.exists() {
            break;
        }
        pause(std::time::Duration::from_millis(20));
    }
    (child, fs::read_to_string(&ready).unwrap())
}

/// No text has a canary, and not the first part of one: that is a leak as well.
fn assert_absent(canaries: &[&str], texts: &[(&str, &str)]) {
    for canary in canaries {
        let part = &canary[..canary.len() * 2 / 3];
        for (place, text) in texts {
            assert!(!text.contains(part), "{part} is in an {place}");
        }
    }
}

#[test]
fn no_secret_is_in_a_log_an_answer_or_an_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (mut child, told) = serve(path);
    let url = serde_json::from_str::<serde_json::Value>(&told).unwrap();
    let url = url["http"].as_str().unwrap().to_owned();

    let mut seen = told;
    let mut run = |arguments: &[&str]| {
        let (_, out, error) = run(stentor(path).args(arguments).args(["--config", "stentor.toml"]));
        seen.push_str(&error);
        // What a command prints once on purpose is not looked through, but handed on.
        out
    };
    let token = run(&["token", "issue", "--user", "u"]).trim().to_owned();
    let made = run(&["tenant", "add", "nest"]);
    let mut outs = Vec::new();
    for arguments in [
        &["tenant", "list"][..],
        &["tenant", "list", "--json"],
        &["tenant", "add", "bird"],
        &["tenant", "rotate-key", "bird", "project"],
        &["tenant", "remove", "bird", "--yes"],
        &["token", "inspect", &token],
        &["token", "revoke", &token],
        &["config", "show"],
        &["config", "check"],
    ] {
        outs.push(run(arguments));
    }
    seen.extend(outs);
    for key in &CANARIES[..3] {
        seen.push_str(&calls(&url, key, &token));
    }
    // An anon key is no secret.
    let is_secret = |it: &&str| it.contains('_') && !it.starts_with("anon_");
    let made: Vec<_> = made.split_whitespace().filter(is_secret).collect();
    for key in made.iter().take(1) {
        seen.push_str(&calls(&url, key, "nothing"));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(wait(&mut child).code(), Some(0));
    let [out, log] = ["out", "log"].map(|it| fs::read_to_string(path.join(it)).unwrap());
    assert!(
        out.contains("Infrai key") && log.contains("node listens"),
        "there is something to see"
    );
    assert_eq!(made.len(), 4, "{made:?}");
    let signature = token.rsplit('.').next().unwrap();
    let canaries: Vec<_> = CANARIES.into_iter().chain(made.iter().copied()).collect();
    let texts = [("output", &*out), ("log", &*log), ("answer or error", &*seen)];
    assert_absent(&canaries, &texts);
    assert_absent(&[signature], &texts);
    let data = path.join("stentor-data");
    for canary in made.iter().copied().chain(CANARIES) {
        let kept = walk(&data, canary.as_bytes());
        assert!(kept.is_empty(), "{canary} is kept in {kept:?}");
    }
}

#[test]
fn wrong_configurations_are_refused_without_their_secrets() {
    let folder = tempfile::tempdir().unwrap();
    for canary in CANARIES {
        for broken in [format!("{canary}!"), format!("{canary}\\n"), format!("{canary}\\u0000ä")] {
            let text = config().replace(canary, &broken);
            fs::write(folder.path().join("stentor.toml"), text).unwrap();
            let mut command = stentor(folder.path());
            let (_, out, error) = run(command.args(["config", "show", "--config", "stentor.toml"]));
            let part = &canary[..canary.len() * 2 / 3];
            assert!(!out.contains(part) && !error.contains(part), "{part} in {out}{error}");
        }
    }
}

#[test]
fn a_command_without_a_server_that_answers_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), &["--shards", "1"]);
    fs::remove_file(folder.path().join("stentor-data/control.sock")).unwrap();
    let (status, _, error) = run(stentor(folder.path()).args(["tenant", "list"]));
    assert_eq!(status.code(), Some(69), "{error}");
    assert!(error.contains("is in use, but nobody answers at"), "{error}");
    node.stop();
}
