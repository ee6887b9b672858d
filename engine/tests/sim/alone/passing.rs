//! Connections that go to another shard.

use engine::ids::{ChannelKey, ConnId, ShardId};
use engine::limits::Limits;
use engine::shard::home;
use engine::shard::input::Input;
use protocol::engineio::Sid;

use super::{Alone, OPEN, polls};

/// Its slot was somebody's whom a large fan-out still waits for. So its answer waits behind that, and it goes behind its answer.
#[test]
fn who_waits_for_a_share_of_a_former_owner_is_passed_behind_its_answer() {
    let is_here = |count: &u16| home(&ChannelKey::new(OPEN, "a"), *count) == ShardId(0);
    let shards = (2..).find(is_here).unwrap();
    let limits = Limits { deliveries_per_turn_max: 3, ..Limits::default() };
    let mut alone = Alone::among(shards, ShardId(0), limits);
    let listeners: Vec<_> = (0..7).map(|_| alone.listen("x")).collect();
    let publisher = alone.plain();
    alone.publish(publisher, &["x"]);
    let last = *listeners.last().unwrap();
    alone.handle(Input::Closed(last));
    let next = ConnId { generation: 1, ..last };
    alone.handle(Input::Opened(next));
    let mut elsewhere = [7; 15];
    elsewhere[..2].copy_from_slice(&1_u16.to_be_bytes());
    let asked = polls::get(Sid::from_random(elsewhere).as_str());
    let said = format!("GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n{asked}");
    alone.handle(Input::Bytes(next, &mut said.into_bytes()));
    let mut turns = 0;
    while alone.shard.is_behind() {
        alone.flush();
        turns += 1;
        let heard = alone.sent.bytes.get(&next.slot).map_or(&[][..], Vec::as_slice);
        let is_answered = String::from_utf8_lossy(heard).contains("HTTP/1.1 200");
        let due: Vec<_> = alone.shard.due_passes(&mut alone.effects.passes).collect();
        let is_passed = matches!(due[..], [it] if it.conn == next && it.to == ShardId(1));
        assert_eq!(is_passed, is_answered, "in turn {turns}: {due:?}");
        assert_eq!(is_passed, !alone.shard.is_behind(), "in turn {turns}");
    }
    assert!(turns > 1);
}
