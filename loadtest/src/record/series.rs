//! Rates over time, in buckets of a tenth of a second.

/// The width of a bucket.
pub(crate) const BUCKET_NS: u64 = 100_000_000;
const BUCKETS_MAX: usize = 36_000;

/// What happened in one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Messages received.
    pub(crate) deliveries: u64,
    /// Publishes acknowledged.
    pub(crate) acknowledged: u64,
    /// The longest time from due to received.
    pub(crate) longest_ns: u64,
}

/// Buckets from the start of the load; an hour at most, the last bucket takes the rest.
#[derive(Debug)]
pub(crate) struct Series {
    start_ns: u64,
    buckets: Vec<Bucket>,
}

impl Series {
    /// A series that begins at a time.
    pub(crate) fn new(start_ns: u64) -> Self {
        Self { start_ns, buckets: vec![Bucket::default()] }
    }

    /// When it begins.
    pub(crate) fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// The bucket of a time.
    #[inline]
    pub(crate) fn at(&mut self, now_ns: u64) -> &mut Bucket {
        let index = usize::try_from(now_ns.saturating_sub(self.start_ns) / BUCKET_NS)
            .unwrap_or(usize::MAX)
            .min(BUCKETS_MAX - 1);
        if index >= self.buckets.len() {
            self.buckets.resize(index + 1, Bucket::default());
        }
        #[expect(clippy::indexing_slicing, reason = "grown to hold it just above")]
        &mut self.buckets[index]
    }

    /// All buckets in order.
    pub(crate) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_fall_into_their_bucket() {
        let mut series = Series::new(1000);
        series.at(0).deliveries += 1;
        series.at(1000 + BUCKET_NS - 1).deliveries += 1;
        series.at(1000 + 2 * BUCKET_NS).acknowledged += 1;
        let counts: Vec<_> = series
            .buckets()
            .iter()
            .map(|bucket| (bucket.deliveries, bucket.acknowledged))
            .collect();
        assert_eq!(counts, [(2, 0), (0, 0), (0, 1)]);
        series.at(u64::MAX).deliveries += 1;
        assert_eq!(series.buckets().len(), BUCKETS_MAX);
    }
}
