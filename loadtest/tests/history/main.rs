//! The checker of histories: a whole one has nothing wrong, and each edit of it breaks the promise that it is about.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod scene;

use loadtest::history::{
    Begin, Event, FINDINGS_MAX, Place, Recorder, Rule, Verdict, check, read_log,
};
use scene::{Scene, place, shown};

fn rules(verdict: &Verdict) -> Vec<Rule> {
    let mut rules: Vec<_> = verdict.findings.iter().map(|it| it.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

/// What a scene breaks.
#[track_caller]
fn breaks(scene: Scene, expected: &[Rule]) {
    let verdict = check(&scene.events());
    assert_eq!(rules(&verdict), expected, "{verdict}");
}

/// What the whole scene breaks after an edit.
#[track_caller]
fn edited(edit: impl FnOnce(&mut Vec<Event>), expected: &[Rule]) {
    let mut events = Scene::whole().events();
    edit(&mut events);
    let verdict = check(&events);
    assert_eq!(rules(&verdict), expected, "{verdict}");
}

/// The line of the nth message that comes to a subscription.
fn delivery(events: &[Event], sub: u64, nth: usize) -> usize {
    let is = |it: &Event| matches!(it, Event::Delivered { sub: to, .. } if *to == sub);
    let mut found = (0..events.len()).filter(|at| is(&events[*at]));
    found.nth(nth).unwrap()
}

fn find(events: &[Event], is: impl Fn(&Event) -> bool) -> usize {
    events.iter().position(is).unwrap()
}

#[test]
fn a_whole_history_has_nothing_wrong() {
    let verdict = check(&Scene::whole().events());
    assert!(verdict.is_whole(), "{verdict}");
    let counted = (verdict.accepted, verdict.kept, verdict.resumed, verdict.revoked);
    assert_eq!(counted, (7, 6, 1, 1));
}

#[test]
fn what_was_accepted_and_is_not_there_is_lost() {
    edited(
        |it| {
            let last = it.iter().rposition(|it| matches!(it, Event::Kept { .. })).unwrap();
            it.remove(last);
        },
        &[Rule::Lost],
    );
}

#[test]
fn the_end_of_what_a_subscriber_was_to_hear_is_lost() {
    let mut last = 0;
    edited(
        |it| {
            last = it.iter().rposition(|it| matches!(it, Event::Delivered { sub: 1, .. })).unwrap();
            it.remove(last);
        },
        &[Rule::Lost],
    );
}

#[test]
fn what_is_not_kept_is_lost_by_who_listened_to_the_end() {
    edited(
        |it| {
            let passing = |it: &Event| matches!(it, Event::Delivered { sub: 1, shown } if shown.message == 100);
            let at = find(it, passing);
            it.remove(at);
        },
        &[Rule::Lost],
    );
}

#[test]
fn a_message_that_comes_twice_or_is_kept_twice_is_a_duplicate() {
    edited(
        |it| {
            let at = delivery(it, 1, 2);
            it.insert(at, it[at].clone());
        },
        &[Rule::Duplicate],
    );
    edited(
        |it| {
            let last = it.iter().rposition(|it| matches!(it, Event::Kept { .. })).unwrap();
            let Event::Kept { channel, shown } = it[last].clone() else { panic!() };
            let shown = loadtest::history::Shown { place: Some(place(7)), ..shown };
            it.push(Event::Kept { channel, shown });
        },
        &[Rule::Duplicate, Rule::Gap],
    );
}

#[test]
fn a_retry_that_becomes_another_message_is_a_duplicate() {
    let mut scene = Scene::new();
    scene
        .invoke(1, 1)
        .unknown(1)
        .invoke(2, 1)
        .accept_as(2, "b", 1)
        .invoke(3, 1)
        .accept_as(3, "c", 1);
    breaks(scene.end(&[1]), &[Rule::Duplicate]);
    let mut scene = Scene::new();
    scene.invoke(1, 1).accept_as(1, "b", 1).invoke(2, 1).accept_as(2, "b", 2);
    breaks(scene.end(&[1]), &[Rule::Duplicate]);
    let mut scene = Scene::new();
    scene
        .invoke(1, 1)
        .unknown(1)
        .invoke(2, 1)
        .accept_as(2, "b", 1)
        .invoke(3, 1)
        .accept_as(3, "b", 1);
    breaks(scene.end(&[1]), &[]);
}

#[test]
fn messages_that_are_swapped_are_out_of_order() {
    edited(
        |it| {
            let (one, two) = (delivery(it, 1, 4), delivery(it, 1, 5));
            it.swap(one, two);
        },
        &[Rule::Order, Rule::Gap],
    );
}

#[test]
fn what_was_asked_for_after_an_answer_stands_behind_it() {
    let mut scene = Scene::new();
    scene.invoke(1, 1).accept(1, 2).invoke(2, 2).accept(2, 1);
    breaks(scene.end(&[2, 1]), &[Rule::Order]);
    let mut scene = Scene::new();
    scene.invoke(1, 1).invoke(2, 2).accept(1, 2).accept(2, 1);
    breaks(scene.end(&[2, 1]), &[]);
}

#[test]
fn a_connection_keeps_its_order() {
    let mut scene = Scene::new();
    scene.invoke_by(7, 1, 1).invoke_by(7, 2, 2).accept(1, 2).accept(2, 1);
    breaks(scene.end(&[2, 1]), &[Rule::Order]);
}

#[test]
fn who_subscribes_begins_at_the_present() {
    let early = |position: u64| {
        let mut scene = Scene::new();
        scene.invoke(1, 1).accept(1, 1).invoke(2, 2).accept(2, 2);
        scene.subscribing(9, None).subscribed(9, Begin::Fresh(Some(place(position))));
        scene
    };
    breaks(early(2).end(&[1, 2]), &[]);
    let mut scene = early(1);
    scene.deliver(9, 2, 2);
    breaks(scene.end(&[1, 2]), &[Rule::Order]);
    let mut scene = early(3);
    scene.invoke(3, 3).accept(3, 3);
    breaks(scene.end(&[1, 2, 3]), &[Rule::Gap]);
}

#[test]
fn a_hole_is_a_gap_unless_it_is_told() {
    edited(
        |it| {
            let at = delivery(it, 1, 1);
            it.remove(at);
        },
        &[Rule::Gap],
    );
    let resumed = |begin: Begin| {
        let mut scene = Scene::new();
        for message in 1..=3 {
            scene.invoke(message, message).accept(message, message);
        }
        scene.subscribing(9, Some(place(1))).subscribed(9, begin);
        scene.invoke(4, 4).accept(4, 4).deliver(9, 4, 4);
        scene.end(&[1, 2, 3, 4])
    };
    breaks(resumed(Begin::Resumed), &[Rule::Gap]);
    breaks(resumed(Begin::Gapped(Some(place(3)))), &[]);
}

#[test]
fn a_page_has_no_hole_and_ends_where_the_present_is() {
    let page = |rows: &[u64]| {
        let mut scene = Scene::new();
        for message in 1..=3 {
            scene.invoke(message, message).accept(message, message);
        }
        scene.page(5, 0, rows);
        scene.end(&[1, 2, 3])
    };
    breaks(page(&[1, 2, 3]), &[]);
    breaks(page(&[1, 3]), &[Rule::Gap]);
    breaks(page(&[1, 2]), &[Rule::Lost]);
}

#[test]
fn what_nobody_asked_for_or_what_was_refused_is_a_phantom() {
    edited(
        |it| {
            let at = delivery(it, 1, 1);
            it.insert(at, Event::Delivered { sub: 1, shown: shown(555, Some(9)) });
        },
        &[Rule::Phantom],
    );
    let mut scene = Scene::new();
    scene.subscribing(9, None).subscribed(9, Begin::Fresh(None));
    scene.invoke(1, 1).refuse(1).deliver(9, 1, 1);
    breaks(scene.end(&[1]), &[Rule::Phantom]);
    let mut scene = Scene::new();
    scene.subscribing(9, None).subscribed(9, Begin::Fresh(None));
    scene.invoke(1, 1).unknown(1).deliver(9, 1, 1);
    breaks(scene.end(&[]), &[Rule::Phantom]);
}

#[test]
fn an_epoch_that_is_over_is_stale() {
    let go_on = |after: u64| {
        let mut scene = Scene::new();
        scene.invoke(1, 1).accept(1, 1).invoke(2, 2);
        let (op, id, place) = (2, None, Some(Place { epoch: 1, offset: 2 }));
        scene.push(Event::Accepted { op, id, place });
        let after = Place { epoch: after, offset: 2 };
        scene.subscribing(9, Some(after)).subscribed(9, Begin::Resumed);
        scene.end_in_epochs(&[(1, 0), (2, 1)])
    };
    breaks(go_on(1), &[]);
    assert!(rules(&check(&go_on(0).events())).contains(&Rule::StaleEpoch));
}

#[test]
fn a_payload_that_was_changed_is_damaged() {
    edited(
        |it| {
            let at = delivery(it, 1, 1);
            if let Event::Delivered { shown, .. } = &mut it[at] {
                shown.digest += 1;
            }
        },
        &[Rule::Damaged],
    );
}

#[test]
fn ghosts_and_missing_members_are_found() {
    let present = |edit: fn(&mut Vec<String>)| {
        move |it: &mut Vec<Event>| {
            let at = find(it, |it| matches!(it, Event::Present { .. }));
            if let Event::Present { members, .. } = &mut it[at] {
                edit(members);
            }
        }
    };
    edited(present(|it| it.push("ghost".to_owned())), &[Rule::Presence]);
    edited(present(Vec::clear), &[Rule::Presence]);
    let again = |it: &mut Vec<Event>| {
        let at = find(it, |it| matches!(it, Event::Joined { .. }));
        it.insert(at, it[at].clone());
    };
    edited(again, &[Rule::Presence]);
    edited(
        |it| {
            // Who was there before the node was killed is not there after.
            let at = find(it, |it| matches!(it, Event::Subscribing { sub: 2, .. }));
            it.insert(at + 1, Event::Started);
            let at = find(it, |it| matches!(it, Event::Subscribed { sub: 3, .. }));
            it.insert(at - 1, Event::Started);
            let at = find(it, |it| matches!(it, Event::Subscribed { sub: 3, .. }));
            if let Event::Subscribed { members, .. } = &mut it[at] {
                *members = Some(vec!["canary.two".to_owned(), "canary.three".to_owned()]);
            }
        },
        &[Rule::Presence],
    );
}

#[test]
fn a_revoked_token_has_no_effect_any_more() {
    edited(
        |it| {
            let at = find(it, |it| matches!(it, Event::Revoked { .. }));
            it.insert(at + 1, Event::Entering { session: 77, token: 500 });
            it.insert(at + 2, Event::Entered { session: 77 });
        },
        &[Rule::Revoked],
    );
    edited(
        |it| {
            // The token of the first subscription is revoked before anything is published.
            let at = find(it, |it| matches!(it, Event::Invoked { .. }));
            it.insert(at, Event::Revoked { token: 1 });
        },
        &[Rule::Revoked],
    );
    let mut scene = Scene::new();
    scene.push(Event::Entering { session: 7, token: 1 }).push(Event::Entered { session: 7 });
    scene.invoke_by(7, 1, 1).push(Event::Revoked { token: 1 });
    scene.accept(1, 1).invoke_by(7, 2, 2).accept(2, 2);
    breaks(scene.end(&[1, 2]), &[Rule::Revoked]);
}

#[test]
fn a_word_of_another_tenant_is_found() {
    edited(
        |it| {
            let at = delivery(it, 1, 1);
            if let Event::Delivered { shown, .. } = &mut it[at] {
                shown.canary = "two".to_owned();
            }
        },
        &[Rule::Canary],
    );
}

#[test]
fn a_history_that_does_not_end_says_nothing_of_the_end() {
    edited(|it| it.retain(|it| *it != Event::Quiet), &[Rule::Presence, Rule::Log]);
}

#[test]
fn only_so_many_findings_are_listed() {
    let mut scene = Scene::new();
    scene.subscribing(9, None).subscribed(9, Begin::Fresh(None));
    for message in 0..FINDINGS_MAX as u64 + 5 {
        scene.deliver(9, 10_000 + message, 1);
    }
    let verdict = check(&scene.end(&[]).events());
    assert_eq!((verdict.findings.len(), verdict.wrong), (FINDINGS_MAX, FINDINGS_MAX as u64 + 5));
}

#[test]
fn a_log_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.jsonl");
    let events = Scene::whole().events();
    let (recorder, writer) = Recorder::begin(&path).unwrap();
    events.iter().for_each(|it| recorder.note(it.clone()));
    drop(recorder);
    writer.join().unwrap().unwrap();
    let read: Vec<_> = read_log(&path).unwrap().map(Result::unwrap).collect();
    assert_eq!(read, events);
    assert!(Recorder::begin(&path).is_err(), "a log only grows: it is not begun again");
    std::fs::write(&path, "{\"is\":\"quiet\"}\n{\"is\":\"quite\"}\n").unwrap();
    let read: Vec<_> = read_log(&path).unwrap().collect();
    assert_eq!(read[0].as_ref().unwrap(), &Event::Quiet);
    assert_eq!(read[1].as_ref().unwrap_err().to_string(), "line 2: no event");
}
