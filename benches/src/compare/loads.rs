//! What every server of a comparison is given to do, and what comes of it.

use serde_json::Value;

/// What a load is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum About {
    /// Deliveries for a second of server CPU.
    Deliveries,
    /// Publishes for a second of server CPU.
    Publishes,
    /// Memory of a connection that only listens.
    Memory,
}

/// One load.
pub(crate) struct Load {
    /// As tables name it.
    pub(crate) name: &'static str,
    /// What it is, in full.
    pub(crate) what: &'static str,
    /// What it is about.
    pub(crate) about: About,
    /// The generator's words, without times.
    pub(crate) words: &'static str,
}

/// The one that bare sends are there for.
pub(crate) const FIXED: &str = "fanout --subscribers 1000 --publishers 1 --rate 100 --payload 128";

/// All of them, in the order of the page.
pub(crate) const LOADS: &[Load] = &[
    Load {
        name: "1 outstanding",
        what: "1 channel, 1,000 subscribers, 128 B, 1 message outstanding",
        about: About::Deliveries,
        words: "fanout --subscribers 1000 --publishers 1 --window 1 --payload 128",
    },
    Load {
        name: "4 outstanding",
        what: "the same, 4 messages outstanding from 4 publishers",
        about: About::Deliveries,
        words: "fanout --subscribers 1000 --publishers 4 --window 4 --payload 128",
    },
    Load {
        name: "64 outstanding",
        what: "the same, 64 messages outstanding from 4 publishers",
        about: About::Deliveries,
        words: "fanout --subscribers 1000 --publishers 4 --window 64 --payload 128",
    },
    Load {
        name: "16 KiB",
        what: "1 channel, 200 subscribers, 16 KiB, 4 messages outstanding from 4 publishers",
        about: About::Deliveries,
        words: "fanout --subscribers 200 --publishers 4 --window 4 --payload 16384",
    },
    Load {
        name: "isolated",
        what: "1 channel, 10 subscribers, 128 B, 2,000 messages a second, each alone",
        about: About::Deliveries,
        words: "fanout --subscribers 10 --publishers 1 --rate 2000 --payload 128",
    },
    Load {
        name: "fixed rate",
        what: "1 channel, 1,000 subscribers, 128 B, 100 messages a second",
        about: About::Deliveries,
        words: FIXED,
    },
    Load {
        name: "HTTP publish",
        what: "HTTP publish of 128 B on 32 keep-alive connections, nobody listens",
        about: About::Publishes,
        words: "publish --connections 32 --payload 128",
    },
    Load {
        name: "idle",
        what: "16,000 idle subscribers in 100 channels after 2,000 that are not counted",
        about: About::Memory,
        words: "connect --channels 100",
    },
];

/// What one run came to. What a run does not tell is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Deliveries, or publishes, for a second of server CPU.
    pub(crate) per_cpu: Option<f64>,
    /// Microseconds: half of the messages took no longer.
    pub(crate) p50: Option<f64>,
    /// 99 of 100 took no longer.
    pub(crate) p99: Option<f64>,
    /// 999 of 1,000 took no longer.
    pub(crate) p999: Option<f64>,
    /// Bytes that a subscriber read for one message.
    pub(crate) bytes: Option<f64>,
    /// KiB of a connection.
    pub(crate) kib: Option<f64>,
}

/// One of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Figure {
    /// Deliveries or publishes for a second of server CPU.
    PerCpu,
    /// The median time.
    P50,
    /// The 99th percentile.
    P99,
    /// The 99.9th percentile.
    P999,
    /// Bytes for a message.
    Bytes,
    /// Memory of a connection.
    Kib,
}

impl Figures {
    /// What the generator's report says.
    pub(crate) fn of(about: About, report: &Value) -> Self {
        let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_f64);
        let times = match about {
            About::Deliveries => "from_due",
            About::Publishes | About::Memory => "acknowledged",
        };
        let time = |name: &str| {
            let nanoseconds = number(&format!("/latency_ns/{times}/{name}"));
            nanoseconds.filter(|it| *it > 0.0).map(|it| it / 1e3)
        };
        let deliveries = number("/window/deliveries").filter(|it| *it > 0.0);
        let per_cpu = match about {
            About::Deliveries => number("/window/deliveries_per_server_second"),
            About::Publishes => number("/window/server_us_per_publish").map(|it| 1e6 / it),
            About::Memory => None,
        };
        Self {
            per_cpu,
            p50: time("p50"),
            p99: time("p99"),
            p999: time("p99.9"),
            bytes: match about {
                About::Deliveries => number("/window/bytes").zip(deliveries).map(|(a, b)| a / b),
                About::Publishes | About::Memory => None,
            },
            kib: None,
        }
    }

    /// One of them.
    pub(crate) fn get(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::PerCpu => self.per_cpu,
            Figure::P50 => self.p50,
            Figure::P99 => self.p99,
            Figure::P999 => self.p999,
            Figure::Bytes => self.bytes,
            Figure::Kib => self.kib,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_has_the_figures_of_its_load() {
        let report = json!({
            "window": { "deliveries": 10, "bytes": 2370, "deliveries_per_server_second": 5.0,
                "server_us_per_publish": 10.0 },
            "latency_ns": { "from_due": { "p50": 1500, "p99": 2000, "p99.9": 3000 },
                "acknowledged": { "p50": 7000 } },
        });
        let of = Figures::of(About::Deliveries, &report);
        assert_eq!((of.per_cpu, of.p50, of.bytes), (Some(5.0), Some(1.5), Some(237.0)));
        let of = Figures::of(About::Publishes, &report);
        assert_eq!(
            (of.per_cpu, of.p50, of.p99, of.bytes),
            (Some(100_000.0), Some(7.0), None, None)
        );
    }
}
