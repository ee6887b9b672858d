//! Turns: who gets what, in which order.

use std::sync::Arc;

use super::{GroupId, Hub, Many, Turn};
use crate::hasher;
use crate::hub::log::{Log, Sent, conn, gathered, shared};
use crate::hub::{Audience, Seat};
use crate::ids::{ChannelKey, ConnId, TenantId};
use crate::limits::Limits;

struct Room {
    hub: Hub,
    turn: Turn,
    at_us: u64,
}

impl Room {
    fn new() -> Self {
        Self { hub: Hub::new(hasher::seeded(1)), turn: Turn::new(100), at_us: 0 }
    }

    /// Turns of 16 sends, and a group of so many.
    fn crowded(slots: std::ops::Range<u32>) -> (Self, GroupId) {
        let mut room = Self { hub: Hub::new(hasher::seeded(1)), turn: Turn::new(16), at_us: 0 };
        let groups: Vec<_> = slots.map(|slot| room.enter("many", slot)).collect();
        (room, groups[0])
    }

    /// The same with 40, of whom some have "1" and the others wait for it, and "2" waits for all.
    fn behind() -> (Self, GroupId) {
        let (mut room, many) = Self::crowded(0..40);
        for text in ["1", "2"] {
            room.say(many, text);
            assert_eq!(room.flush().len(), 16);
        }
        (room, many)
    }

    fn enter(&mut self, channel: &str, slot: u32) -> GroupId {
        self.sit(channel, slot).group
    }

    fn sit(&mut self, channel: &str, slot: u32) -> Seat {
        let key = Arc::new(ChannelKey::new(TenantId(0), channel));
        let seat = self.hub.enter(&key, Audience::Cohesivity, conn(slot));
        self.turn.cut(&self.hub, conn(slot), seat.group);
        seat
    }

    fn say(&mut self, group: GroupId, text: &str) {
        self.hub.append(group, |_, out| out.extend_from_slice(text.as_bytes()));
    }

    fn tell(&mut self, slot: u32, group: GroupId, text: &str) {
        let groups = std::iter::once(group);
        self.turn.write(&self.hub, conn(slot), groups, |out| {
            out.extend_from_slice(text.as_bytes());
        });
    }

    fn flush(&mut self) -> Vec<Sent> {
        let mut log = Log::default();
        self.turn.flush(&mut self.hub, self.at_us, &mut log);
        log.take()
    }

    fn has_room(&self) -> bool {
        self.turn.has_room(&self.hub, &Limits::default())
    }
}

#[test]
fn who_only_listens_shares_one_frame() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    room.enter("a", 1);
    room.say(group, "x");
    room.say(group, "y");
    assert_eq!(room.flush(), [shared(0, "xy"), shared(1, "xy")]);
    assert!(room.flush().is_empty());
}

#[test]
fn frames_of_its_own_stand_where_they_came_about() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    room.say(group, "1");
    room.tell(0, group, "(me)");
    room.say(group, "2");
    assert_eq!(room.flush(), [gathered(0, "1(me)2")]);
}

#[test]
fn who_comes_in_later_does_not_get_what_was_said_before() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    room.say(group, "before");
    room.enter("a", 1);
    room.say(group, "after");
    let early = shared(0, "beforeafter");
    assert_eq!(room.flush(), [early, gathered(1, "after")]);
}

#[test]
fn who_leaves_and_comes_back_within_a_turn_misses_only_what_was_said_between() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    let seat = room.sit("a", 1);
    room.say(group, "1");
    room.turn.settle(&room.hub, conn(1), group);
    room.hub.leave(seat);
    room.say(group, "2");
    room.enter("a", 1);
    room.say(group, "3");
    let whole = shared(0, "123");
    assert_eq!(room.flush(), [whole, gathered(1, "13")]);
}

#[test]
fn who_listens_to_several_channels_gets_one_send() {
    let mut room = Room::new();
    let (first, second) = (room.enter("a", 0), room.enter("b", 0));
    room.turn.set_many(conn(0), Many::Yes);
    room.say(second, "b");
    room.say(first, "a");
    assert_eq!(room.flush(), [gathered(0, "ba")]);
}

