//! Tokens: the node's own are accepted, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use protocol::Limits;
use protocol::auth::{
    BadToken, EdgeClaims, RealtimeClaims, hmac_sha256, open_edge, open_realtime, peek_tenant,
    sign_edge, sign_realtime, verify_edge, verify_realtime,
};

const KEY: &[u8] = b"a key of thirty-two bytes, or so";
const NOW_S: u64 = 1_711_111_111;

fn claims() -> RealtimeClaims {
    RealtimeClaims {
        tenant: "acme".to_owned(),
        user_id: "alice".to_owned(),
        user_name: Some("Alice Käse".to_owned()),
        issued_at_s: NOW_S,
        expires_at_s: NOW_S + 300,
        token_id: "t1".to_owned(),
    }
}

fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * index) & 63) as usize]));
        }
    }
    out
}

/// A token with any header and payload, properly signed.
fn forge(header: &str, payload: &str, key: &[u8]) -> String {
    let message = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let signature = base64url(&hmac_sha256(key, message.as_bytes()));
    format!("{message}.{signature}")
}

fn refused(token: &str, why: &str) {
    let limits = Limits::default();
    assert_eq!(verify_realtime(token, KEY, NOW_S, &limits), Err(BadToken), "{why}: {token}");
    assert_eq!(verify_edge(token, KEY, NOW_S, &limits), Err(BadToken), "{why}: {token}");
}

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;
const PAYLOAD: &str =
    r#"{"tid":"acme","typ":"rt","sub":"alice","iat":1711111111,"exp":1711111411,"jti":"t1"}"#;

#[test]
fn what_was_signed_is_read_back() {
    let limits = Limits::default();
    let token = sign_realtime(&claims(), KEY);
    assert_eq!(peek_tenant(&token, &limits).unwrap(), "acme");
    assert_eq!(verify_realtime(&token, KEY, NOW_S, &limits), Ok(claims()));
    let edge = EdgeClaims { tenant: "acme".to_owned(), expires_at_s: NOW_S + 60 };
    let token = sign_edge(&edge, KEY);
    assert_eq!(peek_tenant(&token, &limits).unwrap(), "acme");
    assert_eq!(verify_edge(&token, KEY, NOW_S, &limits), Ok(edge));
    // The forge below makes what the node makes, so what it changes is what is refused.
    assert!(verify_realtime(&forge(HEADER, PAYLOAD, KEY), KEY, NOW_S, &limits).is_ok());
}

#[test]
fn a_token_lives_until_the_second_it_names() {
    let limits = Limits::default();
    let token = sign_realtime(&claims(), KEY);
    assert!(verify_realtime(&token, KEY, NOW_S + 299, &limits).is_ok());
    assert!(verify_realtime(&token, KEY, NOW_S + 300, &limits).is_err());
    assert!(verify_realtime(&token, KEY, NOW_S - 30, &limits).is_ok());
    assert!(verify_realtime(&token, KEY, NOW_S - 31, &limits).is_err());
    let edge = EdgeClaims { tenant: "acme".to_owned(), expires_at_s: NOW_S + 60 };
    let token = sign_edge(&edge, KEY);
    assert!(verify_edge(&token, KEY, NOW_S + 59, &limits).is_ok());
    assert!(verify_edge(&token, KEY, NOW_S + 60, &limits).is_err());
}

#[test]
fn a_token_opens_one_door_of_one_tenant() {
    let limits = Limits::default();
    let realtime = sign_realtime(&claims(), KEY);
    assert!(verify_edge(&realtime, KEY, NOW_S, &limits).is_err());
    let edge = EdgeClaims { tenant: "acme".to_owned(), expires_at_s: NOW_S + 60 };
    assert!(verify_realtime(&sign_edge(&edge, KEY), KEY, NOW_S, &limits).is_err());
    assert!(verify_realtime(&realtime, b"another tenant's key", NOW_S, &limits).is_err());
    assert!(verify_realtime(&sign_realtime(&claims(), b""), b"", NOW_S, &limits).is_err());
}

#[test]
fn a_token_that_has_ended_is_still_opened_by_its_key_and_of_its_kind() {
    let limits = Limits::default();
    let ended = RealtimeClaims { issued_at_s: 1, expires_at_s: 2, ..claims() };
    let token = sign_realtime(&ended, KEY);
    assert!(verify_realtime(&token, KEY, NOW_S, &limits).is_err());
    assert_eq!(open_realtime(&token, KEY, &limits), Ok(ended));
    assert_eq!(open_realtime(&token, b"another", &limits), Err(BadToken));
    assert_eq!(open_edge(&token, KEY, &limits), Err(BadToken));
    let ended = EdgeClaims { tenant: "acme".to_owned(), expires_at_s: 2 };
    let token = sign_edge(&ended, KEY);
    assert_eq!(open_edge(&token, KEY, &limits), Ok(ended));
    assert_eq!(open_edge(&token, b"another", &limits), Err(BadToken));
    assert_eq!(open_realtime(&token, KEY, &limits), Err(BadToken));
}

