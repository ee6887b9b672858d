//! The full result as JSON.

use super::verdict::Verdict;
use super::{Environment, Report};
use crate::pace::Pace;
use crate::record::latency::{QUANTILES, Times};
use crate::record::series::BUCKET_NS;
use crate::record::slices::{Slice, Slices};
use crate::scenario::Plan;
use crate::scenario::load::Wire;
use protocol::Keep;
use serde_json::{Map, Value, json};

/// Everything that is known of a run.
pub(crate) fn json(report: &Report) -> Value {
    let books = &report.measured.outcome.books;
    let latency = &books.latency;
    json!({
        "scenario": report.plan.name,
        "settings": load_settings(&report.plan),
        "environment": environment(&report.environment),
        "verdict": verdict(&report.verdict),
        "connections": {
            "count": report.plan.load.connections(),
            "took_ns": report.measured.opened.took_ns,
            "each_ns": times(&report.measured.opened.times),
        },
        "window": window(report),
        "latency_of": if latency.from_due.count() > 0 { "from_due" } else { "acknowledged" },
        "latency_ns": {
            "from_due": times(&latency.from_due),
            "from_sent": times(&latency.from_sent),
            "acknowledged": times(&latency.acknowledged),
        },
        "checked": {
            "sent": books.counts.sent,
            "deliveries": books.counts.deliveries,
            "lost": report.tally.lost,
            "duplicated": report.tally.duplicated,
            "reordered": report.tally.reordered,
            "foreign": report.tally.foreign,
            "damaged": report.tally.damaged,
            "refused": books.refused_by,
            "closed": books.closed,
            "stalls": books.stalls,
        },
        "memory": memory(report),
        "series": series(report),
        "latency_over_time_ns": slices(&books.slices),
        "resident_over_time": report.measured.outcome.resident,
        "drift": drift(report),
    })
}

/// How the end of a run differs from its beginning.
fn drift(report: &Report) -> Value {
    let Some(drift) = report.drift() else { return Value::Null };
    json!({
        "first_p99_ns": drift.p99_ns[0],
        "last_p99_ns": drift.p99_ns[1],
        "first_rss": drift.rss.map(|rss| rss[0]),
        "last_rss": drift.rss.map(|rss| rss[1]),
        "rss_per_hour": drift.rss_per_hour(),
    })
}

/// Where it was measured.
pub(super) fn environment(environment: &Environment) -> Value {
    json!({
        "kernel": environment.kernel,
        "processor": environment.processor,
        "cores": environment.cores,
        "command": environment.command,
        "generator": env!("CARGO_PKG_VERSION"),
        "server": environment.server,
    })
}

/// Whether it stands.
pub(super) fn verdict(verdict: &Verdict) -> Value {
    json!({
        "kind": verdict.name(),
        "text": verdict.text,
        "exit_code": verdict.exit_code(),
    })
}

/// Latency in each part of the run.
pub(super) fn slices(slices: &Slices) -> Value {
    let all = slices.all();
    let each = |of: fn(&Slice) -> u64| all.iter().map(of).collect::<Vec<u64>>();
    json!({
        "at": each(|slice| slice.at_ns),
        "count": each(|slice| slice.count),
        "p50": each(|slice| slice.p50_ns),
        "p99": each(|slice| slice.p99_ns),
        "max": each(|slice| slice.max_ns),
    })
}

/// What was to be measured.
pub(crate) fn load_settings(plan: &Plan) -> Value {
    let load = &plan.load;
    let (rate, window) = match load.pace {
        Pace::Open { per_second } => (Some(per_second), None),
        Pace::Closed { outstanding } => (None, Some(outstanding)),
    };
    json!({
        "dialect": load.dialect.name(),
        "subscribers": load.subscribers,
        "channels": load.layout.channels,
        "publishers": load.layout.publishers,
        "via": match load.wire { Wire::Http => "http", Wire::WebSocket => "ws" },
        "pipeline": load.pipeline,
        "payload_bytes": load.payload_bytes,
        "rate": rate,
        "window": window,
        "persist": load.keep == Keep::Persist,
        "warmup_ns": load.warmup_ns,
        "duration_ns": load.duration_ns,
        "connect_rate": plan.connect_rate,
        "source_addresses": plan.sources,
        "generators": plan.generators,
    })
}

fn window(report: &Report) -> Value {
    let figures = &report.figures;
    json!({
        "seconds": figures.seconds,
        "due": figures.due,
        "sent": figures.sent,
        "acknowledged": figures.acknowledged,
        "deliveries": figures.deliveries,
        "bytes": figures.bytes,
        "sent_per_second": figures.rate(figures.sent),
        "acknowledged_per_second": figures.rate(figures.acknowledged),
        "deliveries_per_second": figures.rate(figures.deliveries),
        "generator_cpu_seconds": figures.own_cpu,
        "generator_use": figures.own_use(),
        "generator_wait": figures.own_wait(),
        "server_cpu_seconds": figures.server_cpu,
        "server_cores": figures.server_cores,
        "server_use": figures.server_use(),
        "server_us_per_delivery": figures.server_us_per(figures.deliveries),
        "server_us_per_publish": figures.server_us_per(figures.acknowledged),
        "deliveries_per_server_second": figures.per_server_second(figures.deliveries),
    })
}

pub(super) fn times(times: &Times) -> Value {
    let mut object = Map::new();
    object.insert("count".into(), times.count().into());
    for (name, part) in QUANTILES {
        object.insert(name.into(), times.quantile_ns(part).into());
    }
    Value::Object(object)
}

fn memory(report: &Report) -> Value {
    let (Some(grown), Some((rss, pss))) = (report.measured.memory, report.bytes_per_connection())
    else {
        return Value::Null;
    };
    json!({
        "rss_before": grown.before.rss,
        "rss_after": grown.after.rss,
        "pss_before": grown.before.pss,
        "pss_after": grown.after.pss,
        "rss_bytes_per_connection": rss,
        "pss_bytes_per_connection": pss,
    })
}

fn series(report: &Report) -> Value {
    let buckets = report.measured.outcome.books.series.buckets();
    let all = |field: fn(&crate::record::series::Bucket) -> u64| {
        buckets.iter().map(field).collect::<Vec<u64>>()
    };
    json!({
        "bucket_ns": BUCKET_NS,
        "deliveries": all(|bucket| bucket.deliveries),
        "acknowledged": all(|bucket| bucket.acknowledged),
        "longest_ns": all(|bucket| bucket.longest_ns),
    })
}
