//! The strings of a JSON array.

use super::text::unescape;

/// See [`items`].
pub(crate) struct Items<'a>(&'a mut [u8]);

/// The items of an array that was already validated: each a string, or `None`, which ends it.
pub(crate) fn items(array: &mut [u8]) -> Items<'_> {
    let end = array.len().saturating_sub(1).max(1);
    Items(array.get_mut(1..end).unwrap_or_default())
}

impl<'a> Iterator for Items<'a> {
    type Item = Option<&'a str>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.0);
        let start = rest.iter().position(|byte| !b" \t\r\n,".contains(byte))?;
        let rest = rest.get_mut(start..)?;
        if rest.first() != Some(&b'"') {
            return Some(None);
        }
        let (item, rest) = rest.split_at_mut(quoted_length(rest));
        self.0 = rest;
        Some(unescape(item))
    }
}

/// Bytes of the quoted string at the start of a valid text.
fn quoted_length(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'"' if !is_escaped => return at + 1,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(array: &str, expected: &[Option<&str>]) {
        let mut bytes = array.as_bytes().to_vec();
        assert_eq!(items(&mut bytes).collect::<Vec<_>>(), expected, "{array}");
    }

    #[test]
    fn strings_come_out_one_by_one() {
        check("[]", &[]);
        check("[ ]", &[]);
        check(r#"["a"]"#, &[Some("a")]);
        check(r#"[ "a" , "b,]" ,"" ]"#, &[Some("a"), Some("b,]"), Some("")]);
        check(r#"["\"","\\","\\\"\u0041"]"#, &[Some("\""), Some("\\"), Some("\\\"A")]);
        check(r#"["k\u00e4se ☃"]"#, &[Some("käse ☃")]);
    }

    #[test]
    fn what_is_no_string_ends_it() {
        check(r#"["a",1,"b"]"#, &[Some("a"), None]);
        check(r#"[null]"#, &[None]);
        check(r#"[["a"]]"#, &[None]);
        check(r#"["\ud800","b"]"#, &[None, Some("b")]);
    }
}
