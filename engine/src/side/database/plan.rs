//! How a query's terms become bounds of a read. What is pushed down only narrows what is read: SQLite checks every term again.

use std::ffi::c_int;

use rusqlite::Result;
use rusqlite::types::Value;
use rusqlite::vtab::{Filters, IndexConstraintOp, IndexInfo};

pub(super) const ID: c_int = 0;
pub(super) const CHANNEL: c_int = 1;

/// A term that can be pushed down; its place is its bit in the plan, and the order of its argument.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Term {
    Channel,
    Is,
    Above,
    From,
    Below,
    UpTo,
    Limit,
    Offset,
}

const TERMS: [Term; 8] = [
    Term::Channel,
    Term::Is,
    Term::Above,
    Term::From,
    Term::Below,
    Term::UpTo,
    Term::Limit,
    Term::Offset,
];
/// The bit behind those of the terms: newest first.
const DESCENDING: c_int = 1 << TERMS.len();

/// In which order rows come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    /// The oldest first.
    Rising,
    /// The newest first.
    Falling,
}

/// What is to be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Bounds {
    /// One channel, or all by name.
    pub(super) channel: Option<String>,
    /// Ids above this.
    pub(super) after: u64,
    /// Ids up to this.
    pub(super) last: u64,
    /// Rows that are likely wanted.
    pub(super) wanted: Option<usize>,
    pub(super) direction: Direction,
}

fn term(column: c_int, operator: IndexConstraintOp) -> Option<Term> {
    match (column, operator) {
        (CHANNEL, IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ) => Some(Term::Channel),
        (ID, IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ) => Some(Term::Is),
        (ID, IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GT) => Some(Term::Above),
        (ID, IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GE) => Some(Term::From),
        (ID, IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LT) => Some(Term::Below),
        (ID, IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LE) => Some(Term::UpTo),
        (_, IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LIMIT) => Some(Term::Limit),
        (_, IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_OFFSET) => Some(Term::Offset),
        _ => None,
    }
}

/// Chooses what is pushed down, and says what it costs.
pub(super) fn choose(info: &mut IndexInfo) -> Result<()> {
    let mut found: [Option<usize>; TERMS.len()] = [None; TERMS.len()];
    let usable: Vec<_> = info
        .constraints()
        .enumerate()
        .filter(|(_, it)| it.is_usable())
        .filter_map(|(at, it)| Some((at, term(it.column(), it.operator())?)))
        .collect();
    for (at, term) in usable {
        // Another collation finds other channels.
        if term == Term::Channel && info.collation(at)? != "BINARY" {
            continue;
        }
        if let Some(slot) = found.get_mut(term as usize) {
            slot.get_or_insert(at);
        }
    }
    let mut plan = 0;
    let mut argument = 0;
    for (bit, at) in found.iter().enumerate() {
        if let Some(at) = at {
            argument += 1;
            plan |= 1 << bit;
            info.constraint_usage(*at).set_argv_index(argument);
        }
    }
    let has = |term: Term| plan & (1 << term as c_int) != 0;
    let (channel, id) = (has(Term::Channel), has(Term::Is));
    let ranged = has(Term::Above) || has(Term::From) || has(Term::Below) || has(Term::UpTo);
    let rows = match (channel, id, ranged) {
        (true, true, _) => 1,
        (true, false, true) => 1_000,
        (true, false, false) => 100_000,
        (false, true, _) => 10_000,
        (false, false, _) => 10_000_000,
    };
    info.set_estimated_rows(rows);
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    info.set_estimated_cost(rows as f64);
    if let Some(direction) = order(info, channel) {
        info.set_order_by_consumed(true);
        if direction == Direction::Falling {
            plan |= DESCENDING;
        }
    }
    info.set_idx_num(plan);
    Ok(())
}

/// The order that is asked for, if rows can come in it: by id within a channel, channels by name.
fn order(info: &IndexInfo, one_channel: bool) -> Option<Direction> {
    let mut seen_channel = one_channel;
    let mut asked = false;
    for term in info.order_bys() {
        asked = true;
        match (term.column(), term.is_order_by_desc()) {
            (CHANNEL, false) => seen_channel = true,
            (CHANNEL, true) if one_channel => {}
            // An id is unique in its channel: what follows it orders nothing.
            (ID, false) if seen_channel => return Some(Direction::Rising),
            (ID, true) if seen_channel => return Some(Direction::Falling),
            _ => return None,
        }
    }
    asked.then_some(Direction::Rising)
}

