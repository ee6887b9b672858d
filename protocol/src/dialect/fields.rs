//! The fields of a JSON body, for every dialect. They are read where they lie.

use std::ops::Range;

use crate::channel_name::{ChannelName, EventName, check_name};
use crate::command::Keep;
use crate::json::{Field, Items, JsonFault, Kind, items, read_object, unescape};
use crate::limits::Limits;
use crate::rejection::Rejection;

/// The value of a field that may be absent; `null` counts as absent.
pub(super) struct Value<'a> {
    /// Its name.
    pub(super) field: &'static str,
    /// What it is; `None` when it is absent.
    pub(super) kind: Option<Kind>,
    /// The value as it was written.
    pub(super) raw: &'a mut [u8],
}

/// Reads the fields of a schema from a text that is one object.
pub(super) fn values<'a, const N: usize>(
    bytes: &'a mut [u8],
    schema: &[&'static str; N],
    limits: &Limits,
) -> Result<[Value<'a>; N], Rejection> {
    let fields = fields(bytes, schema, limits)?;
    values_at(bytes, schema, &fields)
}

/// The values of fields that were found; `bytes` is what their places count from.
pub(super) fn values_at<'a, const N: usize>(
    bytes: &'a mut [u8],
    schema: &[&'static str; N],
    found: &[Option<Field>; N],
) -> Result<[Value<'a>; N], Rejection> {
    let kinds = found.each_ref().map(|it| it.as_ref().map(|field| field.kind));
    let raws = disjoint(bytes, found.each_ref().map(|it| span(it.as_ref())))?;
    let mut parts = schema.iter().zip(kinds);
    Ok(raws.map(|raw| {
        let (field, kind) = parts.next().unwrap_or((&"", None));
        Value { field, kind, raw }
    }))
}

impl<'a> Value<'a> {
    /// Whether it is there, and not `null`.
    pub(super) fn is_set(&self) -> bool {
        self.kind.is_some_and(|it| it != Kind::Null)
    }

    /// Its text, when it is set.
    pub(super) fn text(self) -> Result<Option<&'a str>, Rejection> {
        match self.kind {
            None | Some(Kind::Null) => Ok(None),
            Some(kind) => text(self.field, kind, self.raw).map(Some),
        }
    }

    /// Its text, which is a name of at most so many bytes.
    pub(super) fn name(self, max: usize) -> Result<Option<&'a str>, Rejection> {
        let field = self.field;
        let Some(text) = self.text()? else { return Ok(None) };
        check_name(text, max).map(Some).map_err(|cause| Rejection::name(field, cause))
    }

    /// The items of an array, when it is set: each a string, or `None`.
    pub(super) fn items(self) -> Result<Option<Items<'a>>, Rejection> {
        match self.kind {
            None | Some(Kind::Null) => Ok(None),
            Some(Kind::Array) => Ok(Some(items(self.raw))),
            Some(_) => Err(self.wrong("an array")),
        }
    }

    /// The value itself, whatever it is, `null` too.
    pub(super) fn required_json(self) -> Result<&'a [u8], Rejection> {
        match self.kind {
            Some(_) => Ok(self.raw),
            None => Err(Rejection::MissingField { field: self.field }),
        }
    }

    /// An object as it was written, when it is set.
    pub(super) fn object(self) -> Result<Option<&'a [u8]>, Rejection> {
        match self.kind {
            None | Some(Kind::Null) => Ok(None),
            Some(Kind::Object) => Ok(Some(self.raw)),
            Some(_) => Err(self.wrong("an object")),
        }
    }

    /// What it says of keeping a message.
    pub(super) fn keep(&self) -> Result<Keep, Rejection> {
        match self.kind {
            None | Some(Kind::Null | Kind::True) => Ok(Keep::Persist),
            Some(Kind::False) => Ok(Keep::Pass),
            Some(_) => Err(self.wrong("a boolean")),
        }
    }

    /// That it is something else than it should be.
    pub(super) fn wrong(&self, expected: &'static str) -> Rejection {
        Rejection::WrongType { field: self.field, expected }
    }
}

/// The value of a field that has two names: either, or the same under both.
pub(super) fn either<'a>(one: Value<'a>, other: Value<'a>) -> Result<Option<&'a str>, Rejection> {
    let (field, other_field) = (one.field, other.field);
    match (one.text()?, other.text()?) {
        (Some(text), Some(same)) if text == same => Ok(Some(text)),
        (Some(_), Some(_)) => Err(Rejection::Contradiction { field, other: other_field }),
        (Some(text), None) | (None, Some(text)) => Ok(Some(text)),
        (None, None) => Ok(None),
    }
}

/// A channel name that has to be there.
pub(super) fn channel_name<'a>(
    field: &'static str,
    text: Option<&'a str>,
    limits: &Limits,
) -> Result<ChannelName<'a>, Rejection> {
    let text = text.ok_or(Rejection::MissingField { field })?;
    ChannelName::parse(text, limits).map_err(|cause| Rejection::name(field, cause))
}

/// An event name that has to be there.
pub(super) fn event_name<'a>(
    text: Option<&'a str>,
    limits: &Limits,
) -> Result<EventName<'a>, Rejection> {
    let text = text.ok_or(Rejection::MissingField { field: "event" })?;
    EventName::parse(text, limits).map_err(|cause| Rejection::name("event", cause))
}

/// Finds the fields of a schema in a text that is one object.
pub(super) fn fields<const N: usize>(
    bytes: &[u8],
    schema: &[&'static str; N],
    limits: &Limits,
) -> Result<[Option<Field>; N], Rejection> {
    check_utf8(bytes)?;
    read_object(bytes, schema, limits.json_depth_max)
        .map_err(|fault| rejection(fault, schema, limits))
}

/// The scan for fields looks at structure alone; this makes `data` UTF-8 wherever it came from.
pub(super) fn check_utf8(bytes: &[u8]) -> Result<(), Rejection> {
    simdutf8::basic::from_utf8(bytes).map(|_| ()).map_err(|_| Rejection::InvalidJson)
}

/// What a fault in the JSON means for the peer.
pub(super) fn rejection(fault: JsonFault, schema: &[&'static str], limits: &Limits) -> Rejection {
    match fault {
        JsonFault::Syntax => Rejection::InvalidJson,
        JsonFault::TooDeep => Rejection::JsonTooDeep { max: limits.json_depth_max },
        JsonFault::Duplicate(index) => {
            Rejection::DuplicateKey { field: schema.get(index).copied().unwrap_or_default() }
        }
    }
}

/// An optional field that is `null` counts as absent.
pub(super) fn is_set(field: &Field) -> bool {
    field.kind != Kind::Null
}

/// Where a field lies; empty when it is absent.
pub(super) fn span(field: Option<&Field>) -> Range<usize> {
    field.map_or(0..0, |it| it.span.clone())
}

/// The values of one object, each to be changed by itself.
pub(super) fn disjoint<const N: usize>(
    bytes: &mut [u8],
    spans: [Range<usize>; N],
) -> Result<[&mut [u8]; N], Rejection> {
    // Values of one object never overlap.
    bytes.get_disjoint_mut(spans).map_err(|_| Rejection::Internal)
}

/// The text of a string.
pub(super) fn text<'a>(
    field: &'static str,
    kind: Kind,
    quoted: &'a mut [u8],
) -> Result<&'a str, Rejection> {
    let wrong = Rejection::WrongType { field, expected: "a string" };
    if kind == Kind::String { unescape(quoted).ok_or(wrong) } else { Err(wrong) }
}

/// The digits of a JSON number that has neither a fraction nor an exponent.
pub(super) fn integer(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}
