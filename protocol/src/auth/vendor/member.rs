//! Who a Pusher client is: the JSON text that is signed, and sent, byte for byte.

use crate::auth::vendor::pusher::PRESENCE_DATA_BYTES_MAX;
use crate::auth::vendor::pusher::USER_DATA_BYTES_MAX;
use crate::channel_name::NameError;
use crate::json::{Field, JsonFault, Kind, push_string, read_object, unescape};
use crate::limits::Limits;
use crate::rejection::Rejection;

/// Longest id of a member.
const USER_ID_CHARS_MAX: usize = 128;
/// Most digits of an id that is a number: every reader of JSON gives them back as they were.
const USER_ID_DIGITS_MAX: usize = 15;
const CHANNEL_DATA: &str = "channel_data";
const USER_DATA: &str = "user_data";

/// The `channel_data` of a presence channel: an object with a `user_id`, so it starts with `{`.
pub struct PresenceData(String);

impl PresenceData {
    /// Checks a text. Where it has no `user_id`, the client's becomes its first field; every other byte stays.
    ///
    /// # Errors
    /// When it is no object, or has no good `user_id`.
    pub fn parse(text: &str, client_id: &str, limits: &Limits) -> Result<Self, Rejection> {
        let [user_id, _] = fields(CHANNEL_DATA, text, &["user_id", "user_info"], limits)?;
        check_size(CHANNEL_DATA, text, PRESENCE_DATA_BYTES_MAX)?;
        match user_id {
            Some(field) => check_id("channel_data.user_id", text, &field, limits)?,
            None => {
                let text = with_id("user_id", client_id, text);
                return check_size(CHANNEL_DATA, &text, PRESENCE_DATA_BYTES_MAX)
                    .map(|()| Self(text));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The `user_data` of a sign-in: an object with an `id`, so it starts with `{`.
pub struct UserData(String);

impl UserData {
    /// Checks a text. Where there is none, or it has no `id`, the client's becomes its first field; every other byte stays.
    ///
    /// # Errors
    /// When it is no object, or has no good `id`.
    pub fn parse(text: Option<&str>, client_id: &str, limits: &Limits) -> Result<Self, Rejection> {
        let text = text.unwrap_or("{}");
        let [id, _, _] = fields(USER_DATA, text, &["id", "user_info", "watchlist"], limits)?;
        check_size(USER_DATA, text, USER_DATA_BYTES_MAX)?;
        match id {
            Some(field) if field.kind != Kind::String => {
                return Err(Rejection::WrongType { field: "user_data.id", expected: "a string" });
            }
            Some(field) => check_id("user_data.id", text, &field, limits)?,
            None => {
                let text = with_id("id", client_id, text);
                return check_size(USER_DATA, &text, USER_DATA_BYTES_MAX).map(|()| Self(text));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn fields<const N: usize>(
    name: &'static str,
    text: &str,
    schema: &[&'static str; N],
    limits: &Limits,
) -> Result<[Option<Field>; N], Rejection> {
    // What is signed after socket_id:channel: starts with a brace, which no name has: the string has one reading.
    if !text.starts_with('{') {
        return Err(not_an_object(name));
    }
    read_object(text.as_bytes(), schema, limits.json_depth_max).map_err(|fault| match fault {
        JsonFault::Syntax => not_an_object(name),
        JsonFault::TooDeep => Rejection::JsonTooDeep { max: limits.json_depth_max },
        JsonFault::Duplicate(index) => {
            Rejection::DuplicateKey { field: schema.get(index).copied().unwrap_or_default() }
        }
    })
}

fn not_an_object(field: &'static str) -> Rejection {
    Rejection::WrongType { field, expected: "an object" }
}

fn check_size(name: &'static str, text: &str, max: usize) -> Result<(), Rejection> {
    if text.len() > max {
        return Err(Rejection::name(name, NameError::TooLong { bytes: text.len(), max }));
    }
    Ok(())
}

fn check_id(
    name: &'static str,
    text: &str,
    field: &Field,
    limits: &Limits,
) -> Result<(), Rejection> {
    let wrong = Rejection::WrongType { field: name, expected: "a string or a whole number" };
    let written = text.get(field.span.clone()).unwrap_or_default();
    match field.kind {
        Kind::Number => {
            let is_whole = written.bytes().all(|byte| byte.is_ascii_digit());
            if is_whole && written.len() <= USER_ID_DIGITS_MAX { Ok(()) } else { Err(wrong) }
        }
        Kind::String => {
            let mut quoted = written.as_bytes().to_vec();
            let id = unescape(&mut quoted).ok_or(wrong)?;
            check_id_text(name, id, limits)
        }
        Kind::True | Kind::False | Kind::Null | Kind::Array | Kind::Object => Err(wrong),
    }
}

fn check_id_text(name: &'static str, id: &str, limits: &Limits) -> Result<(), Rejection> {
    if id.trim().is_empty() {
        return Err(Rejection::name(name, NameError::Empty));
    }
    let max = USER_ID_CHARS_MAX.min(limits.user_id_bytes_max);
    let chars = id.chars().count();
    if chars > max {
        return Err(Rejection::name(name, NameError::TooLong { bytes: id.len(), max }));
    }
    Ok(())
}

/// The object with one more field in front.
fn with_id(name: &str, id: &str, object: &str) -> String {
    let rest = object.strip_prefix('{').unwrap_or_default();
    let mut quoted = Vec::new();
    push_string(&mut quoted, id);
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    format!("{{\"{name}\":{}{comma}{rest}", String::from_utf8_lossy(&quoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(text: &str) -> Result<String, Rejection> {
        PresenceData::parse(text, "alice \"x\"", &Limits::default()).map(|it| it.0)
    }

    fn user(text: Option<&str>) -> Result<String, Rejection> {
        UserData::parse(text, "alice", &Limits::default()).map(|it| it.0)
    }

    #[test]
    fn a_text_with_an_id_stays_as_it_is() {
        for text in [
            r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#,
            "{ \"user_info\" : 1e400 ,\n\"user_id\":\"\\u00fc-✓\" } ",
            r#"{"user\u005fid":"x"}"#,
            r#"{"user_id":999999999999999}"#,
        ] {
            assert_eq!(presence(text).as_deref(), Ok(text));
        }
        let text = r#"{"watchlist":["a"], "id":"user-7"}"#;
        assert_eq!(user(Some(text)).as_deref(), Ok(text));
    }

    #[test]
    fn the_clients_id_comes_first_where_there_is_none() {
        assert_eq!(presence("{}").as_deref(), Ok(r#"{"user_id":"alice \"x\""}"#));
        assert_eq!(presence("{ \n}").as_deref(), Ok("{\"user_id\":\"alice \\\"x\\\"\" \n}"));
        let with_info = r#"{"user_id":"alice \"x\"", "user_info":{"a":1}}"#;
        assert_eq!(presence(r#"{ "user_info":{"a":1}}"#).as_deref(), Ok(with_info));
        assert_eq!(user(None).as_deref(), Ok(r#"{"id":"alice"}"#));
        assert_eq!(user(Some(r#"{"a":1}"#)).as_deref(), Ok(r#"{"id":"alice","a":1}"#));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            " {}",
            "[]",
            "null",
            "\"{}\"",
            "1",
            "{",
            "{}{}",
            "{}x",
            "\u{feff}{}",
            "{'a':1}",
            "{\"a\":NaN}",
        ] {
            assert_eq!(presence(text), Err(not_an_object(CHANNEL_DATA)), "{text}");
            assert_eq!(user(Some(text)), Err(not_an_object(USER_DATA)), "{text}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(33), "]".repeat(33));
        assert_eq!(presence(&deep), Err(Rejection::JsonTooDeep { max: 32 }));
        let deepest = format!("{{\"user_id\":1,\"a\":{}1{}}}", "[".repeat(32), "]".repeat(32));
        assert_eq!(presence(&deepest).as_deref(), Ok(deepest.as_str()));
    }

    #[test]
    fn an_id_is_a_text_or_a_whole_number() {
        for id in
            ["null", "true", "[]", "{}", "-1", "1.0", "1e3", "1000000000000000", r#""\ud800""#]
        {
            let refusal = presence(&format!(r#"{{"user_id":{id}}}"#)).unwrap_err();
            let expected = "\"channel_data.user_id\" must be a string or a whole number";
            assert_eq!(refusal.message(), expected, "{id}");
        }
        for id in ["\"\"", "\"  \"", r#""\n""#] {
            let refusal = presence(&format!(r#"{{"user_id":{id}}}"#)).unwrap_err();
            assert_eq!(refusal.message(), "\"channel_data.user_id\" must not be empty", "{id}");
        }
        assert_eq!(
            user(Some(r#"{"id":7}"#)).unwrap_err().message(),
            "\"user_data.id\" must be a string"
        );
        let twice = presence(r#"{"user_id":"a","user\u005fid":"b"}"#);
        assert_eq!(twice, Err(Rejection::DuplicateKey { field: "user_id" }));
        let longest = "ü".repeat(128);
        assert!(presence(&format!(r#"{{"user_id":"{longest}"}}"#)).is_ok());
        assert!(presence(&format!(r#"{{"user_id":"{longest}x"}}"#)).is_err());
    }

    #[test]
    fn a_member_is_at_most_a_kilobyte() {
        let make = |length: usize| format!(r#"{{"user_id":1,"a":"{}"}}"#, "x".repeat(length - 20));
        for (length, is_good) in [(1023, true), (1024, true), (1025, false)] {
            assert_eq!(make(length).len(), length);
            assert_eq!(presence(&make(length)).is_ok(), is_good, "{length}");
        }
        let grown = format!(r#"{{"a":"{}"}}"#, "x".repeat(1000));
        assert_eq!(
            presence(&grown).unwrap_err().message(),
            "\"channel_data\" is over its limit: 1032 of 1024 bytes"
        );
    }
}
