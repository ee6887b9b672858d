//! What a generator measured, as a line of JSON; and the lines of all of them as one result.

use crate::failure::Failure;
use crate::record::books::{Books, Counts, Mark};
use crate::record::check::{Checker, Tally};
use crate::record::latency::Times;
use crate::record::series::BUCKET_NS;
use crate::record::slices::Slices;
use crate::scenario::{Outcome, Plan};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A table of times as values and counts.
pub(super) fn times(times: &Times) -> Value {
    json!(times.counts())
}

/// Adds a table that [`times`] wrote.
pub(super) fn read_times(to: &mut Times, table: Option<&Value>) {
    to.add(&pairs(table));
}

/// Values and counts that [`times`] wrote.
fn pairs(table: Option<&Value>) -> Vec<(u64, u64)> {
    let all = table.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let pair = |it: &Value| Some((it.get(0)?.as_u64()?, it.get(1)?.as_u64()?));
    all.iter().filter_map(pair).collect()
}

/// An outcome as a line.
pub(super) fn written(outcome: &Outcome) -> Value {
    let Outcome { books, tally, window, due, resident } = outcome;
    let buckets = books.series.buckets().iter();
    let buckets: Vec<[u64; 3]> =
        buckets.map(|it| [it.deliveries, it.acknowledged, it.longest_ns]).collect();
    json!({
        "tally": written_tally(tally),
        "window": window.iter().map(written_mark).collect::<Vec<Value>>(),
        "due": due,
        "resident": resident,
        "start_ns": books.series.start_ns(),
        "counts": counts(&books.counts),
        "from_due": times(&books.latency.from_due),
        "from_sent": times(&books.latency.from_sent),
        "acknowledged": times(&books.latency.acknowledged),
        "buckets": buckets,
        "slices": written_slices(&books.slices),
        "refused_by": books.refused_by,
        "ends": [books.closed, books.untouched, books.stalls],
    })
}

/// A moment, as [`mark`] reads it.
pub(super) fn written_mark(it: &Mark) -> Value {
    json!({
        "at_ns": it.at_ns,
        "counts": counts(&it.counts),
        "own_cpu_ns": it.own_cpu_ns,
        "own_wait_ns": it.own_wait_ns,
        "server_cpu_ns": it.server_cpu_ns,
    })
}

/// Counts, as [`add_counts`] reads them.
pub(super) fn counts(counts: &Counts) -> [u64; 4] {
    [counts.sent, counts.acknowledged, counts.deliveries, counts.bytes]
}

/// One outcome of those of all generators.
pub(super) fn merged(plan: &Plan, lines: &[Value]) -> Result<Outcome, Failure> {
    let Some(first) = lines.first() else {
        return Err(Failure::Server("no generator said what it measured".to_owned()));
    };
    let start_ns = number(first, "/start_ns");
    let begin_ns = start_ns + plan.load.warmup_ns;
    let window_ns = begin_ns..begin_ns + plan.load.duration_ns;
    let mut checker = Checker::new(plan.load.layout);
    plan.load.heard_channels().for_each(|channel| checker.add_subscriber(channel));
    let mut books = Books::new(checker, start_ns, window_ns);
    let mut tally = Tally::default();
    for line in lines {
        add(&mut books, &mut tally, line);
    }
    // Each counts all that is due, and may be late with its own alone. What any of them did not get to is told.
    books.untouched = books.untouched.div_ceil(lines.len() as u64);
    let resident = pairs(first.get("resident"));
    let due = first.get("due").and_then(Value::as_u64);
    let window = [0, 1].map(|nth| mark(lines, nth));
    Ok(Outcome { books, tally, window: hottest(window, lines), due, resident })
}

fn add(books: &mut Books, tally: &mut Tally, line: &Value) {
    let of = |pointer: &str| number(line, pointer);
    add_tally(tally, line);
    add_counts(&mut books.counts, line.get("counts"));
    read_times(&mut books.latency.from_due, line.get("from_due"));
    read_times(&mut books.latency.from_sent, line.get("from_sent"));
    read_times(&mut books.latency.acknowledged, line.get("acknowledged"));
    let start_ns = of("/start_ns");
    for (bucket, nth) in array(line, "buckets").iter().zip(0_u64..) {
        let all = books.series.at(start_ns + nth * BUCKET_NS);
        all.deliveries += number(bucket, "/0");
        all.acknowledged += number(bucket, "/1");
        all.longest_ns = all.longest_ns.max(number(bucket, "/2"));
    }
    add_slices(&mut books.slices, line);
    add_whys(&mut books.refused_by, line.get("refused_by"));
    books.closed += of("/ends/0");
    books.untouched += of("/ends/1");
    books.stalls += of("/ends/2");
}

