//! Latency over time: a small histogram for each part of a run.

use hdrhistogram::Histogram;

/// Parts of a run at most: as many as a page can show.
const SLICES_MAX: u64 = 200;
/// The shortest part.
const SLICE_NS_MIN: u64 = 100_000_000;
const HIGHEST_NS: u64 = 600_000_000_000;

/// What one part of a run took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// When it began, from the start of the load.
    pub(crate) at_ns: u64,
    /// Times in it.
    pub(crate) count: u64,
    /// Half of them took no longer.
    pub(crate) p50_ns: u64,
    /// All but a hundredth took no longer.
    pub(crate) p99_ns: u64,
    /// The longest.
    pub(crate) max_ns: u64,
}

/// Times by when they ended.
#[derive(Debug)]
pub(crate) struct Slices {
    start_ns: u64,
    width_ns: u64,
    /// Exact to two digits, which a plot does not need more of.
    parts: Vec<Option<Box<Histogram<u32>>>>,
    /// The part of the last time, and where it ends: nearly all stand there.
    current: usize,
    until_ns: u64,
}

impl Slices {
    /// No times yet of a run that takes so long; what ends later counts to its last part.
    pub(crate) fn new(start_ns: u64, end_ns: u64) -> Self {
        let width_ns = end_ns.saturating_sub(start_ns).div_ceil(SLICES_MAX).max(SLICE_NS_MIN);
        Self { start_ns, width_ns, parts: Vec::new(), current: 0, until_ns: 0 }
    }

    /// No times yet of a run whose parts are those of another.
    pub(crate) fn of((start_ns, width_ns): (u64, u64)) -> Self {
        Self { width_ns: width_ns.max(1), ..Self::new(start_ns, start_ns) }
    }

    /// When the run began, and how long each part is.
    pub(crate) fn span(&self) -> (u64, u64) {
        (self.start_ns, self.width_ns)
    }

    /// Notes one time.
    #[inline]
    pub(crate) fn record(&mut self, now_ns: u64, time_ns: u64) {
        if now_ns >= self.until_ns {
            self.turn_to(now_ns);
        }
        if let Some(part) = self.parts.get_mut(self.current) {
            part.get_or_insert_with(empty).saturating_record(time_ns);
        }
    }

    #[cold]
    fn turn_to(&mut self, now_ns: u64) {
        let nth = (now_ns.saturating_sub(self.start_ns) / self.width_ns).min(SLICES_MAX);
        self.current = usize::try_from(nth).unwrap_or(0);
        self.until_ns = match nth {
            SLICES_MAX => u64::MAX,
            _ => self.start_ns.saturating_add((nth + 1).saturating_mul(self.width_ns)),
        };
        if self.current >= self.parts.len() {
            self.parts.resize_with(self.current + 1, || None);
        }
    }

    /// The parts in which something was, in order.
    pub(crate) fn all(&self) -> Vec<Slice> {
        let slice = |(nth, part): (u64, &Option<Box<Histogram<u32>>>)| {
            let part = part.as_ref()?;
            let quantile = |part_of_all: f64| part.value_at_quantile(part_of_all);
            Some(Slice {
                at_ns: nth * self.width_ns,
                count: part.len(),
                p50_ns: quantile(0.5),
                p99_ns: quantile(0.99),
                max_ns: quantile(1.0),
            })
        };
        (0..).zip(&self.parts).filter_map(slice).collect()
    }

    /// Adds the parts of another generator of the same run.
    pub(crate) fn add(&mut self, nth: usize, counts: impl Iterator<Item = (u64, u64)>) {
        if nth > usize::try_from(SLICES_MAX).unwrap_or(0) {
            return;
        }
        if nth >= self.parts.len() {
            self.parts.resize_with(nth + 1, || None);
        }
        if let Some(part) = self.parts.get_mut(nth) {
            let part = part.get_or_insert_with(empty);
            for (value, count) in counts {
                part.saturating_record_n(value, u32::try_from(count).unwrap_or(u32::MAX));
            }
        }
    }

    /// Values and counts of each part.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (usize, Vec<(u64, u64)>)> {
        self.parts.iter().enumerate().filter_map(|(nth, part)| {
            let values = part.as_ref()?.iter_recorded();
            let pair = |it: hdrhistogram::iterators::IterationValue<u32>| {
                (it.value_iterated_to(), it.count_since_last_iteration())
            };
            Some((nth, values.map(pair).collect()))
        })
    }
}

fn empty() -> Box<Histogram<u32>> {
    #[expect(clippy::expect_used, reason = "the bounds are constants that the library accepts")]
    Box::new(Histogram::new_with_bounds(1024, HIGHEST_NS, 2).expect("valid bounds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_the_part_in_which_they_ended() {
        let mut slices = Slices::new(1000, 1000 + 10 * SLICE_NS_MIN);
        for nth in 0..100 {
            slices.record(1000, 5_000_000 + nth);
        }
        slices.record(1000 + 3 * SLICE_NS_MIN, 70_000_000);
        slices.record(u64::MAX, 1_000_000);
        let all = slices.all();
        let at: Vec<u64> = all.iter().map(|it| it.at_ns / SLICE_NS_MIN).collect();
        assert_eq!(at, [0, 3, SLICES_MAX]);
        assert_eq!((all[0].count, all[1].count), (100, 1));
        assert!(all[0].p99_ns.abs_diff(5_000_000) < 100_000, "{all:?}");
        assert!(all[1].max_ns.abs_diff(70_000_000) < 1_000_000, "{all:?}");
    }

    #[test]
    fn parts_of_two_generators_add_up() {
        let mut one = Slices::new(0, 1);
        let mut other = Slices::new(0, 1);
        one.record(0, 1_000_000);
        other.record(0, 9_000_000);
        other.record(SLICE_NS_MIN, 2_000_000);
        for (nth, counts) in other.counts() {
            one.add(nth, counts.into_iter());
        }
        let all = one.all();
        assert_eq!((all.len(), all[0].count, all[1].count), (2, 2, 1));
        assert!(all[0].max_ns.abs_diff(9_000_000) < 200_000, "{all:?}");
    }
}
