//! Lists and statistics of two real journals in memory: what is in them, and what a client that is slow or gone costs.

use std::path::Path;
use std::time::Duration;

use protocol::dialect::insforge::Pattern;
use serde_json::Value;
use storage::{
    Counted, Counts, Draft, JournalKind, JournalOptions, Publication, QueueLimits, Writer,
    WriterHandle,
};

use super::*;
use crate::control::{Patterns, Registration};
use crate::hasher::seeded;
use crate::ids::{ConnId, Epoch, MessageId, Offset, ShardId, TenantId};
use crate::shard::home;

const SHARDS: u16 = 2;

struct World {
    _writers: Vec<WriterHandle>,
    journals: Journals,
    patterns: Patterns,
}

fn key(tenant: u32, name: &str) -> Arc<ChannelKey> {
    Arc::new(ChannelKey::new(TenantId(tenant), name))
}

fn registration(id: u128, pattern: &str) -> Registration {
    let pattern = Pattern::parse(pattern).unwrap();
    Registration { pattern, id: MessageId(id), created_at_ms: 0 }
}

/// Ten messages in each of four channels, one after the other; and some of another tenant.
fn world() -> World {
    let open =
        |_| storage::open(JournalKind::Memory, Path::new(""), &JournalOptions::default()).unwrap();
    let mut journals: Vec<_> = (0..SHARDS).map(open).collect();
    let mut at_ms = 1_700_000_000_000;
    for offset in 1..=10_u64 {
        for channel in [key(1, "a:1"), key(1, "a:2"), key(1, "b"), key(1, "none"), key(2, "a:1")] {
            at_ms += 1;
            let (kind, sender) = match offset {
                1 => (SenderKind::User, "ada"),
                2 => (SenderKind::User, ""),
                _ => (SenderKind::System, ""),
            };
            let publication = Arc::new(Publication::new(&Draft {
                channel: &channel,
                epoch: Epoch(1),
                offset: Some(Offset(offset)),
                id: MessageId(u128::from(at_ms)),
                at_ms,
                sender,
                sender_kind: kind,
                event: if offset == 3 { "rare" } else { "said" },
                payload: format!("{{\"n\":{offset}}}").as_bytes(),
                idempotency: None,
            }));
            let counts = Counts { ws_audience: offset, wh_audience: 2, wh_delivered: 1 };
            let journal = &mut journals[home(&channel, SHARDS).index()];
            journal.append(&[publication]).unwrap();
            let counted = Counted { channel, epoch: Epoch(1), offset: Offset(offset), counts };
            journal.count(&[counted]).unwrap();
        }
    }
    let mut patterns = Patterns::new(seeded(7));
    for it in [registration(1, "a:%"), registration(2, "a:2"), registration(3, "b")] {
        patterns.add(it).unwrap();
    }
    let mut of_all = Journals::new(SHARDS);
    let mut writers = Vec::new();
    for (shard, journal) in (0..).zip(journals) {
        let queue = QueueLimits { messages_max: 16, bytes_max: 1 << 20 };
        let writer = Writer::spawn("journal", journal, queue, Box::new(|| {})).unwrap();
        of_all.join(ShardId(shard), writer.reader(Duration::from_secs(10)));
        writers.push(writer);
    }
    World { _writers: writers, journals: of_all, patterns }
}

impl World {
    fn ask(&self, of: Option<Registration>, what: Asked) -> Value {
        let patterns = Arc::new(self.patterns.clone());
        let ask = ListAsk { conn: ConnId(1), tenant: TenantId(1), patterns, of, what };
        let (_overdue, flag) = Overdue::watched();
        let Done { mut bytes, mut rest } = begin(ask, &self.journals, &flag).unwrap();
        while let Some(reading) = rest {
            let more = reading.go_on().unwrap();
            bytes.extend(more.bytes);
            rest = more.rest;
        }
        serde_json::from_slice(&bytes).unwrap()
    }

