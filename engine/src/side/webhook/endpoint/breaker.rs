//! Whether an endpoint is called at all: after failures in a row it is left alone, then probed with one call at a time.

use crate::side::webhook::limits::WebhookLimits;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Breaker {
    /// Failed attempts in a row.
    failures: u32,
    /// Whether an attempt ever went well since the start.
    is_proven: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until_ms: u64,
        /// How long it was open for.
        wait_ms: u64,
    },
    /// One call is under way, to see.
    Probing { wait_ms: u64 },
}

/// How many calls may begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admit {
    /// As many as there may be.
    All,
    /// One.
    Probe,
    /// None.
    Nothing,
}

impl Breaker {
    pub(super) fn admit(&self, now_ms: u64) -> Admit {
        match self.state {
            State::Closed => Admit::All,
            State::Open { until_ms, .. } if now_ms >= until_ms => Admit::Probe,
            State::Open { .. } | State::Probing { .. } => Admit::Nothing,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether its last attempt failed.
    pub(super) fn is_suspect(&self) -> bool {
        self.failures > 0
    }

    /// When it may be probed.
    pub(super) fn due_ms(&self) -> Option<u64> {
        match self.state {
            State::Open { until_ms, .. } => Some(until_ms),
            State::Closed | State::Probing { .. } => None,
        }
    }

    /// A probe begins.
    pub(super) fn probe(&mut self) {
        if let State::Open { wait_ms, .. } = self.state {
            self.state = State::Probing { wait_ms };
        }
    }

    /// Whether its last attempt went well. One that was never called is not trusted yet.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_proven && self.failures == 0
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self { is_proven: true, ..Self::default() };
    }

    pub(super) fn failed(&mut self, now_ms: u64, chance: u32, limits: &WebhookLimits) {
        self.failures = self.failures.saturating_add(1);
        let wait_ms = match self.state {
            State::Closed if self.failures < limits.breaker_failures => return,
            State::Closed => limits.breaker_wait_ms,
            // A call that began before it opened.
            State::Open { .. } => return,
            State::Probing { wait_ms } => (wait_ms * 2).min(limits.breaker_wait_ms_max),
        };
        self.state = State::Open { until_ms: now_ms + jittered(wait_ms, chance), wait_ms };
    }
}

/// A wait with up to a quarter on top, so that endpoints that failed together do not come back together.
pub(super) fn jittered(wait_ms: u64, chance: u32) -> u64 {
    wait_ms + (wait_ms / 4) * u64::from(chance) / u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_waits_longer_each_time() {
        let limits = WebhookLimits::default();
        let mut breaker = Breaker::default();
        assert!(!breaker.is_trusted());
        for _ in 0..4 {
            breaker.failed(0, 0, &limits);
        }
        breaker.succeeded();
        for at in 0..5 {
            assert_eq!(breaker.admit(at), Admit::All);
            breaker.failed(at, 0, &limits);
        }
        let (mut now, mut wait) = (4, 30_000);
        for _ in 0..10 {
            assert_eq!(breaker.admit(now + wait - 1), Admit::Nothing);
            assert_eq!(breaker.admit(now + wait), Admit::Probe);
            breaker.probe();
            assert_eq!(breaker.admit(u64::MAX), Admit::Nothing);
            now += wait;
            breaker.failed(now, 0, &limits);
            wait = (wait * 2).min(600_000);
        }
        assert_eq!(wait, 600_000);
        breaker.probe();
        breaker.succeeded();
        assert!(breaker.is_closed() && breaker.is_trusted() && !breaker.is_suspect());
    }

    #[test]
    fn chance_adds_at_most_a_quarter() {
        assert_eq!(jittered(1_000, 0), 1_000);
        assert_eq!(jittered(1_000, u32::MAX), 1_250);
    }
}
