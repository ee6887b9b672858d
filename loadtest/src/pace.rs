//! Time: the generator's clock, and when each message is due.

use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

const SECOND_NS: u128 = 1_000_000_000;
/// For how long after its end an open loop sends what was due before.
const LATE_NS_MAX: u64 = 250_000_000;

/// Nanoseconds since the run began, by the clock that all processes of a host share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin_ns: u64,
}

impl Clock {
    /// A clock that begins at zero.
    pub(crate) fn start() -> Self {
        Self::of(monotonic_ns())
    }

    /// The clock of another process on this host.
    pub(crate) fn of(origin_ns: u64) -> Self {
        Self { origin_ns }
    }

    /// What makes another process' clock the same.
    pub(crate) fn origin_ns(&self) -> u64 {
        self.origin_ns
    }

    /// The time.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        monotonic_ns().saturating_sub(self.origin_ns)
    }
}

#[inline]
fn monotonic_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Seconds since 1970, for what is signed with a time.
#[expect(clippy::disallowed_methods, reason = "this is where time enters the load test")]
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// How messages follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At fixed times, whatever the server does.
    Open { per_second: u64 },
    /// A new one when an outstanding one is done.
    Closed { outstanding: u64 },
}

/// One message that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Dense from 0 over the whole run.
    pub(crate) number: u64,
}

/// Decides when messages are due. It reads no clock: the same times give the same messages.
#[derive(Debug)]
pub(crate) struct Pacer {
    pace: Pace,
    start_ns: u64,
    end_ns: u64,
    released: u64,
    done: u64,
}

impl Pacer {
    /// A pacer whose first message is due at `start_ns`, and whose last is due before `end_ns`.
    pub(crate) fn new(pace: Pace, start_ns: u64, end_ns: u64) -> Self {
        Self { pace, start_ns, end_ns, released: 0, done: 0 }
    }

    /// Takes the next message if it is due by now.
    pub(crate) fn take(&mut self, now_ns: u64) -> Option<Due> {
        let is_due = match self.pace {
            Pace::Open { .. } => self.due_ns(self.released, now_ns) <= now_ns.min(self.end_ns - 1),
            Pace::Closed { outstanding } => {
                now_ns < self.end_ns && self.released - self.done < outstanding
            }
        };
        is_due.then(|| {
            self.released += 1;
            Due { number: self.released - 1 }
        })
    }

    /// Whether what was taken may still be sent: until the end, and in an open loop for a moment after it, in
    /// which a thread that slept past the end sends what was due before it.
    pub(crate) fn may_send(&self, now_ns: u64) -> bool {
        let late_ns = match self.pace {
            Pace::Open { .. } => LATE_NS_MAX,
            Pace::Closed { .. } => 0,
        };
        now_ns < self.end_ns + late_ns
    }

    /// When a message is due; in a closed loop that is when it is sent.
    pub(crate) fn due_ns(&self, number: u64, now_ns: u64) -> u64 {
        match self.pace {
            Pace::Open { per_second } => {
                let after = u128::from(number) * SECOND_NS / u128::from(per_second);
                self.start_ns + u64::try_from(after).unwrap_or(u64::MAX / 2)
            }
            Pace::Closed { .. } => now_ns,
        }
    }

    /// An outstanding message is done: a closed loop may send another.
    pub(crate) fn complete(&mut self) {
        self.done = (self.done + 1).min(self.released);
    }

    /// Gives up all outstanding messages, when they have been silent for too long.
    pub(crate) fn forget_outstanding(&mut self) {
        self.done = self.released;
    }

