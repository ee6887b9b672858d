//! Messages and the patterns that they belong to: filters by a channel's id, who heard a message, and how long it is kept.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use storage::{
    ChannelKey, Draft, Epoch, JournalKind, JournalOptions, MessageId, Offset, Publication,
    SenderKind, TenantId,
};

use super::admin::{self, ANON, API, CHANNELS, ok, plain, say, start};
use super::node::{Node, PATIENCE, pause};
use super::raw::Raw;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn get(node: &Node, path: &str) -> Value {
    ok(node, "GET", &format!("/api/realtime{path}"), None, 200)
}

/// Makes a pattern; gives its id.
fn create(node: &Node, pattern: &str) -> String {
    admin::create(node, pattern)["id"].as_str().unwrap().to_owned()
}

fn publish(raw: &mut Raw, channel: &str, number: u64) {
    let what =
        json!({"type": "publish", "channel": channel, "event": "said", "payload": {"n": number}});
    say(raw, &what, "\"published\"");
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|it| it["payload"]["n"].as_u64().unwrap()).collect()
}

#[test]
fn messages_belong_to_the_pattern_that_their_channel_matches_now() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    let chats = create(&node, "chat:%");
    let orders = create(&node, "orders");
    let mut server = plain(&node, API);
    for number in 0..12 {
        let channel = ["chat:1", "chat:2", "chat:vip:1", "orders"][number % 4];
        publish(&mut server, channel, number as u64);
        // Lists are by time, to the millisecond: within one, messages of different shards have no order.
        pause(Duration::from_millis(2));
    }
    let of = |id: &str| numbers(&get(&node, &format!("/messages?channelId={id}")));
    let total =
        |id: &str| get(&node, &format!("/messages/stats?channelId={id}"))["totalMessages"].clone();
    assert_eq!(of(&chats), [10, 9, 8, 6, 5, 4, 2, 1, 0]);
    assert_eq!((of(&orders), total(&orders), total(&chats)), (vec![11, 7, 3], json!(3), json!(9)));
    let page = get(&node, &format!("/messages?channelId={chats}&limit=2&offset=3"));
    assert_eq!(numbers(&page), [6, 5]);
    // A nearer pattern takes its channels over.
    let vips = create(&node, "chat:vip:%");
    assert_eq!((of(&vips), of(&chats)), (vec![10, 6, 2], vec![9, 8, 5, 4, 1, 0]));
    assert_eq!(get(&node, "/messages?limit=2")[1]["channelId"], json!(vips));
    ok(&node, "PUT", &format!("{CHANNELS}/{vips}"), Some(&json!({"enabled": false})), 200);
    assert_eq!((of(&vips), of(&chats).len(), total(&vips)), (vec![], 9, json!(0)));
    ok(&node, "DELETE", &format!("{CHANNELS}/{chats}"), None, 200);
    assert_eq!((of(&chats), total(&chats)), (vec![], json!(0)));
    let all = get(&node, "/messages");
    let ids: Vec<&Value> = all.as_array().unwrap().iter().map(|it| &it["channelId"]).collect();
    assert_eq!((ids[0], ids[1], ids.len()), (&json!(orders), &Value::Null, 12));
    node.stop();
}

#[test]
fn a_message_says_who_sent_it_and_how_many_sockets_heard_it_also_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(folder.path(), 2);
    create(&node, "room:%");
    let subscribe = json!({"type": "subscribe", "channel": "room:1"});
    let mut clients: Vec<Raw> = (0..3).map(|_| plain(&node, ANON)).collect();
    for one in &mut clients {
        say(one, &subscribe, "\"subscribed\"");
    }
    let mut server = plain(&node, API);
    publish(&mut server, "room:1", 1);
    publish(&mut clients[0], "room:1", 2);
    publish(&mut server, "room:2", 3);
    let check = |node: &Node| {
        let all = get(node, "/messages");
        let row = |it: &Value| {
            let heard = it["wsAudienceCount"].as_u64().unwrap();
            (it["senderType"].as_str().unwrap().to_owned(), it["senderId"].clone(), heard)
        };
        let rows: Vec<_> = all.as_array().unwrap().iter().map(row).collect();
        let of = |kind: &str, heard| (kind.to_owned(), Value::Null, heard);
        assert_eq!(rows, [of("system", 0), of("user", 3), of("system", 3)]);
    };
    // A list makes the counts durable, which are written down with what comes next.
    check(&node);
    node.kill();
    let node = start(folder.path(), 2);
    check(&node);
    node.stop();
}

#[test]
fn messages_go_once_they_are_older_than_their_tenant_says() {
    let folder = tempfile::tempdir().unwrap();
    // The node itself says where things lie, and which tenant is its first.
    start(folder.path(), 1).stop();
    append_old_ones(&folder.path().join("stentor-data/journal/shard-000"));
    let node = start(folder.path(), 1);
    assert_eq!(numbers(&get(&node, "/messages")), [1, 2, 3, 4, 5]);
    let kept = |node: &Node, expected: &[u64]| {
        for _ in 0..PATIENCE.as_millis() / 200 {
            if numbers(&get(node, "/messages")) == expected {
                return;
            }
            pause(Duration::from_millis(200));
        }
        panic!("{:?} instead of {expected:?}", get(node, "/messages"));
    };
    let retain = |node: &Node, days: Value| {
        ok(node, "PATCH", "/api/realtime/config", Some(&json!({"retentionDays": days})), 200);
    };
    retain(&node, json!(4));
    kept(&node, &[1, 2, 3, 4]);
    assert_eq!(get(&node, "/messages/stats")["retentionDays"], 4);
    retain(&node, json!(2));
    node.kill();
    // Nobody says it again.
    let node = start(folder.path(), 1);
    kept(&node, &[1, 2]);
    node.stop();
}

#[expect(clippy::disallowed_methods, reason = "a message of some days ago has a time of its own")]
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// Messages that are half a day less old than their numbers say.
fn append_old_ones(journal: &Path) {
    let options = JournalOptions::default();
    let mut journal = storage::open(JournalKind::Segment, journal, &options).unwrap();
    let now_ms = now_ms();
    let epoch = journal.fresh_epoch();
    for (offset, days) in (1..).zip((1..=5_u64).rev()) {
        let publication = Publication::new(&Draft {
            channel: &Arc::new(ChannelKey::new(TenantId(1), "old")),
            epoch: Epoch(epoch.0),
            offset: Some(Offset(offset)),
            id: MessageId(u128::from(offset)),
            at_ms: now_ms - days * DAY_MS + DAY_MS / 2,
            sender: "",
            sender_kind: SenderKind::System,
            event: "e",
            payload: format!("{{\"n\":{days}}}").as_bytes(),
            idempotency: None,
        });
        journal.append(&[Arc::new(publication)]).unwrap();
    }
}
