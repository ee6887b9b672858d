//! POST /edge/database: a query, and what its parameters are.

use crate::dialect::fields::{fields, is_set, text};
use crate::json::{Field, Kind, Member, read_members, unescape};
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Parameters of one query.
pub const QUERY_PARAMS_MAX: usize = 1_000;

/// What POST /edge/database asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseQuery {
    /// One or more statements.
    pub query: String,
    /// What is bound to them.
    pub params: QueryParams,
}

/// The parameters of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryParams {
    /// In their order.
    Positional(Vec<QueryParam>),
    /// By name, with or without `:`, `@` or `$` in front.
    Named(Vec<(String, QueryParam)>),
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryParam {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Real(f64),
    /// A text.
    Text(String),
}

/// Reads the body of POST /edge/database.
///
/// # Errors
/// When it is no query.
pub fn decode_database_body(body: &mut [u8], limits: &Limits) -> Result<DatabaseQuery, Rejection> {
    let [query, params] = fields(body, &["query", "params"], limits)?;
    let query = query.ok_or(Rejection::MissingField { field: "query" })?;
    let params = match params.filter(is_set) {
        Some(field) => read_params(body, field, limits)?,
        None => QueryParams::Positional(Vec::new()),
    };
    let quoted = body.get_mut(query.span).unwrap_or_default();
    let query = text("query", query.kind, quoted)?.to_owned();
    Ok(DatabaseQuery { query, params })
}

fn read_params(body: &mut [u8], field: Field, limits: &Limits) -> Result<QueryParams, Rejection> {
    let wrong = Rejection::WrongType { field: "params", expected: "a list or an object" };
    let is_object = match field.kind {
        Kind::Array => false,
        Kind::Object => true,
        Kind::String | Kind::Number | Kind::True | Kind::False | Kind::Null => return Err(wrong),
    };
    let bytes = body.get_mut(field.span).unwrap_or_default();
    // The whole body was scanned: these are the bounds of a part of it.
    let members = read_members(bytes, QUERY_PARAMS_MAX, limits.json_depth_max);
    let members = members.map_err(|_| Rejection::InvalidJson)?;
    if members.len() > QUERY_PARAMS_MAX {
        return Err(Rejection::TooMany { field: "params", max: QUERY_PARAMS_MAX });
    }
    if !is_object {
        let values = members.into_iter().map(|it| value(bytes, it.value));
        return values.collect::<Result<_, _>>().map(QueryParams::Positional);
    }
    let mut named: Vec<(String, QueryParam)> = Vec::with_capacity(members.len());
    for Member { name, value: field } in members {
        let quoted = bytes.get_mut(name.unwrap_or_default()).unwrap_or_default();
        let name = text("params", Kind::String, quoted)?.to_owned();
        if named.iter().any(|(known, _)| *known == name) {
            return Err(Rejection::DuplicateKey { field: "params" });
        }
        named.push((name, value(bytes, field)?));
    }
    Ok(QueryParams::Named(named))
}

fn value(bytes: &mut [u8], field: Field) -> Result<QueryParam, Rejection> {
    const WRONG: Rejection =
        Rejection::WrongType { field: "params", expected: "strings, numbers, booleans and nulls" };
    let raw = bytes.get_mut(field.span).unwrap_or_default();
    match field.kind {
        Kind::Null => Ok(QueryParam::Null),
        Kind::True => Ok(QueryParam::Bool(true)),
        Kind::False => Ok(QueryParam::Bool(false)),
        Kind::String => unescape(raw).map(|it| QueryParam::Text(it.to_owned())).ok_or(WRONG),
        Kind::Number => number(raw),
        Kind::Array | Kind::Object => Err(WRONG),
    }
}

/// An integer stays exact or is refused; nothing is rounded behind the caller's back.
fn number(raw: &[u8]) -> Result<QueryParam, Rejection> {
    let range = Rejection::WrongType { field: "params", expected: "numbers of 64 bits" };
    let text = std::str::from_utf8(raw).map_err(|_| Rejection::InvalidJson)?;
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return text.parse().map(QueryParam::Integer).map_err(|_| range);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(QueryParam::Real(number)),
        Ok(_) | Err(_) => Err(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Result<QueryParams, &str>) {
        let mut bytes = body.as_bytes().to_vec();
        let found = decode_database_body(&mut bytes, &Limits::default());
        let found = found.map(|it| {
            assert_eq!(it.query, "SELECT \"a\"", "{body}");
            it.params
        });
        assert_eq!(found.map_err(|it| it.message()), expected.map_err(str::to_owned), "{body}");
    }

    fn with(params: &str) -> String {
        format!(r#"{{"query":"SELECT \"a\"","params":{params}}}"#)
    }

    #[test]
    fn parameters_keep_their_types() {
        use QueryParam::{Bool, Integer, Null, Real, Text};
        let none = || Ok(QueryParams::Positional(vec![]));
        check(r#"{"query":"SELECT \"a\""}"#, none());
        check(&with("null"), none());
        check(&with("[]"), none());
        let all = vec![Null, Bool(true), Bool(false), Integer(i64::MAX), Integer(i64::MIN)];
        let text = "[null,true,false,9223372036854775807,-9223372036854775808]";
        check(&with(text), Ok(QueryParams::Positional(all)));
        let some = vec![Real(1.5), Real(100.0), Text("ä\n".into())];
        check(&with(r#"[1.5,1e2,"\u00e4\n"]"#), Ok(QueryParams::Positional(some)));
        let named = vec![("a".into(), Integer(1)), (":b".into(), Text(String::new()))];
        check(&with(r#"{"a":1,":b":""}"#), Ok(QueryParams::Named(named)));
    }

    #[test]
    fn what_is_no_query_is_refused() {
        check("{}", Err("\"query\" is required"));
        check(r#"{"query":7}"#, Err("\"query\" must be a string"));
        check("[]", Err("Invalid JSON"));
        check(&with("7"), Err("\"params\" must be a list or an object"));
        let kinds = "\"params\" must be strings, numbers, booleans and nulls";
        check(&with("[[1]]"), Err(kinds));
        check(&with(r#"{"a":{}}"#), Err(kinds));
        check(&with(r#"["\ud800"]"#), Err(kinds));
        check(&with(r#"{"a":1,"\u0061":2}"#), Err("\"params\" came more than once"));
        let range = "\"params\" must be numbers of 64 bits";
        check(&with("[9223372036854775808]"), Err(range));
        check(&with("[1e999]"), Err(range));
        let many = format!("[{}1]", "1,".repeat(QUERY_PARAMS_MAX));
        check(&with(&many), Err("\"params\" may have 1000 items"));
        let most = format!("[{}1]", "1,".repeat(QUERY_PARAMS_MAX - 1));
        check(&with(&most), Ok(QueryParams::Positional(vec![QueryParam::Integer(1); 1000])));
    }
}
