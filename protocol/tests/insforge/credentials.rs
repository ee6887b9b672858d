//! Who is let in by what, and with which words others are not.

use protocol::Limits;
use protocol::auth::insforge::{
    BadCredential, Credential, Identity, InsforgeKeys, Jwks, JwksFault, KeyFault, Role,
};

const SECRET: &str = "your-secret-key-here-must-be-32-char-or-above";
const NOW_S: u64 = 1_800_000_000;

fn keys() -> InsforgeKeys {
    InsforgeKeys::new("ik_good", "anon_good", SECRET, Jwks::default()).unwrap()
}

#[test]
fn a_key_lets_in_and_any_other_is_told_so() {
    let keys = keys();
    let check = |offered: Credential<'_>, expected: Result<Identity, &str>| {
        let found = keys.identify(offered, NOW_S, &Limits::default());
        let expected = expected.map_err(str::to_owned);
        assert_eq!(found.map_err(|it| it.to_string()), expected, "{offered:?}");
    };
    check(Credential::of_token("ik_good"), Ok(Identity::Server));
    check(Credential::ApiKey("ik_good"), Ok(Identity::Server));
    check(Credential::of_token("anon_good"), Ok(Identity::Anonymous));
    check(Credential::None, Err("No authentication provided"));
    check(Credential::of_token(""), Err("No authentication provided"));
    for wrong in ["ik_", "ik_goo", "ik_goodd", "ik_gooD", "anon_good", ""] {
        check(Credential::ApiKey(wrong), Err("Invalid API key"));
    }
    for wrong in ["anon_", "anon_goo", "anon_goodd", "anon_Good"] {
        check(Credential::of_token(wrong), Err("Invalid anon key"));
    }
    for wrong in ["x", "a.b", "a.b.c", "...", "eyJ.eyJ.", " ik_good"] {
        check(Credential::of_token(wrong), Err("Invalid token"));
    }
    assert_eq!(format!("{keys:?}"), "InsforgeKeys { jwks: [], .. }", "no key is shown");
}

#[test]
fn the_calls_are_for_administrators() {
    let keys = keys();
    let check = |offered: &str, expected: Result<Role, BadCredential>| {
        let found = keys.identify_admin(Credential::of_token(offered), NOW_S, &Limits::default());
        assert_eq!(found.map(|it| it.role()), expected, "{offered}");
    };
    check("ik_good", Ok(Role::ProjectAdmin));
    check("ik_bad", Err(BadCredential::ApiKey));
    check("", Err(BadCredential::Missing));
    check("anon_good", Err(BadCredential::Token));
    check("anon_bad", Err(BadCredential::Token));
    check("x", Err(BadCredential::Token));
}

#[test]
fn keys_have_a_form() {
    let new = |api: &str, anon: &str, secret: &str| {
        InsforgeKeys::new(api, anon, secret, Jwks::default()).map(|_| ())
    };
    assert_eq!(new("ik_1", "anon_1", SECRET), Ok(()));
    for api in ["", "ik_", "key", "anon_1"] {
        assert_eq!(new(api, "anon_1", SECRET), Err(KeyFault::ApiKey), "{api}");
    }
    for anon in ["", "anon_", "key", "ik_1"] {
        assert_eq!(new("ik_1", anon, SECRET), Err(KeyFault::AnonKey), "{anon}");
    }
    for bytes in [31, 32, 33] {
        let expected = if bytes < 32 { Err(KeyFault::JwtSecret { bytes }) } else { Ok(()) };
        assert_eq!(new("ik_1", "anon_1", &"s".repeat(bytes)), expected);
    }
}

#[test]
fn a_key_set_is_shown_as_it_is_used() {
    let n = format!("{}A", "b".repeat(341));
    let shown = |text: &str| {
        let mut out = Vec::new();
        Jwks::parse(text).unwrap().push_document(&mut out);
        String::from_utf8(out).unwrap()
    };
    let document = format!(
        r#"{{"keys":[{{"kty":"RSA","use":"sig","alg":"RS256","kid":"a","n":"{n}","e":"AQAB"}}]}}"#
    );
    let given =
        format!(r#"{{"x":1,"keys":[{{"e":"AQAB","n":"{n}","y":2,"kid":"\u0061","kty":"RSA"}}]}}"#);
    assert_eq!(shown(&given), document);
    assert_eq!(shown(&document), document);
    assert_eq!(shown(r#"{"keys":[]}"#), r#"{"keys":[]}"#);
}

#[test]
fn a_key_set_holds_keys_for_rs256_alone() {
    let full = format!("{}A", "b".repeat(341));
    let short = format!("{}{}", "A".repeat(11), full.split_at(11).1);
    let key = |fields: &str| format!(r#"{{"keys":[{{"kid":"a","e":"AQAB",{fields}}}]}}"#);
    let check = |text: &str, expected: Result<(), JwksFault>| {
        assert_eq!(Jwks::parse(text).map(|_| ()), expected, "{text}");
    };
    let fault = |what| Err(JwksFault::Key { index: 0, what });
    check(r#"{"keys":[]}"#, Ok(()));
    check(&key(&format!(r#""kty":"RSA","n":"{full}""#)), Ok(()));
    check(&key(&format!(r#""kty":"RSA","alg":"RS256","use":"sig","n":"{full}""#)), Ok(()));
    check(&key(&format!(r#""kty":"RSA","alg":"PS256","n":"{full}""#)), fault("is not for RS256"));
    check(
        &key(&format!(r#""kty":"RSA","use":"enc","n":"{full}""#)),
        fault("is not for signatures"),
    );
    check(&key(&format!(r#""kty":"EC","n":"{full}""#)), fault("is no RSA key"));
    check(&key(&format!(r#""kty":"oct","k":"{full}""#)), fault("is no RSA key"));
    check(&key(r#""kty":"RSA""#), fault("has no \"n\""));
    let size = "is of less than 2048 or more than 8192 bits";
    check(&key(&format!(r#""kty":"RSA","n":"{short}""#)), fault(size));
    check(&key(&format!(r#""kty":"RSA","n":"{}""#, "b".repeat(172))), fault(size));
    check(&key(&format!(r#""kty":"RSA","n":"{}""#, "b".repeat(1368))), fault(size));
    check(&key(r#""kty":"RSA","n":"b+/=""#), fault("has an \"n\" that is no base64url"));
    check(
        &key(&format!(r#""kty":"RSA","n":7,"x":"{full}""#)),
        fault("has a field that is no string"),
    );
    check(&key(&format!(r#""kty":"RSA","kid":"b","n":"{full}""#)), fault("has a field twice"));
    check(&key(&format!(r#""kty":"RSA","n":"{full}","d":"AQAB""#)), fault("is a private key"));
    check(r#"{"keys":[7]}"#, fault("is no object"));
    check(r#"{"keys":{}}"#, Err(JwksFault::Syntax));
    check("{}", Err(JwksFault::Syntax));
    check("[]", Err(JwksFault::Syntax));
    check("", Err(JwksFault::Syntax));
    let one = format!(r#"{{"kty":"RSA","kid":"a","e":"AQAB","n":"{full}"}}"#);
    check(&format!(r#"{{"keys":[{one},{one}]}}"#), {
        Err(JwksFault::Key { index: 1, what: "has the \"kid\" of another key" })
    });
    let many: Vec<_> = (0..17).map(|it| one.replace("\"a\"", &format!("\"{it}\""))).collect();
    check(&format!(r#"{{"keys":[{}]}}"#, many[..16].join(",")), Ok(()));
    check(&format!(r#"{{"keys":[{}]}}"#, many.join(",")), Err(JwksFault::TooMany));
}
