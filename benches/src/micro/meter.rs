//! What measures the rows of a room: the clock, or whoever counts instructions from outside.

use crate::Failure;
use crate::table::Table;

use super::{row, time};

/// A row: what is done once in a call, as many times as it says.
pub(crate) struct What<'a> {
    pub(crate) room: &'a str,
    pub(crate) what: &'a str,
    /// What one call does so many of.
    pub(crate) times: f64,
}

impl<'a> What<'a> {
    pub(crate) fn once(room: &'a str, what: &'a str) -> Self {
        Self { room, what, times: 1.0 }
    }
}

/// See the module.
pub(crate) enum Meter<'a> {
    /// Every row is timed, and goes into the table.
    Clock(&'a mut Table),
    /// One row is called so many times; the others are left out.
    Calls(Calls),
}

/// Which row is called, how often, and which one it was.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) row: usize,
    pub(crate) calls: u64,
    seen: usize,
    /// The room and the name of the row, and what a call does so many of.
    pub(crate) found: Option<(String, String, f64)>,
}

impl Calls {
    pub(crate) fn of(row: usize, calls: u64) -> Self {
        Self { row, calls, ..Self::default() }
    }
}

impl Meter<'_> {
    /// Measures a row.
    pub(crate) fn measure(
        &mut self,
        what: &What<'_>,
        mut work: impl FnMut() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self {
            Self::Clock(table) => {
                let nanoseconds = time(work)?;
                table.row(row(what.room, what.what, nanoseconds / what.times));
                Ok(())
            }
            Self::Calls(calls) => {
                calls.seen += 1;
                if calls.seen - 1 != calls.row {
                    return Ok(());
                }
                calls.found = Some((what.room.to_owned(), what.what.to_owned(), what.times));
                (0..calls.calls).try_for_each(|_| work())
            }
        }
    }
}
