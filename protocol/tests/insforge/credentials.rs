//! Who is let in by what, and with which words others are not.

use protocol::Limits;
use protocol::auth::insforge::{
    BadCredential, Identity, Jwks, JwksFault, Role, ShortSecret, User, UserKeys, sign_user,
};

const SECRET: &str = "your-secret-key-here-must-be-32-char-or-above";
const NOW_S: u64 = 1_800_000_000;

#[test]
fn a_secret_has_its_length() {
    let long = |bytes: usize| "s".repeat(bytes);
    for bytes in [31, 32, 33] {
        let expected = if bytes < 32 { Err(ShortSecret { bytes }) } else { Ok(()) };
        let first = UserKeys::new(&long(bytes), Jwks::default());
        assert_eq!(first.map(|_| ()), expected);
        let second = UserKeys::new(SECRET, Jwks::default()).unwrap().and(&long(bytes));
        assert_eq!(second.map(|_| ()), expected);
    }
    let keys = UserKeys::new(SECRET, Jwks::default()).unwrap();
    assert_eq!(format!("{keys:?}"), "UserKeys { jwks: [], .. }", "no key is shown");
}

#[test]
fn what_is_no_token_is_told_so() {
    let keys = UserKeys::new(SECRET, Jwks::default()).unwrap();
    for wrong in ["", "x", "a.b", "a.b.c", "...", "eyJ.eyJ.", " ik_good"] {
        let found = keys.verify(wrong, NOW_S, &Limits::default());
        assert_eq!(found, Err(BadCredential::Token), "{wrong}");
    }
}

#[test]
fn what_the_secret_before_signed_is_accepted_during_a_rotation() {
    let token = sign_user(r#"{"sub":"ada"}"#, SECRET);
    let new = UserKeys::new(&"n".repeat(32), Jwks::default()).unwrap();
    let check = |keys: &UserKeys, expected: Result<&str, BadCredential>| {
        let found = keys.verify(&token, NOW_S, &Limits::default());
        assert_eq!(found.as_ref().map(|it| &*it.id).map_err(|it| *it), expected);
    };
    check(&UserKeys::default(), Err(BadCredential::Token));
    check(&new, Err(BadCredential::Token));
    check(&new.and(SECRET).unwrap(), Ok("ada"));
}

#[test]
fn administrators_are_told_apart() {
    let user = |role| {
        let (id, claims) = ("ada".into(), "{}".into());
        Identity::User(User { id, email: None, role, claims })
    };
    for (identity, expected) in [
        (Identity::Server, Ok(())),
        (user(Role::ProjectAdmin), Ok(())),
        (user(Role::Authenticated), Err(BadCredential::NotAdmin)),
        (user(Role::Anon), Err(BadCredential::NotAdmin)),
        (Identity::Anonymous, Err(BadCredential::NotAdmin)),
    ] {
        assert_eq!(identity.admin().map(|_| ()), expected);
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
