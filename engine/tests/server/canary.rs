//! Secrets that are easy to find: after all kinds of good and bad calls at the chattiest level none of them is anywhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};

use super::node::{Node, run, stentor, wait, wait_for_ready};
use super::operate::{contents, walk};
use super::raw::{Raw, frame, upgrade};
use super::tools::{curl, post};

const SIGNING: &str = "ca1a41e5ca1a41e5ca1a41e5ca1a41e5ca1a41e5ca1a41e5ca1a41e5ca1a41e5";
const MASTER_KEY: &str = "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2E=";

/// Every kind of secret, each a word that stands nowhere else.
const CANARIES: [&str; 13] = [
    "coh_app_canaryapplication001",
    "coh_man_canarymanagement0001",
    "ifr_pk_proj_canaryproject0001",
    "ik_ca1a41e6ca1a41e6ca1a41e6ca1a41e6ca1a41e6ca1a41e6ca1a41e6ca1a41e6",
    SIGNING,
    "canarypushersecret0001",
    MASTER_KEY,
    "canaryablysecret0001",
    "sk_canaryliveblocks0001",
    "canaryjwtsecret-of-the-users-0001",
    "canarywebhooks0001",
    "canarywebhooksbefore0001",
    "canaryrealtimekit0001",
];
/// Those of them that are sent with calls.
const KEYS: usize = 4;

fn config() -> String {
    let [application, management, project, api, signing, pusher, master, ably, liveblocks, jwt, ..] =
        CANARIES;
    let [.., webhooks, webhooks_before, kit] = CANARIES;
    let anon = "0".repeat(64);
    format!(
        "[storage]\nsegment_bytes = 4194304\n\
         [webhooks]\nsigning_secret = \"{webhooks}\"\nsigning_secret_before = \"{webhooks_before}\"\n\
         [realtimekit]\naccount_id = \"a\"\napp_id = \"b\"\napi_token = \"{kit}\"\nbase_url = \"http://127.0.0.1:9\"\n\
         [[tenant]]\nname = \"bird\"\nsigning_secret = \"{signing}\"\n\
         [tenant.cohesivity]\napplication_key = \"{application}\"\nmanagement_key = \"{management}\"\n\
         [tenant.infrai]\nproject_key = \"{project}\"\n\
         [tenant.pusher]\napp_id = \"1\"\nkey = \"k\"\nsecret = \"{pusher}\"\nencryption_master_key_base64 = \"{master}\"\n\
         [tenant.ably]\nkey = \"app.id:{ably}\"\n\
         [tenant.liveblocks]\nsecret_key = \"{liveblocks}\"\nbase_url = \"http://127.0.0.1:9\"\n\
         [tenant.insforge]\napi_key = \"{api}\"\nanon_key = \"anon_{anon}\"\njwt_secret = \"{jwt}\"\n"
    )
}