#[test]
fn another_connection_goes_on_where_one_stopped() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    room.enter("a", 1);
    room.say(group, "1");
    room.tell(0, group, "(old)");
    room.turn.write(&room.hub, conn(5), std::iter::empty(), |out| out.extend_from_slice(b"(new)"));
    room.say(group, "2");
    room.turn.settle(&room.hub, conn(0), group);
    room.turn.hand_over(conn(0), conn(5));
    room.hub.replace(Seat { group, place: 0 }, conn(5));
    room.say(group, "3");
    room.tell(5, group, "(more)");
    let whole = shared(1, "123");
    assert_eq!(room.flush(), [whole, gathered(5, "(new)1(old)23(more)")]);
    room.say(group, "4");
    assert_eq!(room.flush(), [shared(5, "4"), shared(1, "4")]);
}

#[test]
fn a_few_do_not_wait_behind_many() {
    let (mut room, many) = Room::crowded(0..40);
    let few = room.enter("few", 100);
    room.say(many, "m");
    assert_eq!(room.flush().len(), 16);
    room.say(few, "f");
    let next = room.flush();
    assert_eq!(next[0], shared(100, "f"));
    assert_eq!(next.len(), 16, "and the others go on");
    assert_eq!(room.flush().len(), 40 - 16 - 15);
    assert!(!room.turn.is_behind());
}

#[test]
fn however_many_groups_of_a_few_there_are_a_turn_is_short_and_none_waits_behind_many() {
    let (mut room, many) = Room::crowded(0..40);
    let groups: Vec<_> = (0..10)
        .map(|of| {
            let members = (0..3).map(|it| room.enter(&format!("few{of}"), 100 + of * 3 + it));
            members.last().unwrap()
        })
        .collect();
    room.say(many, "m");
    room.flush();
    groups.iter().for_each(|group| room.say(*group, "f"));
    let mut turns = Vec::new();
    while room.turn.is_behind() {
        let sent = room.flush();
        let of = |text: &str| sent.iter().filter(|it| it.2 == text).count();
        turns.push((of("f"), of("m")));
    }
    assert_eq!(turns, [(18, 8), (12, 8), (0, 8)], "whole groups, and the others go on");
}

#[test]
fn what_comes_while_many_are_served_is_one_frame_for_all_of_them() {
    let (mut room, many) = Room::behind();
    room.say(many, "3");
    let mut left = Vec::new();
    while room.turn.is_behind() {
        left.extend(room.flush());
    }
    let heard = |text: &str| left.iter().filter(|it| it.2 == text).count();
    assert_eq!((heard("1"), heard("23"), left.len()), (8, 40, 48));
}

#[test]
fn a_large_group_that_was_served_collects_a_while_before_it_is_served_again() {
    let (mut room, many) = Room::crowded(0..40);
    let few = room.enter("few", 100);
    let mut flush_at = |at_us: u64, said: &[(GroupId, &str)]| {
        said.iter().for_each(|(group, text)| room.say(*group, text));
        room.at_us = at_us;
        let sent = room.flush();
        let heard = |text: &str| sent.iter().filter(|it| it.2 == text).count();
        let counts = (heard("1"), heard("234"), heard("few"));
        (counts, sent.len() - counts.0 - counts.1 - counts.2, room.turn.rests_until_us())
    };
    assert_eq!(flush_at(0, &[(many, "1")]), ((16, 0, 0), 0, None));
    assert_eq!(flush_at(1_600, &[(many, "2")]), ((16, 0, 0), 0, None));
    assert_eq!(flush_at(3_200, &[]), ((8, 0, 0), 0, None));
    assert_eq!(flush_at(4_800, &[(many, "3")]), ((0, 0, 0), 0, Some(5_100)), "a sixteenth");
    assert_eq!(flush_at(4_900, &[(few, "few")]), ((0, 0, 1), 0, Some(5_100)));
    assert_eq!(flush_at(5_000, &[(many, "4")]), ((0, 0, 0), 0, Some(5_100)));
    assert_eq!(flush_at(5_100, &[]), ((0, 16, 0), 0, None));
}

#[test]
fn a_group_that_rests_holds_no_other_up() {
    let (mut room, many) = Room::crowded(0..40);
    let other: Vec<_> = (50..90).map(|slot| room.enter("other", slot)).collect();
    room.say(many, "1");
    for at_us in [0, 4_000, 8_000] {
        room.at_us = at_us;
        room.flush();
    }
    room.say(many, "2");
    room.say(other[0], "o");
    for at_us in [8_100, 8_200] {
        room.at_us = at_us;
        assert!(room.flush().iter().all(|it| it.2 == "o"));
        assert!(room.turn.rests_until_us().is_none(), "there is something to do");
    }
}

