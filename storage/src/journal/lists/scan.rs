//! A view of a journal that keeps no lists: all messages of the scope, gone through for this one question.

use std::collections::BTreeMap;

use super::{
    CountKey, CountRow, Data, Numbers, Part, Place, View,
    counts::{CountLog, over},
    rows::{Row, Rows, Seen},
};
use crate::ids::TenantId;

/// Messages as they are come by, in any order.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    rows: Rows,
    places: BTreeMap<Place, Row>,
    counts: CountLog,
}

impl Scan {
    pub(crate) fn take(&mut self, place: Place, seen: &Seen<'_>) {
        let row = self.rows.row(seen);
        self.places.insert(place, Row { place: place.at, ..row });
    }

    /// Takes what is said about a message; it counts in place of what was said before.
    pub(crate) fn count(&mut self, tenant: TenantId, key: CountKey, now: Numbers) {
        let before = self.counts.find(key).unwrap_or_default();
        let now = over(now, before);
        self.counts.take(CountRow { tenant, key, now, before });
    }

    /// What was taken; nothing is said about where it begins and ends.
    pub(crate) fn view(self) -> View {
        let series = self.rows.snapshot().series;
        let mut parts: BTreeMap<u64, Rows> = BTreeMap::new();
        for (place, row) in self.places {
            parts.entry(place.segment).or_default().push(row);
        }
        let part = |(segment, rows): (u64, Rows)| {
            let mut rows = rows.snapshot();
            let live = rows.rows.len() as u64;
            rows.series = series.clone();
            Part { segment, live, speaks: false, is_partial: false, data: Data::Rows(rows) }
        };
        let mut parts: Vec<_> = parts.into_iter().map(part).collect();
        if let Some(Part { data: Data::Rows(rows), speaks, .. }) = parts.last_mut() {
            (rows.counts, *speaks) = (self.counts.snapshot(), true);
        }
        View { parts, ..View::default() }
    }
}