#[test]
fn no_header_but_the_nodes_own_is_believed() {
    for header in [
        r#"{"typ":"JWT","alg":"none"}"#,
        r#"{"typ":"JWT","alg":"None"}"#,
        r#"{"typ":"JWT","alg":"NONE"}"#,
        r#"{"typ":"JWT","alg":"nOnE"}"#,
        r#"{"typ":"JWT","alg":""}"#,
        r#"{"typ":"JWT","alg":null}"#,
        r#"{"typ":"JWT","alg":["HS256"]}"#,
        r#"{"typ":"JWT","alg":"hs256"}"#,
        r#"{"typ":"JWT","alg":"HS256 "}"#,
        r#"{"typ":"JWT","alg":"HS384"}"#,
        r#"{"typ":"JWT","alg":"HS512"}"#,
        r#"{"typ":"JWT","alg":"RS256"}"#,
        r#"{"typ":"JWT","alg":"RS512"}"#,
        r#"{"typ":"JWT","alg":"PS256"}"#,
        r#"{"typ":"JWT","alg":"ES256"}"#,
        r#"{"typ":"JWT","alg":"EdDSA"}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"typ":"JWT", "alg":"HS256"}"#,
        r#"{"typ":"JWE","alg":"HS256"}"#,
        r#"{"typ":"JWT","alg":"HS256","alg":"none"}"#,
        r#"{"typ":"JWT","alg":"none","alg":"HS256"}"#,
        r#"{"typ":"JWT","alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"typ":"JWT","alg":"HS256","crit":[]}"#,
        r#"{"typ":"JWT","alg":"HS256","b64":false}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"acme"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"../../../../dev/null"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"x' UNION SELECT 'key"}"#,
        r#"{"typ":"JWT","alg":"HS256","jku":"https://evil.example/jwks.json"}"#,
        r#"{"typ":"JWT","alg":"HS256","x5u":"https://evil.example/cert"}"#,
        r#"{"typ":"JWT","alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#,
        r#"{"typ":"JWT","alg":"HS256","x5c":["AAAA"]}"#,
        r#"{"typ":"JWT","alg":"HS256","cty":"JWT"}"#,
        r#"{"typ":"JWT","alg":"dir","enc":"A256GCM"}"#,
        r#"{"typ":"JWT","alg":"HS256","zip":"DEF"}"#,
        "{}",
        "[]",
        "null",
        "",
    ] {
        refused(&forge(header, PAYLOAD, KEY), header);
        let message =
            format!("{}.{}.", base64url(header.as_bytes()), base64url(PAYLOAD.as_bytes()));
        refused(&message, "no signature");
        assert!(peek_tenant(&message, &Limits::default()).is_err(), "{header}");
    }
}

#[test]
fn no_payload_with_a_hole_is_believed() {
    for (from, to) in [
        (r#""exp":1711111411,"#, ""),
        ("1711111411", "1711111111"),
        ("1711111411", "1711114712"),
        ("1711111411", "\"1711111411\""),
        ("1711111411", "1711111411.5"),
        ("1711111411", "-1"),
        ("1711111411", "null"),
        ("1711111411", "NaN"),
        ("1711111411", "1e400"),
        ("1711111411", "99999999999999999999"),
        ("1711111411", "[1711111411]"),
        (r#""exp":1711111411"#, r#""exp":1711111411,"exp":1711111411"#),
        (r#""iat":1711111111,"#, ""),
        ("1711111111", "1711111142"),
        ("1711111111", "1711107810"),
        (r#""jti":"t1""#, r#""x":1"#),
        (r#""sub":"alice","#, ""),
        ("\"alice\"", "\"\""),
        ("\"alice\"", "7"),
        ("\"alice\"", "null"),
        (r#""sub":"alice""#, r#""sub":"alice","sub":"bob""#),
        (r#""tid":"acme","#, ""),
        ("\"acme\"", "null"),
        (r#""tid":"acme""#, r#""tid":"acme","tid":"other""#),
        ("\"rt\"", "\"edge\""),
        ("\"rt\"", "\"RT\""),
        ("\"rt\"", "null"),
        (r#""typ":"rt","#, ""),
        ("{", "["),
        ("}", ""),
        ("}", "}}"),
    ] {
        let payload = PAYLOAD.replacen(from, to, 1);
        assert_ne!(payload, PAYLOAD);
        let token = forge(HEADER, &payload, KEY);
        let verdict = verify_realtime(&token, KEY, NOW_S, &Limits::default());
        assert_eq!(verdict, Err(BadToken), "{payload}");
    }
}

#[test]
fn a_changed_token_is_refused() {
    let token = sign_realtime(&claims(), KEY);
    for index in 0..token.len() - 1 {
        for replacement in ["A", "B", ".", "=", "+", "-", "%", " "] {
            let mut changed = token.clone();
            changed.replace_range(index..=index, replacement);
            if changed != token {
                refused(&changed, "one character");
            }
        }
        refused(&token[..index], "cut");
        refused(&token[index + 1..], "cut in front");
    }
    for changed in [
        format!("{token}."),
        format!(".{token}"),
        format!("{token}="),
        format!("{token} "),
        format!("{token}.{token}"),
        token.replace('.', ".."),
        token.to_uppercase(),
        format!("Bearer {token}"),
        String::new(),
        "..".to_owned(),
    ] {
        refused(&changed, "shape");
    }
}

#[test]
fn a_token_over_its_limit_is_not_even_looked_at() {
    let make = |length: usize| {
        let name = "n".repeat(length);
        forge(HEADER, &PAYLOAD.replace(r#""jti""#, &format!(r#""name":"{name}","jti""#)), KEY)
    };
    let limits = Limits::default();
    let fits = (2000..4096).map(make).take_while(|it| it.len() <= 4096).last().unwrap();
    assert!(fits.len() >= 4095, "{}", fits.len());
    assert!(verify_realtime(&fits, KEY, NOW_S, &limits).is_ok());
    let over = (2900..4096).map(make).find(|it| it.len() > 4096).unwrap();
    assert!(over.len() <= 4098);
    refused(&over, "too long");
    assert!(peek_tenant(&over, &limits).is_err());
}
