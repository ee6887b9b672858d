//! One endpoint step by step: attempts and their waits, what is tried again, the breaker, and dead letters that return.

use std::sync::Arc;

use engine::ids::{ChannelKey, Epoch, MessageId, Now, Offset, TenantId};
use engine::side::webhook::{
    Effect, Endpoint, Fault, Feed, Outcome, Place, Placed, Reason, ReplayRefused, Retry, Slice,
    Verdict, WebhookLimits,
};
use storage::{Draft, Publication};

const WALL_MS: u64 = 1_700_000_000_000;
const BUSY: Outcome = Outcome::Answered { status: 503, retry_after_ms: None };
const GOOD: Outcome = Outcome::Answered { status: 204, retry_after_ms: None };
const LOST: Outcome = Outcome::Unreachable(Fault::Connection);

fn now(ms: u64) -> Now {
    Now { monotonic_ms: ms, wall_ms: WALL_MS + ms }
}

fn message(place: u128) -> Arc<Publication> {
    Arc::new(Publication::new(&Draft {
        channel: &Arc::new(ChannelKey::new(TenantId(1), "a")),
        epoch: Epoch(1),
        offset: Some(Offset(place as u64)),
        id: MessageId(place),
        at_ms: WALL_MS,
        sender: "",
        sender_kind: storage::SenderKind::System,
        event: "e",
        payload: b"1",
        idempotency: None,
    }))
}

fn feed() -> Feed {
    Feed("f".into())
}

/// Calls, each with the id of its message; and messages that ended.
type Turn = (Vec<(u64, u128)>, Vec<(u128, Verdict)>);

/// An endpoint, and a feed with so many messages.
struct Subject {
    endpoint: Endpoint,
    messages: u128,
}

fn subject(limits: WebhookLimits, messages: u128) -> Subject {
    let mut endpoint = Endpoint::new(Arc::new(limits));
    endpoint.join(feed(), Place::START);
    Subject { endpoint, messages }
}

impl Subject {
    fn read(&mut self, after: Place) {
        let placed = |place| {
            let (before, message) = (Place(place - 1), message(place));
            Placed { before, place: Place(place), message }
        };
        let messages: Vec<Placed> = (after.0 + 1..=self.messages).map(placed).collect();
        let slice = Slice { seen: Place(self.messages), messages, removed: None, is_end: true };
        self.endpoint.loaded(&feed(), slice, &mut Vec::new());
    }

    /// Lets it go on; says what it calls with, and what ended.
    fn turn(&mut self, ms: u64) -> Turn {
        let (mut calls, mut ended) = (Vec::new(), Vec::new());
        let mut effects = Vec::new();
        self.endpoint.turn(now(ms), &mut effects);
        let has_read = effects.iter().any(|it| matches!(it, Effect::Read { .. }));
        for effect in effects {
            match effect {
                Effect::Read { after, .. } => self.read(after),
                Effect::Call { call, message } => calls.push((call, message.id().0)),
                Effect::Ended { placed, verdict, .. } => ended.push((placed.place.0, verdict)),
                Effect::Replayed { letter, verdict } => ended.push((u128::from(letter), verdict)),
                Effect::Passed { .. } | Effect::Removed { .. } => {}
            }
        }
        if has_read {
            let (more_calls, more_ended) = self.turn(ms);
            calls.extend(more_calls);
            ended.extend(more_ended);
        }
        (calls, ended)
    }

    fn one_call(&mut self, ms: u64) -> (u64, u128) {
        let (calls, _) = self.turn(ms);
        assert_eq!(calls.len(), 1, "{calls:?} at {ms}");
        calls[0]
    }

    fn answer(&mut self, call: u64, outcome: Outcome, ms: u64) {
        self.endpoint.answered(call, outcome, now(ms), 0);
    }
}

#[test]
fn a_delivery_is_tried_three_times_after_one_second_and_two() {
    let mut subject = subject(WebhookLimits::default(), 1);
    let mut at = 10;
    for wait in [1_000, 2_000] {
        let (call, _) = subject.one_call(at);
        subject.answer(call, LOST, at);
        assert_eq!(subject.turn(at + wait - 1), (vec![], vec![]));
        assert_eq!(subject.endpoint.due_ms(now(at)), Some(at + wait));
        at += wait;
    }
    let (call, _) = subject.one_call(at);
    subject.answer(call, Outcome::Unreachable(Fault::Time), at);
    let dead = Verdict::Dead(Reason::Unreachable(Fault::Time));
    assert_eq!(subject.turn(at), (vec![], vec![(1, dead)]));
}

#[test]
fn an_answer_ends_a_delivery_unless_it_says_busy_and_that_is_set() {
    let check = |retry, outcome: Outcome, ended: Option<Verdict>| {
        let mut subject = subject(WebhookLimits { retry, ..WebhookLimits::default() }, 1);
        let (call, _) = subject.one_call(0);
        subject.answer(call, outcome, 0);
        let expected = ended.map(|it| (1, it)).into_iter().collect::<Vec<_>>();
        assert_eq!(subject.turn(0), (vec![], expected), "{outcome:?}");
    };
    let answer = |status| Outcome::Answered { status, retry_after_ms: None };
    for retry in [Retry::NoAnswer, Retry::NoAnswerOrBusy] {
        for status in [200, 201, 204, 299] {
            check(retry, answer(status), Some(Verdict::Delivered));
        }
        for status in [199, 300, 301, 302, 308, 400, 404, 410, 418] {
            check(retry, answer(status), Some(Verdict::Dead(Reason::Answered(status))));
        }
        check(retry, Outcome::Forbidden, Some(Verdict::Dead(Reason::Forbidden)));
    }
    for status in [429, 500, 503, 599] {
        let dead = Verdict::Dead(Reason::Answered(status));
        check(Retry::NoAnswer, answer(status), Some(dead));
        check(Retry::NoAnswerOrBusy, answer(status), None);
    }
}

