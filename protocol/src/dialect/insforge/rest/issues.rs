//! What is wrong with a request, said as the schema library of InsForge says it: `path: message`, joined by `, `.

use std::fmt;
use std::ops::ControlFlow;

use crate::dialect::fields::{Value, check_utf8, values};
use crate::json::{Kind, each_member};
use crate::limits::Limits;
use crate::rejection::Rejection;

use super::error::RestError;

/// Issues of one request. Each field of a schema adds one or two, and each item of a list of bounded length.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Issues(Vec<String>);

impl Issues {
    pub(super) fn one(path: &str, message: &str) -> Self {
        Self(vec![format!("{path}: {message}")])
    }

    pub(super) fn add(&mut self, path: &str, message: &str) {
        self.0.push(format!("{path}: {message}"));
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// What a value of another type is told.
pub(super) fn expected(what: &str, kind: Option<Kind>) -> String {
    match kind {
        None => "Required".to_owned(),
        Some(kind) => format!("Expected {what}, received {}", kind_name(kind)),
    }
}

/// What a value is told that is no text: of another type, or with half of a surrogate pair.
pub(super) fn no_text(kind: Option<Kind>) -> String {
    if kind == Some(Kind::String) {
        return "String must be valid Unicode".to_owned();
    }
    expected("string", kind)
}

pub(super) fn at_most(bytes: usize) -> String {
    format!("String must contain at most {bytes} character(s)")
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Number => "number",
        Kind::True | Kind::False => "boolean",
        Kind::Null => "null",
        Kind::Array => "array",
        Kind::Object => "object",
    }
}

/// The fields of a body, before anyone looks at them. No body is an empty object.
pub(super) fn read_body<'a, const N: usize>(
    body: &'a mut [u8],
    schema: &[&'static str; N],
    limits: &Limits,
    refuse: fn(Issues) -> RestError,
) -> Result<[Value<'a>; N], RestError> {
    match body.trim_ascii_start().first() {
        None => Ok(schema.map(|field| Value { field, kind: None, raw: &mut [] })),
        Some(b'[') => {
            let go_on = |_| ControlFlow::Continue(());
            let is_list =
                check_utf8(body).is_ok() && each_member(body, limits.json_depth_max, go_on).is_ok();
            let received = || refuse(Issues::one("", &expected("object", Some(Kind::Array))));
            Err(if is_list { received() } else { RestError::Json })
        }
        Some(_) => values(body, schema, limits).map_err(|it| {
            if it == Rejection::InvalidJson { RestError::Json } else { RestError::Other(it) }
        }),
    }
}
