//! The tables of a comparison.

use super::loads::{About, Figure, Figures, LOADS, Load};
use super::results::{GOALS, Results};
use super::shards::{RATE, Shards};
use crate::ratio::{Bench, STOLEN_MAX, figure};
use crate::table;

const SHARDS_LEAST: f64 = 1.7;

/// Everything, in Markdown.
pub(super) fn markdown(bench: &Bench, results: &Results, shards: Option<&Shards>) -> String {
    let mut text = table::preamble(&bench.server);
    text.push_str(&format!("{} rounds of {} s in turns, each server pinned to core {}, the generator to core {}. Other machines on the host had the \
         cores for at most {:.1} % of the time of a measurement that counts; over {:.0} % it is taken again, up to five times.\n",
        bench.rounds,
        bench.seconds,
        bench.cores.server,
        bench.cores.generator,
        bench.stolen.get() * 100.0,
        STOLEN_MAX * 100.0
    ));
    goals(&mut text, results, shards);
    let of = |about| LOADS.iter().enumerate().filter(move |(_, it)| it.about == about);
    let work: Vec<(usize, &Load)> = of(About::Deliveries).chain(of(About::Publishes)).collect();
    text.push_str("\nDeliveries (the last column: publishes) for a second of the server's CPU; below, what the loads are.\n");
    matrix(&mut text, results, &work, Figure::PerCpu);
    for (_, load) in &work {
        text.push_str(&format!("- **{}**: {}\n", load.name, load.what));
    }
    latency(&mut text, results);
    sizes(&mut text, results);
    text.push_str("\nWho took part, and how it was set:\n\n");
    for it in &results.entrants {
        text.push_str(&format!("- **{}** ({}): {}\n", it.name, it.version, it.about));
    }
    for (name, why) in &results.absent {
        text.push_str(&format!("- {name} was left out: {why}\n"));
    }
    for line in results.failures() {
        text.push_str(&format!("- no figure, for it failed: {line}\n"));
    }
    text
}

/// One run, on one line.
pub(super) fn brief(figures: &Figures) -> String {
    let all = [
        (Figure::PerCpu, "for a CPU second"),
        (Figure::P50, "µs p50"),
        (Figure::P99, "µs p99"),
        (Figure::Bytes, "bytes each"),
        (Figure::Kib, "KiB each"),
    ];
    let known = all.into_iter().filter_map(|(of, unit)| Some((figures.get(of)?, unit)));
    let parts: Vec<String> = known.map(|(it, unit)| format!("{} {unit}", figure(it))).collect();
    parts.join(", ")
}

fn goals(text: &mut String, results: &Results, shards: Option<&Shards>) {
    text.push_str("\n| load | what | Stentor | beside | ratio | lowest to highest | to reach | reached |\n|---|---|---|---|---|---|---|---|\n");
    for goal in GOALS {
        let Some(it) = results.standing(goal) else { continue };
        let what = match goal.figure {
            Figure::PerCpu => "for a CPU second",
            Figure::P50 => "median µs",
            Figure::P99 => "p99 µs",
            Figure::P999 => "p99.9 µs",
            Figure::Bytes => "bytes",
            Figure::Kib => "KiB of a connection",
        };
        let beside =
            it.other.map_or_else(|| "-".into(), |(name, it)| format!("{name}: {}", figure(it)));
        let (middle, range) = it.spread.map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |[middle, low, high]| (format!("**{middle:.2}**"), format!("{low:.2} to {high:.2}")),
        );
        text.push_str(&format!(
            "| {} ({}) | {what} | {} | {beside} | {middle} | {range} | {} | {} |\n",
            goal.load,
            goal.ours,
            it.ours.map_or_else(|| "-".to_owned(), figure),
            goal.bound.text(),
            it.is_reached.map_or("not measured", reached)
        ));
    }
    let besides = shards.map(|it| [(it, &it.same), (it, &it.each)]);
    for (shards, beside) in besides.into_iter().flatten() {
        let [middle, low, high] = beside.ratio;
        text.push_str(&format!("| 100 channels, 1,000 subscribers, 128 B: two shards with {RATE} messages a second | for two CPU seconds, beside one shard's for one | {} | one shard with {}: {} | **{middle:.2}** | {low:.2} to {high:.2} | at least {SHARDS_LEAST} | {} |\n",
            figure(shards.two * 2.0),
            beside.rate,
            figure(beside.one),
            reached(middle >= SHARDS_LEAST)
        ));
    }
}

fn reached(is_reached: bool) -> &'static str {
    if is_reached { "yes" } else { "**no**" }
}

/// A row for each entrant, a column for each load; floors in italics.
fn matrix(text: &mut String, results: &Results, loads: &[(usize, &Load)], of: Figure) {
    let heads: Vec<&str> = loads.iter().map(|(_, it)| it.name).collect();
    let rule = "---|".repeat(heads.len());
    text.push_str(&format!("\n| server | {} |\n|---|{rule}\n", heads.join(" | ")));
    for (entrant, it) in results.entrants.iter().enumerate() {
        let cells = loads.iter().map(|(load, _)| cell(results.spread(*load, entrant, of)));
        text.push_str(&format!("| {} | {} |\n", it.name, cells.collect::<Vec<_>>().join(" | ")));
    }
    text.push('\n');
}

fn latency(text: &mut String, results: &Results) {
    text.push_str("\nMicroseconds from when a message was due to its delivery, at fixed rates: median, 99th and 99.9th percentile.\n");
    let loads: Vec<(usize, &Load)> =
        LOADS.iter().enumerate().filter(|(_, it)| it.words.contains("--rate")).collect();
    let columns: Vec<String> = loads
        .iter()
        .flat_map(|(_, it)| ["p50", "p99", "p99.9"].map(|of| format!("{} {of}", it.name)))
        .collect();
    text.push_str(&format!(
        "\n| server | {} |\n|---|{}\n",
        columns.join(" | "),
        "---|".repeat(columns.len())
    ));
    for (entrant, it) in results.entrants.iter().enumerate() {
        let cells: Vec<String> = loads
            .iter()
            .flat_map(|(load, _)| {
                let of = [Figure::P50, Figure::P99, Figure::P999];
                of.map(|of| cell(results.spread(*load, entrant, of)))
            })
            .collect();
        text.push_str(&format!("| {} | {} |\n", it.name, cells.join(" | ")));
    }
}

fn sizes(text: &mut String, results: &Results) {
    text.push_str(
        "\nMemory of an idle connection (proportional set size, the kernel's not in it), and bytes that a subscriber read for a \
         message of 128 B.\n\n| server | KiB | bytes |\n|---|---|---|\n",
    );
    let load = |name: &str| LOADS.iter().position(|it| it.name == name);
    let (idle, fanout) = (load("idle"), load("1 outstanding"));
    for (entrant, it) in results.entrants.iter().enumerate() {
        let kib = idle.and_then(|load| results.spread(load, entrant, Figure::Kib));
        let bytes = fanout.and_then(|load| results.spread(load, entrant, Figure::Bytes));
        text.push_str(&format!("| {} | {} | {} |\n", it.name, cell(kib), cell(bytes)));
    }
}

fn cell(spread: Option<[f64; 3]>) -> String {
    spread.map_or_else(|| "-".to_owned(), |[middle, ..]| figure(middle))
}
