//! The commit delay: how long the storage thread waits for more messages before it syncs those that wait already.
//!
//! Publishers that wait for their answers come back together. Without a delay, those of one batch come while the next one is being
//! synced, and two halves take turns for ever: two syncs where one would do. So the thread waits until as many came as it saw
//! last. That is worth it only where those who come are those who were answered, which shows in the sync that follows: then
//! hardly anybody comes during it. Where others come all the time, or too few come, the next batches go without a delay.

use std::{fmt, time::Duration};

/// It was worth it if so many eighths of those that were waited for came: one who is late now and then does not end it.
const ENOUGH_EIGHTHS: usize = 7;
/// And if those who came during the sync were at most such a part of those that it was for.
const LATE_PART: usize = 3;
/// It lasts so many times as long as the last sync took, at most.
const SYNCS_MAX: u32 = 2;
/// A sync that is faster costs less than to wait for anybody.
const SYNC_MIN: Duration = Duration::from_micros(20);
/// By this factor more batches go without a delay after each that was in vain, and fewer after each that was not.
const PAUSE_FACTOR: u32 = 4;
/// Batches that go without a delay after one that was in vain, at most: about a second of them.
const PAUSE_MAX: u32 = 4096;

/// Tells the time since any start.
pub type Clock = Box<dyn Fn() -> Duration + Send>;

/// How a storage thread waits for those whose messages it has just synced to come with their next ones. It does where it sees that this
/// is worth it, and for two syncs' time at most.
pub struct DelayOptions {
    /// Never longer than this. Zero: not at all.
    pub longest: Duration,
    /// What the storage thread measures with.
    pub clock: Clock,
}

impl fmt::Debug for DelayOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("DelayOptions").field("longest", &self.longest).finish_non_exhaustive()
    }
}

/// Whether the storage thread waits for more, and for how many. Its times count from any start.
#[derive(Debug)]
pub(crate) struct CommitDelay {
    longest: Duration,
    /// More messages than this are never waited for: a batch is full, or nothing more may wait.
    count_max: usize,
    waits: Option<Wait>,
    /// How the delay before the batch that is synced now went.
    came: Option<Came>,
    /// Batches that go without one from now on.
    paused: u32,
    pause: u32,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    /// For so many messages: as many as were seen last, if so many may wait.
    count: usize,
    until: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Enough,
    TooFew,
}

impl CommitDelay {
    /// Waits never longer than `longest`, and never for more than `count_max` messages.
    pub(crate) fn new(longest: Duration, count_max: usize) -> Self {
        Self { longest, count_max, waits: None, came: None, paused: 0, pause: 1 }
    }

    /// A batch of so many messages was synced, in a time that ended now, and so many wait by now.
    pub(crate) fn synced(&mut self, count: usize, waiting: usize, took: Duration, now: Duration) {
        self.judge(count, waiting);
        self.waits = None;
        let seen = count + waiting;
        if seen < 2 || took < SYNC_MIN || self.longest.is_zero() {
            return;
        }
        if self.paused > 0 {
            self.paused -= 1;
            return;
        }
        let until = now + (took * SYNCS_MAX).min(self.longest);
        self.waits = Some(Wait { count: seen.min(self.count_max), until });
    }

    /// Nothing more is waited for: the last batch was refused, and says nothing of those who come.
    pub(crate) fn give_up(&mut self) {
        self.waits = None;
        self.came = None;
    }

    /// Whether the next batch is not to begin yet, with so many messages that wait.
    pub(crate) fn holds(&mut self, waiting: usize, now: Duration) -> bool {
        let Some(wait) = self.waits else { return false };
        if waiting < wait.count && now < wait.until {
            return true;
        }
        self.waits = None;
        let has_enough = waiting * 8 >= wait.count * ENOUGH_EIGHTHS;
        self.came = Some(if has_enough { Came::Enough } else { Came::TooFew });
        false
    }

    /// How many messages must wait before the thread is to be told of them. With fewer it looks by itself, after
    /// [`CommitDelay::left`].
    pub(crate) fn enough(&self) -> usize {
        self.waits.map_or(0, |it| it.count)
    }

    /// How long the delay may still last. `None` when there is none.
    pub(crate) fn left(&self, now: Duration) -> Option<Duration> {
        self.waits.map(|it| it.until.saturating_sub(now))
    }

