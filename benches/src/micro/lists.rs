//! Lists, statistics and cursors over five million messages, beside what keeping their index costs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use storage::{
    Among, ChannelKey, Counted, Counts, Cursor, Draft, Epoch, JournalKind, JournalOptions,
    ListQuery, MessageId, Offset, Place, Publication, QueueLimits, Reader, SenderKind, StatsQuery,
    TenantId, Writer, list, open, stats,
};

use super::{row, time};
use crate::Failure;
use crate::machine::now;
use crate::table::{Table, note};

const MESSAGES: u64 = 5_000_000;
const BATCH: u64 = 1000;
/// One channel of so many has most of the messages; the others have one of ten.
const CHANNELS: u64 = 1000;
const TENANT: TenantId = TenantId(1);
const PAYLOAD: &[u8] = &[b'x'; 64];

/// Measures the room.
pub(super) fn measure(data: &Path, table: &mut Table) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(data)?;
    let mut journal = open(JournalKind::Segment, folder.path(), &JournalOptions::default())?;
    let channels: Vec<_> = (0..CHANNELS).map(channel).collect();
    let (mut nexts, start) = (vec![0; channels.len()], now());
    for batch in 0..MESSAGES / BATCH {
        let messages = (0..BATCH).map(|it| message(batch * BATCH + it, &channels, &mut nexts));
        let messages: Vec<_> = messages.collect::<Option<_>>().unwrap_or_default();
        journal.append(&messages)?;
        let counted = messages.iter().step_by(10).filter_map(counted);
        journal.count(&counted.collect::<Vec<_>>())?;
    }
    let taken = start.elapsed().as_secs_f64() * 1e9;
    table.row(row("lists", "an append of 64 B to 1,000 channels, its index kept", taken / 5e6));
    note(&format!("  {} messages in {} segments", MESSAGES, journal.stats().segments));
    let writer = Writer::spawn("lists", journal, QueueLimits::default(), Box::new(|| ()))?;
    let mut reader = writer.reader(Duration::from_secs(60));
    ask(&mut reader, channels.first(), table)?;
    let mut cursor = Cursor::new(TENANT, Place::START);
    let (start, mut count) = (now(), 0_usize);
    while count < 200_000 {
        count += cursor.next(&mut reader, 500)?.messages.len();
    }
    let taken = start.elapsed().as_secs_f64() * 1e9;
    table.row(row("lists", "a cursor from the start: one message", taken / count as f64));
    drop(writer.shutdown());
    Ok(())
}

fn ask(
    reader: &mut Reader,
    busy: Option<&Arc<ChannelKey>>,
    table: &mut Table,
) -> Result<(), Failure> {
    let one = busy.map_or(Among::All, |it| Among::Channel(Arc::clone(it)));
    let some = Among::Named(Arc::new(|it| it.ends_with("-0") || it.ends_with("7")));
    for (scope, among) in [
        ("a channel of 4.5 M", one),
        ("a tenant of 5 M", Among::All),
        ("101 channels of 1,000", some),
    ] {
        for (which, event, offset) in [
            ("newest 100", None, 0),
            ("100 after 2,000,000", None, 2_000_000),
            ("100 with a rare event", Some("rare"), 0),
        ] {
            let (among, event) = (among.clone(), event.map(str::to_owned));
            let query = ListQuery { tenant: TENANT, among, event, limit: 100, offset };
            let taken = time(|| {
                list(&mut [&mut *reader], &query)?;
                Ok(())
            })?;
            table.row(row("lists", &format!("{scope}: {which}"), taken));
        }
        for (which, since_ms) in [("statistics", 0), ("statistics since the middle", 2_500_000)] {
            let query = StatsQuery { tenant: TENANT, among: among.clone(), since_ms };
            let taken = time(|| {
                stats(&mut [&mut *reader], &query)?;
                Ok(())
            })?;
            table.row(row("lists", &format!("{scope}: {which}"), taken));
        }
    }
    Ok(())
}

fn channel(number: u64) -> Arc<ChannelKey> {
    Arc::new(ChannelKey::new(TENANT, &format!("bench-{number}")))
}

fn message(
    number: u64,
    channels: &[Arc<ChannelKey>],
    nexts: &mut [u64],
) -> Option<Arc<Publication>> {
    let at =
        if number.is_multiple_of(10) { usize::try_from(number / 10 % CHANNELS).ok()? } else { 0 };
    let (channel, next) = (channels.get(at)?, nexts.get_mut(at)?);
    *next += 1;
    Some(Arc::new(Publication::new(&Draft {
        channel,
        epoch: Epoch(1),
        offset: Some(Offset(*next)),
        id: MessageId(number.into()),
        at_ms: number,
        sender: "",
        sender_kind: SenderKind::System,
        event: if number % 50_000 == 1 { "rare" } else { "message" },
        payload: PAYLOAD,
        idempotency: None,
    })))
}

fn counted(of: &Arc<Publication>) -> Option<Counted> {
    let counts = Counts { ws_audience: 3, wh_audience: 1, wh_delivered: 1 };
    let (channel, epoch) = (Arc::clone(of.channel()), of.epoch());
    Some(Counted { channel, epoch, offset: of.offset()?, counts })
}
