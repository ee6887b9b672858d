//! The answer of POST /edge/database: `{"rows":[{…},…]}`.

use std::borrow::Cow;

use crate::json::push_string;

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// `null`.
    Null,
    /// A number with all of its digits.
    Integer(i64),
    /// A number; what JSON has no number for is `null`.
    Real(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// A list of bytes.
    Blob(&'a [u8]),
}

/// Rows as they are written down.
#[derive(Debug)]
pub struct Rows {
    out: Vec<u8>,
    /// Quoted, with the colon; `None` for a column whose name comes again.
    names: Vec<Option<Vec<u8>>>,
    count: usize,
}

impl Rows {
    /// An answer whose rows have these columns. Of columns with one name the last is shown.
    #[must_use]
    pub fn new<'n>(columns: impl Iterator<Item = &'n str>) -> Self {
        let columns: Vec<&str> = columns.collect();
        let quoted = |(at, name): (usize, &&str)| {
            let comes_again = columns.iter().skip(at + 1).any(|it| it == name);
            (!comes_again).then(|| {
                let mut quoted = Vec::new();
                push_string(&mut quoted, name);
                quoted.push(b':');
                quoted
            })
        };
        let names = columns.iter().enumerate().map(quoted).collect();
        Self { out: b"{\"rows\":[".to_vec(), names, count: 0 }
    }

    /// Appends a row; a cell for each column.
    pub fn push(&mut self, cells: &[Cell<'_>]) {
        if self.count > 0 {
            self.out.push(b',');
        }
        self.count += 1;
        self.out.push(b'{');
        let mut is_first = true;
        for (name, cell) in self.names.iter().zip(cells) {
            let Some(name) = name else { continue };
            if !std::mem::take(&mut is_first) {
                self.out.push(b',');
            }
            self.out.extend_from_slice(name);
            push_cell(&mut self.out, cell);
        }
        self.out.push(b'}');
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many bytes they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// The body.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(b"]}");
        self.out
    }
}

fn push_cell(out: &mut Vec<u8>, cell: &Cell<'_>) {
    match cell {
        Cell::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        // The shortest digits that give the same number again.
        Cell::Real(number) if number.is_finite() => {
            out.extend_from_slice(format!("{number:?}").as_bytes());
        }
        Cell::Null | Cell::Real(_) => out.extend_from_slice(b"null"),
        Cell::Text(text) => push_string(out, text),
        Cell::Blob(bytes) => {
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            out.push(b'[');
            out.extend_from_slice(numbers.join(",").as_bytes());
            out.push(b']');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_form() {
        let mut rows = Rows::new(["i", "r", "inf", "t", "b", "n"].into_iter());
        rows.push(&[
            Cell::Integer(i64::MAX),
            Cell::Real(1e300),
            Cell::Real(f64::INFINITY),
            Cell::Text("a\"ä\n".into()),
            Cell::Blob(&[0, 255]),
            Cell::Null,
        ]);
        assert_eq!(rows.count(), 1);
        let expected = r#"{"rows":[{"i":9223372036854775807,"r":1e300,"inf":null,"t":"a\"ä\n","b":[0,255],"n":null}]}"#;
        assert_eq!(String::from_utf8(rows.finish()).unwrap(), expected);
    }

    #[test]
    fn of_two_columns_with_a_name_the_last_is_shown() {
        let mut rows = Rows::new(["a", "b", "a"].into_iter());
        for n in 0..2 {
            rows.push(&[Cell::Integer(n), Cell::Real(0.5), Cell::Integer(n + 10)]);
        }
        let expected = r#"{"rows":[{"b":0.5,"a":10},{"b":0.5,"a":11}]}"#;
        assert_eq!(String::from_utf8(rows.finish()).unwrap(), expected);
        assert_eq!(Rows::new(["a"].into_iter()).finish(), b"{\"rows\":[]}");
    }
}
