//! Values that are wrong for a field, by what it takes, each with what is said of it. Written from the wire's rules by hand, so
//! that it can differ from the code.

/// What a field takes.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    /// A name of so many bytes.
    Name(usize),
    /// An idempotency key.
    Key,
    Token,
    Ttl,
    Flag,
    Json,
    Object,
    Channels,
    Capabilities,
    Type,
    /// An offset of an Infrai frame.
    Offset,
    /// What a client calls its frame.
    FrameId,
    /// Cohesivity's id of a user: a string or an integer.
    UserId,
    /// A name that may be empty.
    Nickname(usize),
    /// Cohesivity's life of a token.
    Life,
    /// The text of a query.
    Text,
    Params,
    Region,
    Vendor,
    /// What somebody is let in with.
    Credential,
}

/// What no field takes.
pub(crate) fn everywhere(field: &str) -> Vec<(String, String)> {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let mut values = vec![(deep, "JSON nests deeper than 32 levels".to_owned())];
    let broken =
        ["NaN", "Infinity", "-", "'a'", "\"a", "\"\\x\"", "\"a\tb\"", "01", "undefined", "{]", ""];
    values.extend(broken.map(|it| (it.to_owned(), "Invalid JSON".to_owned())));
    assert!(!field.is_empty());
    values
}

/// Values that are refused with one message.
fn must(field: &str, values: &[&str], what: &str) -> Vec<(String, String)> {
    let message = format!("\"{field}\" must be {what}");
    values.iter().map(|it| ((*it).to_owned(), message.clone())).collect()
}

/// What no name is.
fn no_name(field: &str, max: usize) -> Vec<(String, String)> {
    let mut values = must(field, &["1", "true", "{}", "[\"a\"]", "\"\\ud800\""], "a string");
    values.push(("\"\"".to_owned(), format!("\"{field}\" must not be empty")));
    let long = format!("\"{}\"", "n".repeat(max + 1));
    values.push((long, format!("\"{field}\" is over its limit: {} of {max} bytes", max + 1)));
    for (value, at) in [("a\\u0000b", 1), ("\\r\\n", 0), ("é\\u007f", 2), ("a\\u0085", 1)] {
        let message = format!("\"{field}\" has a control character at byte {at}");
        values.push((format!("\"{value}\""), message));
    }
    values
}

/// What is wrong for a field that takes this.
pub(crate) fn wrong(takes: Takes, field: &str) -> Vec<(String, String)> {
    match takes {
        Takes::Name(max) => no_name(field, max),
        Takes::Key => no_key(field),
        Takes::Token => no_token(field),
        Takes::Ttl => must(
            field,
            &["0", "-1", "-0", "1.5", "1.0", "1e3", "\"60\"", "true", "{}", "-9223372036854775808"],
            "a whole number above 0",
        ),
        Takes::Flag => must(field, &["0", "\"true\"", "[]", "{}"], "a boolean"),
        Takes::Json => Vec::new(),
        Takes::Text => {
            must(field, &["1", "true", "{}", "[\"a\"]", "null", "\"\\ud800\""], "a string")
        }
        Takes::Credential => {
            must(field, &["1", "true", "{}", "[\"a\"]", "\"\\ud800\""], "a string")
        }
        Takes::Offset => must(
            field,
            &["-1", "-0", "1.5", "1e3", "\"1\"", "true", "{}", "18446744073709551616"],
            "a whole number from 0",
        ),
        Takes::FrameId => no_frame_id(field),
        Takes::UserId => no_user_id(field),
        Takes::Nickname(max) => {
            let mut values = no_name(field, max);
            values.retain(|(value, _)| value != "\"\"");
            values
        }
        Takes::Life => no_life(field),
        Takes::Params => no_params(field),
        Takes::Region => no_region(field),
        Takes::Object => must(field, &["1", "\"{}\"", "[]", "true"], "an object"),
        Takes::Type => must(
            field,
            &["\"Public\"", "\"\"", "1", "[]", "\"secret\""],
            "public, private or presence",
        ),
        Takes::Vendor => must(
            field,
            &["\"Pusher\"", "\"tencent_im\"", "\"\"", "3", "{}"],
            "pusher, ably or liveblocks",
        ),
        Takes::Capabilities => must(
            field,
            &["\"subscribe\"", "[\"admin\"]", "[1]", "[null]", "{}", "[\"\"]", "[[\"publish\"]]"],
            "an array of subscribe, publish, presence or history",
        ),
        Takes::Channels => no_channels(field),
    }
}

fn no_key(field: &str) -> Vec<(String, String)> {
    let mut values = must(field, &["1", "false", "[]", "\"\\udc00\""], "a string");
    values.extend(must(field, &["\"a\\n\"", "\"käse\"", "\"\\u007f\""], "printable ASCII"));
    values.push(("\"\"".to_owned(), format!("\"{field}\" must not be empty")));
    let long = format!("\"{}\"", "k".repeat(129));
    values.push((long, format!("\"{field}\" is over its limit: 129 of 128 bytes")));
    values
}

