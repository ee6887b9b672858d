//! One query, from its text to the JSON of its rows, inside its bounds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol::Rejection;
use protocol::dialect::cohesivity::{Cell, DatabaseQuery, QueryParam, QueryParams, Rows};
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Batch, Connection, Error, OpenFlags, Row, Statement};

use super::source::Source;
use super::table;
use crate::side::limits::DatabaseLimits;

/// Steps of SQLite's machine between two looks at the time.
const STEPS_PER_LOOK: i32 = 1_000;
/// Functions that reach outside the query.
const FORBIDDEN: [&str; 2] = ["load_extension", "fts3_tokenizer"];
/// What only reads a value that the query gives it.
const TABLES: [&str; 3] = [table::NAME, "json_each", "json_tree"];
const ONLY_SELECT: &str = "only SELECT is allowed";

/// What a query hears that took too long.
pub(super) fn over_time(time_ms_max: u64) -> Rejection {
    over("database_time_ms_max", time_ms_max, "ms")
}

fn over(limit: &str, max: u64, unit: &str) -> Rejection {
    Rejection::Query(format!("query over its limit: {limit} is {max} {unit}").into())
}

fn refused(message: &str) -> Rejection {
    Rejection::Query(message.into())
}

/// Runs every statement; the rows are those of the last.
pub(super) fn run(
    query: &DatabaseQuery,
    source: &Arc<Source>,
    limits: &DatabaseLimits,
) -> Result<Vec<u8>, Rejection> {
    let ran =
        open(source, limits).map_err(Fault::from).and_then(|conn| statements(&conn, query, limits));
    ran.map_err(|fault| match (source.rejection(limits.time_ms_max), fault) {
        (Some(rejection), _) | (None, Fault::Refused(rejection)) => rejection,
        (None, Fault::Sqlite(why)) => explain(&why, limits),
    })
}

enum Fault {
    Refused(Rejection),
    Sqlite(Error),
}

impl From<Error> for Fault {
    fn from(why: Error) -> Self {
        Self::Sqlite(why)
    }
}

impl From<Rejection> for Fault {
    fn from(why: Rejection) -> Self {
        Self::Refused(why)
    }
}

fn open(source: &Arc<Source>, limits: &DatabaseLimits) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_in_memory_with_flags(flags)?;
    // Sorting must not write files; and the bound is one for all queries of the process.
    conn.execute_batch(&format!(
        "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA hard_heap_limit = {};",
        limits.memory_bytes_max
    ))?;
    let bytes = i32::try_from(limits.result_bytes_max).unwrap_or(i32::MAX);
    for (limit, max) in [
        (Limit::SQLITE_LIMIT_LENGTH, bytes),
        (Limit::SQLITE_LIMIT_COLUMN, 100),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        conn.set_limit(limit, max)?;
    }
    table::make(&conn, source)?;
    // A virtual table declares itself when it is first named, which the authorizer would take for a CREATE.
    conn.prepare("SELECT 1 FROM realtime_messages, json_each('[]'), json_tree('[]')")?;
    let overdue = source.overdue();
    conn.progress_handler(STEPS_PER_LOOK, Some(move || overdue.load(Ordering::Relaxed)))?;
    conn.authorizer(Some(|it: AuthContext<'_>| permit(&it.action)))?;
    Ok(conn)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is denied, also what SQLite adds one day"
)]
fn permit(action: &AuthAction<'_>) -> Authorization {
    let is_fine = match action {
        AuthAction::Select | AuthAction::Recursive => true,
        // A table whose columns nobody reads, which may be one that the statement made for itself.
        AuthAction::Read { column_name: "", .. } => true,
        AuthAction::Read { table_name, .. } => {
            TABLES.iter().any(|it| it.eq_ignore_ascii_case(table_name))
        }
        AuthAction::Function { function_name } => {
            !FORBIDDEN.iter().any(|it| it.eq_ignore_ascii_case(function_name))
        }
        _ => false,
    };
    if is_fine { Authorization::Allow } else { Authorization::Deny }
}