#[test]
fn retry_after_is_heeded_up_to_its_bound() {
    for (wish_ms, wait) in [(0, 1_000), (7_000, 7_000), (60_000, 60_000), (999_000, 60_000)] {
        let retry = Retry::NoAnswerOrBusy;
        let mut subject = subject(WebhookLimits { retry, ..WebhookLimits::default() }, 1);
        let (call, _) = subject.one_call(0);
        let outcome = Outcome::Answered { status: 429, retry_after_ms: Some(wish_ms) };
        subject.answer(call, outcome, 0);
        assert_eq!(subject.endpoint.due_ms(now(0)), Some(wait));
        assert_eq!(subject.turn(wait - 1), (vec![], vec![]));
        subject.one_call(wait);
    }
}

#[test]
fn a_message_waits_for_an_endpoint_that_is_left_alone_until_it_is_too_old() {
    let limits = WebhookLimits { waiting_ms_max: 100_000, ..WebhookLimits::default() };
    let mut subject = subject(limits, 9);
    let mut at = 0;
    // Three attempts for the first message, two for the second: then it opens.
    for expected in [1, 1, 1, 2, 2] {
        let (call, id) = subject.one_call(at);
        assert_eq!(id, expected);
        subject.answer(call, LOST, at);
        at += 2_000;
    }
    assert!(subject.endpoint.is_open());
    let opened = at - 2_000;
    assert_eq!(subject.turn(opened + 29_999).0, vec![]);
    let (call, id) = subject.one_call(opened + 30_000);
    assert_eq!(id, 2);
    subject.answer(call, LOST, opened + 30_000);
    // A probe that fails costs the message nothing: it is there for the next one, a minute later.
    assert_eq!(subject.turn(opened + 89_999), (vec![], vec![]));
    let (call, id) = subject.one_call(opened + 90_000);
    assert_eq!(id, 2);
    subject.answer(call, LOST, opened + 90_000);
    let (calls, ended) = subject.turn(100_001);
    let expired = (2..=9).map(|id| (id, Verdict::Dead(Reason::Expired)));
    assert_eq!((calls, ended), (vec![], expired.collect()));
}

#[test]
fn a_probe_that_arrives_ends_the_pause() {
    let limits = WebhookLimits { breaker_failures: 1, ..WebhookLimits::default() };
    let mut subject = subject(limits, 1);
    let (call, _) = subject.one_call(0);
    subject.answer(call, LOST, 0);
    assert!(subject.endpoint.is_open());
    let (call, _) = subject.one_call(30_000);
    subject.answer(call, GOOD, 30_000);
    assert!(!subject.endpoint.is_open() && subject.endpoint.is_trusted());
    assert_eq!(subject.turn(30_000).1, vec![(1, Verdict::Delivered)]);
}

#[test]
fn an_endpoint_that_fails_holds_one_message() {
    let limits = WebhookLimits { breaker_failures: 1, ..WebhookLimits::default() };
    let mut subject = subject(limits, 50);
    let (call, _) = subject.one_call(0);
    let whole = subject.endpoint.bytes();
    subject.answer(call, BUSY, 0);
    subject.turn(0);
    assert!(
        subject.endpoint.bytes() * 50 <= whole,
        "{} of {whole} bytes",
        subject.endpoint.bytes()
    );
    // What it let go of is read again when it is due.
    let (calls, _) = subject.turn(30_000);
    assert_eq!(calls.first().map(|it| it.1), Some(2));
}

#[test]
fn a_dead_letter_returns_beside_the_others_and_only_once() {
    let limits = WebhookLimits { replays_max: 2, ..WebhookLimits::default() };
    let mut subject = subject(limits, 4);
    subject.endpoint.replay(71, message(71)).unwrap();
    assert_eq!(subject.endpoint.replay(71, message(71)), Err(ReplayRefused::Waits));
    subject.endpoint.replay(72, message(72)).unwrap();
    assert_eq!(subject.endpoint.replay(73, message(73)), Err(ReplayRefused::Full { max: 2 }));
    let mut order = Vec::new();
    for at in 0..6 {
        let (call, id) = subject.one_call(at);
        order.push(id);
        subject.answer(call, GOOD, at);
    }
    assert_eq!(order, [71, 1, 72, 2, 3, 4]);
}

#[test]
fn with_a_window_each_channel_keeps_its_order() {
    let limits = WebhookLimits { in_flight_max: 3, ..WebhookLimits::default() };
    let mut subject = subject(limits, 3);
    // All are of one channel: there is never more than one under way.
    for id in 1..=3 {
        let (call, found) = subject.one_call(0);
        assert_eq!(found, id);
        subject.answer(call, GOOD, 0);
    }
}