/// Everything that a client may do with a key, right or wrong; gives what was answered.
fn calls(url: &str, key: &str, token: &str) -> String {
    let bearer = format!("Authorization: Bearer {key}");
    let api_key = format!("X-API-Key: {key}");
    let mut answers = String::new();
    let mut call = |arguments: &[&str]| {
        let answer = curl(arguments);
        answers.push_str(&answer.head);
        answers.push_str(&answer.body);
    };
    let good = r#"{"channel":"a","event":"e","data":1,"user_id":"u"}"#;
    for path in [
        "/edge/realtime",
        "/edge/realtime/token",
        "/edge/session",
        "/v1/realtime/publish",
        "/v1/realtime/token/issue",
        "/v1/realtime/auth/sign",
        "/api/resources/realtime",
        "/edge/database",
        "/edge/realtimekit/meetings",
        "/api/realtime/channels",
        "/api/auth/tokens/anon",
        "/socket.io/?EIO=4&transport=polling&sid=a",
    ] {
        let join = if path.contains('?') { '&' } else { '?' };
        call(&[&format!("{url}{path}{join}key={key}"), "--json", good]);
        call(&[&format!("{url}{path}"), "-H", &bearer, "--json", good]);
        let header = if path.starts_with("/api") { &api_key } else { &bearer };
        call(&[&format!("{url}{path}{join}key={key}"), "-H", header, "--json", "{"]);
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
    for vendor in ["pusher", "ably", "liveblocks"] {
        let sign = format!(r#"{{"vendor":"{vendor}","channels":["private-a"],"socket_id":"1.2"}}"#);
        // What is signed is for whoever asked; the key is not in it.
        call(&[&format!("{url}/v1/realtime/auth/sign"), "-H", &bearer, "--json", &sign]);
    }
    call(&["-X", "DELETE", &format!("{url}/api/resources/realtime"), "-H", &bearer]);
    for token in [token, key] {
        answers.push_str(&introduce(url, token));
    }
    answers
}

/// What a node says to someone who tells it this, on both of InsForge's sockets.
fn introduce(url: &str, token: &str) -> String {
    let address = url.trim_start_matches("http://");
    let mut heard = String::new();
    let socketio = "/socket.io/?EIO=4&transport=websocket";
    for (path, said) in [
        ("/realtime", format!(r#"{{"type":"auth","token":"{token}"}}"#)),
        (socketio, format!(r#"40{{"token":"{token}"}}"#)),
        (socketio, format!(r#"40{{"apiKey":"{token}"}}"#)),
    ] {
        let mut raw = Raw::to(address);
        raw.send(upgrade(path));
        heard.push_str(&raw.read_until("\r\n\r\n"));
        if path == socketio {
            heard.push_str(&raw.read_frame());
        }
        raw.send(frame(&said));
        heard.push_str(&raw.read_frame());
    }
    heard
}

/// A node that logs everything into the folder. Returns it and its ready file.
fn serve(path: &Path) -> (Child, String) {
    fs::write(path.join("stentor.toml"), config()).unwrap();
    let file = |name| Stdio::from(fs::File::create(path.join(name)).unwrap());
    let mut command = stentor(path);
    command.args(["serve", "--config", "stentor.toml", "--listen", "127.0.0.1:0"]);
    command.args(["--shards", "2", "--log-level", "trace", "--ready-file", "ready.json"]);
    let mut child = command.stdout(file("out")).stderr(file("log")).spawn().unwrap();
    let told = wait_for_ready(&mut child, (&path.join("ready.json"), &path.join("log")));
    (child, told)
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

/// What sled traces while a thread ends may end the process, so none of it is logged.
fn assert_untraced(log: &str) {
    let is_of_sled = |it: &&str| it.contains("target\":\"sled");
    let mut traces = log.lines().filter(|it| it.contains("\"level\":\"TRACE\"")).peekable();
    assert!(traces.peek().is_some(), "nothing is traced");
    assert_eq!(traces.find(is_of_sled), None);
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
    let user = ["token", "issue", "--user", "u", "--tenant", "bird", "--dialect", "insforge"];
    let user = run(&user).trim().to_owned();
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
    for key in &CANARIES[..KEYS] {
        seen.push_str(&calls(&url, key, &token));
    }
    seen.push_str(&introduce(&url, &user));
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
    assert_untraced(&log);
    assert_eq!(made.len(), 4, "{made:?}");
    let signatures = [&token, &user].map(|it| it.rsplit('.').next().unwrap());
    let canaries: Vec<_> = CANARIES.into_iter().chain(made.iter().copied()).collect();
    let texts = [("output", &*out), ("log", &*log), ("answer or error", &*seen)];
    assert_absent(&canaries, &texts);
    assert_absent(&signatures, &texts);
    for (path, text) in contents(&path.join("stentor-data")) {
        for canary in made.iter().copied().chain(CANARIES) {
            let is_kept = text.windows(canary.len()).any(|it| it == canary.as_bytes());
            assert!(!is_kept, "{canary} is kept in {path}");
        }
    }
}

/// All files of a folder that someone beside their owner may open.
fn open_files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap();
        if kind.permissions().mode() & 0o077 != 0 {
            found.push(format!("{}: {:o}", path.display(), kind.permissions().mode()));
        }
        if kind.is_dir() {
            found.extend(open_files(&path));
        }
    }
    found
}

#[test]
fn nobody_else_reads_what_a_node_keeps_even_in_a_folder_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("stentor-data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let node = Node::start(folder.path(), &["--shards", "2"]);
    let message = r#"{"channel":"a","data":"said in private"}"#;
    assert_eq!(post(&node.keyed("/edge/realtime"), message).status, 200);
    let (status, _, error) = run(stentor(folder.path()).args(["tenant", "add", "nest"]));
    assert!(status.success(), "{error}");
    assert!(!walk(&data, b"said in private").is_empty() && data.join("control.sock").exists());
    assert_eq!(open_files(&data), Vec::<String>::new());
    node.stop();
    assert_eq!(open_files(&data), Vec::<String>::new());
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