/// What went wrong, as [`add_tally`] reads it.
pub(super) fn written_tally(tally: &Tally) -> [u64; 5] {
    [tally.lost, tally.duplicated, tally.reordered, tally.foreign, tally.damaged]
}

/// Adds what [`written_tally`] wrote into a line.
pub(super) fn add_tally(to: &mut Tally, line: &Value) {
    let of = |pointer: &str| number(line, pointer);
    to.lost += of("/tally/0");
    to.duplicated += of("/tally/1");
    to.reordered += of("/tally/2");
    to.foreign += of("/tally/3");
    to.damaged += of("/tally/4");
}

/// Times by when they ended, as [`add_slices`] reads them.
pub(super) fn written_slices(slices: &Slices) -> Vec<Value> {
    slices.counts().map(|(nth, all)| json!([nth, all])).collect()
}

/// Adds what [`written_slices`] wrote into a line.
pub(super) fn add_slices(to: &mut Slices, line: &Value) {
    for slice in array(line, "slices") {
        let nth = usize::try_from(number(slice, "/0")).unwrap_or(usize::MAX);
        to.add(nth, pairs(slice.get(1)).into_iter());
    }
}

/// Adds reasons and how often each was given.
pub(super) fn add_whys(to: &mut BTreeMap<String, u64>, whys: Option<&Value>) {
    for (why, count) in whys.and_then(Value::as_object).into_iter().flatten() {
        *to.entry(why.clone()).or_default() += count.as_u64().unwrap_or(0);
    }
}

/// The values of a list in a line; none, if there is no list.
pub(super) fn array<'v>(line: &'v Value, name: &str) -> &'v [Value] {
    line.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Adds what [`counts`] wrote.
pub(super) fn add_counts(to: &mut Counts, more: Option<&Value>) {
    let Some(more) = more else { return };
    to.sent += number(more, "/0");
    to.acknowledged += number(more, "/1");
    to.deliveries += number(more, "/2");
    to.bytes += number(more, "/3");
}

/// The begin or the end of the window: counts of all, time and server of the first.
pub(super) fn mark(lines: &[Value], nth: usize) -> Mark {
    let first = lines.first();
    let of = |name: &str| {
        let pointer = format!("/window/{nth}/{name}");
        first.and_then(|line| line.pointer(&pointer)).and_then(Value::as_u64)
    };
    let mut counts = Counts::default();
    for line in lines {
        add_counts(&mut counts, line.pointer(&format!("/window/{nth}/counts")));
    }
    let server_cpu_ns = of("server_cpu_ns");
    Mark { at_ns: of("at_ns").unwrap_or(0), counts, own_cpu_ns: 0, own_wait_ns: 0, server_cpu_ns }
}

/// The same with what the hottest generator used: the others were cooler.
pub(super) fn hottest([begin, end]: [Mark; 2], lines: &[Value]) -> [Mark; 2] {
    let used = |line: &Value| {
        let of = |name: &str| {
            let at = |nth: usize| number(line, &format!("/window/{nth}/{name}"));
            at(1).saturating_sub(at(0))
        };
        (of("own_cpu_ns"), of("own_wait_ns"))
    };
    let most = lines.iter().map(used).max_by_key(|(cpu, wait)| cpu + wait).unwrap_or((0, 0));
    [begin, Mark { own_cpu_ns: most.0, own_wait_ns: most.1, ..end }]
}

/// The number at a place, or none of it.
pub(super) fn number(of: &Value, pointer: &str) -> u64 {
    of.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::check::Layout;
    use crate::scenario::Users;
    use crate::scenario::load::Load;

    fn plan() -> Plan {
        let layout = Layout { channels: 1, publishers: 3 };
        let load = Load { subscribers: 4, layout, ..Load::sample() };
        let (connect_rate, sources, users, generators) = (1, 1, Users::One, 3);
        Plan { name: "fanout", load, connect_rate, sources, users, generators }
    }

    #[test]
    fn what_generators_did_not_get_to_is_summed_before_it_is_shared() {
        let check = |each: [u64; 3], together: u64| {
            let lines = each.map(|untouched| json!({ "ends": [1, untouched, 0] }));
            let books = merged(&plan(), &lines).unwrap().books;
            assert_eq!((books.untouched, books.closed), (together, 3), "{each:?}");
        };
        check([0, 0, 0], 0);
        check([2, 2, 2], 2);
        check([1, 2, 2], 2);
        check([100, 101, 102], 101);
    }
}
