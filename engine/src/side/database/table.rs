//! `realtime_messages` as a virtual table of SQLite: a cursor walks the channels that are wanted, and reads a few messages ahead.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::sync::Arc;

use rusqlite::types::ToSqlOutput;
use rusqlite::vtab::{
    Context, Filters, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor,
    sqlite3_vtab, sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Result};
use storage::Publication;

use super::plan::{self, Bounds, CHANNEL, Direction, ID};
use super::source::{Source, Stopped};
use crate::ids::ChannelKey;

/// The table's name.
pub(super) const NAME: &str = "realtime_messages";
const EVENT: c_int = 2;
const DATA: c_int = 3;
/// Without a rowid: ids are unique in a channel alone, and a rowid that is not unique loses rows of an OR.
const SCHEMA: &CStr = c"CREATE TABLE x(id INTEGER NOT NULL, channel TEXT NOT NULL, event TEXT, data TEXT, created_at_ms INTEGER, PRIMARY KEY(channel, id)) WITHOUT ROWID";

/// Messages of the first read, where the query has no limit; the next reads take more.
const FIRST_READ: usize = 16;
const READ_MAX: usize = 128;

/// Gives a database the table.
pub(super) fn make(conn: &Connection, source: &Arc<Source>) -> Result<()> {
    const MODULE: Module<'static, Table> = Module::eponymous_only_module().without_rowid();
    conn.create_module(NAME, &MODULE, Some(Arc::clone(source)))
}

#[repr(C)]
struct Table {
    /// SQLite's part, which must be the first.
    base: sqlite3_vtab,
    source: Arc<Source>,
}

// SAFETY: the struct is `repr(C)` and begins with `sqlite3_vtab`.
#[expect(unsafe_code, reason = "the trait asks for the layout above")]
unsafe impl<'vtab> VTab<'vtab> for Table {
    type Aux = Arc<Source>;
    type Cursor = Cursor<'vtab>;

    fn connect(
        db: &mut VTabConnection,
        aux: Option<&Self::Aux>,
        _module_name: &[u8],
        _database_name: &[u8],
        _table_name: &[u8],
        _args: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        db.config(VTabConfig::Innocuous)?;
        let source = aux.map(Arc::clone).ok_or(Stopped)?;
        Ok((Cow::Borrowed(SCHEMA), Self { base: sqlite3_vtab::default(), source }))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        plan::choose(info).map(|()| true)
    }

    fn open(&'vtab mut self) -> Result<Self::Cursor> {
        Ok(Cursor {
            base: sqlite3_vtab_cursor::default(),
            source: Arc::clone(&self.source),
            walk: Walk::default(),
            row: None,
            table: PhantomData,
        })
    }
}

#[repr(C)]
struct Cursor<'vtab> {
    /// SQLite's part, which must be the first.
    base: sqlite3_vtab_cursor,
    source: Arc<Source>,
    walk: Walk,
    row: Option<Arc<Publication>>,
    table: PhantomData<&'vtab Table>,
}

