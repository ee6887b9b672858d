//! How short memory is on a node, and what is refused for it. Pure: one number is judged against one bound.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What there is no memory for. Each level includes those before it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Pressure {
    /// There is enough for everything.
    #[default]
    Calm,
    /// None for new connections.
    Connections,
    /// None for messages either.
    Publishes,
    /// None for what waits for the slowest consumers either.
    Consumers,
}

impl Pressure {
    /// The name of the bound, in refusals and in the table of settings.
    pub const LIMIT: &'static str = "memory_bytes_max";
    /// All levels, the least first.
    pub const ALL: [Self; 4] = [Self::Calm, Self::Connections, Self::Publishes, Self::Consumers];

    /// Over how many bytes it begins: at the bound, a sixteenth over it, an eighth over it.
    #[must_use]
    pub fn begins_over(self, bound_bytes: u64) -> u64 {
        match self {
            Self::Calm => 0,
            Self::Connections => bound_bytes,
            Self::Publishes => bound_bytes.saturating_add(bound_bytes / 16),
            Self::Consumers => bound_bytes.saturating_add(bound_bytes / 8),
        }
    }

    /// The level after this one when so many bytes are in use. A level ends a thirty-second of the bound below its beginning, so
    /// that it does not flicker.
    #[must_use]
    pub fn after(self, used_bytes: u64, bound_bytes: u64) -> Self {
        let holds = |level: &Self| {
            let slack_bytes = if *level <= self { bound_bytes / 32 } else { 0 };
            used_bytes.saturating_add(slack_bytes) > level.begins_over(bound_bytes)
        };
        Self::ALL.into_iter().rev().find(holds).unwrap_or_default()
    }
}

/// The level of a node, from the thread that measures to all cores.
#[derive(Debug)]
pub struct Gauge {
    level: AtomicU8,
    readings: AtomicU64,
    rounds: AtomicU64,
    give_back: fn(),
}

/// What a gauge shows at one time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shown {
    /// How short memory is.
    pub level: Pressure,
    /// How often memory was read.
    pub readings: u64,
    /// How often everyone was told to give memory back. While it is short they are told again and again.
    pub rounds: u64,
}

impl Gauge {
    /// A calm one. `give_back` has the allocator of the calling thread return what nobody uses: until then it counts as used.
    #[must_use]
    pub fn new(give_back: fn()) -> Self {
        let (level, readings, rounds) =
            (AtomicU8::default(), AtomicU64::default(), AtomicU64::default());
        Self { level, readings, rounds, give_back }
    }

    /// Memory was read, and this is the level. The thread that reads it calls this, and no other.
    pub fn set(&self, level: Pressure) {
        self.level.store(level as u8, Ordering::Release);
        self.readings.fetch_add(1, Ordering::Release);
    }

    /// Everyone is to give back what nobody uses. Call it before [`Gauge::set`]: who sees that level sees the new round too.
    pub fn begin_round(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Has the allocator of the calling thread return what nobody uses.
    pub fn give_back(&self) {
        (self.give_back)();
    }

    /// All that it shows.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let readings = self.readings.load(Ordering::Acquire);
        let level = level_of(self.level.load(Ordering::Acquire));
        Shown { level, readings, rounds: self.rounds.load(Ordering::Relaxed) }
    }

    /// The level.
    #[must_use]
    pub fn level(&self) -> Pressure {
        level_of(self.level.load(Ordering::Relaxed))
    }
}

fn level_of(number: u8) -> Pressure {
    Pressure::ALL.get(usize::from(number)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Pressure::{Calm, Connections, Consumers, Publishes};
    use super::*;

    const BOUND: u64 = 3_200;

    fn check(before: Pressure, used: u64, after: Pressure) {
        assert_eq!(before.after(used, BOUND), after, "{before:?} at {used}");
    }

    #[test]
    fn each_level_begins_over_its_share_of_the_bound() {
        for (used, level) in [
            (0, Calm),
            (3_200, Calm),
            (3_201, Connections),
            (3_400, Connections),
            (3_401, Publishes),
            (3_600, Publishes),
            (3_601, Consumers),
            (u64::MAX, Consumers),
        ] {
            check(Calm, used, level);
        }
    }

    #[test]
    fn a_level_ends_below_where_it_began() {
        for (before, used, after) in [
            (Connections, 3_101, Connections),
            (Connections, 3_100, Calm),
            (Publishes, 3_301, Publishes),
            (Publishes, 3_300, Connections),
            (Consumers, 3_501, Consumers),
            (Consumers, 3_500, Publishes),
            (Consumers, 3_100, Calm),
            (Publishes, 3_600, Publishes),
        ] {
            check(before, used, after);
        }
    }

    #[test]
    fn a_gauge_shows_what_it_was_set_to() {
        let gauge = Gauge::new(|| ());
        assert_eq!(gauge.shown(), Shown { level: Calm, readings: 0, rounds: 0 });
        for (level, readings) in Pressure::ALL.into_iter().zip(1..) {
            gauge.begin_round();
            gauge.set(level);
            assert_eq!(gauge.level(), level);
            assert_eq!(gauge.shown(), Shown { level, readings, rounds: readings });
        }
    }
}
