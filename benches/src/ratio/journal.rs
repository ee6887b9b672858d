//! Persisted publishes beside the journal alone, at the batch sizes that occur.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use serde_json::Value;

use super::quiet::quiet;
use super::rows::words;
use super::side::{Server, Side, number};
use super::{Bench, Pairs, figure};
use crate::Failure;
use crate::machine;
use crate::micro::journal::synced_rate;
use crate::table::{self, Table};

/// 256 in flight, each way: the connections, what waits on each of them, and what is to be reached.
const SHAPES: [(u32, u32, &str); 2] = [(16, 16, "at least 0.50"), (256, 1, "-")];
const PAYLOAD: usize = 128;
/// Of a segment and of a block.
const HEADER_BYTES: usize = 64;

/// 256 persisted publishes in flight: the rate of the whole server beside that of its segment log alone, given batches of
/// the mean size that the server's storage thread took.
pub(super) fn persisted(bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    SHAPES.iter().try_for_each(|shape| measure(*shape, bench, table))
}

fn measure(shape: (u32, u32, &str), bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    let (connections, pipeline, goal) = shape;
    let mut pairs = Pairs::default();
    let mut sizes = Vec::new();
    for _ in 0..bench.rounds {
        let scenario = format!(
            "publish --connections {connections} --pipeline {pipeline} --persist true --payload {PAYLOAD} --warmup 0 --duration {}",
            bench.seconds
        );
        let (rate, batch) = quiet(bench, || whole(bench, &words(&scenario)))?;
        let alone = quiet(bench, || log_alone(bench, batch))?;
        table::note(&format!("    {batch} publishes in a batch"));
        sizes.push(batch as f64);
        pairs.push(rate, alone);
    }
    let batch = figure(super::median(&sizes));
    let load = format!(
        "persisted publishes, 256 in flight on {connections} connections: rate, beside the segment log alone with as many in a batch ({batch})"
    );
    table.row(pairs.cells(&load, "/s", goal));
    Ok(())
}

/// What the server keeps a second, and the mean size of its batches.
fn whole(bench: &Bench, scenario: &[String]) -> Result<(f64, u64), Failure> {
    let folder = tempfile::tempdir_in(&bench.data)?;
    let data = folder.path().display().to_string();
    let side = Side::start(bench, Server::Stentor(&["--data-dir", &data]))?;
    let report = side.drive(bench, scenario)?;
    drop(side);
    let sent = report.pointer("/checked/sent").and_then(Value::as_u64).unwrap_or_default();
    let count = batches(folder.path())?.max(1);
    let batch = ((sent + count / 2) / count).max(1);
    Ok((number(&report, "/window/acknowledged_per_second")?, batch))
}

/// What the log keeps a second on the server's core, with the thread that prepares its segments: what the server has, too.
fn log_alone(bench: &Bench, batch: u64) -> Result<f64, Failure> {
    let folder = tempfile::tempdir_in(&bench.data)?;
    let time = Duration::from_secs_f64(bench.seconds.min(3.0));
    let batch = usize::try_from(batch)?;
    let alone = machine::pinned(bench.cores.server, || {
        Ok(synced_rate(folder.path(), batch, PAYLOAD, time))
    })??;
    Ok(alone)
}

/// Batches in the segment files below a folder: one block each (`storage/src/journal/segment/block.rs`).
fn batches(folder: &Path) -> io::Result<u64> {
    let mut count = 0;
    for item in fs::read_dir(folder)? {
        let path = item?.path();
        if path.is_dir() {
            count += batches(&path)?;
            continue;
        }
        // A running node has its operator's door beside them.
        if !path.is_file() {
            continue;
        }
        let bytes = fs::read(&path)?;
        if bytes.starts_with(b"STENJRNL") {
            count += blocks(bytes.get(HEADER_BYTES..).unwrap_or_default());
        }
    }
    Ok(count)
}

fn blocks(mut rest: &[u8]) -> u64 {
    let mut count = 0;
    while let Some(length) = rest.get(28..32).filter(|_| rest.starts_with(b"SBLK")) {
        let length = u32::from_le_bytes(length.try_into().unwrap_or_default()) as usize;
        rest = rest.get(HEADER_BYTES + length..).unwrap_or_default();
        count += 1;
    }
    count
}
