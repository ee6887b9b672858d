//! Lists and statistics of two real journals in memory: what is in them, and what a client that is slow or gone costs.

use std::path::Path;
use std::time::Duration;

use protocol::dialect::insforge::Pattern;
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
const NOBODY: ConnId = ConnId { slot: 0, generation: 0 };

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
        assert!(patterns.add(it));
    }
    let mut of_all = Journals::new(SHARDS);
    let mut writers = Vec::new();
    for (shard, journal) in (0..).zip(journals) {
        let queue = QueueLimits { messages_max: 16, bytes_max: 1 << 20, reads_max: 16 };
        let writer = Writer::spawn("journal", journal, queue, Box::new(|| {})).unwrap();
        of_all.join(ShardId(shard), writer.reader(Duration::from_secs(10)));
        writers.push(writer);
    }
    World { _writers: writers, journals: of_all, patterns }
}

impl World {
    fn ask(&self, of: Option<Registration>, what: Asked) -> String {
        let patterns = Arc::new(self.patterns.clone());
        let ask = ListAsk { conn: NOBODY, tenant: TenantId(1), patterns, of, what };
        let (_overdue, flag) = Overdue::watched();
        let Done { mut bytes, mut rest } = begin(ask, &self.journals, &flag).unwrap();
        while let Some(reading) = rest {
            let more = reading.go_on().unwrap();
            bytes.extend(more.bytes);
            rest = more.rest;
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Channel and number of each message.
    fn names(&self, of: Option<Registration>, what: Asked) -> Vec<String> {
        let listed = self.ask(of, what);
        let name = |row: &str| format!("{}.{}", field(row, "channelName"), field(row, "n"));
        listed.split("},{").filter(|it| it.contains("\"id\"")).map(name).collect()
    }
}

/// The value of a field, as it stands there without quotes.
fn field<'a>(row: &'a str, name: &str) -> &'a str {
    let (_, rest) = row.split_once(&format!("\"{name}\":")).unwrap();
    rest.split([',', '}']).next().unwrap().trim_matches('"')
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
    let expected = [("system", "null", "3"), ("user", "null", "2"), ("user", "ada", "1")];
    for (row, (kind, sender, heard)) in rows.split("},{").zip(expected) {
        assert_eq!((field(row, "senderType"), field(row, "senderId")), (kind, sender));
        let counts = ["wsAudienceCount", "whAudienceCount", "whDeliveredCount"];
        assert_eq!(counts.map(|it| field(row, it)), [heard, "2", "1"]);
        assert_eq!(field(row, "channelId"), "00000000-0000-0000-0000-000000000002");
    }
    assert_eq!(field(&world.ask(None, newest(1, 0)), "channelId"), "null");
}

#[test]
fn statistics_are_of_the_same_messages() {
    let world = world();
    let since = |since_ms| Asked::Statistics { since_ms, retention_days: Some(7) };
    let check = |of, what, (total, said, rare, rate): (u64, u64, u64, &str)| {
        let expected = format!(
            "{{\"totalMessages\":{total},\"whDeliveryRate\":{rate},\"topEvents\":[\
             {{\"eventName\":\"said\",\"count\":{said}}},{{\"eventName\":\"rare\",\"count\":{rare}}}],\
             \"retentionDays\":7}}"
        );
        assert_eq!(world.ask(of, what), expected);
    };
    check(None, since(0), (40, 36, 4, "0.5"));
    check(Some(registration(1, "a:%")), since(0), (10, 9, 1, "0.5"));
    check(Some(registration(3, "b")), since(1_700_000_000_011), (8, 7, 1, "0.5"));
    let none = world.ask(None, since(1_800_000_000_000));
    assert_eq!((field(&none, "totalMessages"), field(&none, "whDeliveryRate")), ("0", "0"));
}

#[test]
fn nobody_reads_on_for_whom_nobody_waits() {
    let world = world();
    let patterns = Arc::new(world.patterns.clone());
    let what = newest(1, 0);
    let ask = ListAsk { conn: NOBODY, tenant: TenantId(1), patterns, of: None, what };
    let (overdue, flag) = Overdue::watched();
    drop(overdue);
    let ended = begin(ask, &world.journals, &flag).map(|it| it.bytes);
    assert_eq!(ended, Err(Rejection::Overloaded { limit: "list_time_ms_max" }));
}
