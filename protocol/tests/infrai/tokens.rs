//! Client tokens: the node's own are accepted, and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use protocol::auth::{
    BadToken, InfraiClaims, hmac_sha256, open_infrai, peek_infrai_tenant, sign_infrai,
    verify_infrai,
};
use protocol::{Capabilities, Capability, Limits, Permit, Rejection};

const KEY: &[u8] = b"a key of thirty-two bytes, or so";
const NOW_S: u64 = 1_711_111_111;
const JTI: &str = "018e6658-27a7-7abc-8def-0123456789ab";

fn claims() -> InfraiClaims {
    InfraiClaims {
        jti: 0x018e_6658_27a7_7abc_8def_0123_4567_89ab,
        tenant: "acme".to_owned(),
        client_id: "user_42".to_owned(),
        user_id: Some("käse \"☃\"".to_owned()),
        permit: Permit {
            capabilities: Capabilities::SUBSCRIBE.with(Capability::Presence),
            channels: Some(["room-42".into(), "chat:*".into()].into()),
        },
        issued_at_s: NOW_S,
        expires_at_s: NOW_S + 3600,
    }
}

fn sign(claims: &InfraiClaims) -> String {
    sign_infrai(claims, KEY, &Limits::default()).unwrap()
}

fn verify(token: &str) -> Result<InfraiClaims, BadToken> {
    verify_infrai(token, KEY, NOW_S, &Limits::default())
}

/// A token with any payload and the right signature.
fn forged(payload: &str) -> String {
    let signed = format!("irt1.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(KEY, signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn a_token_says_what_it_was_made_with() {
    let token = sign(&claims());
    assert_eq!(verify(&token), Ok(claims()));
    assert_eq!(peek_infrai_tenant(&token, &Limits::default()).as_deref(), Ok("acme"));
    let payload = token.split('.').nth(1).unwrap();
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let expected = format!(
        "{{\"jti\":\"{JTI}\",\"acc\":\"acme\",\"sub\":\"user_42\",\"uid\":\"käse \\\"☃\\\"\",\
         \"ch\":[\"room-42\",\"chat:*\"],\"cap\":[\"subscribe\",\"presence\"],\
         \"iat\":1711111111,\"exp\":1711114711}}"
    );
    assert_eq!(payload, expected);
    assert_eq!(forged(&expected), token);
    for channels in [None, Some([].into())] {
        let mut claims = claims();
        claims.user_id = None;
        claims.permit = Permit { capabilities: Capabilities::default(), channels };
        assert_eq!(verify(&sign(&claims)), Ok(claims));
    }
}

#[test]
fn a_token_lives_from_its_issue_to_its_end() {
    let token = sign(&claims());
    let check = |now_s: u64, lives: bool| {
        let verified = verify_infrai(&token, KEY, now_s, &Limits::default());
        assert_eq!(verified.is_ok(), lives, "{now_s}");
        assert!(open_infrai(&token, KEY, &Limits::default()).is_ok(), "revocable at any time");
    };
    check(NOW_S - 31, false);
    check(NOW_S - 30, true);
    check(NOW_S, true);
    check(NOW_S + 3599, true);
    check(NOW_S + 3600, false);
    check(u64::MAX, false);
    let life = |seconds| InfraiClaims { expires_at_s: NOW_S + seconds, ..claims() };
    assert!(verify(&sign(&life(86_400))).is_ok());
    assert_eq!(verify(&sign(&life(86_401))), Err(BadToken));
    assert_eq!(
        verify(&sign(&InfraiClaims { issued_at_s: NOW_S + 9999, ..claims() })),
        Err(BadToken)
    );
}

#[test]
fn any_change_of_a_token_is_refused() {
    let token = sign(&claims());
    for index in 0..token.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64] {
            let mut bytes = token.clone().into_bytes();
            bytes[index] ^= mask;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert_eq!(verify(&changed), Err(BadToken), "{changed}");
        }
        assert_eq!(verify(&token[..index]), Err(BadToken), "{index}");
        let longer = format!("{}A{}", &token[..index], &token[index..]);
        assert_eq!(verify(&longer), Err(BadToken), "{longer}");
    }
    let limits = Limits::default();
    assert!(verify_infrai(&token, b"another key", NOW_S, &limits).is_err());
    assert!(verify_infrai(&token, b"", NOW_S, &limits).is_err());
    let short = Limits { token_bytes_max: token.len() - 1, ..Limits::default() };
    assert!(verify_infrai(&token, KEY, NOW_S, &short).is_err());
}

