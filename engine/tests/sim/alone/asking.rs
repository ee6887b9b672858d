//! Clients of the documents' wire that ask again before the home of a channel has answered.

use std::mem;

use engine::ids::{ChannelKey, ConnId, ShardId};
use engine::limits::Limits;
use engine::shard::home;
use engine::shard::input::Input;
use protocol::ws::Opcode;

use super::{Alone, OPEN};

const EDGE: ShardId = ShardId(0);
const ALL: &str = r#"{"type":"subscribe","channel":"a"}"#;
const SOME: &str = r#"{"type":"subscribe","channel":"a","filter":{"event":"x"}}"#;

/// The shard of connections, and that of their channel.
struct Pair {
    edge: Alone,
    home: Alone,
}

impl Pair {
    fn new() -> Self {
        let home_of = |count: u16| home(&ChannelKey::new(OPEN, "a"), count);
        let count = (2..).find(|it| home_of(*it) != EDGE).unwrap();
        let shard = |id| Alone::among(count, id, Limits::default());
        Self { edge: shard(EDGE), home: shard(home_of(count)) }
    }

    /// The home hears of everything.
    fn ask(&mut self) {
        for (_, request) in mem::take(&mut self.edge.effects.requests) {
            self.home.handle(Input::Request(EDGE, request));
        }
    }

    /// What it was asked to keep is durable, and the edge hears what became of everything.
    fn answer(&mut self) {
        self.home.settle();
        for (to, delivery) in mem::take(&mut self.home.effects.deliveries) {
            assert_eq!(to, EDGE);
            self.edge.handle(Input::Delivery(delivery));
        }
        self.edge.flush();
    }

    /// What a client hears for what it says.
    fn tell(&mut self, conn: ConnId, text: &str) -> String {
        self.edge.send(conn, Opcode::Text, text);
        self.ask();
        self.answer();
        self.edge.heard(conn)
    }
}

/// How often a client that asks so is told that it listens.
fn check(asks: &[&str]) {
    let mut pair = Pair::new();
    let conn = pair.edge.plain();
    asks.iter().for_each(|it| pair.edge.send(conn, Opcode::Text, it));
    assert_eq!(pair.edge.heard(conn), "", "nobody has answered");
    pair.ask();
    pair.answer();
    let heard = pair.edge.heard(conn);
    assert_eq!(heard.matches("\"subscribed\"").count(), asks.len(), "{asks:?}: {heard}");
}

#[test]
fn who_asks_twice_is_answered_twice_whatever_it_asks_for() {
    check(&[ALL]);
    check(&[ALL, ALL]);
    check(&[SOME, SOME]);
    check(&[SOME, ALL]);
    check(&[ALL, SOME]);
    check(&[SOME, ALL, SOME, ALL]);
}

/// What comes between its question and the answer is not lost, nor said twice, and nobody sees it go.
#[test]
fn who_asks_for_more_or_less_hears_on_and_is_seen_on() {
    let mut pair = Pair::new();
    let [conn, other] = [pair.edge.plain(), pair.edge.plain()];
    pair.tell(other, ALL);
    for [before, after] in [[SOME, ALL], [ALL, SOME]] {
        pair.tell(conn, before);
        pair.tell(conn, r#"{"type":"track","channel":"a","state":{"is":"here"}}"#);
        assert!(pair.edge.heard(other).contains("\"presence\""));
        let publish = r#"{"type":"publish","channel":"a","event":"x","payload":{}}"#;
        pair.edge.send(other, Opcode::Text, publish);
        pair.ask();
        pair.edge.send(conn, Opcode::Text, after);
        pair.answer();
        let heard = pair.edge.heard(conn);
        assert_eq!(heard.matches("\"message\"").count(), 1, "{heard}");
        pair.ask();
        pair.edge.send(other, Opcode::Text, publish);
        pair.ask();
        pair.answer();
        let heard = pair.edge.heard(conn);
        assert_eq!(heard.matches("\"message\"").count(), 1, "{heard}");
        let heard = pair.edge.heard(other);
        assert!(!heard.contains("\"leave\""), "{heard}");
        pair.tell(conn, r#"{"type":"untrack","channel":"a"}"#);
        assert!(pair.edge.heard(other).contains("\"leave\""));
    }
}