    fn names(&self, of: Option<Registration>, what: Asked) -> Vec<String> {
        let listed = self.ask(of, what);
        let name = |it: &Value| format!("{}.{}", it["channelName"], it["payload"]["n"]);
        listed.as_array().unwrap().iter().map(name).map(|it| it.replace('"', "")).collect()
    }
}

fn newest(limit: u32, offset: u64) -> Asked {
    Asked::Messages { event: None, limit, offset }
}

#[test]
fn a_list_is_of_the_channels_that_belong_to_a_pattern_now() {
    let world = world();
    assert_eq!(world.names(None, newest(3, 0)), ["none.10", "b.10", "a:2.10"]);
    assert_eq!(world.names(None, newest(2, 3)), ["a:1.10", "none.9"]);
    // The name that is a pattern itself is of that one.
    assert_eq!(world.names(Some(registration(1, "a:%")), newest(2, 8)), ["a:1.2", "a:1.1"]);
    assert_eq!(world.names(Some(registration(2, "a:2")), newest(2, 0)), ["a:2.10", "a:2.9"]);
    assert_eq!(world.names(Some(registration(3, "b")), newest(2, 9)), ["b.1"]);
    assert_eq!(world.names(Some(registration(9, "c:%")), newest(2, 0)), [""; 0]);
    let rare = Asked::Messages { event: Some("rare".into()), limit: 2, offset: 1 };
    assert_eq!(world.names(None, rare), ["b.3", "a:2.3"]);
    assert_eq!(world.names(None, newest(1000, 0)).len(), 40);
}

#[test]
fn a_row_says_who_sent_it_and_who_heard_it() {
    let world = world();
    let rows = world.ask(Some(registration(2, "a:2")), newest(3, 7));
    let id = "00000000-0000-0000-0000-000000000002";
    for (row, (kind, sender, heard)) in rows.as_array().unwrap().iter().zip([
        ("system", Value::Null, 3),
        ("user", Value::Null, 2),
        ("user", "ada".into(), 1),
    ]) {
        assert_eq!((&row["senderType"], &row["senderId"]), (&kind.into(), &sender));
        let counts = ["wsAudienceCount", "whAudienceCount", "whDeliveredCount"];
        assert_eq!(counts.map(|it| row[it].as_u64().unwrap()), [heard, 2, 1]);
        assert_eq!(row["channelId"], id);
    }
    assert_eq!(world.ask(None, newest(1, 0))[0]["channelId"], Value::Null);
}

#[test]
fn statistics_are_of_the_same_messages() {
    let world = world();
    let since = |since_ms| Asked::Statistics { since_ms, retention_days: Some(7) };
    let said = |of, what: Asked| {
        let stats = world.ask(of, what);
        assert_eq!((&stats["whDeliveryRate"], &stats["retentionDays"]), (&0.5.into(), &7.into()));
        let top = stats["topEvents"].as_array().unwrap().iter();
        let top: Vec<_> =
            top.map(|it| (it["eventName"].to_string(), it["count"].clone())).collect();
        (stats["totalMessages"].as_u64().unwrap(), top.len(), top[0].1.as_u64().unwrap())
    };
    assert_eq!(said(None, since(0)), (40, 2, 36));
    assert_eq!(said(Some(registration(1, "a:%")), since(0)), (10, 2, 9));
    assert_eq!(said(Some(registration(3, "b")), since(1_700_000_000_011)), (8, 2, 7));
    let none = world.ask(None, since(1_800_000_000_000));
    assert_eq!((&none["totalMessages"], &none["whDeliveryRate"]), (&0.into(), &0.into()));
}

#[test]
fn nobody_reads_on_for_whom_nobody_waits() {
    let world = world();
    let patterns = Arc::new(world.patterns.clone());
    let what = newest(1, 0);
    let ask = ListAsk { conn: ConnId(1), tenant: TenantId(1), patterns, of: None, what };
    let (overdue, flag) = Overdue::watched();
    drop(overdue);
    let ended = begin(ask, &world.journals, &flag).map(|it| it.bytes);
    assert_eq!(ended, Err(Rejection::Overloaded { limit: "list_time_ms_max" }));
}