#[test]
fn a_token_has_one_spelling() {
    let token = sign(&claims());
    let [_, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let bytes = hmac_sha256(KEY, format!("irt1.{payload}").as_bytes());
    // 32 bytes leave two loose bits in the last of 43 characters.
    let last = signature.chars().last().unwrap();
    let loose = char::from(u8::try_from(last).unwrap() + 1);
    for spelled in [
        format!("irt1.{payload}.{}", URL_SAFE.encode(bytes)),
        format!("irt1.{payload}.{}", STANDARD.encode(bytes)),
        format!("irt1.{payload}.{}{loose}", &signature[..42]),
        format!("irt1.{payload}.{signature}="),
        format!("irt1.{payload}=.{signature}"),
        format!("irt1.{payload}.{signature}."),
        format!("irt1.{payload}..{signature}"),
        format!("irt1.{payload}.{signature}.{signature}"),
        format!("irt1.{payload}"),
        format!("irt1.{payload}."),
        format!("irt1..{signature}"),
        format!("IRT1.{payload}.{signature}"),
        format!("irt2.{payload}.{signature}"),
        format!("{payload}.{signature}"),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        String::new(),
        "irt1.".to_owned(),
        "irt1..".to_owned(),
    ] {
        assert_eq!(verify(&spelled), Err(BadToken), "{spelled}");
    }
}

/// Claims that are fine, with one change.
fn change(from: &str, to: &str) -> String {
    let good = format!(
        "{{\"jti\":\"{JTI}\",\"acc\":\"acme\",\"sub\":\"u\",\"cap\":[\"subscribe\"],\
         \"iat\":{NOW_S},\"exp\":{}}}",
        NOW_S + 60
    );
    assert!(verify(&forged(&good)).is_ok());
    assert!(good.contains(from), "{from}");
    good.replacen(from, to, 1)
}

fn refuse(payloads: &[String]) {
    for payload in payloads {
        assert_eq!(verify(&forged(payload)), Err(BadToken), "{payload}");
    }
}

#[test]
fn the_times_of_a_token_have_one_form_even_under_the_right_signature() {
    let exp = format!(",\"exp\":{}", NOW_S + 60);
    refuse(&[
        change(&exp, ""),
        change(&exp, ",\"exp\":null"),
        change(&exp, ",\"exp\":NaN"),
        change(&exp, ",\"exp\":1e99"),
        change(&exp, ",\"exp\":-1"),
        change(&exp, ",\"exp\":9223372036854775808"),
        change(&exp, ",\"exp\":18446744073709551616"),
        change(&exp, &format!(",\"exp\":\"{}\"", NOW_S + 60)),
        change(&exp, &format!(",\"exp\":{}.0", NOW_S + 60)),
        change(&exp, &format!(",\"exp\":0{}", NOW_S + 60)),
        change(&exp, &format!("{exp},\"exp\":1")),
        change(&exp, &format!("{exp}{exp}")),
        change(&exp, &format!("{exp},\"admin\":true")),
        change(&exp, &format!("{exp},\"nbf\":0")),
        change(&format!("\"iat\":{NOW_S},"), ""),
    ]);
}

#[test]
fn claims_have_one_form_even_under_the_right_signature() {
    let good = change("", "");
    refuse(&[
        change(&format!("\"jti\":\"{JTI}\","), ""),
        change(JTI, ""),
        change(JTI, "t1"),
        change(JTI, &JTI.to_uppercase()),
        change("\"acc\":\"acme\",", ""),
        change("\"acme\"", "7"),
        change("\"acme\"", "\"\\u0061cme\""),
        change("\"sub\":\"u\",", ""),
        change("\"u\"", "\"\""),
        change("\"u\"", "null"),
        change("\"u\"", &format!("\"{}\"", "u".repeat(129))),
        change("\"sub\":\"u\"", "\"sub\":\"u\",\"uid\":null"),
        change("\"sub\":\"u\"", "\"sub\":\"u\",\"uid\":7"),
        change("\"sub\":\"u\"", "\"sub\":\"u\",\"ch\":\"*\""),
        change("\"sub\":\"u\"", "\"sub\":\"u\",\"ch\":[7]"),
        change("\"sub\":\"u\"", "\"sub\":\"u\",\"ch\":null"),
        change("\"cap\":[\"subscribe\"],", ""),
        change("[\"subscribe\"]", "\"subscribe\""),
        change("[\"subscribe\"]", "[\"admin\"]"),
        change("[\"subscribe\"]", "[\"subscribe\",\"subscribe\"]"),
        change("[\"subscribe\"]", "[\"publish\",\"subscribe\"]"),
        change("[\"subscribe\"]", "[[\"subscribe\"]]"),
        change("{", "{ "),
        change("{", "[{"),
        format!("{good} "),
        format!("{good}{good}"),
        format!("\u{feff}{good}"),
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "[".repeat(2000),
    ]);
    let latin = format!("irt1.{}", URL_SAFE_NO_PAD.encode(b"{\"acc\":\"\xe9\"}"));
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(KEY, latin.as_bytes()));
    assert_eq!(verify(&format!("{latin}.{signature}")), Err(BadToken));
}

#[test]
fn a_token_for_one_door_opens_no_other() {
    let claims = protocol::auth::RealtimeClaims {
        tenant: "acme".to_owned(),
        user_id: "u".to_owned(),
        user_name: None,
        issued_at_s: NOW_S,
        expires_at_s: NOW_S + 60,
        token_id: "t".to_owned(),
    };
    let jwt = protocol::auth::sign_realtime(&claims, KEY);
    assert_eq!(verify(&jwt), Err(BadToken));
    let token = sign(&self::claims());
    let limits = Limits::default();
    assert!(protocol::auth::verify_realtime(&token, KEY, NOW_S, &limits).is_err());
    assert!(protocol::auth::verify_edge(&token, KEY, NOW_S, &limits).is_err());
}

#[test]
fn channels_that_fit_no_token_are_refused_when_it_is_made() {
    let mut claims = claims();
    let name: Box<str> = "n".repeat(200).into();
    claims.permit.channels = Some(vec![name; 20].into());
    let signed = sign_infrai(&claims, KEY, &Limits::default());
    assert_eq!(signed, Err(Rejection::TokenTooLarge { max: 4096 }));
}
