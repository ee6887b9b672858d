//! Clients of the documents' wire that want some of a channel's messages.

use engine::ids::ConnId;
use engine::limits::Limits;
use engine::shard::input::{Input, JournalAnswer};
use protocol::ws::Opcode;

use super::{Alone, OPEN, introduction};

impl Alone {
    /// A client that wants the messages of one event.
    pub(super) fn listen(&mut self, event: &str) -> ConnId {
        let conn = self.plain();
        let filter = format!(r#""channel":"a","filter":{{"event":"{event}"}}"#);
        let answer = self.tell(conn, &format!(r#"{{"type":"subscribe",{filter}}}"#));
        assert!(answer.contains("\"subscribed\""), "{answer}");
        conn
    }

    pub(super) fn plain(&mut self) -> ConnId {
        let conn = self.open(OPEN, "/realtime");
        assert!(self.tell(conn, &introduction(OPEN)).contains("auth_success"));
        conn
    }

    /// Publishes events in their order, and hands them out in one turn.
    pub(super) fn publish(&mut self, conn: ConnId, events: &[&str]) {
        for event in events {
            let text = format!(
                r#"{{"type":"publish","channel":"a","event":"{event}","payload":{{"is":"{event}"}}}}"#
            );
            self.send(conn, Opcode::Text, &text);
        }
        let appends = std::mem::take(&mut self.effects.appends).len();
        assert_eq!(appends, events.len());
        self.handle(Input::Journal(JournalAnswer::Committed(appends)));
        self.flush();
    }

    /// Which events a client heard of, in their order.
    fn events(&mut self, conn: ConnId) -> Vec<String> {
        let heard = self.heard(conn);
        let all = heard.split("\"is\":\"").skip(1);
        all.map(|it| it.split('"').next().unwrap().to_owned()).collect()
    }
}

#[test]
fn each_hears_what_it_wants_in_its_order_and_nothing_else() {
    let mut alone = Alone::new(Limits::default());
    let (a, b, c) = (alone.listen("x"), alone.listen("y"), alone.listen("never"));
    let publisher = alone.plain();
    alone.publish(publisher, &["x", "y", "x", "z", "y"]);
    assert_eq!(alone.events(a), ["x", "x"]);
    assert_eq!(alone.events(b), ["y", "y"]);
    assert_eq!(alone.events(c), [""; 0]);
    // What nobody wants is sent to nobody: the publisher has its answer.
    alone.publish(publisher, &["z"]);
    assert_eq!(alone.sent.sends, 1);
    // Who comes between two messages of a turn hears the second alone.
    let late = alone.plain();
    alone.send(
        publisher,
        Opcode::Text,
        r#"{"type":"publish","channel":"a","event":"x","payload":{"is":"1"}}"#,
    );
    alone.handle(Input::Journal(JournalAnswer::Committed(1)));
    let filter = r#"{"type":"subscribe","channel":"a","filter":{"event":"x"}}"#;
    alone.send(late, Opcode::Text, filter);
    alone.send(
        publisher,
        Opcode::Text,
        r#"{"type":"publish","channel":"a","event":"x","payload":{"is":"2"}}"#,
    );
    alone.handle(Input::Journal(JournalAnswer::Committed(1)));
    alone.effects.appends.clear();
    alone.flush();
    assert_eq!(
        (alone.events(a), alone.events(late)),
        (vec!["1".into(), "2".into()], vec!["2".into()])
    );
}

/// A close waits for what was published before it, however many turns that takes (invariant 12).
#[test]
fn who_ends_amid_a_large_fan_out_gets_its_share_and_then_its_last_words() {
    let limits = Limits { deliveries_per_turn_max: 3, ..Limits::default() };
    let mut alone = Alone::new(limits);
    let wanting: Vec<_> = (0..7).map(|_| alone.listen("x")).collect();
    let publisher = alone.plain();
    alone.publish(publisher, &["x"]);
    let last = *wanting.last().unwrap();
    alone.send(last, Opcode::Close, "");
    let mut turns = 0;
    while alone.shard.is_behind() {
        let due = alone.shard.due_closes(&mut alone.effects.closes).count();
        assert_eq!(due, 0, "it is owed something still");
        alone.flush();
        turns += 1;
    }
    assert!(turns > 1);
    let due: Vec<_> = alone.shard.due_closes(&mut alone.effects.closes).collect();
    assert!(matches!(due[..], [(conn, ending)] if conn == last && ending.is_last()), "{due:?}");
    let heard = alone.sent.bytes.remove(&last.slot).unwrap();
    let (said, goodbye) = heard.split_at(heard.len() - 4);
    assert!(String::from_utf8_lossy(said).contains("\"is\":\"x\""));
    assert_eq!(goodbye, [0x88, 2, 0x03, 0xe8]);
}

/// Those who want a message share one frame, as others do, and a turn sends to no more of them than it may (invariants 6 and 12).
#[test]
fn those_who_want_a_message_share_its_frame_and_wait_their_turn() {
    const WANTING: usize = 7;
    let limits = Limits { deliveries_per_turn_max: 3, ..Limits::default() };
    let mut alone = Alone::new(limits);
    let wanting: Vec<_> = (0..WANTING).map(|_| alone.listen("x")).collect();
    let other = alone.listen("y");
    let publisher = alone.plain();
    alone.publish(publisher, &["x"]);
    // And the answer to the publisher.
    assert_eq!((alone.sent.shares, alone.sent.sends), (3, 4));
    let mut turns = vec![];
    while alone.shard.is_behind() {
        alone.flush();
        turns.push((alone.sent.shares, alone.sent.sends));
    }
    assert_eq!(turns, [(3, 3), (1, 1)]);
    assert!(wanting.into_iter().all(|it| alone.events(it) == ["x"]));
    assert_eq!(alone.events(other), [""; 0]);
}

/// What few want is given to them alone: nothing is noted of those who do not, and what they share with others stays shared.
#[test]
fn what_one_of_many_wants_costs_the_others_nothing() {
    const MANY: usize = 7;
    let mut alone = Alone::new(Limits::default());
    let others: Vec<_> = (0..MANY).map(|_| alone.listen("y")).collect();
    let one = alone.listen("x");
    let publisher = alone.plain();
    // All of them share what most want, but for the one; and the publisher has its answers.
    alone.publish(publisher, &["x", "y"]);
    assert_eq!((alone.sent.shares, alone.sent.sends), (MANY, MANY + 2));
    assert_eq!(alone.events(one), ["x"]);
    assert!(others.into_iter().all(|it| alone.events(it) == ["y"]));
}
