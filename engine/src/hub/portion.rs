//! How many sends to groups a turn makes: as many as take about so long here and now, as whoever else is on the core waits for them.

/// Sends that a turn may always make, however long they take: a large fan-out goes on.
const LEAST: usize = 16;
/// With less than this part of a portion a turn says nothing about how long one takes.
const TELLING_PART: usize = 4;

/// A group of at most this part of the most sends of a turn is small, and goes before large ones.
const SMALL_PART: usize = 4;

/// The first portion, until it is known how many fit.
const FIRST: usize = 64;

/// Where nobody else was served in the midst of a fan-out for so long, turns are so many times as long: they keep nobody waiting. Where a
/// small group was served, large ones do not get such turns.
const ALONE_US: u64 = 10_000_000;
const TURNS_ALONE: usize = 16;

/// How many a frame is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Size {
    /// So few that they get it in one turn.
    Small,
    /// So many that they may get it in several turns.
    Large,
}

/// The sends of a turn.
#[derive(Debug)]
pub(super) struct Portion {
    sends: usize,
    sends_max: usize,
    /// Whether it is known how many fit.
    is_measured: bool,
    /// Until when somebody else may be there, as somebody was.
    company_until_us: u64,
    small_until_us: u64,
    is_alone: bool,
    has_small: bool,
}

impl Portion {
    /// A few, until it is known how long they take.
    pub(super) fn new(sends_max: usize) -> Self {
        Self {
            sends: FIRST.min(sends_max),
            sends_max,
            is_measured: false,
            company_until_us: 0,
            small_until_us: 0,
            is_alone: false,
            has_small: false,
        }
    }

    /// The size of a group of so many, however large the next portion is.
    pub(super) fn size(&self, count: usize) -> Size {
        if count <= self.sends_max / SMALL_PART { Size::Small } else { Size::Large }
    }

    /// A turn begins, at a monotonic time in microseconds. Has it company, it gives others something in the midst of a fan-out. Has it
    /// small groups, they may have something again soon.
    pub(super) fn begin_turn(&mut self, at_us: u64, has_company: bool, has_small: bool) {
        if has_company {
            self.company_until_us = at_us + ALONE_US;
        }
        if has_small {
            self.small_until_us = at_us + ALONE_US;
        }
        self.is_alone = self.is_measured && at_us >= self.company_until_us;
        self.has_small = at_us < self.small_until_us;
    }

    /// Sends that the turn may make until all groups of a size have what it gives them.
    pub(super) fn sends(&self, to: Size) -> usize {
        let is_long = self.is_alone && !(to == Size::Large && self.has_small);
        if is_long { self.sends.saturating_mul(TURNS_ALONE) } else { self.sends }
    }

    /// A turn with so many sends took the kernel so long, and is to take `aim_us`. Goes half of the way, as the processor may have been
    /// taken away meanwhile, or something else was sent or closed besides.
    pub(super) fn adapt(&mut self, sends: usize, took_us: u64, aim_us: u64) {
        if sends * TELLING_PART < self.sends {
            return;
        }
        let fitting = (sends as u64).saturating_mul(aim_us) / took_us.max(1);
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX).min(self.sends_max);
        self.sends = self.sends.midpoint(fitting).max(LEAST.min(self.sends_max));
        self.is_measured = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AIM_US: u64 = 500;

    fn sends(portion: &Portion) -> usize {
        portion.sends(Size::Large)
    }

    /// After turns whose sends take so many microseconds each.
    fn settled(portion: &mut Portion, each_us: u64) -> usize {
        for _ in 0..20 {
            portion.adapt(sends(portion), sends(portion) as u64 * each_us, AIM_US);
        }
        sends(portion)
    }

    #[test]
    fn a_portion_takes_as_long_as_it_may() {
        let mut portion = Portion::new(256);
        assert_eq!(sends(&portion), FIRST);
        assert_eq!(settled(&mut portion, 10), 50);
        assert_eq!(settled(&mut portion, 5), 99);
        assert_eq!(settled(&mut portion, 0), 255);
        assert_eq!(settled(&mut portion, 10_000), LEAST);
    }

    #[test]
    fn one_slow_turn_halves_it_and_a_few_sends_say_nothing() {
        let mut portion = Portion::new(256);
        settled(&mut portion, 10);
        portion.adapt(50, 50_000, AIM_US);
        assert_eq!(sends(&portion), 25);
        portion.adapt(6, 50_000, AIM_US);
        assert_eq!(sends(&portion), 25);
    }

    #[test]
    fn who_is_alone_takes_longer_turns_until_somebody_comes() {
        let mut portion = Portion::new(256);
        portion.begin_turn(0, false, false);
        assert_eq!(sends(&portion), FIRST, "nobody knows yet how long that takes");
        let few = settled(&mut portion, 10);
        portion.begin_turn(0, false, false);
        assert_eq!(sends(&portion), TURNS_ALONE * few);
        let check = |portion: &mut Portion, at_us, has_company, expected| {
            portion.begin_turn(at_us, has_company, false);
            assert_eq!(
                (portion.sends(Size::Small), sends(portion)),
                (expected, expected),
                "{at_us}"
            );
        };
        check(&mut portion, 2 * ALONE_US, true, few);
        check(&mut portion, 3 * ALONE_US - 1, false, few);
        check(&mut portion, 3 * ALONE_US, false, TURNS_ALONE * few);
    }

    #[test]
    fn large_groups_beside_small_ones_get_short_turns_from_the_first() {
        let mut portion = Portion::new(256);
        let few = settled(&mut portion, 10);
        for (at_us, has_small, large) in
            [(0, true, few), (ALONE_US - 1, false, few), (ALONE_US, false, TURNS_ALONE * few)]
        {
            portion.begin_turn(at_us, false, has_small);
            let expected = (TURNS_ALONE * few, large);
            assert_eq!((portion.sends(Size::Small), sends(&portion)), expected, "{at_us}");
        }
    }

    #[test]
    fn what_may_be_less_than_the_least_is() {
        let mut portion = Portion::new(4);
        assert_eq!((sends(&portion), settled(&mut portion, 10_000)), (4, 4));
    }
}
