//! Cursors over a tenant's messages: everything once and in order, and a word about what was let go.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod support;

use std::sync::Arc;

use storage::{
    ChannelKey, Cursor, JournalKind, KEYED_MS, Keep, Place, Publication, Retention, Source,
    TenantId,
};
use support::{
    Random,
    backends::{journal, keep, on_each},
    channel, keep_all,
    model::Model,
};

/// Goes along a cursor to its end; checks that places rise, and that each can be written and read.
fn go_along(cursor: &mut Cursor, source: &mut dyn Source, max: usize) -> Vec<Arc<Publication>> {
    let mut all = Vec::new();
    loop {
        let before = cursor.place();
        let slice = cursor.next(source, max).unwrap();
        assert!(slice.messages.len() <= max);
        let mut last = before;
        for (place, message) in slice.messages {
            assert!(place > last);
            assert_eq!(Place::from_bytes(&place.to_bytes()), Some(place));
            assert!(place.to_bytes() > last.to_bytes(), "bytes sort as places do");
            last = place;
            all.push(message);
        }
        assert_eq!(slice.place, cursor.place());
        if slice.is_end {
            return all;
        }
    }
}

fn of_tenant(messages: &[Arc<Publication>], tenant: TenantId) -> Vec<Arc<Publication>> {
    messages.iter().filter(|it| it.channel().tenant() == tenant).cloned().collect()
}

#[test]
fn a_cursor_sees_everything_of_a_tenant_once_and_in_order() {
    on_each(|kind, dir| {
        let mut random = Random(11);
        let mut model = Model { clock: 1_000, ..Model::default() };
        let mut journal = journal(kind, dir);
        let mut cursor = Cursor::new(TenantId(1), Place::START);
        let mut all = Vec::new();
        for round in 0..30 {
            model.work(&mut *journal, &mut random, 6);
            let max = 1 + usize::try_from(random.below(90)).unwrap();
            if round % 3 == 0 {
                all.extend(go_along(&mut cursor, &mut journal, max));
            } else {
                let slice = cursor.next(&mut journal, max).unwrap();
                assert_eq!((slice.passed.messages, slice.passed.is_unknown), (0, false));
                all.extend(slice.messages.into_iter().map(|it| it.1));
            }
            // Whoever kept the place goes on from it, also after a restart.
            let place = Place::from_bytes(&cursor.place().to_bytes()).unwrap();
            if round % 5 == 4 {
                cursor = Cursor::new(TenantId(1), place);
            }
            if round % 5 == 4 && kind != JournalKind::Memory {
                drop(journal);
                journal = self::journal(kind, dir);
            }
        }
        all.extend(go_along(&mut cursor, &mut journal, 50));
        assert_eq!(all, of_tenant(&model.messages, TenantId(1)), "{kind:?}");
        let some = [channel(1), channel(7)];
        let mut cursor = Cursor::new(TenantId(1), Place::START);
        let mut found = Vec::new();
        loop {
            let is_wanted = |it: &ChannelKey| some.iter().any(|some| **some == *it);
            let slice = cursor.next_of(&mut journal, 70, &is_wanted).unwrap();
            found.extend(slice.messages.into_iter().map(|it| it.1));
            if slice.is_end {
                break;
            }
        }
        let mut expected = of_tenant(&model.messages, TenantId(1));
        expected.retain(|it| some.contains(it.channel()));
        assert_eq!(found, expected, "{kind:?}");
        let mut now = Cursor::from_now(TenantId(1), &mut journal).unwrap();
        assert_eq!(go_along(&mut now, &mut journal, 9), [], "{kind:?}");
        let before = model.messages.len();
        model.work(&mut *journal, &mut random, 5);
        let expected = of_tenant(&model.messages[before..], TenantId(1));
        assert_eq!(go_along(&mut now, &mut journal, 9), expected, "{kind:?}");
    });
}

#[test]
fn a_cursor_is_told_what_was_let_go_before_it_came() {
    on_each(|kind, dir| {
        let mut random = Random(5);
        let mut model = Model { clock: 1_000, ..Model::default() };
        let mut journal = journal(kind, dir);
        model.work(&mut *journal, &mut random, 100);
        let mut cursor = Cursor::new(TenantId(1), Place::START);
        assert_eq!(cursor.next(&mut journal, 10).unwrap().messages.len(), 10);
        let mut cursor = Cursor::new(TenantId(1), cursor.place());
        journal.retain(&keep(Keep { messages_max: 20, ..Keep::ALL }), model.clock).unwrap();
        model.follow(&*journal);
        let mut expected = of_tenant(&model.messages, TenantId(1));
        let slice = cursor.next(&mut journal, 10).unwrap();
        assert!(slice.passed.is_unknown || slice.passed.messages > 0, "{kind:?}");
        let rest = expected.split_off(10);
        let given: Vec<_> = slice.messages.into_iter().map(|it| it.1).collect();
        assert_eq!(given, expected, "{kind:?}");
        assert_eq!(go_along(&mut cursor, &mut journal, 50), rest, "{kind:?}");
        let slice = cursor.next(&mut journal, 10).unwrap();
        assert!(!slice.passed.is_unknown, "{kind:?}: it is told once");
    });
}

