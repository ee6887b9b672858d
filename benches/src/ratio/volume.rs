//! Publishing in volume: what a message costs the server when it comes alone, in batches, and as a stream of lines.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use rustix::param::clock_ticks_per_second;

use super::quiet::quiet;
use super::rows::words;
use super::side::{Server, Side};
use super::{Bench, Pairs};
use crate::Failure;
use crate::machine;
use crate::table::Table;

/// Messages of one measurement. CPU time is counted in hundredths of a second.
const LINES: u32 = 200_000;
const CHANNELS: u32 = 16;
const PAYLOAD: usize = 128;

/// Batches, and a stream of lines, beside single requests on 32 keep-alive connections: server CPU for a message.
pub(super) fn volume(bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    let lines = tempfile::NamedTempFile::new()?;
    fs::write(lines.path(), text(LINES))?;
    let lines = lines.path().display().to_string();
    let keeps = [("not kept", "false", "--ephemeral"), ("kept", "true", "")];
    let ways = [
        ("batches of 100", "--dialect infrai --batch 100", "at most 0.10"),
        ("`stentor publish --lines`, a request each", "--dialect cohesivity", "-"),
    ];
    for ((kept, persist, flag), (name, options, goal)) in
        keeps.into_iter().flat_map(|it| ways.map(|way| (it, way)))
    {
        let line = format!("publish --no-progress --lines {lines} {options} {flag}");
        let mut pairs = Pairs::default();
        for _ in 0..bench.rounds {
            let words = words(line.trim_end());
            let ours = quiet(bench, || streamed(bench, &words))?;
            pairs.push(ours, quiet(bench, || single(bench, persist))?);
        }
        let load = format!("{name}, {kept}: server CPU for a message, beside single requests");
        table.row(pairs.cells(&load, "µs", goal));
    }
    Ok(())
}

/// Microseconds of the server for one message of a stream.
fn streamed(bench: &Bench, arguments: &[String]) -> Result<f64, Failure> {
    let folder = tempfile::tempdir_in(&bench.data)?;
    let data = folder.path().display().to_string();
    let side = Side::start(bench, Server::Stentor(&["--data-dir", &data]))?;
    let is_infrai = arguments.iter().any(|it| it == "infrai");
    let key = side.key(if is_infrai { "project_key" } else { "application_key" });
    let mut command = Command::new(&bench.server);
    command.args(arguments).args(["--url", &side.http()]).env("STENTOR_PUBLISH_KEY", key);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let before = cpu_us(side.pid())?;
    let output = machine::pinned(bench.cores.generator, || command.output())?;
    let used = cpu_us(side.pid())? - before;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("publishing lines failed ({}): {said}", output.status).into());
    }
    Ok(used / f64::from(LINES))
}

/// Microseconds of the server for one message of its own request.
fn single(bench: &Bench, persist: &str) -> Result<f64, Failure> {
    let folder = tempfile::tempdir_in(&bench.data)?;
    let data = folder.path().display().to_string();
    let side = Side::start(bench, Server::Stentor(&["--data-dir", &data]))?;
    let scenario = format!(
        "publish --connections 32 --channels {CHANNELS} --payload {PAYLOAD} --persist {persist} --warmup 0 --duration {}",
        bench.seconds
    );
    let before = cpu_us(side.pid())?;
    let report = side.drive(bench, &words(&scenario))?;
    let used = cpu_us(side.pid())? - before;
    let sent = report.pointer("/checked/sent").and_then(serde_json::Value::as_f64);
    Ok(used / sent.filter(|it| *it > 0.0).ok_or("nothing was published")?)
}

/// CPU time of a process so far: proc(5), fields 14 and 15.
fn cpu_us(pid: u32) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|it| it.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() * 1e6 / clock_ticks_per_second() as f64)
}

fn text(count: u32) -> String {
    let payload = "x".repeat(PAYLOAD - 2);
    (0..count).fold(String::new(), |mut lines, number| {
        let channel = number % CHANNELS;
        // Writing to a text does not fail.
        let _ = writeln!(lines, r#"{{"channel":"bench-{channel}","data":"{payload}"}}"#);
        lines
    })
}
