//! The result on one screen.

use super::figures::{Figures, amount, grouped, time};
use super::{Report, plot};
use crate::client::dialect::Dialect;
use crate::pace::Pace;
use crate::record::latency::{QUANTILES, Times};
use crate::scenario::load::{Load, Wire};
use protocol::Keep;
use std::fmt::{self, Write as _};

/// What was measured, in one line.
pub(crate) fn title(report: &Report) -> String {
    let load = &report.plan.load;
    let mut parts = vec![load_title(load)];
    if load.layout.publishers > 0 {
        parts.push(match load.pace {
            Pace::Open { per_second } => format!("{per_second} messages/s due"),
            Pace::Closed { outstanding } => format!("{outstanding} outstanding"),
        });
    }
    parts.push(format!("{:.1} s", report.figures.seconds));
    format!("{}: {}", report.plan.name, parts.join(", "))
}

/// Who publishes what to whom.
pub(super) fn load_title(load: &Load) -> String {
    let layout = load.layout;
    let channels = match load.dialect {
        Dialect::Cohesivity => many(layout.channels, "channel"),
        Dialect::Infrai => format!("{} of Infrai", many(layout.channels, "channel")),
        Dialect::Insforge => format!("{} of InsForge", many(layout.channels, "channel")),
        Dialect::Pusher => format!("{} of Pusher", many(layout.channels, "channel")),
        Dialect::SocketIo => format!("{} of Socket.IO", many(layout.channels, "channel")),
        Dialect::Raw => format!("{} of templates", many(layout.channels, "channel")),
        Dialect::Native(protocol) => {
            format!("{} of {}", many(layout.channels, "channel"), protocol.name())
        }
    };
    let mut parts = vec![match load.subscribers {
        0 => channels,
        subscribers => format!("{} on {channels}", many(subscribers, "subscriber")),
    }];
    if layout.publishers > 0 {
        let wire = match load.wire {
            _ if load.dialect.is_native() => "TCP",
            Wire::Http => "HTTP",
            Wire::WebSocket => "WebSocket",
        };
        let keep = match load.keep {
            Keep::Persist => "persisted",
            Keep::Pass => "not persisted",
        };
        parts.push(format!("{} over {wire}", many(layout.publishers, "publisher")));
        parts.push(format!("{} B {keep}", load.payload_bytes));
    }
    parts.join(", ")
}

/// The whole screen.
pub(crate) fn screen(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_screen(&mut out, report);
    out
}

fn write_screen(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "stentor bench {}\n", title(report))?;
    write_opening(out, report)?;
    if report.plan.load.layout.publishers > 0 {
        write_rates(out, report)?;
        write_latency(out, report)?;
    }
    write_resources(out, report)?;
    write_drift(out, report)?;
    writeln!(out, "{:14}{}: {}", "verdict", report.verdict.name(), report.verdict.text)
}

fn write_opening(out: &mut String, report: &Report) -> fmt::Result {
    let opened = &report.measured.opened;
    let connections = report.plan.load.connections() as u64;
    let times = &opened.times;
    let took = time(opened.took_ns);
    let (p50, p99, max) =
        (time(times.quantile_ns(0.5)), time(times.quantile_ns(0.99)), time(times.max_ns()));
    let all = grouped(connections);
    writeln!(out, "{:14}{all} in {took}; each p50 {p50}, p99 {p99}, max {max}", "connections")
}

fn write_rates(out: &mut String, report: &Report) -> fmt::Result {
    let figures = &report.figures;
    let sent = amount(figures.rate(figures.sent));
    let acknowledged = amount(figures.rate(figures.acknowledged));
    let due = figures.due.map_or(String::new(), |due| format!(" of {} due", grouped(due)));
    let count = grouped(figures.sent);
    writeln!(out, "{:14}{sent} /s ({count}{due}); acknowledged {acknowledged} /s", "published")?;
    if figures.deliveries > 0 {
        let rate = amount(figures.rate(figures.deliveries));
        let bytes = amount(figures.rate(figures.bytes));
        let count = grouped(figures.deliveries);
        writeln!(out, "{:14}{rate} /s ({count}), {bytes}B/s", "delivered")?;
    }
    for (why, count) in &report.measured.outcome.books.refused_by {
        writeln!(out, "{:14}{} x {why}", "refused", grouped(*count))?;
    }
    Ok(())
}

