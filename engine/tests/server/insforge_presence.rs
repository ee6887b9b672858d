//! Who is seen in a channel on the documents' wire: clients that say so, counted over their sockets, until the last is gone.

use protocol::auth::insforge::sign_user;
use serde_json::{Value, json};

use super::admin::{ANON, SECRET, create, ok, plain, say, socket, start, subscribe};
use super::node::{Node, pause};
use super::raw::{Raw, frame};

const ROOM: &str = "room:1";

fn user(node: &Node, id: &str) -> Raw {
    let mut raw = plain(node, &sign_user(&json!({"sub": id}).to_string(), SECRET));
    say(&mut raw, &json!({"type": "subscribe", "channel": ROOM}), "\"subscribed\"");
    raw
}

fn track(raw: &mut Raw, state: &Value) {
    raw.send(frame(&json!({"type": "track", "channel": ROOM, "state": state}).to_string()));
}

fn untrack(raw: &mut Raw) {
    raw.send(frame(&json!({"type": "untrack", "channel": ROOM}).to_string()));
}

/// Publishes: whatever the socket did before is heard before this.
fn mark(raw: &mut Raw, number: u64) {
    let what =
        json!({"type": "publish", "channel": ROOM, "event": "mark", "payload": {"n": number}});
    raw.send(frame(&what.to_string()));
}

/// Whether it is about one of them: those without an account come and go as their sockets do.
fn is_named(who: &Value) -> bool {
    who == "ada" || who == "bob"
}

/// Who came or went before a mark, as a client of the documents' wire hears it.
fn heard(raw: &mut Raw, number: u64) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let frame: Value = serde_json::from_str(&raw.read_frame()).unwrap();
        match frame["type"].as_str().unwrap() {
            "presence" => {
                assert_eq!(frame["channel"], ROOM);
                if is_named(&frame["event"]["presence"]["presenceId"]) {
                    all.push(frame["event"].clone());
                }
            }
            "message" if frame["payload"]["n"] == number => return all,
            "message" | "published" => {}
            _ => panic!("{frame}"),
        }
    }
}

/// The same of a client of Socket.IO: what happened, and to whom.
fn heard_by_socket(raw: &mut Raw, number: u64) -> Vec<(String, String)> {
    let mut all = Vec::new();
    loop {
        let text = raw.read_frame();
        let Some(event) = text.strip_prefix("42") else { panic!("{text}") };
        let event: Value = serde_json::from_str(event).unwrap();
        match event[0].as_str().unwrap() {
            "mark" if event[1]["n"] == number => return all,
            "mark" => {}
            name => {
                assert_eq!(event[1]["meta"]["channel"], ROOM, "{event}");
                let who = &event[1]["member"]["presenceId"];
                if is_named(who) {
                    all.push((name.to_owned(), who.as_str().unwrap().to_owned()));
                }
            }
        }
    }
}

fn event(kind: &str, presence: &Value) -> Value {
    json!({"type": kind, "presence": presence})
}

fn join(who: &str) -> (String, String) {
    ("presence:join".to_owned(), who.to_owned())
}

fn leave(who: &str) -> (String, String) {
    ("presence:leave".to_owned(), who.to_owned())
}

fn members(answer: &Value) -> Vec<String> {
    assert_eq!(answer["ok"], true, "{answer}");
    let members = answer["presence"]["members"].as_array().unwrap().iter();
    members.map(|it| format!("{} {}", it["type"], it["presenceId"]).replace('"', "")).collect()
}

/// Publishes until so many sockets hear it: those that were cut are gone then. Gives the number of the last mark.
fn until_heard_by(node: &Node, raw: &mut Raw, sockets: u64, mut number: u64) -> u64 {
    for _ in 0..200 {
        number += 1;
        mark(raw, number);
        loop {
            let frame: Value = serde_json::from_str(&raw.read_frame()).unwrap();
            let who = &frame["event"]["presence"]["presenceId"];
            assert!(!is_named(who), "somebody came or went: {frame}");
            if frame["payload"]["n"] == number {
                break;
            }
        }
        let list = ok(node, "GET", "/api/realtime/messages?limit=1", None, 200);
        if list[0]["wsAudienceCount"] == sockets {
            return number;
        }
        pause(std::time::Duration::from_millis(10));
    }
    panic!("a socket that was cut is still counted");
}

