//! A view of a journal that keeps no lists: all messages of the scope, gone through for this one question.

use std::collections::BTreeMap;

use super::{
    Data, Part, Place, View,
    rows::{Row, Rows, Seen},
};

/// Messages as they are come by, in any order.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    rows: Rows,
    places: BTreeMap<Place, Row>,
}

impl Scan {
    pub(crate) fn take(&mut self, place: Place, seen: &Seen<'_>) {
        let row = self.rows.row(seen);
        self.places.insert(place, Row { place: place.at, ..row });
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
            Part { segment, live, data: Data::Rows(rows) }
        };
        View { parts: parts.into_iter().map(part).collect(), ..View::default() }
    }
}
