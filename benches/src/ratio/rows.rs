//! The rows that need no disk.

use std::process::Command;

use serde_json::Value;

use super::quiet::quiet;
use super::side::{Server, Side, number};
use super::{Bench, Pairs};
use crate::Failure;
use crate::machine;
use crate::table::{self, Table};

const EPHEMERAL: &[&str] = &["--ephemeral"];
const STANDALONE: &[&str] = &["--ephemeral", "--reactor", "standalone"];
const GLOMMIO: &[&str] = &["--ephemeral", "--reactor", "glommio"];

const SUBSCRIBERS: u32 = 1000;
const RATE: u32 = 100;
const PAYLOAD: usize = 128;
const IDLE: u32 = 18_000;
/// Seconds that all are idle before memory is read: allocators and collectors may need some to give back what nobody uses.
pub(crate) const IDLE_S: u32 = 5;
const FIRST: u32 = 2_000;

const US_PER_DELIVERY: &str = "/window/server_us_per_delivery";
const US_PER_PUBLISH: &str = "/window/server_us_per_publish";
const PER_SECOND: &str = "/window/deliveries_per_server_second";

/// 1 channel x 1,000 subscribers x 128 B at 100 messages/s, beside bare sends of as many bytes; and beside the bare
/// broadcaster, whose frames the same generator reads: how a reader sleeps is part of what a send costs.
pub(super) fn fixed(bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    let (mut sends, mut broadcasts) = (Pairs::default(), Pairs::default());
    let load = fixed_load(bench);
    for _ in 0..bench.rounds {
        let report = run(bench, Server::Stentor(EPHEMERAL), &load)?;
        let deliveries = number(&report, "/window/deliveries")?;
        let frame_bytes = (number(&report, "/window/bytes")? / deliveries).round();
        let ours = number(&report, US_PER_DELIVERY)?;
        sends.push(ours, sends_alone(bench, frame_bytes)?);
        let report = run(bench, Server::Floor("broadcast"), &load)?;
        broadcasts.push(ours, number(&report, US_PER_DELIVERY)?);
    }
    let load = "1 channel, 1,000 subscribers, 128 B, 100 messages/s: server CPU for a delivery, \
        beside the bare send";
    table.row(sends.cells(load, "µs", "at most 1.15"));
    let load = "the same, beside a bare ring broadcaster at the same rate";
    table.row(broadcasts.cells(load, "µs", "-"));
    Ok(())
}

/// The same with 64 messages outstanding, beside a bare broadcaster.
pub(super) fn saturated(bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    let load = saturated_load(bench);
    let pairs =
        turns(bench, (Server::Stentor(EPHEMERAL), Server::Floor("broadcast")), &load, PER_SECOND)?;
    let load = "the same with 64 messages outstanding: deliveries for a second of server CPU, \
        beside a bare ring broadcaster";
    table.row(pairs.cells(load, "/s", "at least 0.70"));
    Ok(())
}

/// HTTP publishes on 32 keep-alive connections, beside a bare parse-and-answer loop.
pub(super) fn publish(bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    let load = publish_load(bench);
    let pairs =
        turns(bench, (Server::Stentor(EPHEMERAL), Server::Floor("answer")), &load, US_PER_PUBLISH)?;
    let load = "HTTP publish, not kept, 32 keep-alive connections: server CPU for a request, \
        beside a bare parse-and-answer loop";
    table.row(pairs.cells(load, "µs", "at most 2.00"));
    Ok(())
}

/// The same fan-outs in InsForge's dialect beside Cohesivity's: published through one door, heard through two. What is left
/// between them is what each connection gets for itself: its longer frame.
pub(super) fn insforge(bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    let server = Server::Stentor(EPHEMERAL);
    let loads = [
        ("1 channel, 1,000 subscribers, 128 B, 100 messages/s", fixed_load(bench)),
        ("the same with 64 messages outstanding", saturated_load(bench)),
    ];
    for (name, load) in loads {
        let of_insforge = [&load[..], &words("--dialect insforge")].concat();
        let pairs = sides(bench, [(server, &of_insforge), (server, &load)], US_PER_DELIVERY)?;
        let name = format!(
            "{name}: server CPU for a delivery to clients of InsForge, beside clients of Cohesivity"
        );
        table.row(pairs.cells(&name, "µs", "at most 1.20"));
    }
    Ok(())
}

