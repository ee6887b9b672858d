//! What readers found out about where messages lie: the next reader on the same way need not look again. Pure.

use std::collections::VecDeque;

use storage::{Cursor, TenantId};

use crate::side::webhook::names::{Feed, Place};
use crate::side::webhook::source::log_place;

/// Ways that are known; each takes 800 KB at most. Over it the oldest is forgotten.
const WAYS_MAX: usize = 32;

/// See the module. The newest is last.
#[derive(Debug, Default)]
pub(super) struct Ways(VecDeque<(TenantId, Feed, Cursor)>);

impl Ways {
    /// A cursor at a place, if somebody found out what comes after it.
    pub(super) fn find(&self, tenant: TenantId, feed: &Feed, after: Place) -> Option<Cursor> {
        let of_it = self.0.iter().rev().filter(|it| it.0 == tenant && it.1 == *feed);
        of_it.filter_map(|it| it.2.at(log_place(after))).next()
    }

    /// Keeps what a cursor knows.
    pub(super) fn keep(&mut self, tenant: TenantId, feed: Feed, cursor: Cursor) {
        if cursor.is_blind() || self.0.iter().any(|it| it.2.shares_way(&cursor)) {
            return;
        }
        self.0.push_back((tenant, feed, cursor));
        if self.0.len() > WAYS_MAX {
            self.0.pop_front();
        }
    }
}
