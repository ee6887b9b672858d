//! Which messages of a channel a subscriber wants: those of `db:` channels tell of changes in a table.

use crate::channel_name::check_name;
use crate::dialect::fields::{Value, values};
use crate::dialect::insforge::splice::text_member;
use crate::json::Kind;
use crate::limits::Limits;
use crate::rejection::Rejection;

const ANY: &str = "*";

/// What a message has to be, to reach its subscriber.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// The event; `None`: any.
    event: Option<Box<str>>,
    /// The schema that the payload names; `None`: any.
    schema: Option<Box<str>>,
}

impl Filter {
    /// Whether it keeps nothing back.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.event.is_none() && self.schema.is_none()
    }

    /// Whether a message passes. `schema` is asked for at most once: see [`schema_of`].
    #[must_use]
    pub fn admits<'a>(&self, event: &str, schema: impl FnOnce() -> Option<&'a str>) -> bool {
        let fits = self.event.as_deref().is_none_or(|it| it == event);
        fits && match self.schema.as_deref() {
            Some(wanted) => schema() == Some(wanted),
            None => true,
        }
    }

    /// Reads `{"event","schema"}`.
    pub(super) fn read(value: Value<'_>, limits: &Limits) -> Result<Self, Rejection> {
        let wrong = value.wrong("an object");
        let Value { kind, raw, .. } = value;
        match kind {
            None | Some(Kind::Null) => return Ok(Self::default()),
            Some(Kind::Object) => {}
            Some(_) => return Err(wrong),
        }
        let [event, schema] = values(raw, &["event", "schema"], limits)?;
        let name = |value: Value<'_>| {
            let field = value.field;
            let text = value.text()?.filter(|it| *it != ANY);
            let text = text.map(|it| check_name(it, limits.event_bytes_max)).transpose();
            text.map(|it| it.map(Box::from)).map_err(|cause| Rejection::name(field, cause))
        };
        Ok(Self { event: name(event)?, schema: name(schema)? })
    }
}

/// The schema that a payload names.
#[must_use]
pub fn schema_of(payload: &[u8]) -> Option<String> {
    text_member(payload, "schema")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_passes_what_it_names() {
        let check = |event: Option<&str>, schema: Option<&str>, payload: &str, expected: bool| {
            let filter = Filter { event: event.map(Into::into), schema: schema.map(Into::into) };
            let named = schema_of(payload.as_bytes());
            let admits = filter.admits("INSERT", || named.as_deref());
            assert_eq!(admits, expected, "{filter:?} {payload}");
            assert_eq!(filter.is_open(), event.is_none() && schema.is_none());
        };
        check(None, None, "7", true);
        check(Some("INSERT"), None, "7", true);
        check(Some("UPDATE"), None, "{}", false);
        check(None, Some("public"), r#"{"schema":"public"}"#, true);
        check(None, Some("public"), r#"{"schema":"other"}"#, false);
        check(None, Some("public"), "{}", false);
        check(Some("UPDATE"), Some("public"), r#"{"schema":"public"}"#, false);
    }
}