/// One host of the loop beside the other.
pub(super) fn reactor(bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    let sides = (Server::Stentor(GLOMMIO), Server::Stentor(STANDALONE));
    let loads = [
        (
            "100 messages/s to 1,000: CPU for a delivery",
            fixed_load(bench),
            US_PER_DELIVERY,
            "at most 1.05",
        ),
        (
            "64 outstanding: deliveries for a CPU second",
            saturated_load(bench),
            PER_SECOND,
            "at least 0.95",
        ),
        ("HTTP publish: CPU for a request", publish_load(bench), US_PER_PUBLISH, "at most 1.05"),
    ];
    for (name, load, what, goal) in loads {
        let pairs = turns(bench, sides, &load, what)?;
        let unit = if what == PER_SECOND { "/s" } else { "µs" };
        let name = format!("hosted by glommio beside the loop alone, {name}");
        table.row(pairs.cells(&name, unit, goal));
    }
    Ok(())
}

/// Memory of 18,000 idle subscribers in 100 channels, all of one user: growth from the first 2,000 of them to all. What a
/// server takes once, for its first connections, is not counted: receive buffers, code, the allocator's first page of
/// each size.
pub(super) fn idle(bench: &Bench, table: &mut Table) -> Result<(), Failure> {
    let mut sizes = Vec::new();
    for _ in 0..bench.rounds {
        let side = Side::start(bench, Server::Stentor(EPHEMERAL))?;
        side.drive(bench, &words("publish --payload 1024 --warmup 0 --duration 1"))?;
        let scenario = |count, hold| {
            words(&format!("connect --subscribers {count} --channels 100 --hold {hold}"))
        };
        let first = side.hold(bench, &scenario(FIRST, 60), FIRST)?;
        let report = side.drive(bench, &scenario(IDLE - FIRST, IDLE_S))?;
        first.end()?;
        let grown = number(&report, "/memory/pss_after")? - number(&report, "/memory/pss_before")?;
        let bytes = grown / f64::from(IDLE - FIRST);
        table::note(&format!("    {bytes:.0} bytes"));
        sizes.push(bytes / 1024.0);
    }
    sizes.sort_by(f64::total_cmp);
    let end = |it: Option<&f64>| it.copied().unwrap_or_default();
    table.row(vec![
        "18,000 idle subscribers in 100 channels, one user: proportional memory of the process for each".into(),
        format!("**{:.2} KiB**", super::median(&sizes)),
        "-".into(),
        "-".into(),
        format!("{:.2} to {:.2} KiB", end(sizes.first()), end(sizes.last())),
        "at most 0.60 KiB".into(),
    ]);
    Ok(())
}

fn turns(
    bench: &Bench,
    (ours, beside): (Server<'_>, Server<'_>),
    load: &[String],
    what: &str,
) -> Result<Pairs, Failure> {
    sides(bench, [(ours, load), (beside, load)], what)
}

/// Each side with a load of its own.
fn sides(
    bench: &Bench,
    [ours, beside]: [(Server<'_>, &[String]); 2],
    what: &str,
) -> Result<Pairs, Failure> {
    let mut pairs = Pairs::default();
    for round in 0..bench.rounds {
        let measure = |(server, load)| number(&run(bench, server, load)?, what);
        // Who comes first changes, lest it matter.
        if round % 2 == 0 {
            let ours = measure(ours)?;
            pairs.push(ours, measure(beside)?);
        } else {
            let beside = measure(beside)?;
            pairs.push(measure(ours)?, beside);
        }
    }
    Ok(pairs)
}

fn run(bench: &Bench, server: Server<'_>, load: &[String]) -> Result<Value, Failure> {
    quiet(bench, || Side::start(bench, server)?.drive(bench, load))
}

/// Microseconds of a bare send of so many bytes, at the fixed rate.
pub(crate) fn sends_alone(bench: &Bench, frame_bytes: f64) -> Result<f64, Failure> {
    quiet(bench, || bare_sends(bench, frame_bytes))
}

fn bare_sends(bench: &Bench, frame_bytes: f64) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["send", &SUBSCRIBERS.to_string(), &frame_bytes.to_string(), &RATE.to_string()]);
    command.args([&bench.seconds.to_string(), &bench.cores.generator.to_string()]);
    let output = machine::pinned(bench.cores.server, || command.output())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = || format!("the send floor failed: {}", String::from_utf8_lossy(&output.stderr));
    text.trim().parse().map_err(|_| wrong().into())
}

fn fixed_load(bench: &Bench) -> Vec<String> {
    let seconds = bench.seconds;
    words(&format!(
        "fanout --subscribers {SUBSCRIBERS} --rate {RATE} --payload {PAYLOAD} --duration {seconds}"
    ))
}

fn saturated_load(bench: &Bench) -> Vec<String> {
    let seconds = bench.seconds;
    words(&format!(
        "fanout --subscribers {SUBSCRIBERS} --publishers 4 --window 64 --payload {PAYLOAD} --duration {seconds}"
    ))
}

fn publish_load(bench: &Bench) -> Vec<String> {
    let seconds = bench.seconds;
    words(&format!("publish --connections 32 --payload {PAYLOAD} --duration {seconds}"))
}

/// The words of a command line.
pub(super) fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}