    /// When to look again; `None`: only an event changes anything.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        match self.pace {
            Pace::Open { .. } => {
                Some(self.due_ns(self.released, 0)).filter(|due_ns| *due_ns < self.end_ns)
            }
            Pace::Closed { .. } => None,
        }
    }

    /// Messages that are due and were not taken.
    pub(crate) fn untouched(&self, now_ns: u64) -> u64 {
        let due = self.due_between(self.start_ns, now_ns.saturating_add(1));
        due.map_or(0, |due| due.saturating_sub(self.released))
    }

    /// Messages that are due in a part of the run; `None` in a closed loop, which has no due times.
    pub(crate) fn due_between(&self, from_ns: u64, to_ns: u64) -> Option<u64> {
        match self.pace {
            Pace::Open { per_second } => {
                let until = |at_ns: u64| {
                    let span = u128::from(at_ns.min(self.end_ns).saturating_sub(self.start_ns));
                    (span * u128::from(per_second)).div_ceil(SECOND_NS)
                };
                Some(u64::try_from(until(to_ns) - until(from_ns)).unwrap_or(u64::MAX))
            }
            Pace::Closed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(pacer: &mut Pacer, now_ns: u64) -> usize {
        std::iter::from_fn(|| pacer.take(now_ns)).count()
    }

    #[test]
    fn an_open_loop_is_due_at_fixed_times_however_it_is_asked() {
        let mut often = Pacer::new(Pace::Open { per_second: 3000 }, 500, 2_000_000_500);
        let mut seldom = Pacer::new(Pace::Open { per_second: 3000 }, 500, 2_000_000_500);
        let mut counted = 0;
        for now_ns in (0..3_000_000_000).step_by(777_777) {
            counted += take_all(&mut often, now_ns);
        }
        assert_eq!(counted, 6000);
        assert_eq!(take_all(&mut seldom, 3_000_000_000), 6000);
        assert_eq!(often.due_ns(1, 0), 500 + 333_333);
        assert_eq!(often.due_ns(3000, 0), 1_000_000_500);
        assert_eq!(often.next_ns(), None, "nothing is due after the end");
    }

    #[test]
    fn a_message_is_due_at_its_time_and_not_before() {
        let mut pacer = Pacer::new(Pace::Open { per_second: 10 }, 0, 1_000_000_000);
        assert_eq!(pacer.take(0), Some(Due { number: 0 }));
        assert_eq!(pacer.next_ns(), Some(100_000_000));
        assert_eq!(pacer.take(99_999_999), None);
        assert_eq!((pacer.untouched(99_999_999), pacer.untouched(100_000_000)), (0, 1));
        assert_eq!(pacer.take(100_000_000), Some(Due { number: 1 }));
    }

    #[test]
    fn due_messages_are_counted_without_taking_them() {
        let pacer = Pacer::new(Pace::Open { per_second: 10 }, 50, 1_000_000_050);
        assert_eq!(pacer.due_between(50, 1_000_000_050), Some(10));
        assert_eq!(pacer.due_between(50, 51), Some(1));
        assert_eq!(pacer.due_between(51, 100_000_050), Some(0));
        assert_eq!(pacer.due_between(500_000_050, 9_000_000_000), Some(5));
        let closed = Pacer::new(Pace::Closed { outstanding: 1 }, 0, 10);
        assert_eq!(closed.due_between(0, 10), None);
    }

    #[test]
    fn what_was_due_before_the_end_is_sent_after_it_for_a_moment() {
        let mut open = Pacer::new(Pace::Open { per_second: 10 }, 0, 1_000_000_000);
        assert_eq!(take_all(&mut open, 1_004_000_000), 10, "its thread slept past the end");
        assert!(open.may_send(1_004_000_000));
        assert!(
            !open.may_send(1_000_000_000 + LATE_NS_MAX),
            "a server that is behind is not awaited"
        );
        let closed = Pacer::new(Pace::Closed { outstanding: 1 }, 0, 1_000_000_000);
        assert!(closed.may_send(999_999_999) && !closed.may_send(1_000_000_000));
    }

    #[test]
    fn a_closed_loop_keeps_its_window() {
        let mut pacer = Pacer::new(Pace::Closed { outstanding: 2 }, 0, 1000);
        assert_eq!(take_all(&mut pacer, 1), 2);
        pacer.complete();
        assert_eq!(pacer.take(2), Some(Due { number: 2 }));
        assert_eq!(pacer.take(2), None);
        pacer.forget_outstanding();
        pacer.complete();
        assert_eq!(take_all(&mut pacer, 3), 2, "late completions do not widen the window");
        pacer.complete();
        assert_eq!(pacer.take(1000), None, "nothing is sent after the end");
    }
}
