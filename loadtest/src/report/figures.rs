//! The figures of the measured window, each computed in one place, and how numbers are written.

use crate::record::books::Mark;
use crate::scenario::Outcome;

/// The figures of the measured window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figures {
    /// Its length.
    pub(crate) seconds: f64,
    /// Messages that were due, in an open loop.
    pub(crate) due: Option<u64>,
    /// Messages sent.
    pub(crate) sent: u64,
    /// Publishes acknowledged.
    pub(crate) acknowledged: u64,
    /// Messages received.
    pub(crate) deliveries: u64,
    /// Bytes received.
    pub(crate) bytes: u64,
    /// CPU seconds of the generator.
    pub(crate) own_cpu: f64,
    /// Seconds that the generator waited for its core.
    pub(crate) own_wait: f64,
    /// CPU seconds of the server.
    pub(crate) server_cpu: Option<f64>,
    /// The cores that the server may use.
    pub(crate) server_cores: usize,
}

impl Figures {
    /// The differences between the window's begin and end.
    pub(crate) fn new(outcome: &Outcome, server_cores: Option<usize>) -> Self {
        Self::between(outcome.window, outcome.due, server_cores)
    }

    /// The same of a window without a load of its own.
    pub(crate) fn between(
        [begin, end]: [Mark; 2],
        due: Option<u64>,
        server_cores: Option<usize>,
    ) -> Self {
        let seconds = |from_ns: u64, to_ns: u64| real(to_ns.saturating_sub(from_ns)) / 1e9;
        Self {
            seconds: seconds(begin.at_ns, end.at_ns),
            due,
            sent: end.counts.sent - begin.counts.sent,
            acknowledged: end.counts.acknowledged - begin.counts.acknowledged,
            deliveries: end.counts.deliveries - begin.counts.deliveries,
            bytes: end.counts.bytes - begin.counts.bytes,
            own_cpu: seconds(begin.own_cpu_ns, end.own_cpu_ns),
            own_wait: seconds(begin.own_wait_ns, end.own_wait_ns),
            server_cpu: begin.server_cpu_ns.zip(end.server_cpu_ns).map(|(b, e)| seconds(b, e)),
            server_cores: server_cores.unwrap_or(1),
        }
    }

    /// So many in the window, a second.
    pub(crate) fn rate(&self, count: u64) -> f64 {
        ratio(real(count), self.seconds)
    }

    /// The part of its core that the generator used.
    pub(crate) fn own_use(&self) -> f64 {
        ratio(self.own_cpu, self.seconds)
    }

    /// The part of the time that the generator waited for its core.
    pub(crate) fn own_wait(&self) -> f64 {
        ratio(self.own_wait, self.seconds)
    }

    /// The part of each of its cores that the server used.
    pub(crate) fn server_use(&self) -> Option<f64> {
        let cores = real(self.server_cores as u64);
        self.server_cpu.map(|cpu| ratio(cpu, self.seconds * cores))
    }

    /// Server CPU microseconds for each of so many.
    pub(crate) fn server_us_per(&self, count: u64) -> Option<f64> {
        self.server_cpu.filter(|_| count > 0).map(|cpu| cpu * 1e6 / real(count))
    }

    /// So many for each CPU second of the server.
    pub(crate) fn per_server_second(&self, count: u64) -> Option<f64> {
        self.server_cpu.filter(|cpu| *cpu > 0.0).map(|cpu| real(count) / cpu)
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// A count as a real number.
#[expect(clippy::cast_precision_loss, reason = "nothing here needs more than 53 bits")]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// A time for people: `870 us`, `1.25 ms`.
pub(crate) fn time(nanoseconds: u64) -> String {
    let value = real(nanoseconds);
    match nanoseconds {
        0..1_000_000 => format!("{:.0} us", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.*} ms", decimals(value / 1e6), value / 1e6),
        _ => format!("{:.*} s", decimals(value / 1e9), value / 1e9),
    }
}

/// A rate or a count for people: `1.25 M`, `98.3 k`, `100`.
pub(crate) fn amount(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{:.*} M", decimals(value / 1e6), value / 1e6),
        _ if value >= 1e4 => format!("{:.*} k", decimals(value / 1e3), value / 1e3),
        _ if value >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

/// A whole number with its thousands apart.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn decimals(value: f64) -> usize {
    match value {
        _ if value >= 100.0 => 0,
        _ if value >= 10.0 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [time(870_400), time(1_254_000), time(12_540_000)],
            ["870 us", "1.25 ms", "12.5 ms"]
        );
        assert_eq!([time(2_000_000_000), time(0)], ["2.00 s", "0 us"]);
        assert_eq!([amount(100.0), amount(99.5), amount(12_345.0)], ["100", "99.5", "12.3 k"]);
        assert_eq!(amount(1_254_000.0), "1.25 M");
        assert_eq!([grouped(1), grouped(1234), grouped(1_234_567)], ["1", "1,234", "1,234,567"]);
    }
}
