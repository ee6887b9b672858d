//! Stentor beside servers that others wrote: all in one run, in turns, each pinned to one core and driven by the same
//! generator from another. Who is missing is left out by name; who fails a load is named with what went wrong.

mod conf;
mod html;
mod list;
mod loads;
mod page;
mod peers;
mod results;
mod run;
mod shards;

use std::fs;
use std::path::PathBuf;

use crate::Failure;
use crate::ratio::Bench;
use crate::table;
use list::PEERS;
use loads::LOADS;
use results::Results;
use run::{Who, everybody};

/// What a comparison is about.
#[derive(clap::Args)]
pub(crate) struct Choice {
    /// Who takes part besides Stentor, by name [everybody who is there].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    only: Vec<String>,
    /// The others alone, without Stentor.
    #[arg(long)]
    alone: bool,
    /// The loads, by name [all of them].
    #[arg(long, value_delimiter = ',', value_name = "LOAD,…")]
    loads: Vec<String>,
    /// One round of a second each: whether everything runs, not how fast.
    #[arg(long)]
    quick: bool,
    /// Also writes a page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Choice {
    /// Rounds and seconds of a smoke test, if it is one.
    pub(crate) fn hurried(&self) -> Option<(u32, f64)> {
        self.quick.then_some((1, 1.0))
    }

    fn takes(&self, load: &str) -> bool {
        self.loads.is_empty() || self.loads.iter().any(|it| it == load)
    }

    fn names_unknown(&self) -> Option<String> {
        let peers = |name: &&String| !PEERS.iter().any(|it| it.name == name.as_str());
        let loads = |name: &&String| !LOADS.iter().any(|it| it.name == name.as_str());
        let peer = self.only.iter().find(peers);
        let load = self.loads.iter().find(loads);
        let known = |names: Vec<&str>| names.join(", ");
        peer.map(|it| (it, known(PEERS.iter().map(|it| it.name).collect())))
            .or_else(|| load.map(|it| (it, known(LOADS.iter().map(|it| it.name).collect()))))
            .map(|(it, known)| format!("`{it}` is unknown; there are {known}"))
    }
}

/// Compares, prints the tables, and writes the pages that are asked for.
pub(crate) fn compare(
    bench: &Bench,
    choice: &Choice,
    page: Option<&PathBuf>,
) -> Result<(), Failure> {
    if let Some(unknown) = choice.names_unknown() {
        return Err(unknown.into());
    }
    run::raise_descriptors()?;
    let mut results = Results::default();
    let who = everybody(choice, &mut results);
    for round in 0..bench.rounds {
        for (load, at) in LOADS.iter().zip(0..).filter(|(load, _)| choice.takes(load.name)) {
            table::note(&format!("round {} of {}: {}", round + 1, bench.rounds, load.name));
            // Who comes first changes, lest it matter.
            let turns = (0..who.len()).map(|turn| (turn + round as usize) % who.len());
            for (entrant, it) in turns.filter_map(|at| Some((at, who.get(at)?))) {
                take_turn(bench, it, (at, entrant, round), &mut results);
            }
        }
    }
    let has_all = choice.loads.is_empty() && !choice.alone;
    let shards = if has_all { Some(shards::measure(bench)?) } else { None };
    let text = page::markdown(bench, &results, shards.as_ref());
    table::print(&text)?;
    let broken = results.broken();
    // What is worth nothing replaces nothing.
    if let Some(page) = page.filter(|_| broken.is_empty()) {
        table::PEERS.write(page, &text)?;
    }
    if let Some(file) = choice.html.as_ref().filter(|_| broken.is_empty()) {
        fs::write(file, html::page(bench, &results))?;
        table::note(&format!("plots: {}", file.display()));
    }
    if broken.is_empty() { Ok(()) } else { Err(broken.join("; ").into()) }
}

fn take_turn(
    bench: &Bench,
    who: &Who,
    (load, entrant, round): (usize, usize, u32),
    results: &mut Results,
) {
    let Some(of) = LOADS.get(load).filter(|it| who.takes(it)) else { return };
    let came = run::run(bench, who, of, results.frame_bytes(load)).map_err(|why| why.to_string());
    match &came {
        Ok(figures) => table::note(&format!("  {}: {}", who.name(), page::brief(figures))),
        Err(why) => table::note(&format!("  {}: FAILED: {why}", who.name())),
    }
    // The generator's whole screen is for whoever watches; the page gets its first line.
    let came = came.map_err(|why| why.lines().next().unwrap_or_default().to_owned());
    results.keep((load, entrant), round, came);
}
