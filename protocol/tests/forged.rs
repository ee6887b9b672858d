//! Forged tokens: each differs from one that is accepted in one thing, and none is accepted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod trust;

use aws_lc_rs::hmac;
use protocol::Limits;
use protocol::auth::{verify_edge, verify_realtime};

const KEY: &[u8] = b"a key of thirty-two bytes, or so";
const OTHER_TENANTS_KEY: &[u8] = b"b key of thirty-two bytes, or so";
/// What a verifier that takes RS256 from the token would use as the secret of an HMAC.
const PUBLIC_KEY: &[u8] =
    b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ==\n-----END PUBLIC KEY-----\n";
const NOW_S: u64 = 1_711_111_111;
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// A door, what is good at it, and its guard.
struct Door {
    name: &'static str,
    payload: &'static str,
    opens: fn(&str) -> bool,
}

const DOORS: [Door; 2] = [
    Door {
        name: "realtime",
        payload: r#"{"tid":"acme","typ":"rt","sub":"alice","iat":1711111111,"exp":1711111411,"jti":"t1"}"#,
        opens: |token| verify_realtime(token, KEY, NOW_S, &Limits::default()).is_ok(),
    },
    Door {
        name: "edge",
        payload: r#"{"tid":"acme","typ":"edge","exp":1711111171}"#,
        opens: |token| verify_edge(token, KEY, NOW_S, &Limits::default()).is_ok(),
    },
];

const URL_DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64url(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            out.push(char::from(URL_DIGITS[(bits >> (18 - 6 * index) & 63) as usize]));
        }
    }
    out
}

fn mac(algorithm: hmac::Algorithm, key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, key), message.as_bytes()).as_ref().to_vec()
}

fn message(header: &str, payload: &str) -> String {
    format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()))
}

fn signed(message: &str, key: &[u8]) -> String {
    format!("{message}.{}", base64url(&mac(hmac::HMAC_SHA256, key, message)))
}

fn forge(header: &str, payload: &str) -> String {
    signed(&message(header, payload), KEY)
}

/// What each of these says of a token, and the token.
type Forged = Vec<(String, String)>;

