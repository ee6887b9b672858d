//! From the journal to real receivers: what goes out, in which order, what happens when it cannot, and what is left after a restart.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::config::Secret;
use engine::side::webhook::{
    BodyFormat, Counts, DeliveryForm, Fault, Reason, ReplayFault, SigningSecrets,
};
use protocol::auth::verify_hmac_sha256;
use protocol::uuid_text;
use tempfile::tempdir;

use crate::receiver::{OK, Receiver, Reply, Request};
use crate::world::{World, hook, key, options, wait_until};

fn counts(audience: u32, delivered: u32) -> Counts {
    Counts { audience, delivered }
}

#[test]
fn every_message_of_a_hook_goes_to_each_endpoint_in_order_and_is_counted() {
    let dir = tempdir().unwrap();
    let (one, two) = (Receiver::start(|_, _| OK), Receiver::start(|_, _| OK));
    let mut world = World::start(dir.path(), options(), &[hook("room", &[one.url(), two.url()])]);
    let ids: Vec<u128> = world.publish_each("room:1", 0..300);
    world.publish("other:1", 1_000);
    for receiver in [&one, &two] {
        receiver.wait_for(300);
        assert_eq!(receiver.numbers(), (0..300).collect::<Vec<_>>());
    }
    assert!(ids.iter().all(|id| world.counts(*id) == counts(2, 2)));
    world.stop();
    // A clean end leaves nothing to be sent again.
    world.run();
    world.set(&[hook("room", &[one.url(), two.url()])]);
    world.publish("room:1", 300);
    for receiver in [&one, &two] {
        receiver.wait_for(301);
        assert_eq!(receiver.numbers(), (0..=300).collect::<Vec<_>>());
    }
}

#[test]
fn a_delivery_says_what_it_is_and_is_signed_with_both_secrets() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(|_, _| OK);
    let raw = *b"0123456789abcdefghijklmnopqrstuv";
    let current = format!("whsec_{}", STANDARD.encode(raw));
    let mut options = options();
    options.form.secrets = SigningSecrets {
        current: Some(Secret::new(current.clone())),
        before: Some(Secret::new("plain secret".to_owned())),
    };
    let mut world = World::start(dir.path(), options, &[hook("room", &[receiver.url()])]);
    let id = uuid_text(world.publish_as("room:1", "said", "{\"n\" : 1.0,\"b\":[ ]}"));
    receiver.wait_for(1);
    let request = &receiver.seen()[0];
    let text = String::from_utf8(request.body.clone()).unwrap();
    // The payload is what was published, byte for byte.
    assert!(text.contains("\"payload\":{\"n\" : 1.0,\"b\":[ ]},"), "{text}");
    let body = request.json();
    let timestamp = body["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");
    let expected = serde_json::json!({
        "messageId": id, "channelId": "room", "channelName": "room:1", "event": "said",
        "payload": {"n": 1.0, "b": []}, "senderId": "ada", "senderType": "user", "timestamp": timestamp,
    });
    assert_eq!(body, expected);
    for (name, value) in [
        ("x-insforge-event", "said"),
        ("x-insforge-channel", "room:1"),
        ("x-insforge-message-id", &id),
        ("webhook-id", &id),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    check_signatures(request, &current, &raw);
}

fn check_signatures(request: &Request, current: &str, raw: &[u8]) {
    let hex = request.header("x-insforge-signature").unwrap().strip_prefix("sha256=").unwrap();
    let bytes = (0..32).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap());
    let signature: Vec<u8> = bytes.collect();
    assert!(verify_hmac_sha256(current.as_bytes(), &request.body, &signature));
    let (id, at) =
        (request.header("webhook-id").unwrap(), request.header("webhook-timestamp").unwrap());
    let signed = [format!("{id}.{at}.").as_bytes(), &request.body].concat();
    let both = request.header("webhook-signature").unwrap();
    let both: Vec<Vec<u8>> = both
        .split(' ')
        .map(|it| STANDARD.decode(it.strip_prefix("v1,").unwrap()).unwrap())
        .collect();
    assert_eq!(both.len(), 2);
    assert!(verify_hmac_sha256(raw, &signed, &both[0]));
    assert!(verify_hmac_sha256(b"plain secret", &signed, &both[1]));
    assert!(!verify_hmac_sha256(raw, &signed, &both[1]));
    let seconds: u64 = at.parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(seconds.abs_diff(now) < 60);
}

