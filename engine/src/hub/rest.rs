//! When a large group that was just served is served again. Whoever answers what it heard, or sends the next as soon as the last has
//! arrived, does so at the end of a fan-out: half of that would find the next one begun.

use super::GroupId;

/// A group rests for this part of the time that its fan-out took, but no longer than `REST_US_MAX`.
const REST_PART: u64 = 16;
const REST_US_MAX: u64 = 1_000;

/// The large group that was served last, if it took more than a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Rest {
    /// None, or it has rested.
    #[default]
    Over,
    /// Some of it still wait, until so many slices were sent.
    Served { id: GroupId, began_us: u64, slices: u64 },
    /// It collects until then.
    Resting { id: GroupId, until_us: u64 },
}

impl Rest {
    /// The beginning of a turn, before which so many slices were sent in all.
    pub(super) fn go_on(&mut self, at_us: u64, slices_sent: u64) {
        if let Self::Served { id, began_us, slices } = *self
            && slices_sent >= slices
        {
            let took_us = at_us.saturating_sub(began_us);
            let until_us = at_us + (took_us / REST_PART).min(REST_US_MAX);
            *self = Self::Resting { id, until_us };
        }
        if let Self::Resting { until_us, .. } = *self
            && until_us <= at_us
        {
            *self = Self::Over;
        }
    }

    /// Whether the group is not to be served in this turn.
    pub(super) fn holds(&self, group: GroupId) -> bool {
        match *self {
            Self::Over => false,
            Self::Served { id, .. } | Self::Resting { id, .. } => id == group,
        }
    }

    /// When the group may be served again, if it is served and rests.
    pub(super) fn until_us(&self, group: GroupId) -> Option<u64> {
        match *self {
            Self::Resting { id, until_us } if id == group => Some(until_us),
            Self::Over | Self::Served { .. } | Self::Resting { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: GroupId = GroupId(3);

    #[test]
    fn a_group_rests_for_a_part_of_what_it_took_and_not_for_long() {
        let check = |took_us: u64, expected: u64| {
            let mut rest = Rest::Served { id: GROUP, began_us: 50, slices: 7 };
            rest.go_on(60, 6);
            assert!(rest.holds(GROUP) && rest.until_us(GROUP).is_none(), "it is being served");
            let over = 50 + took_us;
            rest.go_on(over, 7);
            let until = rest.until_us(GROUP);
            assert_eq!(until, (expected > 0).then_some(over + expected), "{took_us}");
            assert_eq!(rest.holds(GROUP), expected > 0);
            assert!(!rest.holds(GroupId(4)) && rest.until_us(GroupId(4)).is_none());
            rest.go_on(over + expected, 7);
            assert!(!rest.holds(GROUP));
        };
        check(15, 0);
        check(1_600, 100);
        check(16_000, 1_000);
        check(90_000, 1_000);
    }
}
