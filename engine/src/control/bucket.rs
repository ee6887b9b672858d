//! Token buckets: so many a second, and so many at once after a rest.

/// How fast something may be done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rate {
    /// In the long run. Zero: as fast as it goes.
    pub per_second: u32,
    /// At once, after a rest. Zero: what comes in a second.
    pub burst: u32,
}

impl Rate {
    /// Whether there is a limit.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.per_second > 0
    }

    fn depth(self) -> u64 {
        let burst = if self.burst == 0 { self.per_second } else { self.burst };
        u64::from(burst) * MILLI
    }
}

/// A bucket counts thousandths, so that a rate of one a second drips every millisecond.
const MILLI: u64 = 1000;

/// What was used lately.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bucket {
    /// Thousandths of a token that are missing from a full bucket.
    missing: u64,
    at_ms: u64,
}

impl Bucket {
    /// Takes `count`, all or nothing.
    ///
    /// # Errors
    /// When there are too few; says in how many milliseconds there will be enough. What is more than the bucket holds is taken
    /// from a full one, so that it waits instead of never coming.
    pub fn take(&mut self, rate: Rate, count: u64, now_ms: u64) -> Result<(), u64> {
        if !rate.is_set() {
            return Ok(());
        }
        let dripped = now_ms.saturating_sub(self.at_ms).saturating_mul(rate.per_second.into());
        self.missing = self.missing.saturating_sub(dripped);
        self.at_ms = self.at_ms.max(now_ms);
        let wanted = count.saturating_mul(MILLI);
        let short = (self.missing + wanted.min(rate.depth())).saturating_sub(rate.depth());
        if short > 0 {
            return Err(short.div_ceil(rate.per_second.into()));
        }
        self.missing = self.missing.saturating_add(wanted);
        Ok(())
    }

    /// Puts `count` back.
    pub fn put_back(&mut self, count: u64) {
        self.missing = self.missing.saturating_sub(count.saturating_mul(MILLI));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, burst: 20 };

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::default();
        let taken = (0..50).filter(|_| bucket.take(RATE, 1, 5_000).is_ok()).count();
        assert_eq!(taken, 20);
        assert_eq!(bucket.take(RATE, 1, 5_000), Err(100));
        assert_eq!(bucket.take(RATE, 1, 5_099), Err(1));
        assert_eq!(bucket.take(RATE, 1, 5_100), Ok(()));
        let taken = (5_100..15_100).filter(|at| bucket.take(RATE, 1, *at).is_ok()).count();
        assert_eq!(taken, 99);
    }

    #[test]
    fn what_is_too_large_for_the_bucket_waits_until_it_is_paid() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(RATE, 30, 0), Ok(()));
        assert_eq!(bucket.take(RATE, 1, 1_000), Err(100));
        assert_eq!(bucket.take(RATE, 1, 1_100), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(RATE, 20, 10_000), Ok(()));
        assert!(bucket.take(RATE, 1, 0).is_err());
        assert!(bucket.take(RATE, 1, 10_000).is_err());
    }

    #[test]
    fn without_a_rate_everything_goes() {
        let mut bucket = Bucket::default();
        assert!((0..1_000).all(|_| bucket.take(Rate::default(), u64::MAX, 0).is_ok()));
    }
}
