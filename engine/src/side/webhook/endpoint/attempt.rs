//! The attempts at one delivery.

/// How far they are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempt {
    /// Those that count: probes do not.
    count: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Fresh,
    Waiting {
        until_ms: u64,
    },
    Calling {
        call: u64,
    },
}

impl Attempt {
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn may_begin(&self, now_ms: u64) -> bool {
        match self.state {
            State::Fresh => true,
            State::Waiting { until_ms } => now_ms >= until_ms,
            State::Calling { .. } => false,
        }
    }

    pub(super) fn is_calling(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    pub(super) fn is_call(&self, of: u64) -> bool {
        matches!(self.state, State::Calling { call } if call == of)
    }

    /// When it may begin; `None` while it is under way.
    pub(super) fn start_due_ms(&self) -> Option<u64> {
        match self.state {
            State::Fresh => Some(0),
            State::Waiting { until_ms } => Some(until_ms),
            State::Calling { .. } => None,
        }
    }

    pub(super) fn begin(&mut self, call: u64) {
        self.state = State::Calling { call };
    }

    /// It failed, and counts.
    pub(super) fn failed(&mut self) {
        self.count += 1;
        self.state = State::Fresh;
    }

    /// It failed while nothing else was expected of the endpoint.
    pub(super) fn probed(&mut self) {
        self.state = State::Fresh;
    }

    pub(super) fn wait(&mut self, until_ms: u64) {
        self.state = State::Waiting { until_ms };
    }
}