#[test]
fn a_client_is_seen_from_its_first_track_to_the_end_of_its_last_socket() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    create(&node, "room:%");
    let (mut ada, mut same, mut bob) = (user(&node, "ada"), user(&node, "ada"), user(&node, "bob"));
    let mut watcher = socket(&node, ANON);
    // Whoever only listens is seen by nobody.
    let seen = members(&subscribe(&mut watcher, ROOM));
    assert!(seen.len() == 1 && seen[0].starts_with("anonymous "), "{seen:?}");

    let online = json!({"status": "online", "presenceId": "ada"});
    track(&mut ada, &json!({"status": "online"}));
    mark(&mut ada, 1);
    for raw in [&mut same, &mut bob, &mut ada] {
        let came = [event("join", &online)];
        assert_eq!(heard(raw, 1), came, "who tracks hears of it too: nothing else answers");
    }
    assert_eq!(heard_by_socket(&mut watcher, 1), [join("ada")]);
    let mut late = socket(&node, ANON);
    let seen = members(&subscribe(&mut late, ROOM));
    assert!(seen.len() == 3 && seen.contains(&"user ada".to_owned()), "{seen:?}");
    drop(late);

    // A second socket that says the same changes nothing; one that says something else does.
    track(&mut same, &json!({"status": "online"}));
    mark(&mut same, 2);
    assert_eq!(heard(&mut bob, 2), Vec::<Value>::new());
    track(&mut same, &json!({"status": "away", "presenceId": "mallory"}));
    mark(&mut same, 3);
    let away = json!({"status": "away", "presenceId": "ada"});
    for raw in [&mut ada, &mut bob, &mut same] {
        assert_eq!(heard(raw, 3), [event("update", &away)]);
    }
    assert_eq!(heard_by_socket(&mut watcher, 3), Vec::new(), "its SDK knows no updates");

    check_untrack(&mut bob, &mut ada);
    assert_eq!(heard_by_socket(&mut watcher, 6), [join("bob"), leave("bob")]);

    check_cuts(&node, [ada, same], &mut bob, &mut watcher);
    node.stop();
}

/// Ada's sockets are cut, one after the other.
fn check_cuts(node: &Node, [ada, same]: [Raw; 2], bob: &mut Raw, watcher: &mut Raw) {
    // She is still there. Four hear the room, and then three.
    drop(same);
    let last = until_heard_by(node, bob, 3, 6);
    drop(ada);
    let gone = loop {
        let frame: Value = serde_json::from_str(&bob.read_frame()).unwrap();
        if is_named(&frame["event"]["presence"]["presenceId"]) {
            break frame["event"].clone();
        }
    };
    let away = json!({"status": "away", "presenceId": "ada"});
    assert_eq!(gone, event("leave", &away), "as she was last seen");
    mark(bob, last + 1);
    assert_eq!(heard_by_socket(watcher, last + 1), [leave("ada")]);

    // Who leaves the channel is seen there no more.
    track(bob, &json!({}));
    bob.send(frame(&json!({"type": "unsubscribe", "channel": ROOM}).to_string()));
    mark(bob, last + 2);
    assert_eq!(heard_by_socket(watcher, last + 2), [join("bob"), leave("bob")]);
    let mut late = socket(node, ANON);
    let seen = members(&subscribe(&mut late, ROOM));
    assert!(seen.len() == 2 && seen.iter().all(|it| it.starts_with("anonymous ")), "{seen:?}");
}

/// Bob comes and goes, twice said and once heard, and hears the room all the while.
fn check_untrack(bob: &mut Raw, ada: &mut Raw) {
    track(bob, &json!({}));
    mark(bob, 4);
    let bare = json!({"presenceId": "bob"});
    for raw in [&mut *ada, &mut *bob] {
        assert_eq!(heard(raw, 4), [event("join", &bare)]);
    }
    untrack(bob);
    mark(bob, 5);
    for raw in [&mut *ada, &mut *bob] {
        assert_eq!(heard(raw, 5), [event("leave", &bare)]);
    }
    untrack(bob);
    mark(bob, 6);
    for raw in [ada, bob] {
        assert_eq!(heard(raw, 6), Vec::<Value>::new(), "nobody goes twice");
    }
}

#[test]
fn nobody_is_seen_where_they_do_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    create(&node, "room:%");
    let mut raw = plain(&node, ANON);
    let refused = "Channel not found or not accessible";
    for what in ["track", "untrack"] {
        say(&mut raw, &json!({"type": what, "channel": ROOM, "state": {}}), refused);
    }
    let seen = members(&subscribe(&mut socket(&node, ANON), ROOM));
    assert_eq!(seen.len(), 1, "{seen:?}");
    node.stop();
}
