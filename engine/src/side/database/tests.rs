//! Queries against a real journal in memory: what they find, what they read for it, and what they may not do.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use protocol::Limits;
use protocol::Rejection;
use protocol::dialect::cohesivity::decode_database_body;
use storage::{
    Draft, JournalKind, JournalOptions, Publication, QueueLimits, SenderKind, Writer, WriterHandle,
};

use super::run;
use super::source::Source;
use crate::ids::{ChannelKey, Epoch, MessageId, Offset, ShardId, TenantId};
use crate::side::journals::Journals;
use crate::side::limits::DatabaseLimits;

/// Messages of the channel `big`.
const BIG: u64 = 5_000;

/// A journal with some messages.
struct World {
    _writer: WriterHandle,
    journals: Journals,
    limits: DatabaseLimits,
}

fn publication(tenant: u32, channel: &str, offset: u64, data: &str) -> Arc<Publication> {
    Arc::new(Publication::new(&Draft {
        channel: &Arc::new(ChannelKey::new(TenantId(tenant), channel)),
        epoch: Epoch(1),
        offset: Some(Offset(offset)),
        id: MessageId(u128::from(offset)),
        at_ms: 1_700_000_000_000 + offset,
        sender: "",
        sender_kind: SenderKind::System,
        event: if offset.is_multiple_of(2) { "even" } else { "odd" },
        payload: data.as_bytes(),
        idempotency: None,
    }))
}

fn world() -> World {
    let options = JournalOptions::default();
    let mut journal = storage::open(JournalKind::Memory, Path::new(""), &options).unwrap();
    let mut batch = Vec::new();
    for offset in 1..=BIG {
        batch.push(publication(1, "big", offset, &format!("{{\"n\":{offset}}}")));
    }
    for offset in 1..=3 {
        batch.push(publication(1, "a", offset, "\"x\""));
        batch.push(publication(1, "b", offset, "9007199254740993"));
        batch.push(publication(2, "a", offset, "\"canary\""));
        batch.push(publication(2, "secret", offset, "\"canary\""));
    }
    journal.append(&batch).unwrap();
    let queue = QueueLimits { messages_max: 16, bytes_max: 1 << 20, reads_max: 16 };
    let writer = Writer::spawn("journal", journal, queue, Box::new(|| {})).unwrap();
    let mut journals = Journals::new(1);
    journals.join(ShardId(0), writer.reader(Duration::from_secs(10)));
    World { _writer: writer, journals, limits: DatabaseLimits::default() }
}

impl World {
    fn run(&self, query: &str, params: &str) -> (Result<String, Rejection>, u64) {
        let query = query.replace('"', "\\\"").replace('\n', " ");
        let mut body = format!("{{\"query\":\"{query}\",\"params\":{params}}}").into_bytes();
        let query = decode_database_body(&mut body, &Limits::default()).unwrap();
        let overdue = Arc::new(AtomicBool::new(false));
        let source = Arc::new(Source::new(self.journals.clone(), TenantId(1), overdue));
        let result = run::run(&query, &source, &self.limits);
        (result.map(|it| String::from_utf8(it).unwrap()), source.messages_read())
    }

    fn check(&self, query: &str, params: &str, rows: &str) {
        let expected = format!("{{\"rows\":{rows}}}");
        assert_eq!(self.run(query, params).0, Ok(expected), "{query} {params}");
    }

    fn check_refused(&self, query: &str, params: &str, message: &str) {
        let found = self.run(query, params).0.map_err(|it| (it.status(), it.message()));
        assert_eq!(found, Err((400, message.to_owned())), "{query} {params}");
    }

    /// The ids that a query finds, and the most messages that it may read for them.
    fn check_read(&self, query: &str, params: &str, ids: &[u64], read_max: u64) {
        let (rows, read) = self.run(query, params);
        let rows = rows.unwrap_or_else(|why| panic!("{query}: {why}"));
        let expected: Vec<String> = ids.iter().map(|it| format!("{{\"id\":{it}}}")).collect();
        assert_eq!(rows, format!("{{\"rows\":[{}]}}", expected.join(",")), "{query}");
        assert!(read <= read_max, "{query} {params}: read {read}, allowed {read_max}");
    }
}

