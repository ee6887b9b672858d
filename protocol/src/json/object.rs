//! The fields of a schema in a JSON object.

use std::ops::Range;

use super::JsonFault;
use super::scan::{Scanner, Spelling};
use super::text::{inside, spells};

/// What a value is, told by its first byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    String,
    Number,
    True,
    False,
    Null,
    Array,
    Object,
}

/// Where the value of a key lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

/// Validates a text that is one object and finds the values of the schema's keys. Other keys are skipped.
/// Each value may nest `depth_max` deep.
pub(crate) fn read_object<const N: usize>(
    bytes: &[u8],
    schema: &[&'static str; N],
    depth_max: usize,
) -> Result<[Option<Field>; N], JsonFault> {
    let mut scanner = Scanner::new(bytes, depth_max);
    scanner.skip_blanks();
    let fields = object(&mut scanner, schema, |_, scanner| scanner.value())?;
    end(&mut scanner, fields)?
}

/// The fields of one object; the error is a key that came twice, and the scan went on behind it.
pub(super) type Fields<const N: usize> = Result<[Option<Field>; N], JsonFault>;

/// Reads the object at the scanner. `skip` skips a value, and is told which of the schema's keys it has.
pub(super) fn object<const N: usize>(
    scanner: &mut Scanner<'_>,
    schema: &[&'static str; N],
    mut skip: impl FnMut(Option<usize>, &mut Scanner<'_>) -> Result<(), JsonFault>,
) -> Result<Fields<N>, JsonFault> {
    let mut fields = [const { None }; N];
    let mut duplicate = None;
    scanner.take(b'{')?;
    scanner.skip_blanks();
    if scanner.take(b'}').is_ok() {
        return Ok(Ok(fields));
    }
    loop {
        let key_start = scanner.at();
        let spelling = scanner.string()?;
        let key = inside(scanner.since(key_start)).unwrap_or_default();
        let place = place_of(schema, key, spelling);
        scanner.skip_blanks();
        scanner.take(b':')?;
        scanner.skip_blanks();
        let start = scanner.at();
        let kind = kind_of(scanner.peek())?;
        skip(place, scanner)?;
        if let Some((index, slot)) = place.and_then(|it| Some((it, fields.get_mut(it)?))) {
            // T-H9: two readers of a duplicate may see different values.
            if slot.replace(Field { kind, span: start..scanner.at() }).is_some() {
                duplicate = duplicate.or(Some(index));
            }
        }
        scanner.skip_blanks();
        if scanner.take(b',').is_err() {
            scanner.take(b'}')?;
            return Ok(duplicate.map_or(Ok(fields), |it| Err(JsonFault::Duplicate(it))));
        }
        scanner.skip_blanks();
    }
}

pub(super) fn end<T>(scanner: &mut Scanner<'_>, fields: T) -> Result<T, JsonFault> {
    scanner.skip_blanks();
    if scanner.peek().is_none() { Ok(fields) } else { Err(JsonFault::Syntax) }
}

pub(super) fn kind_of(byte: Option<u8>) -> Result<Kind, JsonFault> {
    match byte {
        Some(b'"') => Ok(Kind::String),
        Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
        Some(b't') => Ok(Kind::True),
        Some(b'f') => Ok(Kind::False),
        Some(b'n') => Ok(Kind::Null),
        Some(b'[') => Ok(Kind::Array),
        Some(b'{') => Ok(Kind::Object),
        Some(_) | None => Err(JsonFault::Syntax),
    }
}

/// The place of a quoted key in the schema, whose names are ASCII. A key may be written with escapes: `"d\u0061ta"` is `data`.
pub(crate) fn place_in(schema: &[&'static str], quoted: &[u8]) -> Option<usize> {
    let inside = inside(quoted)?;
    let is_escaped = inside.contains(&b'\\');
    place_of(schema, inside, if is_escaped { Spelling::Escaped } else { Spelling::Plain })
}

fn place_of(schema: &[&'static str], inside: &[u8], spelling: Spelling) -> Option<usize> {
    schema.iter().position(|name| match spelling {
        Spelling::Plain => name.as_bytes() == inside,
        Spelling::Escaped => spells(inside, name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<[Option<&str>; 2], JsonFault>) {
        let result = read_object(text.as_bytes(), &["a", "data"], 4);
        let result = result.map(|fields| fields.map(|field| field.map(|it| &text[it.span])));
        assert_eq!(result, expected, "{text}");
    }

    #[test]
    fn the_values_of_a_schema_are_found_as_they_were_written() {
        check("{}", Ok([None, None]));
        check(" { } ", Ok([None, None]));
        check(r#"{"a":1,"data": [ 1e400 , {"a":2,"a":3} ] }"#, {
            Ok([Some("1"), Some(r#"[ 1e400 , {"a":2,"a":3} ]"#)])
        });
        check(r#"{"x":{"a":[]},"data":"\ud800\u0041"}"#, Ok([None, Some(r#""\ud800\u0041""#)]));
        check(r#"{"d\u0061ta":null}"#, Ok([None, Some("null")]));
        check(r#"{"x":1,"x":2}"#, Ok([None, None]));
        check(&format!("{{\"{}\":1}}", "\\u0061".repeat(100_000)), Ok([None, None]));
    }

    #[test]
    fn a_schema_key_comes_once() {
        check(r#"{"a":1,"a":1}"#, Err(JsonFault::Duplicate(0)));
        check(r#"{"data":1,"d\u0061ta":2}"#, Err(JsonFault::Duplicate(1)));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "1", "[]", "null", "{", "{}{}", "{} x", r#"{"a":1}}"#, r#"{"a" 1}"#] {
            check(text, Err(JsonFault::Syntax));
        }
        check(r#"{"a":[[[[0]]]]}"#, Ok([Some("[[[[0]]]]"), None]));
        check(r#"{"a":[[[[[0]]]]]}"#, Err(JsonFault::TooDeep));
    }
}