#[test]
fn who_comes_leaves_or_is_told_something_while_a_group_waits_keeps_its_place() {
    let (mut room, many) = Room::behind();
    room.enter("many", 40);
    room.tell(39, many, "(me)");
    room.turn.settle(&room.hub, conn(38), many);
    room.hub.leave(Seat { group: many, place: 38 });
    room.say(many, "3");
    let mut heard = std::collections::BTreeMap::<u32, String>::new();
    while room.turn.is_behind() {
        room.flush().into_iter().for_each(|it| *heard.entry(it.0).or_default() += &it.2);
    }
    let by = |slot: u32| heard.get(&slot).map(String::as_str);
    assert_eq!((by(0), by(37)), (Some("23"), Some("123")));
    assert_eq!((by(38), by(39), by(40)), (Some("12"), Some("12(me)3"), Some("3")));
}

#[test]
fn what_is_for_one_alone_goes_before_what_is_for_many() {
    let (mut room, many) = Room::crowded(0..40);
    room.say(many, "1");
    room.flush();
    room.turn.write(&room.hub, conn(50), std::iter::empty(), |out| out.extend_from_slice(b"me"));
    let next = room.flush();
    assert_eq!((next[0].clone(), next.len()), (gathered(50, "me"), 17));
}

#[test]
fn a_group_that_lost_everybody_while_it_waited_leaves_nothing_to_the_next() {
    let (mut room, many) = Room::behind();
    (0..40).rev().for_each(|place| _ = room.hub.leave(Seat { group: many, place }));
    while room.turn.is_behind() {
        room.flush();
    }
    let next = room.enter("next", 50);
    assert_eq!(next, many, "its place is used again");
    room.say(next, "n");
    assert_eq!(room.flush(), [shared(50, "n")]);
    assert_eq!(room.hub.pending_bytes(next), 0);
}

#[test]
fn many_who_listen_to_other_channels_too_wait_their_turn() {
    let (mut room, many) = Room::crowded(0..40);
    for slot in 0..40 {
        room.enter(&format!("own{slot}"), slot);
        room.turn.set_many(conn(slot), Many::Yes);
    }
    room.say(many, "m");
    let turns: Vec<_> = (0..3).map(|_| room.flush().len()).collect();
    assert_eq!(turns, [16, 16, 8]);
    assert!(!room.turn.is_behind());
}

#[test]
fn with_much_pending_for_large_groups_nothing_more_is_taken() {
    let (mut room, many) = Room::crowded(0..40);
    room.say(many, "1");
    room.flush();
    room.say(many, &"2".repeat(300 * 1024));
    room.flush();
    assert!(!room.has_room());
    while !room.has_room() {
        assert!(!room.flush().is_empty());
    }
}

#[test]
fn a_slot_that_changes_hands_within_a_turn_mixes_nothing_up() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    room.tell(0, group, "old");
    let heir = ConnId { slot: 0, generation: 1 };
    room.turn.write(&room.hub, heir, std::iter::empty(), |out| out.extend_from_slice(b"new"));
    let texts: Vec<_> = room.flush().into_iter().map(|it| it.2).collect();
    assert_eq!(texts, ["old", "new"]);
}

#[test]
fn a_fan_out_that_keeps_nobody_waiting_goes_out_at_once() {
    let (mut room, many) = Room::crowded(0..100);
    let other = room.enter("other", 100);
    let turns = |room: &mut Room, intruder: Option<&str>| {
        room.at_us += 10_000_000;
        room.say(many, "m");
        let mut sizes = vec![room.flush().len()];
        if sizes[0] == 0 {
            // The group rested.
            room.at_us += 1_000;
            sizes[0] = room.flush().len();
        }
        intruder.into_iter().for_each(|text| room.say(other, text));
        while room.turn.is_behind() {
            room.turn.adapt(200, 200);
            sizes.push(room.flush().len());
        }
        assert_eq!(sizes.iter().sum::<usize>(), 100 + usize::from(intruder.is_some()));
        sizes.len()
    };
    assert_eq!(turns(&mut room, None), 2, "at first nobody knows how long a send takes");
    assert_eq!(turns(&mut room, None), 1);
    room.turn = Turn::new(16);
    assert_eq!(turns(&mut room, Some("o")), 7);
    room.at_us -= 2_000;
    assert_eq!(turns(&mut room, None), 7, "somebody was there a moment ago");
    assert_eq!(turns(&mut room, None), 1);
}