#[test]
fn a_bare_payload_goes_out_as_it_came_and_no_event_makes_a_header() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(|_, _| OK);
    let mut options = options();
    options.form = DeliveryForm { format: BodyFormat::Payload, ..DeliveryForm::default() };
    let mut world = World::start(dir.path(), options, &[hook("room", &[receiver.url()])]);
    world.publish_as("room:\u{e4} 1", "a\r\nX-Admin: 1\r\n\r\n{}", "[1,  2]");
    receiver.wait_for(1);
    let request = &receiver.seen()[0];
    assert_eq!(request.body, b"[1,  2]");
    assert_eq!(request.header("x-admin"), None);
    assert_eq!(request.header("x-insforge-event"), Some("a%0D%0AX-Admin: 1%0D%0A%0D%0A{}"));
    assert_eq!(request.header("x-insforge-channel"), Some("room:%C3%A4 1"));
    assert!(request.header("x-insforge-signature").is_none());
}

#[test]
fn a_new_endpoint_begins_with_what_comes_after_it_and_one_that_is_taken_away_gets_nothing() {
    let dir = tempdir().unwrap();
    let (one, two) = (Receiver::start(|_, _| OK), Receiver::start(|_, _| OK));
    let mut world = World::start(dir.path(), options(), &[hook("room", &[one.url()])]);
    world.publish_each("room:1", 0..10);
    world.set(&[hook("room", &[one.url(), two.url()])]);
    world.publish_each("room:1", 10..20);
    // A channel that is new is heard from its first message.
    world.publish("room:2", 20);
    two.wait_for(11);
    one.wait_for(21);
    world.set(&[hook("room", &[two.url()])]);
    let last = world.publish("room:1", 21);
    two.wait_for(12);
    assert_eq!(world.counts(last), counts(1, 1));
    assert_eq!((one.seen().len(), two.numbers()[0]), (21, 10));
    // It is forgotten: set again, it is new.
    world.set(&[hook("room", &[one.url(), two.url()])]);
    world.publish("room:1", 22);
    one.wait_for(22);
    assert_eq!(one.numbers().last(), Some(&22));
}

#[test]
fn an_endpoint_of_a_tenant_without_messages_hears_the_first_one_also_after_a_restart() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(|_, _| OK);
    let mut world = World::start(dir.path(), options(), &[hook("room", &[receiver.url()])]);
    world.stop();
    world.publish("room:1", 1);
    world.run();
    world.set(&[hook("room", &[receiver.url()])]);
    receiver.wait_for(1);
    assert_eq!(receiver.numbers(), [1]);
}

#[test]
fn a_dead_endpoint_delays_no_other() {
    let dir = tempdir().unwrap();
    let silent = Receiver::start(|_, _| Reply::Silence);
    let well = Receiver::start(|_, _| OK);
    let mut urls: Vec<String> = (0..40).map(|it| format!("{}?{it}", silent.url())).collect();
    urls.push(well.url());
    let mut options = options();
    // Room for ten calls: forty dead endpoints would fill it for good.
    (options.limits.calls_max, options.limits.answer_timeout_ms) = (10, 500);
    // Nor are they ever left alone.
    options.limits.breaker_failures = 1_000_000;
    let mut world = World::start(dir.path(), options, &[hook("room", &urls)]);
    world.publish("room:1", 0);
    well.wait_for(1);
    // It has shown that it is well; what the others do no longer concerns it.
    let begun = Instant::now();
    world.publish_each("room:1", 1..200);
    well.wait_for(200);
    assert_eq!(well.numbers(), (0..200).collect::<Vec<_>>());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let is_busy = |url: &String| world.status(&key("room", url)).in_flight > 0;
    assert!(urls[..40].iter().any(is_busy), "the others still are as they were");
}