/// Headers that choose a key, an algorithm or another meaning. Each is signed with the right key, and not at all.
fn headers(payload: &str) -> Forged {
    const KID_LONG: usize = 3000;
    let long = format!(r#"{{"typ":"JWT","alg":"HS256","kid":"{}"}}"#, "k".repeat(KID_LONG));
    let headers = [
        r#"{"typ":"JWT","alg":"none"}"#,
        r#"{"typ":"JWT","alg":"None"}"#,
        r#"{"typ":"JWT","alg":"NONE"}"#,
        r#"{"typ":"JWT","alg":"nOnE"}"#,
        r#"{"typ":"JWT","alg":""}"#,
        r#"{"typ":"JWT","alg":null}"#,
        r#"{"typ":"JWT","alg":["HS256"]}"#,
        r#"{"typ":"JWT","alg":"hs256"}"#,
        r#"{"typ":"JWT","alg":"HS256\u0000"}"#,
        r#"{"typ":"JWT","alg":"HS384"}"#,
        r#"{"typ":"JWT","alg":"HS512"}"#,
        r#"{"typ":"JWT","alg":"RS256"}"#,
        r#"{"typ":"JWT","alg":"PS256"}"#,
        r#"{"typ":"JWT","alg":"ES256"}"#,
        r#"{"typ":"JWT","alg":"EdDSA"}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"typ":"JWE","alg":"HS256"}"#,
        r#"{"typ":"at+jwt","alg":"HS256"}"#,
        r#"{"typ":"JWT","alg":"HS256","alg":"none"}"#,
        r#"{"typ":"JWT","alg":"none","alg":"HS256"}"#,
        r#"{"typ":"JWT","alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"typ":"JWT","alg":"HS256","crit":[]}"#,
        r#"{"typ":"JWT","alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"acme"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"../../../../dev/null"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"/proc/sys/kernel/hostname"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"x' UNION SELECT 'key"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"$(id)"}"#,
        &long,
        r#"{"typ":"JWT","alg":"HS256","jku":"https://evil.example/jwks.json"}"#,
        r#"{"typ":"JWT","alg":"HS256","x5u":"https://evil.example/cert"}"#,
        r#"{"typ":"JWT","alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#,
        r#"{"typ":"JWT","alg":"HS256","x5c":["AAAA"]}"#,
        r#"{"typ":"JWT","alg":"HS256","x5t":"AAAA"}"#,
        r#"{"typ":"JWT","alg":"HS256","cty":"JWT"}"#,
        r#"{"typ":"JWT","alg":"HS256","zip":"DEF"}"#,
        r#"{"typ":"JWT","alg":"dir","enc":"A256GCM"}"#,
        "{}",
        "[]",
        "null",
        "",
    ];
    let both = |header: &str| {
        let message = message(header, payload);
        [
            (format!("header {header}"), signed(&message, KEY)),
            (format!("header {header}, unsigned"), format!("{message}.")),
        ]
    };
    headers.iter().flat_map(|header| both(header)).collect()
}

/// Payloads that are signed with the right key.
fn payloads(good: &str) -> Forged {
    let exp = if good.contains("1711111411") { "1711111411" } else { "1711111171" };
    let mut changes: Vec<(&str, String, String)> = vec![
        ("exp absent", format!(",\"exp\":{exp}"), String::new()),
        ("nbf to come", "{".into(), format!("{{\"nbf\":{},", NOW_S + 31)),
        ("nbf no number", "{".into(), "{\"nbf\":\"now\",".into()),
        ("nbf before 1970", "{".into(), "{\"nbf\":-1,".into()),
        ("tid absent", "\"tid\":\"acme\",".into(), String::new()),
        ("tid null", "\"acme\"".into(), "null".into()),
        ("tid twice", "{".into(), "{\"tid\":\"other\",".into()),
        ("tid twice, escaped", "{".into(), "{\"t\\u0069d\":\"other\",".into()),
        ("exp twice", "{".into(), format!("{{\"exp\":{exp},")),
        ("exp twice, one long ago", "{".into(), "{\"exp\":1,".into()),
        ("typ twice", "{".into(), "{\"typ\":\"rt\",".into()),
        ("an array", "{".into(), "[".into()),
        ("not closed", "}".into(), String::new()),
        ("closed twice", "}".into(), "}}".into()),
        ("a comma at the end", "}".into(), ",}".into()),
        ("a byte order mark", "{".into(), "\u{feff}{".into()),
        ("a NUL", "}".into(), "}\0".into()),
        ("another door", "\"typ\":\"".into(), "\"typ\":\"x".into()),
        ("no door", "\"typ\"".into(), "\"type\"".into()),
    ];
    changes.extend(expiries(exp));
    if good.contains("iat") {
        for (why, from, to) in [
            ("exp 2^63", "1711111411", "9223372036854775808"),
            ("a life over the longest", "1711111411", "1711114712"),
            ("iat absent", "\"iat\":1711111111,", ""),
            ("iat a text", "1711111111", "\"1711111111\""),
            ("iat to come", "1711111111", "1711111142"),
            ("iat negative", "1711111111", "-1711111111"),
            ("jti absent", ",\"jti\":\"t1\"", ""),
            ("jti empty", "\"t1\"", "\"\""),
            ("sub absent", "\"sub\":\"alice\",", ""),
            ("sub empty", "\"alice\"", "\"\""),
            ("sub an array", "\"alice\"", "[\"alice\"]"),
            ("sub half of a surrogate pair", "\"alice\"", "\"\\ud800\""),
            ("sub twice", "{", "{\"sub\":\"bob\","),
        ] {
            changes.push((why, from.into(), to.into()));
        }
    } else {
        changes.push(("exp 2^63", format!("\"exp\":{exp}"), "\"exp\":9223372036854775808".into()));
        changes.push(("a life over the longest", exp.into(), (NOW_S + 3601).to_string()));
    }
    let token = |(why, from, to): (&str, String, String)| {
        let payload = good.replacen(&from, &to, 1);
        assert_ne!(payload, good, "{why}");
        (format!("payload: {why}"), forge(HEADER, &payload))
    };
    changes.into_iter().map(token).collect()
}

/// Ends of a life that are none, or passed.
fn expiries(exp: &str) -> Vec<(&'static str, String, String)> {
    [
        ("now", "1711111111"),
        ("long ago", "1"),
        ("zero", "0"),
        ("minus one", "-1"),
        ("minus zero", "-0"),
        ("a fraction", "1711111141.5"),
        ("an exponent", "1.7e9"),
        ("a text", "\"1711111141\""),
        ("null", "null"),
        ("true", "true"),
        ("an array", "[1711111141]"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("1e400", "1e400"),
        ("2^64", "18446744073709551616"),
        ("octal", "01711111141"),
        ("hexadecimal", "0x7fffffff"),
        ("a text that overflows", "\"9223372036854775808\""),
    ]
    .map(|(why, value)| (why, format!("\"exp\":{exp}"), format!("\"exp\":{value}")))
    .into()
}

/// The right header and payload, with another signature.
fn signatures(payload: &str) -> Forged {
    let message = message(HEADER, payload);
    let right = mac(hmac::HMAC_SHA256, KEY, &message);
    let text = base64url(&right);
    let with = |signature: &str| format!("{message}.{signature}");
    let of = |bytes: &[u8]| with(&base64url(bytes));
    let last = URL_DIGITS.iter().position(|it| *it == text.as_bytes()[42]).unwrap();
    let trailing = |bit: usize| format!("{}{}", &text[..42], char::from(URL_DIGITS[last | bit]));
    let hex: String = right.iter().map(|byte| format!("{byte:02x}")).collect();
    let rows = [
        ("absent", message.clone()),
        ("empty", with("")),
        ("of another tenant's key", signed(&message, OTHER_TENANTS_KEY)),
        ("of an empty key", signed(&message, b"")),
        ("of a key of zeros", signed(&message, &[0; 32])),
        ("of a key cut short", signed(&message, &KEY[..31])),
        ("of the key and a line feed", signed(&message, &[KEY, b"\n"].concat())),
        ("of a public key", signed(&message, PUBLIC_KEY)),
        ("of the tenant's name", signed(&message, b"acme")),
        ("of HS384", of(&mac(hmac::HMAC_SHA384, KEY, &message))),
        ("of HS512", of(&mac(hmac::HMAC_SHA512, KEY, &message))),
        ("of HS512, cut to 32 bytes", of(&mac(hmac::HMAC_SHA512, KEY, &message)[..32])),
        ("of the payload alone", of(&mac(hmac::HMAC_SHA256, KEY, &base64url(payload.as_bytes())))),
        ("of the decoded parts", of(&mac(hmac::HMAC_SHA256, KEY, &format!("{HEADER}.{payload}")))),
        ("without its last byte", of(&right[..31])),
        ("without its first byte", of(&right[1..])),
        ("one byte", of(&right[..1])),
        ("half", of(&right[..16])),
        ("twice", of(&[right.as_slice(), &right].concat())),
        ("with a zero behind", of(&[right.as_slice(), &[0]].concat())),
        ("zeros", of(&[0; 32])),
        ("backwards", of(&right.iter().rev().copied().collect::<Vec<_>>())),
        ("in hexadecimal", with(&hex)),
        ("in the standard alphabet", standard_alphabet(payload)),
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
    rows.map(|(why, token)| (format!("signature: {why}"), token)).into()
}

/// A token whose signature has letters that the two alphabets of base64 write differently, in the other one.
fn standard_alphabet(payload: &str) -> String {
    let padded = (0..100).map(|count| format!("{payload}{}", " ".repeat(count)));
    let good = padded.map(|it| forge(HEADER, &it)).find(|token| {
        token.rsplit_once('.').is_some_and(|(_, signature)| signature.contains(['-', '_']))
    });
    let good = good.unwrap();
    assert!(DOORS.iter().any(|door| (door.opens)(&good)));
    let (message, signature) = good.rsplit_once('.').unwrap();
    format!("{message}.{}", signature.replace('-', "+").replace('_', "/"))
}

/// The right three parts, put together otherwise.
fn shapes(payload: &str) -> Forged {
    let good = forge(HEADER, payload);
    let parts: Vec<&str> = good.split('.').collect();
    let [header, body, signature] = parts[..] else { panic!("{good}") };
    let json =
        format!(r#"{{"protected":"{header}","payload":"{body}","signature":"{signature}"}}"#);
    // The padding and the blanks are signed: only the decoder can refuse them.
    let resigned = |header: &str, body: &str| signed(&format!("{header}.{body}"), KEY);
    let rows = [
        ("nothing", String::new()),
        ("dots alone", "..".into()),
        ("a dot in front", format!(".{good}")),
        ("a dot behind", format!("{good}.")),
        ("two dots", good.replacen('.', "..", 1)),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{header}..{body}.{signature}.{signature}")),
        ("two parts", format!("{body}.{signature}")),
        ("parts swapped", format!("{body}.{header}.{signature}")),
        ("no payload", format!("{header}..{signature}")),
        ("no payload, signed", resigned(header, "")),
        ("no header, signed", resigned("", body)),
        ("payload padded, signed", resigned(header, &format!("{body}="))),
        ("payload with a blank, signed", resigned(header, &format!("{body} "))),
        ("payload with a line feed, signed", resigned(header, &format!("{body}\n"))),
        ("header with a blank, signed", resigned(&format!("{header} "), body)),
        ("a blank in front", format!(" {good}")),
        ("a blank behind", format!("{good} ")),
        ("a tab behind", format!("{good}\t")),
        ("a scheme", format!("Bearer {good}")),
        ("quoted", format!("\"{good}\"")),
        ("a list", format!("{good},{good}")),
        ("a JSON serialization", json),
        ("other dots", good.replace('.', "\u{ff0e}")),
        ("encoded dots", good.replace('.', "%2E")),
        ("capitals", good.to_uppercase()),
        ("twice", format!("{good}{good}")),
    ];
    rows.map(|(why, token)| (format!("shape: {why}"), token)).into()
}

#[test]
fn no_forged_token_opens_a_door() {
    for door in &DOORS {
        assert!((door.opens)(&forge(HEADER, door.payload)), "{}: the good one", door.name);
        let forged =
            [headers, payloads, signatures, shapes].map(|make| make(door.payload)).concat();
        assert!(forged.len() >= 60, "{}", forged.len());
        let accepted: Vec<&String> =
            forged.iter().filter(|(_, token)| (door.opens)(token)).map(|(why, _)| why).collect();
        assert!(accepted.is_empty(), "{}: {accepted:#?}", door.name);
        trust::none_accepted(door.name, forged.len());
    }
}

#[test]
fn a_token_from_the_near_future_or_just_ended_is_judged_to_the_second() {
    let payload = DOORS[0].payload;
    for (from, to, opens) in [
        ("\"iat\":1711111111", "\"iat\":1711111141", true),
        ("\"iat\":1711111111", "\"iat\":1711111142", false),
        ("{", "{\"nbf\":1711111141,", true),
        ("{", "{\"nbf\":1711111142,", false),
        ("{", "{\"nbf\":1711111000,", true),
        ("1711111411", "1711111112", true),
        ("1711111411", "1711111111", false),
        ("1711111411", "1711114711", true),
        ("1711111411", "1711114712", false),
    ] {
        let token = forge(HEADER, &payload.replacen(from, to, 1));
        assert_eq!((DOORS[0].opens)(&token), opens, "{from} {to}");
    }
}
