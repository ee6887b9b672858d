//! Turns: who gets what, in which order.

use std::sync::Arc;

use super::{GroupId, Hub, Many, Turn};
use crate::frame::{Frame, Piece};
use crate::hasher;
use crate::hub::{Audience, Seat};
use crate::ids::{ChannelKey, ConnId, TenantId};
use crate::shard::effects::Outlet;

#[derive(Default)]
struct Log(Vec<(u32, &'static str, String)>);

impl Outlet for Log {
    fn share(&mut self, frame: &Frame, conn: ConnId) {
        self.0.push((conn.slot, "share", text(frame.bytes())));
    }

    fn gather(&mut self, conn: ConnId, pieces: &[Piece]) {
        let all: Vec<u8> = pieces.iter().flat_map(|it| it.bytes().to_vec()).collect();
        self.0.push((conn.slot, "gather", text(&all)));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn conn(slot: u32) -> ConnId {
    ConnId { slot, generation: 0 }
}

struct Room {
    hub: Hub,
    turn: Turn,
}

impl Room {
    fn new() -> Self {
        Self { hub: Hub::new(hasher::seeded(1)), turn: Turn::new(100) }
    }

    fn enter(&mut self, channel: &str, slot: u32) -> GroupId {
        let key = Arc::new(ChannelKey::new(TenantId(0), channel));
        let seat = self.hub.enter(&key, Audience::Cohesivity, conn(slot));
        self.turn.cut(&self.hub, conn(slot), seat.group);
        seat.group
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

    fn flush(&mut self) -> Vec<(u32, &'static str, String)> {
        let mut log = Log::default();
        self.turn.flush(&mut self.hub, &mut log);
        log.0
    }
}

#[test]
fn who_only_listens_shares_one_frame() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    room.enter("a", 1);
    room.say(group, "x");
    room.say(group, "y");
    let both = |slot| (slot, "share", "xy".to_owned());
    assert_eq!(room.flush(), [both(0), both(1)]);
    assert!(room.flush().is_empty());
}

#[test]
fn frames_of_its_own_stand_where_they_came_about() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    room.say(group, "1");
    room.tell(0, group, "(me)");
    room.say(group, "2");
    assert_eq!(room.flush(), [(0, "gather", "1(me)2".to_owned())]);
}

#[test]
fn who_comes_in_later_does_not_get_what_was_said_before() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    room.say(group, "before");
    room.enter("a", 1);
    room.say(group, "after");
    let early = (0, "share", "beforeafter".to_owned());
    assert_eq!(room.flush(), [early, (1, "gather", "after".to_owned())]);
}

#[test]
fn who_leaves_and_comes_back_within_a_turn_misses_only_what_was_said_between() {
    let mut room = Room::new();
    let group = room.enter("a", 0);
    let seat =
        room.hub.enter(&Arc::new(ChannelKey::new(TenantId(0), "a")), Audience::Cohesivity, conn(1));
    room.say(group, "1");
    room.turn.settle(&room.hub, conn(1), group);
    room.hub.leave(seat);
    room.say(group, "2");
    room.enter("a", 1);
    room.say(group, "3");
    let whole = (0, "share", "123".to_owned());
    assert_eq!(room.flush(), [whole, (1, "gather", "13".to_owned())]);
}

#[test]
fn who_listens_to_several_channels_gets_one_send() {
    let mut room = Room::new();
    let (first, second) = (room.enter("a", 0), room.enter("b", 0));
    room.turn.set_many(conn(0), Many::Yes);
    room.say(second, "b");
    room.say(first, "a");
    assert_eq!(room.flush(), [(0, "gather", "ba".to_owned())]);
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
    let whole = (1, "share", "123".to_owned());
    assert_eq!(room.flush(), [whole, (5, "gather", "(new)1(old)23(more)".to_owned())]);
    room.say(group, "4");
    let four = |slot| (slot, "share", "4".to_owned());
    assert_eq!(room.flush(), [four(5), four(1)]);
}

#[test]
fn a_few_do_not_wait_behind_many() {
    let mut room = Room { hub: Hub::new(hasher::seeded(1)), turn: Turn::new(16) };
    let many = room.enter("many", 0);
    for slot in 1..40 {
        room.enter("many", slot);
    }
    let few = room.enter("few", 100);
    room.say(many, "m");
    assert_eq!(room.flush().len(), 16);
    room.say(few, "f");
    let next = room.flush();
    assert_eq!(next[0], (100, "share", "f".to_owned()));
    assert_eq!(next.len(), 16, "and the others go on");
    assert_eq!(room.flush().len(), 40 - 16 - 15);
    assert!(!room.turn.is_behind());
}

#[test]
fn however_many_groups_of_a_few_there_are_none_waits_behind_many() {
    let mut room = Room { hub: Hub::new(hasher::seeded(1)), turn: Turn::new(16) };
    let many = room.enter("many", 0);
    (1..40).for_each(|slot| _ = room.enter("many", slot));
    let groups: Vec<_> = (0..10)
        .map(|of| {
            let members = (0..3).map(|it| room.enter(&format!("few{of}"), 100 + of * 3 + it));
            members.last().unwrap()
        })
        .collect();
    room.say(many, "m");
    room.flush();
    groups.iter().for_each(|group| room.say(*group, "f"));
    let next = room.flush();
    assert_eq!(next.iter().filter(|it| it.2 == "f").count(), 30, "more than a turn's sends");
    assert!(next.len() > 30, "and the others go on");
    assert!(room.turn.has_room());
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
