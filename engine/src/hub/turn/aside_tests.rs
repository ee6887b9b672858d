//! What is given to some of a group aside, and what a turn with many of them keeps.

use std::sync::Arc;

use super::*;
use crate::hasher;
use crate::hub::Audience;
use crate::hub::log::{Log, Sent, conn, gathered, shared};
use crate::ids::{ChannelKey, TenantId};

fn room(slots: u32) -> (Hub, Turn, GroupId) {
    let mut hub = Hub::new(hasher::seeded(1));
    let channel = Arc::new(ChannelKey::new(TenantId(0), "a"));
    let mut enter = |slot| hub.enter(&channel, Audience::InsforgeFiltered, conn(slot)).group;
    let group = enter(0);
    (1..slots).for_each(|slot| assert_eq!(enter(slot), group));
    (hub, Turn::new(100), group)
}

fn flush(hub: &mut Hub, turn: &mut Turn) -> Vec<Sent> {
    let mut log = Log::default();
    turn.flush(hub, 0, &mut log);
    log.take()
}

#[test]
fn who_is_given_something_aside_gets_it_where_it_came_about() {
    let (mut hub, mut turn, group) = room(2);
    let aside = hub.aside();
    for (text, is_aside) in [("1", false), ("(one)", true), ("2", false), ("(two)", true)] {
        if is_aside {
            turn.settle(&hub, conn(1), group);
            turn.cut(&hub, conn(1), aside);
        }
        let to = if is_aside { aside } else { group };
        hub.append(to, |_, out| out.extend_from_slice(text.as_bytes()));
        if is_aside {
            turn.settle(&hub, conn(1), aside);
        }
    }
    assert_eq!(flush(&mut hub, &mut turn), [shared(0, "12"), gathered(1, "1(one)2(two)")]);
    assert!(flush(&mut hub, &mut turn).is_empty(), "nothing stays aside");
}

#[test]
fn a_turn_with_many_keeps_the_memory_of_few() {
    let (mut hub, mut turn, _) = room(1);
    let many = SPARE_MIXED_MAX + 1;
    for slot in 0..u32::try_from(many).unwrap() {
        turn.write(&hub, conn(slot), std::iter::empty(), |out| out.push(b'x'));
    }
    assert_eq!(flush(&mut hub, &mut turn).len(), many);
    assert_eq!(turn.spare.len(), SPARE_MIXED_MAX);
}