/// Reads the arguments of a plan. `None`: no row can match.
pub(super) fn bounds(plan: c_int, arguments: &Filters<'_>) -> Result<Option<Bounds>> {
    let direction = if plan & DESCENDING == 0 { Direction::Rising } else { Direction::Falling };
    let mut bounds = Bounds { channel: None, after: 0, last: u64::MAX, wanted: None, direction };
    let mut skipped = 0;
    let mut at = 0;
    for (bit, term) in TERMS.into_iter().enumerate() {
        if plan & (1 << bit) == 0 {
            continue;
        }
        let value: Value = arguments.get(at)?;
        at += 1;
        match (term, value) {
            (Term::Limit, value) => bounds.wanted = count(&value),
            (Term::Offset, value) => skipped = count(&value).unwrap_or_default(),
            // Nothing equals NULL, or is above or below it.
            (_, Value::Null) => return Ok(None),
            (Term::Channel, Value::Text(name)) => bounds.channel = Some(name),
            // SQLite makes a text of it, which is its business.
            (Term::Channel, Value::Integer(_) | Value::Real(_) | Value::Blob(_)) => {}
            (term, value) => bounds.narrow(term, &value),
        }
    }
    bounds.wanted = bounds.wanted.map(|it| it.saturating_add(skipped));
    Ok((bounds.after < bounds.last).then_some(bounds))
}

/// A limit below zero is none.
fn count(value: &Value) -> Option<usize> {
    match value {
        Value::Integer(number) => usize::try_from(*number).ok(),
        Value::Null | Value::Real(_) | Value::Text(_) | Value::Blob(_) => None,
    }
}

impl Bounds {
    fn narrow(&mut self, term: Term, value: &Value) {
        // The largest id at or below the value, and the smallest at or above it.
        let (floor, ceiling) = match value {
            Value::Integer(number) => (*number, *number),
            Value::Real(number) => (whole(number.floor()), whole(number.ceil())),
            // Texts and blobs compare as SQLite likes; it is left alone with them.
            Value::Null | Value::Text(_) | Value::Blob(_) => return,
        };
        let id = |number: i64| u64::try_from(number).unwrap_or(0);
        match term {
            Term::Is => {
                self.after = self.after.max(id(ceiling.saturating_sub(1)));
                self.last = self.last.min(id(floor));
            }
            Term::Above => self.after = self.after.max(id(floor)),
            Term::From => self.after = self.after.max(id(ceiling.saturating_sub(1))),
            Term::Below => self.last = self.last.min(id(ceiling.saturating_sub(1))),
            Term::UpTo => self.last = self.last.min(id(floor)),
            Term::Channel | Term::Limit | Term::Offset => {}
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, which is what a bound wants")]
fn whole(number: f64) -> i64 {
    number as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(terms: &[(Term, Value)], after: u64, last: u64) {
        let direction = Direction::Rising;
        let mut bounds =
            Bounds { channel: None, after: 0, last: u64::MAX, wanted: None, direction };
        for (term, value) in terms {
            bounds.narrow(*term, value);
        }
        assert_eq!((bounds.after, bounds.last), (after, last));
    }

    #[test]
    fn a_bound_keeps_every_id_that_its_term_keeps() {
        use Term::{Above, Below, From, Is, UpTo};
        use Value::{Integer, Real, Text};
        check(&[(Above, Integer(5))], 5, u64::MAX);
        check(&[(From, Integer(5))], 4, u64::MAX);
        check(&[(Below, Integer(5))], 0, 4);
        check(&[(UpTo, Integer(5))], 0, 5);
        check(&[(Is, Integer(5))], 4, 5);
        check(&[(Is, Real(5.5))], 5, 5);
        check(&[(Above, Real(5.5)), (Below, Real(7.5))], 5, 7);
        check(&[(From, Real(5.5)), (UpTo, Real(7.5))], 5, 7);
        check(&[(Above, Integer(i64::MIN)), (From, Integer(i64::MIN))], 0, u64::MAX);
        check(&[(Below, Integer(i64::MIN))], 0, 0);
        check(&[(Above, Real(1e300))], i64::MAX as u64, u64::MAX);
        check(&[(Above, Text("5".into()))], 0, u64::MAX);
        check(&[(Above, Integer(5)), (From, Integer(9)), (Above, Integer(7))], 8, u64::MAX);
    }
}
