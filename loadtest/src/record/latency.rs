//! Latencies of a run in HDR histograms.

use hdrhistogram::Histogram;

const HIGHEST_NS: u64 = 600_000_000_000;

/// Times in nanoseconds, exact to three digits, clamped at ten minutes.
#[derive(Debug)]
pub(crate) struct Times(Histogram<u64>);

impl Times {
    /// No times yet.
    pub(crate) fn new() -> Self {
        // Below 1.024 us all is one bucket: no socket is faster, and the table stays small in the cache.
        #[expect(clippy::expect_used, reason = "the bounds are constants that the library accepts")]
        Self(Histogram::new_with_bounds(1024, HIGHEST_NS, 3).expect("valid bounds"))
    }

    /// Notes one time.
    #[inline]
    pub(crate) fn record(&mut self, time_ns: u64) {
        self.0.saturating_record(time_ns);
    }

    /// Values and how often they were noted: enough to make the same table elsewhere.
    pub(crate) fn counts(&self) -> Vec<(u64, u64)> {
        let values = self.0.iter_recorded();
        values.map(|it| (it.value_iterated_to(), it.count_since_last_iteration())).collect()
    }

    /// Notes what another generator counted.
    pub(crate) fn add(&mut self, counts: &[(u64, u64)]) {
        for (value, count) in counts {
            self.0.saturating_record_n(*value, *count);
        }
    }

    /// How many times were noted.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that this part of all, from 0 to 1, does not exceed.
    pub(crate) fn quantile_ns(&self, part: f64) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.value_at_quantile(part) }
    }

    /// The longest time.
    pub(crate) fn max_ns(&self) -> u64 {
        self.quantile_ns(1.0)
    }
}

/// The parts that reports show, with their names.
pub(crate) const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

/// The times of one run.
#[derive(Debug)]
pub(crate) struct Latency {
    /// From when a message was due to its delivery.
    pub(crate) from_due: Times,
    /// From when a message was sent to its delivery: what a generator that waits would claim.
    pub(crate) from_sent: Times,
    /// From when a publish was due to its acknowledgement.
    pub(crate) acknowledged: Times,
}

impl Latency {
    /// No times yet.
    pub(crate) fn new() -> Self {
        let (from_due, from_sent, acknowledged) = (Times::new(), Times::new(), Times::new());
        Self { from_due, from_sent, acknowledged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_to_three_digits() {
        let mut times = Times::new();
        assert_eq!((times.count(), times.quantile_ns(0.99)), (0, 0));
        for micros in 1..=1000 {
            times.record(micros * 1000);
        }
        let near = |time_ns: u64, expected: u64| time_ns.abs_diff(expected) <= expected / 500;
        assert!(near(times.quantile_ns(0.5), 500_000), "{}", times.quantile_ns(0.5));
        assert!(near(times.quantile_ns(0.999), 999_000));
        assert!(near(times.max_ns(), 1_000_000));
        times.record(u64::MAX);
        assert_eq!(times.count(), 1001);
    }

    #[test]
    fn tables_of_two_generators_make_the_table_of_both() {
        let (mut one, mut other, mut both) = (Times::new(), Times::new(), Times::new());
        for nth in 0..5000_u64 {
            let time_ns = 2000 + nth * nth * 37;
            both.record(time_ns);
            if nth % 3 == 0 { one.record(time_ns) } else { other.record(time_ns) }
        }
        one.add(&other.counts());
        assert_eq!(one.counts(), both.counts());
        assert_eq!(one.quantile_ns(0.99), both.quantile_ns(0.99));
        assert_eq!(one.count(), 5000);
    }
}