// SAFETY: the struct is `repr(C)` and begins with `sqlite3_vtab_cursor`.
#[expect(unsafe_code, reason = "the trait asks for the layout above")]
unsafe impl VTabCursor for Cursor<'_> {
    fn filter(&mut self, idx_num: c_int, _idx_str: Option<&str>, args: &Filters<'_>) -> Result<()> {
        self.walk = match plan::bounds(idx_num, args)? {
            Some(bounds) => Walk::begin(&self.source, &bounds)?,
            None => Walk::default(),
        };
        self.next()
    }

    fn next(&mut self) -> Result<()> {
        self.row = self.walk.next(&self.source)?;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.row.is_none()
    }

    fn column(&self, ctx: &mut Context, i: c_int) -> Result<()> {
        let Some(row) = &self.row else { return Ok(()) };
        match i {
            ID => ctx.set_result(number(row.offset().map_or(0, |it| it.0))),
            CHANNEL => ctx.set_result(row.channel().name()),
            EVENT => ctx.set_result(row.event()),
            // Invariant 14: a payload is checked JSON, so it is a text.
            DATA => ctx
                .set_result(ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Text(row.payload()))),
            _ => ctx.set_result(number(row.at_ms())),
        }
    }

    fn rowid(&self) -> Result<i64> {
        Ok(0)
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is still to be read.
#[derive(Default)]
struct Walk {
    channels: VecDeque<Stretch>,
    /// What was read and not looked at.
    ahead: VecDeque<Arc<Publication>>,
    falling: bool,
    read_next: usize,
}

/// Ids of one channel: above `after`, up to `last`.
struct Stretch {
    channel: Arc<ChannelKey>,
    after: u64,
    last: u64,
}

impl Walk {
    fn begin(source: &Source, bounds: &Bounds) -> Result<Self, Stopped> {
        let falling = bounds.direction == Direction::Falling;
        let (after, last) = (bounds.after, bounds.last);
        let channels = match &bounds.channel {
            // Reading upwards needs no more than the name.
            Some(name) if !falling => {
                [Stretch { channel: source.key(name), after, last }].into_iter().collect()
            }
            Some(_) | None => {
                let all = source.channels()?.into_iter();
                let is_wanted =
                    |it: &ChannelKey| bounds.channel.as_ref().is_none_or(|name| it.name() == name);
                all.filter(|(channel, _)| is_wanted(channel))
                    .map(|(channel, state)| Stretch {
                        channel,
                        after: after.max(state.first_retained.0.saturating_sub(1)),
                        last: last.min(state.position.offset.0),
                    })
                    .filter(|it| it.after < it.last)
                    .collect()
            }
        };
        let read_next = bounds.wanted.unwrap_or(FIRST_READ).clamp(1, READ_MAX);
        Ok(Self { channels, ahead: VecDeque::new(), falling, read_next })
    }

    fn next(&mut self, source: &Source) -> Result<Option<Arc<Publication>>, Stopped> {
        loop {
            if let Some(publication) = self.ahead.pop_front() {
                return Ok(Some(publication));
            }
            let Some(stretch) = self.channels.front_mut() else { return Ok(None) };
            if stretch.after >= stretch.last {
                self.channels.pop_front();
                continue;
            }
            let max = self.read_next;
            self.read_next = (max * 2).min(READ_MAX);
            if self.falling {
                stretch.fall(source, max, &mut self.ahead)?;
            } else {
                stretch.rise(source, max, &mut self.ahead)?;
            }
        }
    }
}

fn id(publication: &Publication) -> u64 {
    publication.offset().map_or(0, |it| it.0)
}

impl Stretch {
    /// Takes the lowest ids.
    fn rise(
        &mut self,
        source: &Source,
        max: usize,
        out: &mut VecDeque<Arc<Publication>>,
    ) -> Result<(), Stopped> {
        let span = usize::try_from(self.last - self.after).unwrap_or(usize::MAX);
        let some = source.read(&self.channel, self.after, max.min(span))?;
        // A read may give less than there is; only an empty one is the end.
        self.after = some.last().map_or(self.last, |it| id(it));
        out.extend(some.into_iter().filter(|it| id(it) <= self.last));
        Ok(())
    }

    /// Takes the highest ids, the highest first.
    fn fall(
        &mut self,
        source: &Source,
        max: usize,
        out: &mut VecDeque<Arc<Publication>>,
    ) -> Result<(), Stopped> {
        let low = self.after.max(self.last.saturating_sub(max as u64));
        let mut block = Self { channel: Arc::clone(&self.channel), after: low, last: self.last };
        let mut rising = VecDeque::new();
        while block.after < block.last {
            block.rise(source, max, &mut rising)?;
        }
        out.extend(rising.into_iter().rev());
        self.last = low;
        Ok(())
    }
}
