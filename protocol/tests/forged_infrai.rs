//! Forged tokens of Infrai's clients: each differs from one that is accepted in one thing, and none is accepted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod trust;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use protocol::Limits;
use protocol::auth::{hmac_sha256, verify_infrai};

const KEY: &[u8] = b"a key of thirty-two bytes, or so";
const OTHER_TENANTS_KEY: &[u8] = b"b key of thirty-two bytes, or so";
const NOW_S: u64 = 1_711_111_111;
const GOOD: &str = r#"{"jti":"018e6658-27a7-7abc-8def-0123456789ab","acc":"acme","sub":"user_42","uid":"ü?????","ch":["room-42","chat:*"],"cap":["subscribe","presence"],"iat":1711111111,"exp":1711114711}"#;

/// What each of these says of a token, and the token.
type Forged = Vec<(String, String)>;

fn opens(token: &str) -> bool {
    verify_infrai(token, KEY, NOW_S, &Limits::default()).is_ok()
}

fn signed(message: &str, key: &[u8]) -> String {
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac_sha256(key, message.as_bytes())))
}

fn forge(payload: &str) -> String {
    signed(&format!("irt1.{}", URL_SAFE_NO_PAD.encode(payload)), KEY)
}

/// What is wrong, what it was, what it is.
const PAYLOADS: [(&str, &str, &str); 61] = [
    ("jti absent", r#""jti":"018e6658-27a7-7abc-8def-0123456789ab","#, ""),
    ("jti null", r#""018e6658-27a7-7abc-8def-0123456789ab""#, "null"),
    ("jti empty", "018e6658-27a7-7abc-8def-0123456789ab", ""),
    ("jti in capitals", "018e6658-27a7-7abc", "018E6658-27a7-7abc"),
    ("jti without dashes", "018e6658-27a7-7abc-8def", "018e665827a77abc8def"),
    ("jti too long", "0123456789ab", "0123456789abc"),
    ("jti no UUID", "018e6658", "018e665g"),
    (
        "jti in braces",
        "\"018e6658-27a7-7abc-8def-0123456789ab\"",
        "\"{018e6658-27a7-7abc-8def-0123456789ab}\"",
    ),
    ("jti twice", "{", r#"{"jti":"018e6658-27a7-7abc-8def-0123456789ac","#),
    ("acc absent", r#""acc":"acme","#, ""),
    ("acc null", r#""acme""#, "null"),
    ("acc an array", r#""acme""#, r#"["acme"]"#),
    ("acc twice", "{", r#"{"acc":"other","#),
    ("acc twice, escaped", "{", r#"{"\u0061cc":"other","#),
    ("acc escaped", r#""acme""#, r#""\u0061cme""#),
    ("acc half of a surrogate pair", r#""acme""#, r#""\ud800""#),
    ("sub absent", r#""sub":"user_42","#, ""),
    ("sub empty", "user_42", ""),
    ("sub a number", r#""user_42""#, "42"),
    ("sub null", r#""user_42""#, "null"),
    ("sub escaped", "user_42", "user\\u005f42"),
    ("sub with an escaped slash", "user_42", "\\/"),
    ("sub twice", r#""uid""#, r#""sub":"root","uid""#),
    ("uid null", r#""ü?????""#, "null"),
    ("uid a number", r#""ü?????""#, "1"),
    ("uid escaped", "ü?????", "\\u00fc?????"),
    ("uid twice", r#""ch""#, r#""uid":"root","ch""#),
    ("ch null", r#"["room-42","chat:*"]"#, "null"),
    ("ch a text", r#"["room-42","chat:*"]"#, r#""room-42""#),
    ("ch with a number", r#""chat:*""#, "7"),
    ("ch with an array", r#""chat:*""#, r#"["chat:*"]"#),
    ("ch with null", r#""chat:*""#, "null"),
    ("ch escaped", "chat:*", "chat\\u003a*"),
    ("ch twice", r#""cap""#, r#""ch":["*"],"cap""#),
    ("cap absent", r#""cap":["subscribe","presence"],"#, ""),
    ("cap null", r#"["subscribe","presence"]"#, "null"),
    ("cap a text", r#"["subscribe","presence"]"#, r#""subscribe""#),
    ("cap unknown", r#""presence""#, r#""admin""#),
    ("cap in capitals", r#""presence""#, r#""PRESENCE""#),
    ("cap with a blank", r#""presence""#, r#""presence ""#),
    ("cap in another order", r#""subscribe","presence""#, r#""presence","subscribe""#),
    ("cap doubled", r#""presence""#, r#""presence","presence""#),
    ("cap twice", r#""iat""#, r#""cap":["publish"],"iat""#),
    ("iat absent", r#""iat":1711111111,"#, ""),
    ("iat a text", ":1711111111", ":\"1711111111\""),
    ("iat to come", ":1711111111", ":1711111142"),
    ("iat negative", ":1711111111", ":-1"),
    ("exp absent", r#","exp":1711114711"#, ""),
    ("exp twice", r#""exp""#, r#""exp":1711114712,"exp""#),
    ("an unknown claim", "{", r#"{"alg":"none","#),
    ("nbf to come", r#""exp""#, r#""nbf":1711119999,"exp""#),
    ("another order", r#""acc":"acme","sub":"user_42""#, r#""sub":"user_42","acc":"acme""#),
    ("a blank", ":\"acme\"", ": \"acme\""),
    ("a blank in front", "{", " {"),
    ("a blank behind", "}", "} "),
    ("a line feed", ",\"exp\"", ",\n\"exp\""),
    ("a byte order mark", "{", "\u{feff}{"),
    ("a NUL behind", "}", "}\0"),
    ("an array", "{", "[{"),
    ("not closed", "}", ""),
    ("closed twice", "}", "}}"),
];

/// Ends of a life that are none, or another.
const EXPS: [&str; 21] = [
    "null",
    "true",
    "\"1711114711\"",
    "[1711114711]",
    "1711111111",
    "1711111110",
    "0",
    "-0",
    "-1",
    "1711114711.0",
    "1.711114711e9",
    "01711114711",
    "+1711114711",
    "0x65fddd17",
    "NaN",
    "Infinity",
    "1e400",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1711197512",
];

/// Payloads under the right signature.
fn payloads() -> Forged {
    let long = format!("\"{}\"", "x".repeat(129));
    let exps = EXPS.iter().map(|value| ("exp", ":1711114711".to_owned(), format!(":{value}")));
    PAYLOADS
        .iter()
        .map(|(why, from, to)| (*why, (*from).to_owned(), (*to).to_owned()))
        .chain([("sub too long", "\"user_42\"".to_owned(), long)])
        .chain(exps)
        .map(|(why, from, to)| {
            let payload = GOOD.replacen(&from, &to, 1);
            assert_ne!(payload, GOOD, "{why}");
            (format!("payload: {why} {to}"), forge(&payload))
        })
        .collect()
}

/// The right payload with another signature.
fn signatures() -> Forged {
    let good = forge(GOOD);
    let (message, text) = good.rsplit_once('.').unwrap();
    let right = hmac_sha256(KEY, message.as_bytes());
    let with = |signature: &str| format!("{message}.{signature}");
    let of = |bytes: &[u8]| with(&URL_SAFE_NO_PAD.encode(bytes));
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = digits.find(&text[42..]).unwrap();
    let trailing = |bit: usize| format!("{}{}", &text[..42], &digits[last | bit..=last | bit]);
    let hex: String = right.iter().map(|byte| format!("{byte:02x}")).collect();
    let (payload, bare) = (URL_SAFE_NO_PAD.encode(GOOD), GOOD.as_bytes());
    let mut rows = vec![
        ("absent", message.to_owned()),
        ("empty", with("")),
        ("of another tenant's key", signed(message, OTHER_TENANTS_KEY)),
        ("of an empty key", signed(message, b"")),
        ("of a key of zeros", signed(message, &[0; 32])),
        ("of a key cut short", signed(message, &KEY[..31])),
        ("of the tenant's name", signed(message, b"acme")),
        ("of the payload alone", of(&hmac_sha256(KEY, payload.as_bytes()))),
        ("of the decoded payload", of(&hmac_sha256(KEY, bare))),
        ("of another version", of(&hmac_sha256(KEY, format!("irt2.{payload}").as_bytes()))),
        ("without its last byte", of(&right[..31])),
        ("without its first byte", of(&right[1..])),
        ("half", of(&right[..16])),
        ("one byte", of(&right[..1])),
        ("twice", of(&[right, right].concat())),
        ("with a zero behind", of(&[right.as_slice(), &[0]].concat())),
        ("zeros", of(&[0; 32])),
        ("in hexadecimal", with(&hex)),
        ("padded", with(&format!("{text}="))),
        ("with a trailing bit", with(&trailing(1))),
        ("with another trailing bit", with(&trailing(2))),
        ("with a blank in front", with(&format!(" {text}"))),
        ("with a line feed behind", with(&format!("{text}\n"))),
        ("with a NUL behind", with(&format!("{text}\0"))),
        ("with a letter behind", with(&format!("{text}A"))),
        ("without its last letter", with(&text[..42])),
        ("percent-encoded", with(&format!("%{:02X}{}", text.as_bytes()[0], &text[1..]))),
    ];
    for byte in 0..right.len() {
        let mut changed = right;
        changed[byte] ^= 0x80;
        rows.push(("with one bit changed", of(&changed)));
    }
    rows.into_iter().map(|(why, token)| (format!("signature: {why}"), token)).collect()
}

/// The right parts, put together otherwise. Where the change is inside what is signed, it is signed.
fn shapes() -> Forged {
    let good = forge(GOOD);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let payload = URL_SAFE_NO_PAD.encode(GOOD);
    assert!(payload.contains(['-', '_']), "the alphabets must differ in it");
    let of = |message: String| signed(&message, KEY);
    let jwt = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.{payload}");
    let rows = [
        ("nothing", String::new()),
        ("the prefix alone", "irt1.".into()),
        ("dots alone", "irt1..".into()),
        ("another prefix", of(format!("irt2.{payload}"))),
        ("the prefix in capitals", of(format!("IRT1.{payload}"))),
        ("no prefix", of(payload.clone())),
        ("a blank in the prefix", of(format!("irt1 .{payload}"))),
        ("the prefix twice", of(format!("irt1.irt1.{payload}"))),
        ("a JSON Web Token", of(jwt)),
        ("no payload", of("irt1.".into())),
        ("two dots", of(format!("irt1..{payload}"))),
        ("a part more", of(format!("irt1.{payload}.{payload}"))),
        ("a part behind", format!("{good}.{signature}")),
        ("a dot in front", format!(".{good}")),
        ("a dot behind", format!("{good}.")),
        ("parts swapped", format!("irt1.{signature}.{payload}")),
        ("payload in the standard alphabet", of(format!("irt1.{}", STANDARD_NO_PAD.encode(GOOD)))),
        ("payload padded", of(format!("irt1.{}=", URL_SAFE.encode(GOOD).trim_end_matches('=')))),
        ("payload with a blank", of(format!("irt1.{payload} "))),
        ("payload with a line feed", of(format!("irt1.{payload}\n"))),
        ("payload with a letter more", of(format!("irt1.{payload}A"))),
        ("payload not encoded", of(format!("irt1.{GOOD}"))),
        ("payload encoded twice", of(format!("irt1.{}", URL_SAFE_NO_PAD.encode(&payload)))),
        ("a blank in front", format!(" {good}")),
        ("a blank behind", format!("{good} ")),
        ("a tab behind", format!("{good}\t")),
        ("a scheme", format!("Bearer {good}")),
        ("quoted", format!("\"{good}\"")),
        ("a list", format!("{good},{good}")),
        ("twice", format!("{good}{good}")),
        ("other dots", good.replace('.', "\u{ff0e}")),
        ("encoded dots", good.replace('.', "%2E")),
        ("capitals", good.to_uppercase()),
        ("its message alone", message.to_owned()),
    ];
    rows.map(|(why, token)| (format!("shape: {why}"), token)).into()
}

#[test]
fn no_forged_token_opens_the_door() {
    assert!(opens(&forge(GOOD)), "the good one");
    let forged = [payloads(), signatures(), shapes()].concat();
    assert!(forged.len() >= 60, "{}", forged.len());
    let accepted: Vec<&String> =
        forged.iter().filter(|(_, token)| opens(token)).map(|(why, _)| why).collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
    trust::none_accepted("infrai", forged.len());
}

#[test]
fn the_changes_of_the_table_are_what_is_refused() {
    // The nearest of each kind that is allowed.
    for (from, to) in [
        (":1711114711", ":1711111112"),
        (":1711114711", ":1711197511"),
        (":1711111111", ":1711111141"),
        (r#""uid":"ü?????","#, ""),
        (r#""ch":["room-42","chat:*"],"#, ""),
        (r#"["room-42","chat:*"]"#, "[]"),
        (r#""subscribe","presence""#, r#""history""#),
        ("\"user_42\"", &format!("\"{}\"", "x".repeat(128))),
    ] {
        let payload = GOOD.replacen(from, to, 1);
        assert_ne!(payload, GOOD);
        assert!(opens(&forge(&payload)), "{payload}");
    }
}
