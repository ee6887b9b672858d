//! Lanes between two shards of one thread.

use std::sync::Arc;

use super::lanes::between;
use crate::ids::{ChannelKey, ShardId, SubscriptionId, TenantId};
use crate::shard::effects::Effects;
use crate::shard::input::{Leave, Request};

fn leave(name: &str) -> Request {
    let channel = Arc::new(ChannelKey::new(TenantId(0), name));
    Request::Leave(Box::new(Leave { channel, subscription: SubscriptionId(0), member: None }))
}

#[test]
fn what_does_not_fit_waits_in_order_and_holds_the_shard_back() {
    let mut lanes = between(2, 2);
    let mut effects = Effects::default();
    for name in ["a", "b", "c", "d"] {
        effects.requests.push((ShardId(1), leave(name)));
    }
    let [from, to] = lanes.as_mut_slice() else { unreachable!() };
    from.send(&mut effects);
    assert!(!from.has_room() && !from.is_settled());
    assert_eq!(from.take_touched().collect::<Vec<_>>(), [ShardId(1)]);
    let mut names = Vec::new();
    while let Some((_, Request::Leave(leave))) = to.next_request() {
        names.push(leave.channel.name().to_owned());
        from.has_room();
    }
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert!(from.has_room() && from.is_settled() && to.is_settled());
}

#[test]
fn a_look_before_sleep_moves_nothing_on() {
    let mut lanes = between(2, 1);
    let mut effects = Effects::default();
    effects.requests.extend(["a", "b"].map(|name| (ShardId(1), leave(name))));
    let [from, to] = lanes.as_mut_slice() else { unreachable!() };
    from.send(&mut effects);
    assert_eq!(from.take_touched().count(), 1);
    assert!(to.next_request().is_some());
    // There is room now. Whoever gets "b" is rung at the end of a turn, not by a shard that looks whether it may sleep.
    assert!(!from.is_settled() && to.is_settled());
    assert!(from.has_room() && from.is_settled());
    assert_eq!(from.take_touched().collect::<Vec<_>>(), [ShardId(1)]);
    assert!(!to.is_settled());
}