fn statements(
    conn: &Connection,
    query: &DatabaseQuery,
    limits: &DatabaseLimits,
) -> Result<Vec<u8>, Fault> {
    let mut unbound = match &query.params {
        QueryParams::Positional(values) => values.iter().collect(),
        QueryParams::Named(_) => VecDeque::new(),
    };
    let mut batch = Batch::new(conn, &query.query);
    let mut last = None;
    while let Some(mut statement) = batch.next()? {
        let is_select = statement.readonly() && statement.column_count() > 0;
        if !is_select || statement.is_explain() != 0 {
            return Err(refused(ONLY_SELECT).into());
        }
        match &query.params {
            QueryParams::Positional(_) => bind_in_order(&mut statement, &mut unbound)?,
            QueryParams::Named(values) => bind_by_name(&mut statement, values)?,
        }
        last = Some(rows(&mut statement, limits)?);
    }
    if !unbound.is_empty() {
        let message = format!("{} more params than the query has places", unbound.len());
        return Err(refused(&message).into());
    }
    last.ok_or_else(|| refused("the query is empty").into())
}

/// Each statement takes as many as it has places for, from the front.
fn bind_in_order(
    statement: &mut Statement<'_>,
    values: &mut VecDeque<&QueryParam>,
) -> Result<(), Fault> {
    for place in 1..=statement.parameter_count() {
        let value = values.pop_front();
        let value = value.ok_or_else(|| refused("fewer params than the query has places"))?;
        statement.raw_bind_parameter(place, sql(value))?;
    }
    Ok(())
}

fn bind_by_name(
    statement: &mut Statement<'_>,
    values: &[(String, QueryParam)],
) -> Result<(), Fault> {
    for place in 1..=statement.parameter_count() {
        let Some(name) = statement.parameter_name(place) else {
            return Err(refused("params have names, but the query has a ? without one").into());
        };
        let bare = name.trim_start_matches([':', '@', '$', '?']);
        let found = values.iter().find(|(it, _)| it == name || it == bare);
        let Some((_, value)) = found else {
            return Err(refused(&format!("no param for {name}")).into());
        };
        let value = sql(value);
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

fn sql(value: &QueryParam) -> Value {
    match value {
        QueryParam::Null => Value::Null,
        QueryParam::Bool(it) => Value::Integer(i64::from(*it)),
        QueryParam::Integer(it) => Value::Integer(*it),
        QueryParam::Real(it) => Value::Real(*it),
        QueryParam::Text(it) => Value::Text(it.clone()),
    }
}

fn rows(statement: &mut Statement<'_>, limits: &DatabaseLimits) -> Result<Vec<u8>, Fault> {
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut out = Rows::new(columns.iter().map(String::as_str));
    let mut found = statement.raw_query();
    while let Some(row) = found.next()? {
        if out.count() >= limits.rows_max {
            return Err(over("database_rows_max", limits.rows_max as u64, "rows").into());
        }
        let mut cells = Vec::with_capacity(columns.len());
        for place in 0..columns.len() {
            cells.push(cell(row, place)?);
        }
        out.push(&cells);
        if out.bytes() > limits.result_bytes_max {
            let max = limits.result_bytes_max as u64;
            return Err(over("database_result_bytes_max", max, "bytes").into());
        }
    }
    Ok(out.finish())
}

fn cell<'r>(row: &'r Row<'_>, place: usize) -> Result<Cell<'r>, Error> {
    Ok(match row.get_ref(place)? {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(it) => Cell::Integer(it),
        ValueRef::Real(it) => Cell::Real(it),
        ValueRef::Text(it) => Cell::Text(String::from_utf8_lossy(it)),
        ValueRef::Blob(it) => Cell::Blob(it),
    })
}

/// SQLite's own message about the query, and nothing about how it is run here.
#[expect(clippy::wildcard_enum_match_arm, reason = "what is left is no fault of a text of SQL")]
fn explain(why: &Error, limits: &DatabaseLimits) -> Rejection {
    match why {
        Error::SqliteFailure(code, _) if code.code == rusqlite::ErrorCode::OutOfMemory => {
            over("database_memory_bytes_max", limits.memory_bytes_max as u64, "bytes")
        }
        Error::SqliteFailure(code, _)
            if code.code == rusqlite::ErrorCode::AuthorizationForStatementDenied =>
        {
            refused(ONLY_SELECT)
        }
        Error::SqlInputError { error, .. }
            if error.code == rusqlite::ErrorCode::AuthorizationForStatementDenied =>
        {
            refused(ONLY_SELECT)
        }
        Error::SqliteFailure(_, Some(message)) => refused(message),
        Error::SqliteFailure(code, None) => refused(rusqlite::ffi::code_to_str(code.extended_code)),
        Error::SqlInputError { msg, .. } => refused(msg),
        _ => refused("the query cannot be run"),
    }
}
