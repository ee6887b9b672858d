//! A name and its arguments in one array, in one pass: `["name",{…}]`.

use std::ops::Range;

use super::JsonFault;
use super::object::{Fields, Kind, end, kind_of, object};
use super::scan::Scanner;

/// What an array holds that begins with a name.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Call<const N: usize> {
    /// Where the quoted name lies; `None` when the first item is a number.
    pub(crate) name: Option<Range<usize>>,
    /// The fields of the second item; `None` when it is no object, or missing. A key that came twice is its fault, and so is what
    /// nests too deep, whichever item it is in: behind that nothing is validated.
    pub(crate) fields: Option<Fields<N>>,
}

/// Validates a text that is one array, and finds the fields of a schema in the object that is its second item.
pub(crate) fn read_call<const N: usize>(
    bytes: &[u8],
    schema: &[&'static str; N],
    depth_max: usize,
) -> Result<Call<N>, JsonFault> {
    let mut scanner = Scanner::new(bytes, depth_max);
    scanner.skip_blanks();
    scanner.take(b'[')?;
    scanner.skip_blanks();
    let start = scanner.at();
    let name = match kind_of(scanner.peek())? {
        Kind::String => {
            scanner.string()?;
            Some(start..scanner.at())
        }
        Kind::Number => {
            scanner.value()?;
            None
        }
        Kind::True | Kind::False | Kind::Null | Kind::Array | Kind::Object => {
            return Err(JsonFault::Syntax);
        }
    };
    let mut fields = None;
    let mut index = 1;
    scanner.skip_blanks();
    while scanner.take(b',').is_ok() {
        scanner.skip_blanks();
        let found = if index == 1 && scanner.peek() == Some(b'{') {
            object(&mut scanner, schema, |_, scanner| scanner.value()).map(Some)
        } else {
            scanner.value().map(|()| None)
        };
        match found {
            Ok(found) => fields = fields.or(found),
            Err(JsonFault::TooDeep) => {
                return Ok(Call { name, fields: Some(Err(JsonFault::TooDeep)) });
            }
            Err(fault) => return Err(fault),
        }
        scanner.skip_blanks();
        index += 1;
    }
    scanner.take(b']')?;
    end(&mut scanner, Call { name, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, Option<&str>), JsonFault>) {
        let found = read_call(text.as_bytes(), &["a"], 2).map(|call| {
            let name = call.name.map_or("-", |it| &text[it]);
            let field = call.fields.map(|it| match it {
                Ok([Some(field)]) => &text[field.span],
                Ok([None]) => "-",
                Err(JsonFault::TooDeep) => "deep",
                Err(_) => "twice",
            });
            (name, field)
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_call_is_a_name_and_arguments() {
        check(r#"["x"]"#, Ok(("\"x\"", None)));
        check(r#" [ "x" , { "a" : [1] } , 7, {"a":2} ] "#, Ok(("\"x\"", Some("[1]"))));
        check(r#"["x",{}]"#, Ok(("\"x\"", Some("-"))));
        check(r#"["x",7,{"a":1}]"#, Ok(("\"x\"", None)));
        check(r#"["x",null]"#, Ok(("\"x\"", None)));
        check(r#"["x",{"a":1,"a":2}]"#, Ok(("\"x\"", Some("twice"))));
        check("[1,{}]", Ok(("-", Some("-"))));
        for text in
            ["", "[]", "{}", "[null]", "[\"x\",]", "[\"x\"", "[\"x\"]]", "[\"x\" {}]", "[[]]"]
        {
            check(text, Err(JsonFault::Syntax));
        }
        check(r#"["x",{"a":[[]]}]"#, Ok(("\"x\"", Some("[[]]"))));
        check(r#"["x",{"a":[[[]]]}]"#, Ok(("\"x\"", Some("deep"))));
        check(r#"["x",{"a":1},[[[]]]]"#, Ok(("\"x\"", Some("deep"))));
        check(r#"["x",[[[]]],{"a":1}]"#, Ok(("\"x\"", Some("deep"))));
    }
}
