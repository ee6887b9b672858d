//! Where time enters: once a turn.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::ids::Now;

/// The clocks of a node. All its cores share the start, so that their times compare.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the reactor is where time enters")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time of a turn.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the reactor is where time enters")]
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit 64 bits for ages")]
    pub fn now(&self) -> Now {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            // A node that just started is a second old: zero stands for "never".
            monotonic_ms: self.start.elapsed().as_millis() as u64 + 1_000,
            wall_ms: since_1970.as_millis() as u64,
        }
    }

    /// Microseconds since the start, for what ends within a turn or two.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "microseconds fit 64 bits for ages")]
    pub fn monotonic_us(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// How long it is until a time of [`Clock::monotonic_us`].
    #[must_use]
    pub fn until(&self, at_us: u64) -> Duration {
        Duration::from_micros(at_us.saturating_sub(self.monotonic_us()))
    }
}
