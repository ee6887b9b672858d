//! What a tenant used of its plan, window by window, exactly.

use protocol::{Rejection, Window};

use super::catalog::{CatalogChange, Entry, key};
use super::tier::{Metered, Quota, Tier};
use crate::ids::TenantId;

/// Their table in the catalog.
pub const QUOTA: &str = "quota";

const KINDS: usize = Metered::ALL.len();
const WINDOWS: [Window; 3] = [Window::UtcMinute, Window::Month, Window::Lifetime];
const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 86_400_000;

/// How much of each thing a call takes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bill {
    counts: [u32; KINDS],
}

impl Bill {
    /// So much of one thing.
    #[must_use]
    pub fn of(what: Metered, count: u32) -> Self {
        Self::default().and(what, count)
    }

    /// So much of another as well.
    #[must_use]
    pub fn and(mut self, what: Metered, count: u32) -> Self {
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
    pub fn count(&self, what: Metered) -> u64 {
        self.counts.get(what as usize).copied().unwrap_or_default().into()
    }
}

/// One counter: which minute or month it is about, and how many were used in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Used {
    period: u64,
    count: u64,
}

/// All counters of a tenant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    used: [[Used; WINDOWS.len()]; KINDS],
}

impl Usage {
    /// Says what the catalog has: see [`read_usage`].
    pub fn restore(&mut self, row: (Metered, Window, u64, u64)) {
        let (what, window, period, count) = row;
        if let Some(it) = self.at(what, window) {
            *it = Used { period, count };
        }
    }

    /// Takes a bill, all of it or nothing.
    ///
    /// # Errors
    /// When the plan holds too little of something.
    pub fn take(&mut self, tier: &Tier, bill: &Bill, wall_ms: u64) -> Result<(), Rejection> {
        for quota in &tier.quotas {
            let wanted = bill.count(quota.what);
            let Some(used) = self.at(quota.what, quota.window) else { continue };
            // A clock that goes back opens no window again.
            let period = period(quota.window, wall_ms).max(used.period);
            if used.period != period {
                *used = Used { period, count: 0 };
            }
            if wanted > 0 && used.count.saturating_add(wanted) > quota.max {
                return Err(used_up(quota, wall_ms));
            }
        }
        for quota in &tier.quotas {
            if let Some(used) = self.at(quota.what, quota.window) {
                used.count += bill.count(quota.what);
            }
        }
        Ok(())
    }

    /// Gives back what was taken of a thing for which nothing came.
    pub(super) fn give_back(&mut self, what: Metered, count: u64) {
        for used in self.used.get_mut(what as usize).into_iter().flatten() {
            used.count = used.count.saturating_sub(count);
        }
    }

    /// How many of a thing were used in the window that was counted last.
    #[must_use]
    pub fn count(&self, what: Metered, window: Window) -> u64 {
        let row = self.used.get(what as usize);
        row.and_then(|it| it.get(window as usize)).map_or(0, |it| it.count)
    }

    /// The changes that keep what differs from before.
    pub(super) fn changes(&self, tenant: TenantId, before: &Self) -> Vec<CatalogChange> {
        let mut changes = Vec::new();
        for ((at, now), (_, then)) in self.counters().zip(before.counters()) {
            if now != then {
                let value = [now.period.to_le_bytes(), now.count.to_le_bytes()].concat();
                changes.push(CatalogChange::Put(entry(tenant, at), value));
            }
        }
        changes
    }

    /// The changes that forget all of it.
    pub(super) fn forgotten(&self, tenant: TenantId) -> Vec<CatalogChange> {
        let kept = self.counters().filter(|(_, used)| *used != Used::default());
        kept.map(|(at, _)| CatalogChange::Delete(entry(tenant, at))).collect()
    }

    /// Every counter, with what it counts and in which window.
    fn counters(&self) -> impl Iterator<Item = ([u8; 2], Used)> {
        let rows = (0..).zip(&self.used);
        rows.flat_map(|(what, row)| (0..).zip(row).map(move |(window, it)| ([what, window], *it)))
    }

    fn at(&mut self, what: Metered, window: Window) -> Option<&mut Used> {
        self.used.get_mut(what as usize)?.get_mut(window as usize)
    }
}

fn entry(tenant: TenantId, at: [u8; 2]) -> Entry {
    Entry { table: QUOTA, key: key(tenant, &at) }
}

/// What a row of the catalog says, behind its tenant: what, in which window, of which period, how many.
#[must_use]
pub fn read_usage(rest: &[u8], value: &[u8]) -> Option<(Metered, Window, u64, u64)> {
    let &[what, window] = rest else { return None };
    let what = *Metered::ALL.get(usize::from(what))?;
    let window = *WINDOWS.get(usize::from(window))?;
    let (numbers, _) = value.as_chunks::<8>();
    let [period, count] = numbers else { return None };
    Some((what, window, u64::from_le_bytes(*period), u64::from_le_bytes(*count)))
}

/// What whoever wants more of it is told.
fn used_up(quota: &Quota, wall_ms: u64) -> Rejection {
    let &Quota { what, window, .. } = quota;
    if what == Metered::Credit {
        return Rejection::InsufficientCredit;
    }
    let retry_after_s = retry_after_s(window, wall_ms);
    Rejection::QuotaExceeded { quota: what.name(), window, retry_after_s }
}

/// The number of the window that a moment is in.
fn period(window: Window, wall_ms: u64) -> u64 {
    match window {
        Window::UtcMinute => wall_ms / MINUTE_MS,
        Window::Month => month(wall_ms / DAY_MS).0,
        Window::Lifetime => 0,
    }
}