    fn judge(&mut self, count: usize, waiting: usize) {
        let Some(came) = self.came.take() else { return };
        if came == Came::Enough && waiting * LATE_PART <= count {
            self.pause = (self.pause / PAUSE_FACTOR).max(1);
        } else {
            self.paused = self.pause;
            self.pause = (self.pause * PAUSE_FACTOR).min(PAUSE_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cmp::Reverse, collections::BinaryHeap};

    const LONGEST: Duration = Duration::from_millis(1);
    const SYNC_US: u64 = 250;
    const BATCH: usize = 1_024;

    /// What the batches of a load were like.
    #[derive(Debug, Default)]
    struct Load {
        messages: u64,
        batches: u64,
        /// Microseconds in which some waited for others, in all.
        delayed: u64,
        /// Microseconds from when each message came until it was synced, in all.
        waited_us: u64,
    }

    /// Runs a storage thread whose sync takes [`SYNC_US`]. Messages come at the times in `coming`; `next` says when the
    /// publisher of one that was just synced comes again, if it does.
    fn run(
        coming: impl IntoIterator<Item = u64>,
        batches: u64,
        next: impl Fn(u64, u64) -> Option<u64>,
    ) -> Load {
        let at = Duration::from_micros;
        let mut coming: BinaryHeap<_> = coming.into_iter().map(Reverse).collect();
        let (mut delay, mut load, mut now) = (CommitDelay::new(LONGEST, BATCH), Load::default(), 0);
        let mut waiting = Vec::new();
        while load.batches < batches {
            while coming.peek().is_some_and(|it| it.0 <= now) {
                waiting.extend(coming.pop().map(|it| it.0));
            }
            let is_held = delay.holds(waiting.len(), at(now));
            if is_held || waiting.is_empty() {
                load.delayed += u64::from(is_held && !waiting.is_empty());
                now += 1;
                continue;
            }
            now += SYNC_US;
            load.batches += 1;
            load.messages += waiting.len() as u64;
            load.waited_us += waiting.iter().map(|due| now - due).sum::<u64>();
            let count = waiting.len();
            coming.extend(
                (0..).zip(waiting.drain(..)).filter_map(|(nth, _)| next(nth, now)).map(Reverse),
            );
            let late = coming.iter().filter(|due| due.0 <= now).count();
            delay.synced(count, late, Duration::from_micros(SYNC_US), at(now));
        }
        load
    }

    #[test]
    fn publishers_that_wait_for_their_answers_are_synced_together() {
        for publishers in [2_u64, 4, 8, 32, 200] {
            // One half came while the other was synced.
            let halves = (0..publishers).map(|it| it % 2 * 100);
            let load = run(halves, 1_000, |nth, now| Some(now + 50 + nth));
            let together = load.messages as f64 / load.batches as f64;
            assert!(together >= 0.95 * publishers as f64, "{publishers}: {load:?}");
        }
    }

    #[test]
    fn messages_that_come_by_themselves_are_hardly_ever_delayed() {
        // In each microsecond with the same chance: gaps as those of a Poisson process.
        let chance = |us: u64| {
            let mixed = us.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ (mixed >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 11
        };
        for mean_us in [10, 33, 100, 300, 1_000] {
            let coming = (1..500_000).filter(|us| chance(*us) % mean_us == 0);
            let load = run(coming, 300, |_, _| None);
            let of_sync = |percent| load.messages * percent * SYNC_US / 100;
            assert!(25 * load.delayed <= load.batches * SYNC_US, "every {mean_us} us: {load:?}");
            // Half of the sync before, and the whole of its own.
            assert!(load.waited_us <= of_sync(155), "every {mean_us} us: {load:?}");
        }
    }

    #[test]
    fn one_who_does_not_come_back_is_not_waited_for_long() {
        let (now, sync) = (Duration::from_secs(1), Duration::from_secs(1));
        let mut delay = CommitDelay::new(LONGEST, BATCH);
        delay.synced(8, 8, sync, now);
        assert_eq!((delay.enough(), delay.left(now)), (16, Some(LONGEST)));
        assert!(delay.holds(15, now), "one more may come");
        assert!(!delay.holds(15, now + LONGEST), "but not for ever");
        assert_eq!((delay.enough(), delay.left(now)), (0, None));
        delay.synced(15, 0, sync, now);
        assert_eq!(delay.enough(), 15, "it was worth it for the others, who are waited for");
        assert!(!delay.holds(13, now + LONGEST));
        delay.synced(13, 0, sync, now);
        assert_eq!(delay.left(now), None, "one that was in vain is not tried again at once");
    }

    #[test]
    fn who_is_late_now_and_then_does_not_have_the_others_synced_apart() {
        // Of eight that come in halves, seven come back within a tenth of a millisecond, and one in ten times a sync.
        let halves = (0..8).map(|it| it % 2 * 100);
        let load = run(halves, 1_000, |nth, now| {
            Some(now + if nth == 7 { 10 * SYNC_US } else { 50 + nth })
        });
        let together = load.messages as f64 / load.batches as f64;
        assert!(together >= 6.5, "{load:?}");
    }

    #[test]
    fn no_more_are_waited_for_than_may_wait() {
        let now = Duration::from_secs(1);
        let mut delay = CommitDelay::new(LONGEST, 16);
        delay.synced(16, 12, SYNC_MIN, now);
        assert_eq!(delay.enough(), 16);
        assert!(delay.holds(15, now));
        assert!(!delay.holds(16, now), "a full batch waits for nobody");
    }

    #[test]
    fn nobody_is_waited_for_alone_or_where_a_sync_costs_nothing() {
        let now = Duration::from_secs(1);
        let mut delay = CommitDelay::new(LONGEST, BATCH);
        delay.synced(1, 0, Duration::from_secs(1), now);
        assert!(!delay.holds(1, now));
        delay.synced(100, 100, SYNC_MIN / 2, now);
        assert!(!delay.holds(1, now));
        let mut never = CommitDelay::new(Duration::ZERO, BATCH);
        never.synced(100, 100, Duration::from_secs(1), now);
        assert_eq!((never.enough(), never.left(now)), (0, None));
    }
}
