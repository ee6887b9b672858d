//! A line of a stream of messages, as `stentor publish` reads it: `{"channel":…,"event":…,"data":…}`.

use crate::command::Keep;
use crate::json::{Field, JsonFault, Kind, read_object, unescape};
use crate::rejection::Rejection;

const SCHEMA: [&str; 4] = ["channel", "event", "data", "persist"];
/// The scan's own bound: how deep a message may nest is the server's affair.
const DEPTH_MAX: usize = 128;

/// One message, not yet judged by any server's limits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line<'a> {
    /// Where it goes, if the line says so.
    pub channel: Option<String>,
    /// What it is called, if the line says so.
    pub event: Option<String>,
    /// The payload, byte for byte.
    pub data: &'a [u8],
    /// Whether the server keeps it, if the line says so.
    pub keep: Option<Keep>,
}

impl<'a> Line<'a> {
    /// Reads a line without its line feed.
    ///
    /// # Errors
    /// When it is no such object.
    pub fn parse(line: &'a [u8]) -> Result<Self, Rejection> {
        std::str::from_utf8(line).map_err(|_| Rejection::InvalidJson)?;
        let [channel, event, data, persist] =
            read_object(line, &SCHEMA, DEPTH_MAX).map_err(rejection)?;
        let data = data.ok_or(Rejection::MissingField { field: "data" })?;
        Ok(Self {
            channel: text("channel", line, channel)?,
            event: text("event", line, event)?,
            data: line.get(data.span).unwrap_or_default(),
            keep: keep(persist)?,
        })
    }
}

fn rejection(fault: JsonFault) -> Rejection {
    match fault {
        JsonFault::Syntax => Rejection::InvalidJson,
        JsonFault::TooDeep => Rejection::JsonTooDeep { max: DEPTH_MAX },
        JsonFault::Duplicate(index) => {
            Rejection::DuplicateKey { field: SCHEMA.get(index).copied().unwrap_or_default() }
        }
    }
}

fn text(
    name: &'static str,
    line: &[u8],
    field: Option<Field>,
) -> Result<Option<String>, Rejection> {
    let Some(field) = field.filter(|it| it.kind != Kind::Null) else { return Ok(None) };
    let wrong = Rejection::WrongType { field: name, expected: "a string" };
    if field.kind != Kind::String {
        return Err(wrong);
    }
    let mut quoted = line.get(field.span).unwrap_or_default().to_vec();
    unescape(&mut quoted).map(|it| Some(it.to_owned())).ok_or(wrong)
}

fn keep(field: Option<Field>) -> Result<Option<Keep>, Rejection> {
    match field.map(|it| it.kind) {
        None | Some(Kind::Null) => Ok(None),
        Some(Kind::True) => Ok(Some(Keep::Persist)),
        Some(Kind::False) => Ok(Some(Keep::Pass)),
        Some(Kind::String | Kind::Number | Kind::Array | Kind::Object) => {
            Err(Rejection::WrongType { field: "persist", expected: "true or false" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lines_payload_stays_as_it_was_written() {
        let line = br#" {"x":1,"data": { "a" : 1e400, "b":"\u00e9" } ,"ch\u0061nnel":"r\u006fom","event":null} "#;
        let read = Line::parse(line).unwrap();
        assert_eq!(read.channel.as_deref(), Some("room"));
        assert_eq!((read.event, read.keep), (None, None));
        assert_eq!(read.data, br#"{ "a" : 1e400, "b":"\u00e9" }"#);
        let read = Line::parse(br#"{"data":null,"event":"e","persist":false}"#).unwrap();
        assert_eq!((read.event.as_deref(), read.keep), (Some("e"), Some(Keep::Pass)));
        assert_eq!((read.channel, read.data), (None, b"null".as_slice()));
        assert_eq!(Line::parse(br#"{"data":1,"persist":true}"#).unwrap().keep, Some(Keep::Persist));
    }

    #[test]
    fn what_is_no_message_is_refused_with_a_reason() {
        let check = |line: &[u8], message: &str| {
            assert_eq!(Line::parse(line).unwrap_err().message(), message);
        };
        for line in
            [&b""[..], b"{", b"1", b"[]", b"{} {}", b"{\"data\":NaN}", b"{\"data\":\"\xff\"}"]
        {
            check(line, "Invalid JSON");
        }
        check(b"{}", "\"data\" is required");
        check(br#"{"data":1,"data":2}"#, "\"data\" came more than once");
        check(br#"{"data":1,"channel":7}"#, "\"channel\" must be a string");
        check(br#"{"data":1,"channel":"\ud800"}"#, "\"channel\" must be a string");
        check(br#"{"data":1,"event":{}}"#, "\"event\" must be a string");
        check(br#"{"data":1,"persist":"no"}"#, "\"persist\" must be true or false");
        let deep = format!("{{\"data\":{}{}}}", "[".repeat(200), "]".repeat(200));
        check(deep.as_bytes(), "JSON nests deeper than 128 levels");
    }
}
