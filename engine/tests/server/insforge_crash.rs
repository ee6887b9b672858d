//! kill -9 while an administrator changes rules: what was answered is so afterwards.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::admin::{CHANNELS, asked, call, start};
use super::node::pause;
use super::raw::Raw;

/// What is known of each pattern: its description, which is a number that rises, or that it is deleted.
type Known = Vec<(String, Option<u64>)>;

#[test]
fn rules_that_were_answered_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let (mut known, mut next) = (Known::new(), 0);
    for round in 0..6 {
        let node = start(folder.path(), 2);
        let mut raw = Raw::open(&node);
        let writer = thread::spawn(move || {
            while change(&mut raw, &mut known, next + 1).is_some() {
                next += 1;
            }
            (known, next + 1)
        });
        pause(Duration::from_millis(60 + 35 * round));
        node.kill();
        (known, next) = writer.join().unwrap();
        let node = start(folder.path(), 2);
        for (id, state) in &known {
            let found = call(&node, "GET", &format!("{CHANNELS}/{id}"), None);
            match state {
                Some(number) => assert_eq!(found.json()["description"], number.to_string()),
                None => assert_eq!(found.status, 404, "{id} was deleted"),
            }
        }
        node.kill();
    }
    assert!(known.len() > 6, "only {} patterns were made", known.len());
    assert!(known.iter().any(|it| it.1.is_none()), "nothing was deleted");
}

/// Makes, changes or deletes a pattern. `None`: the node is gone, and nobody knows what it did.
fn change(raw: &mut Raw, known: &mut Known, number: u64) -> Option<()> {
    let place = usize::try_from(number).unwrap() % (known.len() + 1);
    let description = number.to_string();
    if place == known.len() {
        let body = json!({"pattern": format!("k:{number}"), "description": description});
        raw.try_send(asked("POST", CHANNELS, &body.to_string()));
        let (status, made) = try_read(raw)?;
        assert_eq!(status, 201);
        known.push((made["id"].as_str().unwrap().to_owned(), Some(number)));
        return Some(());
    }
    let (id, state) = known.swap_remove(place);
    if state.is_none() {
        known.push((id, state));
        return Some(());
    }
    let path = format!("{CHANNELS}/{id}");
    let is_deleted = number.is_multiple_of(3);
    let body = json!({"description": description}).to_string();
    raw.try_send(match is_deleted {
        true => asked("DELETE", &path, ""),
        false => asked("PUT", &path, &body),
    });
    let (status, _) = try_read(raw)?;
    assert_eq!(status, 200);
    known.push((id, (!is_deleted).then_some(number)));
    Some(())
}

/// One answer, whose body ends with a text.
fn try_read(raw: &mut Raw) -> Option<(u16, Value)> {
    let answer = raw.try_read_until("\"}")?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some((status, serde_json::from_str(body).unwrap()))
}
