//! A list of objects inside an object, each with a schema of its own, in one pass.

use super::JsonFault;
use super::object::{Field, Fields, end, kind_of, object};
use super::scan::Scanner;

/// What a text with a list holds.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct List<const N: usize, const M: usize> {
    /// The fields of the object; the list is one of them.
    pub(crate) fields: [Option<Field>; N],
    /// Its items, as many as there may be.
    pub(crate) items: Vec<Listed<M>>,
    /// How many items there are.
    pub(crate) total: usize,
}

/// One item.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Listed<const M: usize> {
    /// From the end of the item before it, or the start of the list, to its own end.
    pub(crate) bytes: usize,
    /// Its fields, counted from the start of those bytes; `None` when it is no object.
    pub(crate) fields: Option<Fields<M>>,
}

/// Like [`super::read_object`], for an object whose first field is a list of objects. The fields of its first `max` items
/// are kept; a key that one of them has twice is that item's fault. An item's values may nest `depth_max` deep.
pub(crate) fn read_list<const N: usize, const M: usize>(
    bytes: &[u8],
    schema: &[&'static str; N],
    item_schema: &[&'static str; M],
    depth_max: usize,
    max: usize,
) -> Result<List<N, M>, JsonFault> {
    let mut items = Vec::new();
    let mut total = 0;
    let mut scanner = Scanner::new(bytes, depth_max);
    scanner.skip_blanks();
    let fields = object(&mut scanner, schema, |place, scanner| {
        if place == Some(0) && scanner.peek() == Some(b'[') {
            // A second list is a duplicate, whatever it holds.
            items.clear();
            total = list(scanner, item_schema, max, &mut items)?;
            Ok(())
        } else {
            scanner.value()
        }
    })?;
    let fields = end(&mut scanner, fields)??;
    Ok(List { fields, items, total })
}

fn list<const M: usize>(
    scanner: &mut Scanner<'_>,
    schema: &[&'static str; M],
    max: usize,
    items: &mut Vec<Listed<M>>,
) -> Result<usize, JsonFault> {
    let mut from = scanner.at();
    let mut total = 0;
    scanner.take(b'[')?;
    scanner.skip_blanks();
    if scanner.take(b']').is_ok() {
        return Ok(0);
    }
    loop {
        kind_of(scanner.peek())?;
        let fields = match scanner.peek() {
            Some(b'{') => Some(object(scanner, schema, |_, scanner| scanner.value())?),
            Some(_) | None => {
                scanner.value()?;
                None
            }
        };
        if total < max {
            let fields = fields.map(|it| it.map(|fields| counted_from(from, fields)));
            items.push(Listed { bytes: scanner.at() - from, fields });
            from = scanner.at();
        }
        total += 1;
        scanner.skip_blanks();
        if scanner.take(b',').is_err() {
            scanner.take(b']')?;
            return Ok(total);
        }
        scanner.skip_blanks();
    }
}

fn counted_from<const M: usize>(start: usize, fields: [Option<Field>; M]) -> [Option<Field>; M] {
    fields.map(|field| {
        field.map(|Field { kind, span }| Field { kind, span: span.start - start..span.end - start })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[Option<&str>], JsonFault>) {
        let result = read_list(text.as_bytes(), &["items", "key"], &["a"], 3, 3);
        let items = result.map(|list| {
            let start = list.fields[0].as_ref().map_or(0, |it| it.span.start);
            let mut at = start;
            let mut found = Vec::new();
            for item in list.items {
                found.push(item.fields.map(|fields| match fields {
                    Ok([Some(it)]) => &text[at..][it.span],
                    Ok([None]) => "",
                    Err(JsonFault::Duplicate(0)) => "twice",
                    Err(_) => unreachable!("only a duplicate is an item's fault"),
                }));
                at += item.bytes;
            }
            assert_eq!(list.total.min(3), found.len(), "{text}");
            found
        });
        assert_eq!(items.as_deref().map_err(|it| *it), expected, "{text}");
    }

    #[test]
    fn each_item_has_its_fields() {
        check("{}", Ok(&[]));
        check(r#"{"items":[]}"#, Ok(&[]));
        check(r#"{"items":null}"#, Ok(&[]));
        check(r#"{"key":{},"items" : [ {"a":1} , {"b":[],"a":"x]}"}, {} ] }"#, {
            Ok(&[Some("1"), Some(r#""x]}""#), Some("")])
        });
        check(r#"{"items":[1,[],{"a":null}]}"#, Ok(&[None, None, Some("null")]));
        check(r#"{"items":[{"a":1,"a":2},{"a":3}]}"#, Ok(&[Some("twice"), Some("3")]));
        check(r#"{"items":[{},{},{},{"a":1},7]}"#, Ok(&[Some(""), Some(""), Some("")]));
    }

    #[test]
    fn what_is_no_list_of_values_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"items":[}"#,
            r#"{"items":[{}"#,
            r#"{"items":[{},]}"#,
            r#"{"items":[,{}]}"#,
            r#"{"items":[{}{}]}"#,
            r#"{"items":[{"a"}]}"#,
            r#"{"items":[]]}"#,
            r#"{"items":[]} x"#,
        ] {
            check(text, Err(JsonFault::Syntax));
        }
        check(r#"{"items":[],"items":[]}"#, Err(JsonFault::Duplicate(0)));
        check(r#"{"items":[{"a":[[[0]]]}]}"#, Ok(&[Some("[[[0]]]")]));
        check(r#"{"items":[{"a":[[[[0]]]]}]}"#, Err(JsonFault::TooDeep));
        check(r#"{"items":[[[[[0]]]]]}"#, Err(JsonFault::TooDeep));
    }
}