#[test]
fn rows_are_what_was_published() {
    let world = world();
    world.check(
        "SELECT * FROM realtime_messages WHERE channel = ? ORDER BY id DESC LIMIT 2",
        r#"["b"]"#,
        r#"[{"id":3,"channel":"b","event":"odd","data":"9007199254740993","created_at_ms":1700000000003},{"id":2,"channel":"b","event":"even","data":"9007199254740993","created_at_ms":1700000000002}]"#,
    );
    world.check(
        "SELECT CAST(data AS INTEGER) AS n FROM realtime_messages WHERE channel = :c AND id = @i",
        r#"{"c":"b","@i":2}"#,
        r#"[{"n":9007199254740993}]"#,
    );
    world.check(
        "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ?5 AS e",
        r#"["x",9223372036854775807,1.5,true,null]"#,
        r#"[{"a":"x","b":9223372036854775807,"c":1.5,"d":1,"e":null}]"#,
    );
    world.check(
        "SELECT channel, count(*) AS n, max(id) AS m FROM realtime_messages GROUP BY channel",
        "null",
        r#"[{"channel":"a","n":3,"m":3},{"channel":"b","n":3,"m":3},{"channel":"big","n":5000,"m":5000}]"#,
    );
    world.check(
        "SELECT json_extract(data, '$.n') AS n FROM realtime_messages WHERE channel = 'big' AND id > 4998",
        "[]",
        r#"[{"n":4999},{"n":5000}]"#,
    );
    world.check("SELECT 1 AS a; SELECT 2 AS b; ", "[]", r#"[{"b":2}]"#);
    world.check("SELECT ? AS a; SELECT ? AS b", "[1,2]", r#"[{"b":2}]"#);
}

#[test]
fn terms_find_the_same_rows_however_they_are_read() {
    let world = world();
    // The right side hides its terms from the plan, so that SQLite alone decides.
    for (narrow, wide) in [
        ("channel = 'a' OR channel = 'b'", "+channel = 'a' OR +channel = 'b'"),
        ("channel = 'a' OR id = 2", "+channel = 'a' OR +id = 2"),
        ("channel IN ('b', 'a') AND id >= 2", "+channel IN ('b', 'a') AND +id >= 2"),
        ("channel = 'A' COLLATE NOCASE", "+channel = 'A' COLLATE NOCASE"),
        ("channel = 'b' AND id > 1.5", "+channel = 'b' AND +id > 1.5"),
        ("channel = 'b' AND id = 2.5", "+channel = 'b' AND +id = 2.5"),
        ("channel = 'b' AND id > NULL", "+channel = 'b' AND +id > NULL"),
        ("channel = NULL", "+channel = NULL"),
        ("channel = 5", "+channel = 5"),
        (
            "channel = 'big' AND id BETWEEN 4990 AND 9999999999999",
            "+channel = 'big' AND +id BETWEEN 4990 AND 9999999999999",
        ),
        ("id > 4998 AND id < 9223372036854775807", "+id > 4998 AND +id < 9223372036854775807"),
        ("id < -1", "+id < -1"),
        ("channel = 'none'", "+channel = 'none'"),
    ] {
        for order in ["channel, id", "id DESC, channel", "channel DESC, id", "channel, id DESC"] {
            let query = |terms: &str| {
                let text = format!(
                    "SELECT channel, id FROM realtime_messages WHERE {terms} ORDER BY {order}"
                );
                world.run(&text, "[]").0.unwrap()
            };
            assert_eq!(query(narrow), query(wide), "{narrow} ORDER BY {order}");
        }
    }
}

#[test]
fn a_query_reads_what_it_needs() {
    let world = world();
    let ids = |range: std::ops::RangeInclusive<u64>| range.collect::<Vec<_>>();
    let falling = |range: std::ops::RangeInclusive<u64>| range.rev().collect::<Vec<_>>();
    let page = "SELECT id FROM realtime_messages WHERE channel = ? AND id > ? ORDER BY id LIMIT 50";
    world.check_read(page, r#"["big",1000]"#, &ids(1001..=1050), 50);
    let from = "SELECT id FROM realtime_messages WHERE channel = ? AND id >= ? ORDER BY id LIMIT 5 OFFSET 2";
    world.check_read(from, r#"["big",1000]"#, &ids(1002..=1006), 7);
    let newest = "SELECT id FROM realtime_messages WHERE channel = ? ORDER BY id DESC LIMIT 100";
    world.check_read(newest, r#"["big"]"#, &falling(4901..=5000), 100);
    let before =
        "SELECT id FROM realtime_messages WHERE channel = ? AND id < ? ORDER BY id DESC LIMIT 3";
    world.check_read(before, r#"["big",100]"#, &falling(97..=99), 3);
    let range = "SELECT id FROM realtime_messages WHERE channel = ? AND id BETWEEN ? AND ?";
    world.check_read(range, r#"["big",7,30]"#, &ids(7..=30), 24);
    let one = "SELECT id FROM realtime_messages WHERE channel = ? AND id = ?";
    world.check_read(one, r#"["big",2500]"#, &[2500], 1);
    world.check_read(one, r#"["big",5001]"#, &[], 0);
    world.check_read(one, r#"["none",1]"#, &[], 0);
    let some = "SELECT id FROM realtime_messages WHERE channel = ? AND event = 'odd' LIMIT 2";
    world.check_read(some, r#"["big"]"#, &[1, 3], 16);
}

#[test]
fn no_row_of_another_tenant_is_found() {
    let world = world();
    for query in [
        "SELECT * FROM realtime_messages WHERE channel = 'secret'",
        "SELECT * FROM realtime_messages WHERE data LIKE '%canary%'",
        "SELECT * FROM realtime_messages WHERE channel = 'a' AND data <> '\"x\"'",
    ] {
        world.check(query, "[]", "[]");
    }
}

#[test]
fn only_reading_is_allowed() {
    let world = world();
    for query in [
        "INSERT INTO realtime_messages(id) VALUES (1)",
        "UPDATE realtime_messages SET id = 1",
        "DELETE FROM realtime_messages",
        "CREATE TABLE a(b)",
        "CREATE TEMP TABLE a AS SELECT 1",
        "CREATE VIEW a AS SELECT 1",
        "DROP TABLE realtime_messages",
        "ATTACH '/tmp/a' AS a",
        "PRAGMA hard_heap_limit = 0",
        "PRAGMA temp_store",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM sqlite_schema",
        "SELECT * FROM dbstat",
        "BEGIN",
        "SAVEPOINT a",
        "VACUUM INTO '/tmp/a'",
        "REINDEX",
        "ANALYZE",
        "EXPLAIN SELECT 1",
        "EXPLAIN QUERY PLAN SELECT 1",
        "SELECT 1; DELETE FROM realtime_messages",
        "CREATE VIRTUAL TABLE a USING fts5(b)",
    ] {
        let (found, _) = world.run(query, "[]");
        let message = found.map_err(|it| (it.status(), it.message()));
        let is_refused = matches!(&message, Err((400, text)) if text == "only SELECT is allowed"
            || text.contains("may not be modified") || text.contains("may not be dropped")
            || text.contains("access to") || text.contains("not authorized"));
        assert!(is_refused, "{query}: {message:?}");
    }
    let (found, _) = world.run("SELECT load_extension('/tmp/a')", "[]");
    let message = found.unwrap_err().message();
    assert!(message.contains("not authorized") || message == "only SELECT is allowed", "{message}");
}

#[test]
fn a_wrong_query_hears_what_sqlite_says() {
    let world = world();
    let check =
        |query: &str, params: &str, message: &str| world.check_refused(query, params, message);
    check("SELEC 1", "[]", "near \"SELEC\": syntax error");
    check("SELECT none FROM realtime_messages", "[]", "no such column: none");
    check("SELECT * FROM messages", "[]", "no such table: messages");
    check("", "[]", "the query is empty");
    check("-- nothing", "[]", "the query is empty");
    check("SELECT ?", "[]", "fewer params than the query has places");
    check("SELECT 1", "[1]", "1 more params than the query has places");
    check("SELECT :a", r#"{"b":1}"#, "no param for :a");
    check("SELECT ?", r#"{"b":1}"#, "params have names, but the query has a ? without one");
}

#[test]
fn what_takes_too_much_ends() {
    let mut world = world();
    world.limits.rows_max = 10;
    let all = "SELECT id FROM realtime_messages WHERE channel = 'big' LIMIT ";
    assert!(world.run(&format!("{all} 10"), "[]").0.is_ok());
    let rows = "query over its limit: database_rows_max is 10 rows";
    world.check_refused(&format!("{all} 11"), "[]", rows);
    world.limits = DatabaseLimits { result_bytes_max: 2_000, ..DatabaseLimits::default() };
    let bytes = "query over its limit: database_result_bytes_max is 2000 bytes";
    world.check_refused(&format!("{all} 1000"), "[]", bytes);
    let big = world.run("SELECT length(hex(zeroblob(100000)))", "[]").0.unwrap_err();
    assert_eq!(big.message(), "string or blob too big");
}

#[test]
fn a_query_without_end_is_interrupted() {
    let world = world();
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let mut body = format!("{{\"query\":\"{endless}\"}}").into_bytes();
    let query = decode_database_body(&mut body, &Limits::default()).unwrap();
    let overdue = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&overdue);
    let timer = std::thread::spawn(move || {
        std::thread::park_timeout(Duration::from_millis(50));
        flag.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let source = Arc::new(Source::new(world.journals.clone(), TenantId(1), overdue));
    let why = run::run(&query, &source, &world.limits).unwrap_err();
    assert_eq!(why.message(), "query over its limit: database_time_ms_max is 2000 ms");
    timer.join().unwrap();
}