fn retry_after_s(window: Window, wall_ms: u64) -> u32 {
    let left_ms = match window {
        Window::UtcMinute => MINUTE_MS - wall_ms % MINUTE_MS,
        Window::Month => {
            let (_, days_left) = month(wall_ms / DAY_MS);
            days_left * DAY_MS - wall_ms % DAY_MS
        }
        // It never comes back. A day is when somebody may have changed the plan.
        Window::Lifetime => DAY_MS,
    };
    u32::try_from(left_ms.div_ceil(1000)).unwrap_or(u32::MAX)
}

/// The number of a day's month since 1970, and the days that are left of it with the day itself.
fn month(day: u64) -> (u64, u64) {
    // Days since 1 March of year 0, of which every 400 years have the same number.
    const SINCE_MARCH_0: u64 = 719_468;
    const OF_400_YEARS: u64 = 146_097;
    let day = day + SINCE_MARCH_0;
    let (era, day) = (day / OF_400_YEARS, day % OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let start = |month: u64| (153 * month + 2) / 5;
    let year = era * 400 + year;
    let is_leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    // The last month of a year that begins in March is February.
    let end = if month == 11 { 365 + u64::from(is_leap(year + 1)) } else { start(month + 1) };
    let since_1970 = (year * 12 + month + 2).saturating_sub(1970 * 12);
    (since_1970, end - day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(4);

    fn tier(window: Window, max: u64) -> Tier {
        let quota = Quota { what: Metered::Mints, window, max };
        Tier { sockets_max: None, quotas: vec![quota] }
    }

    #[test]
    fn the_last_one_fits_and_the_next_does_not() {
        let (tier, mint) = (tier(Window::UtcMinute, 3), Bill::of(Metered::Mints, 1));
        let mut usage = Usage::default();
        assert!((0..3).all(|_| usage.take(&tier, &mint, 60_000).is_ok()));
        let refused = usage.take(&tier, &mint, 60_001).unwrap_err();
        assert_eq!(refused.window(), Some(Window::UtcMinute));
        assert_eq!(refused.retry_after_s(), Some(60));
        assert_eq!(usage.count(Metered::Mints, Window::UtcMinute), 3);
        assert!(usage.take(&tier, &mint, 119_999).is_err());
        assert!(usage.take(&tier, &mint, 120_000).is_ok());
        assert!((0..2).all(|_| usage.take(&tier, &mint, 60_000).is_ok()), "a clock that goes back");
        assert!(usage.take(&tier, &mint, 60_000).is_err());
    }

    #[test]
    fn a_bill_is_taken_whole_or_not_at_all() {
        let mut tier = tier(Window::Lifetime, 10);
        tier.quotas.push(Quota { what: Metered::Requests, window: Window::Month, max: 1 });
        let bill = Bill::of(Metered::Mints, 4).and(Metered::Requests, 1);
        let mut usage = Usage::default();
        assert!(usage.take(&tier, &bill, 0).is_ok());
        assert!(usage.take(&tier, &bill, 0).is_err());
        assert_eq!(usage.count(Metered::Mints, Window::Lifetime), 4);
        assert!(usage.take(&tier, &Bill::of(Metered::Messages, 1_000), 0).is_ok());
    }

    #[test]
    fn credit_is_spent_to_its_last_millionth_and_given_back_for_what_failed() {
        let tier = Tier::default().with_credit(1_000);
        let call = |cost| Bill::of(Metered::Credit, cost).and(Metered::Requests, 1);
        let mut usage = Usage::default();
        assert!((0..3).all(|_| usage.take(&tier, &call(333), 0).is_ok()));
        assert_eq!(usage.take(&tier, &call(2), 0), Err(Rejection::InsufficientCredit));
        assert_eq!(usage.take(&tier, &call(0), 0), Ok(()), "what costs nothing goes on");
        assert_eq!(usage.take(&tier, &call(1), 0), Ok(()));
        usage.give_back(Metered::Credit, 333);
        assert_eq!(usage.count(Metered::Credit, Window::Lifetime), 667);
        assert!(
            usage.take(&tier, &call(334), 0).is_err() && usage.take(&tier, &call(333), 0).is_ok()
        );
    }

    #[test]
    fn what_is_kept_is_what_changed_and_reads_as_it_was() {
        let mut usage = Usage::default();
        let tier = tier(Window::Month, 10);
        usage.take(&tier, &Bill::of(Metered::Mints, 7), 1_700_000_000_000).unwrap();
        let changes = usage.changes(TENANT, &Usage::default());
        let [CatalogChange::Put(entry, value)] = &changes[..] else { panic!("{changes:?}") };
        let (tenant, rest) = super::super::catalog::tenant_of(&entry.key).unwrap();
        assert_eq!(tenant, TENANT);
        let mut again = Usage::default();
        again.restore(read_usage(rest, value).unwrap());
        assert_eq!(again, usage);
        assert!(usage.changes(TENANT, &again).is_empty());
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        for (day, expected) in [
            (0, (0, 31)),
            (30, (0, 1)),
            (31, (1, 28)),
            (58, (1, 1)),
            (59, (2, 31)),
            // 2024-02-01, 2024-02-29, 2024-03-01, 2024-12-31, 2025-01-01.
            (19_754, (54 * 12 + 1, 29)),
            (19_782, (54 * 12 + 1, 1)),
            (19_783, (54 * 12 + 2, 31)),
            (20_088, (54 * 12 + 11, 1)),
            (20_089, (55 * 12, 31)),
            // 2100 is no leap year: 2100-02-28, 2100-03-01.
            (47_540, (130 * 12 + 1, 1)),
            (47_541, (130 * 12 + 2, 31)),
        ] {
            assert_eq!(month(day), expected, "day {day}");
        }
    }
}
