//! What a generator found where connections come and go, as a line of JSON; and the lines of all of them as one scene.

use super::figures::{
    add_counts, add_slices, add_tally, add_whys, array, counts, hottest, mark, number, read_times,
    times, written_mark, written_slices, written_tally,
};
use crate::crowd::hall::Record;
use crate::crowd::{Name, Scene, Told};
use crate::failure::Failure;
use crate::record::latency::Times;
use crate::record::slices::Slices;
use serde_json::{Value, json};

/// A scene as a line.
pub(crate) fn written(scene: &Scene) -> Value {
    let Scene { told, missing, record, opened, window } = scene;
    json!({
        "times": told.times.iter().map(|(name, all)| json!([name, times(all)])).collect::<Vec<_>>(),
        "rounds": told.rounds,
        "counts": told.counts,
        "due": told.due,
        "cost_of": told.cost_of,
        "missing": missing.iter().map(|(count, name)| (name, count)).collect::<Vec<_>>(),
        "tally": written_tally(&record.tally),
        "messages": counts(&record.counts),
        "deliveries": times(&record.deliveries),
        "shown": record.slices.span(),
        "slices": written_slices(&record.slices),
        "refused": record.refused,
        "gone": record.gone,
        "opened": times(opened),
        "window": window.iter().map(written_mark).collect::<Vec<Value>>(),
    })
}

/// One scene of those of all generators.
pub(super) fn merged(mut lines: Vec<Value>) -> Result<Scene, Failure> {
    // The window of all ends with the last of them.
    lines.sort_by_key(|line| std::cmp::Reverse(number(line, "/window/1/at_ns")));
    let Some(first) = lines.first() else {
        return Err(Failure::Server("no generator said what it found".to_owned()));
    };
    let shown = (number(first, "/shown/0"), number(first, "/shown/1"));
    let mut record = Record::new(Slices::of(shown));
    let mut told = Told { rounds: rounds(&lines), ..Told::default() };
    let mut missing = Vec::new();
    let mut opened = Times::new();
    for line in &lines {
        add_record(&mut record, line);
        add_told(&mut told, line);
        named(line, "missing").for_each(|(name, count)| add(&mut missing, name, count));
        read_times(&mut opened, line.get("opened"));
    }
    let window = hottest([0, 1].map(|nth| mark(&lines, nth)), &lines);
    let missing = missing.into_iter().map(|(name, count)| (count, name)).collect();
    Ok(Scene { told, missing, record, opened, window })
}

fn add_record(record: &mut Record, line: &Value) {
    add_tally(&mut record.tally, line);
    add_counts(&mut record.counts, line.get("messages"));
    read_times(&mut record.deliveries, line.get("deliveries"));
    add_slices(&mut record.slices, line);
    add_whys(&mut record.refused, line.get("refused"));
    add_whys(&mut record.gone, line.get("gone"));
}

fn add_told(told: &mut Told, line: &Value) {
    for pair in array(line, "times") {
        let Some(name) = name(pair) else { continue };
        match told.times.iter_mut().find(|(known, _)| *known == name) {
            Some((_, all)) => read_times(all, pair.get(1)),
            None => {
                let mut all = Times::new();
                read_times(&mut all, pair.get(1));
                told.times.push((name, all));
            }
        }
    }
    named(line, "counts").for_each(|(name, count)| add(&mut told.counts, name, count));
    if let Some(pair) = line.get("due").filter(|it| it.is_array()) {
        let (due, done) = told.due.get_or_insert_default();
        *due += number(pair, "/0");
        *done += number(pair, "/1");
    }
    if let Some(pair) = line.get("cost_of").filter(|it| it.is_array())
        && let Some(name) = name(pair)
    {
        told.cost_of.get_or_insert((name, 0)).1 += number(pair, "/1");
    }
}

/// A round is over for all of them when it is for the last.
fn rounds(lines: &[Value]) -> Option<(Name, Vec<Option<u64>>)> {
    let name = name(lines.first()?.get("rounds")?)?;
    let count = lines.iter().map(|line| round_times(line).len()).max()?;
    let longest = |nth: usize| {
        let each = lines.iter().map(|line| round_times(line).get(nth)?.as_u64());
        each.collect::<Option<Vec<u64>>>()?.into_iter().max()
    };
    Some((name, (0..count).map(longest).collect()))
}

fn round_times(line: &Value) -> &[Value] {
    line.pointer("/rounds/1").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Pairs of a name and a count.
fn named<'v>(line: &'v Value, what: &str) -> impl Iterator<Item = (Name, u64)> + 'v {
    array(line, what).iter().filter_map(|pair| Some((name(pair)?, number(pair, "/1"))))
}

fn name(pair: &Value) -> Option<Name> {
    Some(pair.get(0)?.as_str()?.to_owned().into())
}

fn add(to: &mut Vec<(Name, u64)>, name: Name, count: u64) {
    match to.iter_mut().find(|(known, _)| *known == name) {
        Some((_, all)) => *all += count,
        None => to.push((name, count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::books::{Counts, Mark};

    fn scene(rounds: Vec<Option<u64>>, (took_ns, end_ns): (u64, u64)) -> Scene {
        let mut back = Times::new();
        back.record(took_ns);
        let mut record = Record::new(Slices::new(0, 1_000_000_000));
        record.slices.record(0, took_ns);
        record.tally.lost = 1;
        record.counts.deliveries = 10;
        record.gone.insert("closed".to_owned(), 2);
        let told = Told {
            times: vec![("back".into(), back)],
            rounds: Some(("everybody_back".into(), rounds)),
            counts: vec![("back".into(), 3)],
            due: Some((5, 4)),
            cost_of: Some(("reconnect".into(), 3)),
        };
        let counts = Counts { deliveries: 10, ..Counts::default() };
        let mark = |at_ns| Mark {
            at_ns,
            counts,
            own_cpu_ns: at_ns / 2,
            own_wait_ns: 0,
            server_cpu_ns: Some(at_ns),
        };
        let window = [mark(0), mark(end_ns)];
        Scene {
            told,
            missing: vec![(1, "did not come back".into())],
            record,
            opened: Times::new(),
            window,
        }
    }

    #[test]
    fn scenes_of_two_generators_are_one() {
        let one = scene(vec![Some(7), Some(9), None], (1_000_000, 50));
        let other = scene(vec![Some(8), None], (9_000_000, 70));
        let all = merged(vec![written(&one), written(&other)]).unwrap();
        let told = &all.told;
        assert_eq!(told.rounds, Some(("everybody_back".into(), vec![Some(8), None, None])));
        assert_eq!(told.counts, [("back".into(), 6)]);
        assert_eq!(
            (told.due, told.cost_of.clone()),
            (Some((10, 8)), Some(("reconnect".into(), 6)))
        );
        let (_, back) = &told.times[0];
        assert_eq!((told.times.len(), back.count()), (1, 2));
        assert!(back.max_ns().abs_diff(9_000_000) < 100_000);
        assert_eq!(all.missing, [(2, "did not come back".into())]);
        assert_eq!((all.record.tally.lost, all.record.counts.deliveries), (2, 20));
        assert_eq!(all.record.gone["closed"], 4);
        assert_eq!(all.record.slices.all()[0].count, 2);
        let [begin, end] = all.window;
        assert_eq!((begin.at_ns, end.at_ns, end.server_cpu_ns), (0, 70, Some(70)));
        assert_eq!((end.own_cpu_ns, end.counts.deliveries), (35, 20));
    }
}
