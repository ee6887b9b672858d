//! The full result as JSON.

use super::Report;
use crate::pace::Pace;
use crate::record::latency::{QUANTILES, Times};
use crate::record::series::BUCKET_NS;
use crate::scenario::load::Wire;
use protocol::Keep;
use serde_json::{Map, Value, json};

/// Everything that is known of a run.
pub(crate) fn json(report: &Report) -> Value {
    let books = &report.measured.outcome.books;
    let latency = &books.latency;
    json!({
        "scenario": report.plan.name,
        "settings": settings(report),
        "environment": {
            "kernel": report.environment.kernel,
            "processor": report.environment.processor,
            "cores": report.environment.cores,
            "command": report.environment.command,
            "generator": env!("CARGO_PKG_VERSION"),
            "server": report.environment.server,
        },
        "verdict": {
            "kind": report.verdict.name(),
            "text": report.verdict.text,
            "exit_code": report.verdict.exit_code(),
        },
        "connections": {
            "count": report.plan.load.connections(),
            "took_ns": report.measured.opened.took_ns,
            "each_ns": times(&report.measured.opened.times),
        },
        "window": window(report),
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
    })
}

fn settings(report: &Report) -> Value {
    let load = &report.plan.load;
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
        "connect_rate": report.plan.connect_rate,
        "source_addresses": report.plan.sources,
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

fn times(times: &Times) -> Value {
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