fn no_token(field: &str) -> Vec<(String, String)> {
    let mut values = no_name(field, 4096);
    values.extend(must(
        field,
        &["\"x\"", "\"018e6658\"", "\"IRT1.a.b\"", "\"018E6658-27A7-7ABC-8DEF-0123456789AB\""],
        "a token or its jti",
    ));
    values
}

fn no_user_id(field: &str) -> Vec<(String, String)> {
    let mut values = must(
        field,
        &["true", "null", "{}", "[1]", "1.5", "1e3", "-0", "\"\\ud800\""],
        "a string or an integer",
    );
    values.extend(no_name(field, 128).into_iter().filter(|(value, _)| value.starts_with('"')));
    values.retain(|(value, what)| value != "\"\\ud800\"" || what.ends_with("integer"));
    values
}

fn no_life(field: &str) -> Vec<(String, String)> {
    let mut values =
        must(field, &["\"60\"", "1.5", "60.0", "6e1", "true", "{}", "[]"], "an integer");
    let over = ["59", "0", "-1", "-60", "3601", "9223372036854775808", "99999999999999999999"];
    values.extend(must(field, &over, "from 60 to 3600"));
    values
}

fn no_params(field: &str) -> Vec<(String, String)> {
    let mut values = must(field, &["1", "\"a\"", "true"], "a list or an object");
    let kinds = ["[[1]]", "[{}]", "{\"a\":[]}", "[\"\\ud800\"]"];
    values.extend(must(field, &kinds, "strings, numbers, booleans and nulls"));
    let wide = ["[9223372036854775808]", "[-9223372036854775809]", "[1e999]"];
    values.extend(must(field, &wide, "numbers of 64 bits"));
    let many = format!("[{}1]", "1,".repeat(1_000));
    values.push((many, format!("\"{field}\" may have 1000 items")));
    let twice = format!("\"{field}\" came more than once");
    values.push(("{\"a\":1,\"a\":2}".to_owned(), twice));
    values
}

fn no_region(field: &str) -> Vec<(String, String)> {
    let mut values = must(field, &["1", "true", "{}", "[\"us\"]"], "a string");
    values.extend(must(field, &["\"mars\"", "\"\"", "\"US\"", "\"us\\u0000\""], "a region"));
    values
}

fn no_frame_id(field: &str) -> Vec<(String, String)> {
    let long = format!("\"{}\"", "i".repeat(127));
    let values = ["true", "false", "{}", "[]", "[1]", &long];
    must(field, &values, "a string or a number of at most 128 bytes")
}

fn no_channels(field: &str) -> Vec<(String, String)> {
    channels(
        field,
        must(
            field,
            &["\"room\"", "{}", "1", "[1]", "[null]", "[\"a\",{}]", "[\"\\ud800\"]"],
            "an array of strings",
        ),
    )
}

fn channels(field: &str, mut values: Vec<(String, String)>) -> Vec<(String, String)> {
    values.push(("[\"a\",\"\"]".to_owned(), format!("{field}[1]: \"channel\" must not be empty")));
    let long = format!("[\"{}\"]", "n".repeat(201));
    let too_long = format!("{field}[0]: \"channel\" is over its limit: 201 of 200 bytes");
    values.push((long, too_long));
    let control = "has a control character at byte 0";
    values.push(("[\"\\n\"]".to_owned(), format!("{field}[0]: \"channel\" {control}")));
    let many = format!("[{}]", vec!["\"a\""; 101].join(","));
    values.push((many, format!("\"{field}\" may have 100 items")));
    values
}

/// An object of these fields.
pub(crate) fn object(fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

/// The same with another value of a field.
pub(crate) fn with(good: &[(&str, &str)], field: &str, value: &str) -> String {
    let mut fields: Vec<_> = good.iter().copied().filter(|(name, _)| *name != field).collect();
    fields.push((field, value));
    object(&fields)
}

/// The same without a field.
pub(crate) fn without(good: &[(&str, &str)], field: &str) -> String {
    let fields: Vec<_> = good.iter().copied().filter(|(name, _)| *name != field).collect();
    object(&fields)
}

/// The same key, spelled with an escape.
fn escaped(field: &str) -> String {
    format!("\\u{:04x}{}", field.as_bytes()[0], &field[1..])
}

/// A field that comes twice, also where the second one is spelled with an escape.
pub(crate) fn twice(field: &str) -> Vec<(String, String)> {
    let message = format!("\"{field}\" came more than once");
    let plain = format!("{{\"{field}\":null,\"{field}\":\"x\"}}");
    let disguised = format!("{{\"{field}\":\"x\",\"{}\":\"x\"}}", escaped(field));
    vec![(plain, message.clone()), (disguised, message)]
}
