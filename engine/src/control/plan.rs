//! What one tenant may do, beside what every tenant may: its tier, its rates, its options.

use protocol::{Origins, Rejection};

use super::bucket::{Bucket, Rate};
use super::costs::Costs;
use super::tier::{Metered, Tier};

/// What is limited by the second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paced {
    /// Sockets opened.
    Connections,
    /// Calls over HTTP.
    Requests,
    /// Messages published.
    Publishes,
    /// Bytes of their data.
    Bytes,
    /// Subscriptions begun.
    Subscriptions,
    /// Channels registered.
    Channels,
}

/// How many kinds there are.
const KINDS: usize = 6;

impl Paced {
    /// All of them.
    pub const ALL: [Self; KINDS] = [
        Self::Connections,
        Self::Requests,
        Self::Publishes,
        Self::Bytes,
        Self::Subscriptions,
        Self::Channels,
    ];
}

/// Whose limit it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Whose {
    /// All connections of a tenant together.
    Tenant,
    /// One connection alone.
    Connection,
}

impl Whose {
    /// What it is told that has gone too fast.
    #[must_use]
    pub fn refusal(self, (what, wait_ms): (Paced, u64)) -> Rejection {
        let retry_after_s = u32::try_from(wait_ms.div_ceil(1000)).unwrap_or(u32::MAX);
        Rejection::RateLimited { limit: self.limit(what), retry_after_s }
    }

    /// The limit, as the setting is called.
    fn limit(self, what: Paced) -> &'static str {
        match (self, what) {
            (_, Paced::Connections) => "connections_per_s",
            (Self::Tenant, Paced::Requests) => "requests_per_s",
            (Self::Tenant, Paced::Publishes) => "publishes_per_s",
            (Self::Tenant, Paced::Bytes) => "bytes_per_s",
            (Self::Connection, Paced::Requests) => "connection_requests_per_s",
            (Self::Connection, Paced::Publishes) => "connection_publishes_per_s",
            (Self::Connection, Paced::Bytes) => "connection_bytes_per_s",
            (_, Paced::Subscriptions) => "subscriptions_per_s",
            (_, Paced::Channels) => "channels_per_s",
        }
    }
}

/// A number for each of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pace {
    counts: [u32; KINDS],
}

impl Pace {
    /// So much of one thing.
    #[must_use]
    pub fn of(what: Paced, count: u32) -> Self {
        Self::default().and(what, count)
    }

    /// So much of another as well.
    #[must_use]
    pub fn and(mut self, what: Paced, count: u32) -> Self {
        if let Some(it) = self.counts.get_mut(what as usize) {
            *it = it.saturating_add(count);
        }
        self
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, more: &Self) -> Self {
        let both = self.counts.iter_mut().zip(&more.counts);
        both.for_each(|(it, more)| *it = it.saturating_add(*more));
        self
    }

    /// How much of a thing.
    #[must_use]
    pub fn count(&self, what: Paced) -> u64 {
        self.counts.get(what as usize).copied().unwrap_or_default().into()
    }
}

/// A rate for each of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rates {
    rates: [Rate; KINDS],
}

impl Rates {
    /// Limits one thing.
    pub fn set(&mut self, what: Paced, rate: Rate) {
        if let Some(it) = self.rates.get_mut(what as usize) {
            *it = rate;
        }
    }

    /// Whether anything is limited.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.rates.iter().any(|it| it.is_set())
    }

    fn rate(&self, what: Paced) -> Rate {
        self.rates.get(what as usize).copied().unwrap_or_default()
    }
}

/// A bucket for each of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Buckets {
    buckets: [Bucket; KINDS],
}

impl Buckets {
    /// Takes from all of them, or from none.
    ///
    /// # Errors
    /// When one has too little; says which, and in how many milliseconds it will have enough.
    pub fn take(&mut self, rates: &Rates, pace: &Pace, now_ms: u64) -> Result<(), (Paced, u64)> {
        let before = self.buckets;
        for (what, bucket) in Paced::ALL.into_iter().zip(&mut self.buckets) {
            let count = pace.count(what);
            if count == 0 {
                continue;
            }
            if let Err(wait_ms) = bucket.take(rates.rate(what), count, now_ms) {
                self.buckets = before;
                return Err((what, wait_ms));
            }
        }
        Ok(())
    }
}

/// See the module.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// What it pays for; `None` counts nothing.
    pub tier: Option<Tier>,
    /// How fast it may go.
    pub rates: Rates,
    /// What becomes of a socket whose token expires or is revoked.
    pub on_token_end: OnTokenEnd,
    /// What its calls of Infrai cost.
    pub costs: Costs,
    /// The pages that may use its sockets; without a list all may.
    pub origins: Option<Origins>,
}

/// See [`Plan::on_token_end`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnTokenEnd {
    /// It stays: a token opens, it does not keep open.
    #[default]
    Stay,
    /// It is closed.
    Close,
}

impl Plan {
    /// Whether its calls have to be counted at its seat first.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        self.tier.is_some() || self.rates.is_set()
    }

    /// Whether it holds so much credit and no more.
    #[must_use]
    pub fn has_credit(&self) -> bool {
        let mut quotas = self.tier.iter().flat_map(|it| &it.quotas);
        quotas.any(|it| it.what == Metered::Credit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_taken_whole_or_not_at_all() {
        let mut rates = Rates::default();
        rates.set(Paced::Publishes, Rate { per_second: 10, burst: 10 });
        rates.set(Paced::Bytes, Rate { per_second: 100, burst: 100 });
        let mut buckets = Buckets::default();
        let pace = |bytes| Pace::of(Paced::Publishes, 1).and(Paced::Bytes, bytes);
        assert_eq!(buckets.take(&rates, &pace(100), 1_000), Ok(()));
        assert_eq!(buckets.take(&rates, &pace(1), 1_000), Err((Paced::Bytes, 10)));
        assert_eq!(buckets.take(&rates, &Pace::of(Paced::Publishes, 9), 1_000), Ok(()));
        assert!(buckets.take(&rates, &Pace::of(Paced::Publishes, 1), 1_000).is_err());
    }
}