#[test]
fn a_second_cursor_on_the_way_of_a_first_sees_the_same() {
    on_each(|kind, dir| {
        let mut random = Random(23);
        let mut model = Model { clock: 1_000, ..Model::default() };
        let mut journal = journal(kind, dir);
        model.work(&mut *journal, &mut random, 40);
        let expected = of_tenant(&model.messages, TenantId(1));
        let mut first = Cursor::new(TenantId(1), Place::START);
        let begun = first.next(&mut journal, 5).unwrap();
        let mut places = vec![Place::START];
        places.extend(begun.messages.iter().map(|it| it.0));
        // Some go between: what the first knows of them is old by then.
        journal.retain(&keep(Keep { messages_max: 30, ..Keep::ALL }), model.clock).unwrap();
        model.follow(&*journal);
        let left = of_tenant(&model.messages, TenantId(1));
        let gone = expected.iter().take(5).filter(|it| !left.contains(it)).count();
        let mut shared = 0;
        for (count, place) in places.into_iter().enumerate() {
            let fresh = Cursor::new(TenantId(1), place);
            let second = first.at(place).inspect(|_| shared += 1);
            let (mut fresh, mut second) = (fresh, second.unwrap_or_else(|| first.clone()));
            if second.place() != place {
                continue;
            }
            let rest = go_along(&mut fresh, &mut journal, 7);
            assert_eq!(go_along(&mut second, &mut journal, 7), rest, "{kind:?} {count}");
        }
        assert!(shared > 3 && gone > 0, "{kind:?}: {shared} shared, {gone} gone");
        let end = journal.end().unwrap();
        assert!(first.at(end).is_none(), "it does not know what is behind its end");
    });
}

/// Keeps one message of sixty, spread over all segments: of a channel that has few.
fn sparse() -> Retention {
    let keep = |key: &ChannelKey| match key.name() {
        "room:1" => Keep::ALL,
        _ => Keep { messages_max: 2, ..Keep::ALL },
    };
    Retention { keep: Arc::new(keep), ..keep_all() }
}

#[test]
fn sparse_segments_are_rewritten_and_nobody_sees_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(31);
    let mut model = Model { clock: 1_000, ..Model::default() };
    let mut journal = journal(JournalKind::Segment, dir.path());
    for round in 0..1_200 {
        let number = if round % 40 == 0 { 1 } else { 2 + random.below(7) };
        let batch: Vec<_> = (0..4).map(|_| model.message(number, &mut Random(7 + round))).collect();
        journal.append(&batch).unwrap();
        model.messages.extend(batch);
        model.count(&mut *journal, &mut random);
    }
    journal.append(&[]).unwrap();
    let mut cursor = Cursor::new(TenantId(1), Place::START);
    cursor.next(&mut journal, 40).unwrap();
    let place = cursor.place();
    let before = journal.stats().bytes;
    let mut rewritten = 0;
    for _ in 0..30 {
        rewritten += journal.retain(&sparse(), 2 * KEYED_MS).unwrap().rewritten;
        model.follow(&*journal);
        model.check(&mut journal, &mut random, "rewritten");
    }
    assert!(rewritten > 5, "{rewritten} segments were rewritten");
    assert!(journal.stats().bytes * 2 < before, "{} of {before}", journal.stats().bytes);
    let mut expected = of_tenant(&model.messages, TenantId(1));
    let skip = expected.iter().take_while(|it| cursor_passed(it, place, &mut journal)).count();
    for _ in 0..3 {
        let mut cursor = Cursor::new(TenantId(1), place);
        assert_eq!(go_along(&mut cursor, &mut journal, 7), expected[skip..]);
        let mut all = Cursor::new(TenantId(1), Place::START);
        assert_eq!(go_along(&mut all, &mut journal, 50), expected);
        drop(journal);
        journal = self::journal(JournalKind::Segment, dir.path());
        assert_eq!(journal.stats().quarantined, 0);
        journal.retain(&sparse(), 2 * KEYED_MS).unwrap();
        model.follow(&*journal);
        model.check(&mut journal, &mut random, "rewritten, and opened again");
        model.work(&mut *journal, &mut random, 3);
        journal.retain(&sparse(), 2 * KEYED_MS).unwrap();
        model.follow(&*journal);
        expected = of_tenant(&model.messages, TenantId(1));
    }
}

/// Whether a cursor that stood at a place had gone past a message.
fn cursor_passed(message: &Arc<Publication>, place: Place, source: &mut dyn Source) -> bool {
    let mut later = Cursor::new(message.channel().tenant(), place);
    !go_along(&mut later, source, 100).contains(message)
}
