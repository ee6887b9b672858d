//! What changed from the first fifth of a run to its last: latency, and memory of the server.

use super::figures::real;
use crate::record::slices::Slice;

/// Parts that are compared: the first and the last of so many.
const PARTS: usize = 5;

/// The first part and the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Drift {
    /// The median of the 99th percentiles of their slices.
    pub(crate) p99_ns: [u64; 2],
    /// The median of resident bytes, if the server can be seen.
    pub(crate) rss: Option<[u64; 2]>,
    /// From the middle of the first to the middle of the last.
    seconds: f64,
}

impl Drift {
    /// The drift of a run; `None` where it has fewer slices than parts.
    pub(crate) fn of(slices: &[Slice], resident: &[(u64, u64)]) -> Option<Self> {
        let p99_ns: Vec<u64> = slices.iter().map(|slice| slice.p99_ns).collect();
        let p99_ns = ends(&p99_ns)?;
        let bytes: Vec<u64> = resident.iter().map(|(_, bytes)| *bytes).collect();
        let length_ns = slices.last()?.at_ns - slices.first()?.at_ns;
        let apart = real(PARTS as u64 - 1) / real(PARTS as u64);
        Some(Self { p99_ns, rss: ends(&bytes), seconds: real(length_ns) / 1e9 * apart })
    }

    /// Bytes that the server grows by in an hour, if it goes on so.
    pub(crate) fn rss_per_hour(&self) -> Option<f64> {
        let [first, last] = self.rss?;
        Some((real(last) - real(first)) * 3600.0 / self.seconds.max(0.001))
    }
}

/// The medians of the first and the last part.
fn ends(all: &[u64]) -> Option<[u64; 2]> {
    let part = all.len() / PARTS;
    let median = |values: &[u64]| {
        let mut values = values.to_vec();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    };
    Some([median(all.get(..part)?)?, median(all.get(all.len() - part..)?)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_run_are_compared() {
        let slice = |nth: u64| Slice {
            at_ns: nth * 100_000_000_000,
            count: 1,
            p50_ns: 1,
            p99_ns: 1000 + nth,
            max_ns: 9,
        };
        let slices: Vec<Slice> = (0..10).map(slice).collect();
        let resident: Vec<(u64, u64)> = (0..10).map(|nth| (nth, 500 + 10 * nth)).collect();
        let drift = Drift::of(&slices, &resident).unwrap();
        assert_eq!(drift.p99_ns, [1001, 1009]);
        assert_eq!(drift.rss, Some([510, 590]));
        let per_hour = drift.rss_per_hour().unwrap();
        assert!((per_hour - 400.0).abs() < 1e-6, "{per_hour}");
        assert_eq!(Drift::of(&slices[..4], &resident), None);
        assert_eq!(Drift::of(&slices, &[]).unwrap().rss, None);
    }
}