fn write_latency(out: &mut String, report: &Report) -> fmt::Result {
    let latency = &report.measured.outcome.books.latency;
    let rows = [
        ("from due", &latency.from_due),
        ("from sent", &latency.from_sent),
        ("acknowledged", &latency.acknowledged),
    ];
    write_times(out, &rows)?;
    writeln!(out, "\n{}", plot::draw(main_times(report)))
}

/// A table of times, without those that nothing took.
pub(super) fn write_times(out: &mut String, rows: &[(&str, &Times)]) -> fmt::Result {
    write!(out, "\n{:14}", "latency")?;
    for (name, _) in QUANTILES {
        write!(out, "{name:>10}")?;
    }
    writeln!(out)?;
    for (name, times) in rows.iter().filter(|(_, times)| times.count() > 0) {
        write!(out, "{name:14}")?;
        for (_, part) in QUANTILES {
            write!(out, "{:>10}", time(times.quantile_ns(part)))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The times that matter most: of deliveries, or of acknowledgements where nothing is delivered.
pub(super) fn main_times(report: &Report) -> &Times {
    let latency = &report.measured.outcome.books.latency;
    if latency.from_due.count() > 0 { &latency.from_due } else { &latency.acknowledged }
}

fn write_resources(out: &mut String, report: &Report) -> fmt::Result {
    let figures = &report.figures;
    let cost = match figures.deliveries {
        0 => ("publish", figures.acknowledged),
        deliveries => ("delivery", deliveries),
    };
    if report.plan.generators > 1 {
        writeln!(out, "{:14}{}; the hottest:", "generators", report.plan.generators)?;
    }
    write_use(out, figures, cost)?;
    write_memory(out, report)
}

/// What generator and server used, and what that is for each of so many.
pub(super) fn write_use(
    out: &mut String,
    figures: &Figures,
    (what, count): (&str, u64),
) -> fmt::Result {
    let percent = |part: f64| format!("{:.0} %", part * 100.0);
    write!(out, "{:14}{} of its core", "generator", percent(figures.own_use()))?;
    if figures.own_wait() >= 0.01 {
        write!(out, "; waited {} of the time for it", percent(figures.own_wait()))?;
    }
    writeln!(out)?;
    match figures.server_use() {
        None => writeln!(out, "{:14}CPU unknown (--server-pid)", "server")?,
        Some(server_use) => {
            write!(out, "{:14}{} of ", "server", percent(server_use))?;
            write!(out, "{}", many(u32::try_from(figures.server_cores).unwrap_or(0), "core"))?;
            if let Some(us) = figures.server_us_per(count) {
                write!(out, "; {us:.2} us CPU each {what}")?;
            }
            if let Some(rate) = figures.per_server_second(count).filter(|_| count > 0) {
                write!(out, "; {} for a CPU second", amount(rate))?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

fn write_drift(out: &mut String, report: &Report) -> fmt::Result {
    let Some(drift) = report.drift() else { return Ok(()) };
    let [first, last] = drift.p99_ns.map(time);
    write!(out, "{:14}p99 {first} in the first fifth, {last} in the last", "drift")?;
    if let (Some([first, last]), Some(per_hour)) = (drift.rss, drift.rss_per_hour()) {
        let kib = |bytes: u64| grouped(bytes / 1024);
        let per_hour = per_hour / 1024.0;
        write!(out, "; resident {} KiB, then {} KiB", kib(first), kib(last))?;
        write!(out, " ({per_hour:+.0} KiB an hour)")?;
    }
    writeln!(out)
}

fn write_memory(out: &mut String, report: &Report) -> fmt::Result {
    if let (Some((rss, pss)), Some(grown)) = (report.bytes_per_connection(), report.measured.memory)
    {
        let (rss, pss) = (rss / 1024.0, pss / 1024.0);
        let total = grouped(grown.after.rss / 1024);
        writeln!(
            out,
            "{:14}{rss:.2} KiB resident each connection ({pss:.2} proportional), {total} KiB in all",
            "memory"
        )?;
    }
    Ok(())
}

pub(super) fn many(count: u32, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{} {what}{end}", grouped(u64::from(count)))
}
