//! The values of an array or an object whose names no schema knows.

use std::ops::{ControlFlow, Range};

use super::JsonFault;
use super::object::{Field, end, kind_of};
use super::scan::Scanner;

/// One value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Member {
    /// Where its quoted name lies, if it stands in an object.
    pub(crate) name: Option<Range<usize>>,
    pub(crate) value: Field,
}

/// Finds the values of a text that is one array or one object: at most `max`, and one more when there are more.
pub(crate) fn read_members(
    bytes: &[u8],
    max: usize,
    depth_max: usize,
) -> Result<Vec<Member>, JsonFault> {
    let mut members = Vec::new();
    each_member(bytes, depth_max, |member| {
        members.push(member);
        if members.len() > max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(members)
}

/// Shows the values of a text that is one array or one object, in their order, until one breaks it off.
pub(crate) fn each_member(
    bytes: &[u8],
    depth_max: usize,
    mut see: impl FnMut(Member) -> ControlFlow<()>,
) -> Result<(), JsonFault> {
    let mut scanner = Scanner::new(bytes, depth_max);
    scanner.skip_blanks();
    let (is_object, close) = match scanner.peek() {
        Some(b'{') => (true, b'}'),
        Some(b'[') => (false, b']'),
        Some(_) | None => return Err(JsonFault::Syntax),
    };
    scanner.take(if is_object { b'{' } else { b'[' })?;
    scanner.skip_blanks();
    if scanner.take(close).is_ok() {
        return end(&mut scanner, ());
    }
    loop {
        let name = if is_object { Some(name(&mut scanner)?) } else { None };
        let start = scanner.at();
        let kind = kind_of(scanner.peek())?;
        scanner.value()?;
        let value = Field { kind, span: start..scanner.at() };
        if see(Member { name, value }).is_break() {
            return Ok(());
        }
        scanner.skip_blanks();
        if scanner.take(b',').is_err() {
            scanner.take(close)?;
            return end(&mut scanner, ());
        }
        scanner.skip_blanks();
    }
}

fn name(scanner: &mut Scanner<'_>) -> Result<Range<usize>, JsonFault> {
    let start = scanner.at();
    scanner.string()?;
    let end = scanner.at();
    scanner.skip_blanks();
    scanner.take(b':')?;
    scanner.skip_blanks();
    Ok(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&[&str], JsonFault>) {
        let found = read_members(text.as_bytes(), 3, 4).map(|members| {
            let part = |it: Range<usize>| text[it].to_owned();
            let shown = |it: Member| {
                it.name.map(part).unwrap_or_default() + text.get(it.value.span).unwrap()
            };
            members.into_iter().map(shown).collect::<Vec<_>>()
        });
        let expected = expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_values_of_an_array_or_object_are_found() {
        check("[]", Ok(&[]));
        check(" { } ", Ok(&[]));
        check(r#"[ 1 , "a" ]"#, Ok(&["1", "\"a\""]));
        check(r#"{"a":[1], "b" : null}"#, Ok(&["\"a\"[1]", "\"b\"null"]));
        check("[1,2,3,4,5", Ok(&["1", "2", "3", "4"]));
        for text in ["", "1", "[", "[1", "[1,]", "{\"a\"}", "{1:2}", "[1}", "[] 1", "[1]]"] {
            check(text, Err(JsonFault::Syntax));
        }
    }
}
