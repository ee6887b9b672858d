//! A tenant makes every call of all dialects that another one makes, with the same names, ids and keys. It is answered exactly
//! as on a node where the other one never did anything.

mod blur;
mod calls;
mod keys;
mod one;
mod sockets;

use std::fs;

use protocol::http::{Method, paths};

use super::node::Node;
use super::trust::figures;
use blur::plain;
use keys::{Call, ONE, TWO};
use one::{Known, WORDS, check_unchanged, live, publish};

/// Everything that the second tenant hears: each answer as it came, and each with what it was an answer to.
fn hear(node: &Node, known: &Known, others: impl FnOnce()) -> Vec<String> {
    let mut heard = sockets::hear(node, others);
    for call in calls::all(known) {
        let answer = TWO.call(node, &call);
        let Call { method, path, .. } = call;
        heard.push(format!("{method} {path} {} {}", answer.status, plain(&answer.body)));
        heard.push(answer.body);
        // Dates and lengths differ, but nothing of another tenant is in a header either.
        heard.push(answer.head.lines().take(1).collect());
        let head = answer.head;
        assert!(!head.contains("canary") || head.contains("Location"), "{head}");
    }
    heard
}

fn start() -> (Node, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = ONE.config() + &ONE.liveblocks() + &TWO.config();
    fs::write(folder.path().join("stentor.toml"), config).unwrap();
    (Node::start(folder.path(), &["--config", "stentor.toml", "--shards", "2"]), folder)
}

#[test]
fn every_call_of_one_tenant_shows_another_nothing() {
    let (node, _folder) = start();
    let (known, mut sockets) = live(&node);
    let heard = hear(&node, &known, || publish(&node, "canary-later"));
    let words = WORDS.map(str::to_owned).into_iter().chain(ONE.secrets());
    let secrets: Vec<_> = known.made.iter().cloned().chain(words).collect();
    for secret in &secrets {
        // A call that asks for an id has it in its path, which the answer to it may repeat.
        let told = heard.iter().find(|it| !is_asked(it) && it.contains(secret.as_str()));
        assert_eq!(told, None, "{secret} is the other's");
    }
    // The same calls on a node where the first tenant is silent.
    let (silent, _folder) = start();
    let alone = hear(&silent, &known, || ());
    assert_eq!(heard.len(), alone.len());
    for (one, other) in heard.iter().zip(&alone) {
        assert_eq!(plain(one), plain(other), "it is not the same that the other lives there");
    }
    silent.stop();
    check_unchanged(&node, &known, &mut sockets);
    node.stop();
    let (answers, secrets) = (heard.len(), secrets.len());
    figures("twins", &format!(r#""answers":{answers},"secrets":{secrets},"differ":0"#));
}

fn is_asked(line: &str) -> bool {
    Method::ALL.iter().any(|it| line.starts_with(&format!("{} /", it.name())))
}

#[test]
fn no_path_of_the_node_is_left_out() {
    let known = Known::default();
    let called = calls::all(&known).into_iter().map(|it| (it.method, it.path));
    let opened = sockets::PATHS.iter().map(|it| ("GET", (*it).to_owned()));
    let called: Vec<_> = called.chain(opened).collect();
    let mut count = 0;
    for (method, template) in paths() {
        let is_called =
            called.iter().any(|(name, path)| *name == method.name() && leads(path, template));
        assert!(is_called, "{} {template}", method.name());
        count += 1;
    }
    figures("twins' paths", &format!(r#""paths":{count},"left_out":0"#));
}

/// Whether a path is one of a row of the router.
fn leads(path: &str, template: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    let (mut have, mut want) = (path.split('/'), template.split('/'));
    loop {
        match (have.next(), want.next()) {
            (None, None) => return true,
            (Some(_), Some(rest)) if rest.ends_with("...}") => return true,
            (Some(_), Some(name)) if name.starts_with('{') => {}
            (Some(one), Some(other)) if one == other => {}
            (Some(_) | None, Some(_)) | (Some(_), None) => return false,
        }
    }
}