#[test]
fn what_fails_is_tried_again_in_its_place() {
    let dir = tempdir().unwrap();
    // The third and fourth request break off: the third message goes out three times.
    let receiver = Receiver::start(|_, count| if matches!(count, 2 | 3) { Reply::Cut } else { OK });
    let mut world = World::start(dir.path(), options(), &[hook("room", &[receiver.url()])]);
    let ids: Vec<u128> = world.publish_each("room:1", 0..5);
    receiver.wait_for(7);
    assert_eq!(receiver.numbers(), [0, 1, 2, 2, 2, 3, 4]);
    let seen = receiver.seen();
    let pauses = [seen[3].at - seen[2].at, seen[4].at - seen[3].at];
    assert!(pauses[0] >= Duration::from_millis(20) && pauses[1] >= Duration::from_millis(40));
    // Receivers tell a repetition by the id.
    assert_eq!(seen[2].header("x-insforge-message-id"), seen[4].header("x-insforge-message-id"));
    assert!(ids.iter().all(|id| world.counts(*id) == counts(1, 1)));
}

#[test]
fn a_dead_letter_can_be_seen_and_sent_again_also_after_a_restart() {
    let dir = tempdir().unwrap();
    let (bad, good) = (Receiver::start(|_, _| Reply::Status(410, "")), Receiver::start(|_, _| OK));
    let hooks = [hook("room", &[bad.url(), good.url()])];
    let mut world = World::start(dir.path(), options(), &hooks);
    let ids: Vec<u128> = world.publish_each("room:1", 0..3);
    let of = key("room", &bad.url());
    let letters = world.wait_for_letters(&of, 3);
    assert!(ids.iter().all(|id| world.counts(*id) == counts(2, 1)));
    for (letter, id) in letters.iter().zip(&ids) {
        let head = letter.message.as_ref().unwrap();
        assert_eq!((letter.reason, head.id), (Reason::Answered(410), *id));
        assert_eq!((&*head.channel, &*head.event), ("room:1", "said"));
    }
    world.stop();
    world.run();
    world.set(&hooks);
    assert_eq!(world.wait_for_letters(&of, 3), letters);
    // Refused again it stays; taken it is gone.
    world.replay(&of, letters[1].id).unwrap();
    world.wait_until_letters(&of, |it| it.len() == 3 && it[1].died_at_ms > letters[1].died_at_ms);
    bad.behave(|_, _| OK);
    world.replay(&of, letters[1].id).unwrap();
    bad.wait_for(5);
    assert_eq!(bad.numbers(), [0, 1, 2, 1, 1]);
    let left: Vec<u64> = world.wait_for_letters(&of, 2).iter().map(|it| it.id).collect();
    assert_eq!(left, [letters[0].id, letters[2].id]);
    assert_eq!(world.replay(&of, letters[1].id), Err(ReplayFault::Unknown));
    assert_eq!(world.replay(&key("room", "http://nobody"), 1), Err(ReplayFault::Unknown));
    assert_eq!(world.letters(&key("room", "http://nobody")), None);
}

#[test]
fn new_messages_are_told_and_no_poll_is_waited_for() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(|_, _| OK);
    let mut options = options();
    options.limits.poll_ms = 3_600_000;
    let hooks = [hook("room", &[receiver.url()])];
    let mut world = World::start(dir.path(), options, &hooks);
    // Also while the deliveries stand still, and behind messages that are for nobody.
    for number in 0..5 {
        world.publish("else:1", 100 + number);
        world.publish("room:1", number);
        receiver.wait_for(usize::try_from(number + 1).unwrap());
    }
    assert_eq!(receiver.numbers(), (0..5).collect::<Vec<_>>());
    world.set(&[]);
    world.publish("room:1", 5);
    world.set(&hooks);
    world.publish("room:1", 6);
    receiver.wait_for(6);
    assert_eq!(receiver.numbers(), [0, 1, 2, 3, 4, 6]);
}

#[test]
fn hooks_of_an_older_version_change_nothing() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(|_, _| OK);
    let mut world = World::start(dir.path(), options(), &[]);
    world.set_version(7, &[hook("room", &[receiver.url()])]);
    world.set_version(6, &[]);
    world.publish("room:1", 0);
    receiver.wait_for(1);
    world.set_version(8, &[]);
    world.set_version(7, &[hook("room", &[receiver.url()])]);
    world.publish("room:1", 1);
    world.set_version(9, &[hook("room", &[receiver.url()])]);
    world.publish("room:1", 2);
    receiver.wait_for(2);
    assert_eq!(receiver.numbers(), [0, 2]);
}

