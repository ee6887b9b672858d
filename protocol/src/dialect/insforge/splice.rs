//! `{...payload, key: value}` on bytes: the members of a payload stay as they were written (invariant 14).

use std::ops::ControlFlow;

use crate::json::{Kind, Member, each_member, place_in, unescape};

/// Deeper than any payload that a limit lets in.
const DEPTH_MAX: usize = 128;

/// Appends an object with the members of a payload and one more, without the braces of that one's value: `write` appends it
/// all. The payload was validated when it came in. One that is no object becomes the member `data`; a member that has the name
/// of the new one goes.
pub(super) fn push_spread(
    out: &mut Vec<u8>,
    payload: &[u8],
    key: &'static str,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    if payload.first() == Some(&b'{') {
        push_members(out, payload, key);
    } else {
        out.extend_from_slice(b"{\"data\":");
        out.extend_from_slice(payload);
    }
    if out.len() - start > 1 {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    write(out);
    out.push(b'}');
}

/// Appends an object without its closing brace, and without members of that name.
fn push_members(out: &mut Vec<u8>, object: &[u8], key: &'static str) {
    let start = out.len();
    if !(may_have(object, key) && push_others(out, object, key)) {
        out.truncate(start);
        let end = object.len().saturating_sub(1);
        out.extend_from_slice(object.get(..end).unwrap_or_default().trim_ascii_end());
    }
}

/// The same, one member behind the other. `false` when none has that name: then the object stays as it was written.
fn push_others(out: &mut Vec<u8>, object: &[u8], key: &'static str) -> bool {
    let mut is_named = false;
    out.push(b'{');
    let start = out.len();
    let seen = each_member(object, DEPTH_MAX, |member| {
        let name = quoted_name(object, &member);
        if is_name(name, key) {
            is_named = true;
            return ControlFlow::Continue(());
        }
        if out.len() > start {
            out.push(b',');
        }
        out.extend_from_slice(name);
        out.push(b':');
        out.extend_from_slice(object.get(member.value.span).unwrap_or_default());
        ControlFlow::Continue(())
    });
    seen.is_ok() && is_named
}

fn quoted_name<'a>(object: &'a [u8], member: &Member) -> &'a [u8] {
    member.name.clone().and_then(|it| object.get(it)).unwrap_or_default()
}

fn is_name(quoted: &[u8], key: &'static str) -> bool {
    place_in(&[key], quoted).is_some()
}

/// Whether a member might have this name: it stands in the text, or something is escaped that might be it.
fn may_have(object: &[u8], key: &str) -> bool {
    memchr::memmem::find(object, key.as_bytes()).is_some()
        || memchr::memmem::find(object, b"\\u").is_some()
}

/// The text of a member of an object, if that is a string; of several, of the last.
pub(super) fn text_member(object: &[u8], key: &'static str) -> Option<String> {
    let mut found = None;
    let seen = each_member(object, DEPTH_MAX, |member| {
        if is_name(quoted_name(object, &member), key) {
            found = Some(member.value);
        }
        ControlFlow::Continue(())
    });
    let value = found.filter(|it| seen.is_ok() && it.kind == Kind::String)?;
    unescape(&mut object.get(value.span)?.to_vec()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payload: &str, expected: &str) {
        let mut out = Vec::new();
        push_spread(&mut out, payload.as_bytes(), "meta", |out| out.extend_from_slice(b"7"));
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{payload}");
    }

    #[test]
    fn a_payload_is_spread_byte_for_byte() {
        check("{}", r#"{"meta":7}"#);
        check("{ }", r#"{"meta":7}"#);
        check(r#"{"a":1}"#, r#"{"a":1,"meta":7}"#);
        check(r#"{ "b" : 1.50, "a":[ 1e400 ],"a":"\ud800" }"#, {
            r#"{ "b" : 1.50, "a":[ 1e400 ],"a":"\ud800","meta":7}"#
        });
        check(r#"{"a":{"meta":1}}"#, r#"{"a":{"meta":1},"meta":7}"#);
    }

    #[test]
    fn a_member_of_the_same_name_goes() {
        check(r#"{"meta":1}"#, r#"{"meta":7}"#);
        check(r#"{"a":1,"meta":{"x":"}"},"b":"meta"}"#, r#"{"a":1,"b":"meta","meta":7}"#);
        check(r#"{"m\u0065ta":1,"metal":2}"#, r#"{"metal":2,"meta":7}"#);
        check(r#"{"meta":1,"meta":2}"#, r#"{"meta":7}"#);
        check(r#"{ "a" : [ 1 ] , "meta" : 1 , "\u006d\u0065\u0074\u0061":2, "b":3}"#, {
            r#"{"a":[ 1 ],"b":3,"meta":7}"#
        });
        let long = format!("\"{}meta\":1", r"\u0000".repeat(100_000));
        check(&format!("{{{long}}}"), &format!("{{{long},\"meta\":7}}"));
        check(&format!("{{{long},\"meta\":1}}"), &format!("{{{long},\"meta\":7}}"));
    }

    #[test]
    fn what_is_no_object_becomes_data() {
        for payload in ["null", "7", "\"{\"", "[1,{}]", "true"] {
            check(payload, &format!(r#"{{"data":{payload},"meta":7}}"#));
        }
    }

    #[test]
    fn the_text_of_a_member_is_found() {
        let check = |object: &str, expected: Option<&str>| {
            assert_eq!(text_member(object.as_bytes(), "schema").as_deref(), expected, "{object}");
        };
        check(r#"{"schema":"public"}"#, Some("public"));
        check(r#"{"new":{"schema":"x"},"sch\u0065ma":"\u0061"}"#, Some("a"));
        check(r#"{"schema":7}"#, None);
        check(r#"{"schema":"a","schema":"b"}"#, Some("b"));
        check(r#"{"schema":"a","schema":7}"#, None);
        check("[]", None);
        check("7", None);
    }
}