#[test]
fn dead_letters_have_a_bound() {
    let dir = tempdir().unwrap();
    let bad = Receiver::start(|_, _| Reply::Status(404, ""));
    let mut options = options();
    options.limits.dead_letters_max = 5;
    let mut world = World::start(dir.path(), options, &[hook("room", &[bad.url()])]);
    world.publish_each("room:1", 0..20);
    bad.wait_for(20);
    let of = key("room", &bad.url());
    wait_until(|| (world.status(&of).letters_dropped == 15).then_some(()));
    let letters = world.wait_for_letters(&of, 5);
    assert_eq!(letters.iter().map(|it| it.id).collect::<Vec<_>>(), [16, 17, 18, 19, 20]);
}

#[test]
fn messages_wait_for_an_endpoint_that_is_down_and_arrive_in_order_when_it_is_back() {
    let dir = tempdir().unwrap();
    let down = Receiver::start(|_, _| Reply::Cut);
    let well = Receiver::start(|_, _| OK);
    let mut world = World::start(dir.path(), options(), &[hook("room", &[down.url(), well.url()])]);
    let ids: Vec<u128> = world.publish_each("room:1", 0..50);
    well.wait_for(50);
    let of = key("room", &down.url());
    // The first message is given up after three attempts; then the endpoint is left alone, and nothing more is lost to it.
    let letters = world.wait_for_letters(&of, 1);
    assert_eq!(letters[0].reason, Reason::Unreachable(Fault::Connection));
    wait_until(|| world.status(&of).is_open.then_some(()));
    assert!(!world.is_told(ids[1]), "it has not ended everywhere");
    // Whoever is stopped before it has heard an answer asks again.
    wait_until(|| (world.status(&key("room", &well.url())).in_flight == 0).then_some(()));
    // A restart finds it where it was.
    world.stop();
    let before = down.seen().len();
    down.behave(|_, _| OK);
    world.run();
    world.set(&[hook("room", &[down.url(), well.url()])]);
    down.wait_until(|seen| seen.len() >= before + 49);
    let numbers: Vec<u64> = down.numbers().split_off(before);
    assert_eq!(numbers, (1..50).collect::<Vec<_>>());
    assert_eq!(well.seen().len(), 50);
    assert!(ids[1..].iter().all(|id| world.counts(*id) == counts(2, 2)));
}

#[test]
fn what_retention_removed_is_told_as_removed() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(|_, _| OK);
    let hooks = [hook("room", &[receiver.url()])];
    let mut world = World::start(dir.path(), options(), &hooks);
    world.publish("room:1", 0);
    receiver.wait_for(1);
    world.stop();
    world.publish_many("room:1", 1..10);
    let channel = Arc::new(engine::ids::ChannelKey::new(crate::world::TENANT, "room:1"));
    world.writer.try_drop(1, channel).unwrap();
    while !matches!(world.writer.wait(), Some(storage::Answer::Dropped { .. })) {}
    world.publish_many("room:1", 10..13);
    world.run();
    world.set(&hooks);
    receiver.wait_for(4);
    assert_eq!(receiver.numbers(), [0, 10, 11, 12]);
    let of = key("room", &receiver.url());
    let letters = world.wait_for_letters(&of, 1);
    assert_eq!((letters[0].reason, &letters[0].message), (Reason::Removed, &None));
    assert_eq!(world.replay(&of, letters[0].id), Err(ReplayFault::Gone));
}

#[test]
fn a_url_that_is_not_allowed_gets_nothing_and_says_why() {
    let dir = tempdir().unwrap();
    let receiver = Receiver::start(|_, _| OK);
    let mut options = options();
    options.rules.private = engine::side::webhook::Private::Refused;
    let mut world = World::start(dir.path(), options, &[hook("room", &[receiver.url()])]);
    world.publish("room:1", 0);
    let letters = world.wait_for_letters(&key("room", &receiver.url()), 1);
    assert_eq!(letters[0].reason, Reason::Forbidden);
    assert!(receiver.seen().is_empty());
}
