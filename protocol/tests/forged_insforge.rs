//! Forged tokens of InsForge's users: each differs from one that is accepted in one thing, and none is accepted.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

mod trust;

use std::cell::Cell;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use protocol::Limits;
use protocol::auth::hmac_sha256;
use protocol::auth::insforge::{Jwks, User, UserKeys};

const SECRET: &str = "your-secret-key-here-must-be-32-char-or-above";
const OTHER_SECRET: &str = "another-secret-key-of-at-least-32-characters";
const NOW_S: u64 = 1_800_000_000;
const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const RS256: &str = r#"{"alg":"RS256","typ":"JWT","kid":"key-1"}"#;
const GOOD: &str = r#"{"sub":"7d7b0e2e","email":"ada@example.com","role":"authenticated","iat":1700000000,"exp":1800000001}"#;

struct Door {
    keys: UserKeys,
    rsa: RsaKeyPair,
    jwks: serde_json::Value,
    tried: Cell<usize>,
}

impl Door {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/insforge/rsa_key.json");
        let text = std::fs::read_to_string(path).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        let rsa = URL_SAFE_NO_PAD.decode(file["pkcs8"].as_str().unwrap()).unwrap();
        let jwks = file["jwks"].clone();
        let set = Jwks::parse(&jwks.to_string()).unwrap();
        Self {
            keys: UserKeys::new(SECRET, set).unwrap(),
            rsa: RsaKeyPair::from_pkcs8(&rsa).unwrap(),
            jwks,
            tried: Cell::new(0),
        }
    }

    fn open(&self, token: &str) -> Result<User, String> {
        let found = self.keys.verify(token, NOW_S, &Limits::default());
        found.map_err(|bad| bad.to_string())
    }

    fn refuse(&self, what: &str, token: &str) {
        self.tried.set(self.tried.get() + 1);
        assert_eq!(self.open(token), Err("Invalid token".to_owned()), "{what}: {token}");
    }

    fn rsa(&self, message: &str, how: &'static dyn RsaEncoding) -> String {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(how, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn message(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn hmac(message: &str, secret: &[u8]) -> String {
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac_sha256(secret, message.as_bytes())))
}

fn secret(header: &str, claims: &str) -> String {
    hmac(&message(header, claims), SECRET.as_bytes())
}

#[test]
fn good_tokens_are_accepted() {
    let door = Door::new();
    let user = door.open(&secret(HS256, GOOD)).unwrap();
    assert_eq!((&*user.id, user.email.as_deref()), ("7d7b0e2e", Some("ada@example.com")));
    assert_eq!(&*user.claims, GOOD);
    let same = door.open(&door.rsa(&message(RS256, GOOD), &RSA_PKCS1_SHA256)).unwrap();
    assert_eq!(user, same);
    for (header, claims) in [
        (r#"{"alg":"HS256"}"#, GOOD),
        (r#"{"typ":"jwt","alg":"HS256"}"#, GOOD),
        // A key of another server's set is no key of ours: the secret signs for all it does not name.
        (r#"{"alg":"HS256","kid":"other"}"#, GOOD),
        (HS256, r#"{"sub":"a"}"#),
        (HS256, r#"{"sub":"a","role":null,"email":null,"exp":1800000000.5,"nbf":1800000000}"#),
        (HS256, r#"{"sub":"local:admin","role":"project_admin"}"#),
    ] {
        door.open(&secret(header, claims)).unwrap_or_else(|it| panic!("{header} {claims}: {it}"));
    }
    let roleless = door.open(&secret(HS256, r#"{"sub":"a"}"#)).unwrap();
    assert_eq!(roleless.role.name(), "authenticated");
}

#[test]
fn a_header_chooses_no_algorithm() {
    let door = Door::new();
    let n = door.jwks["keys"][0]["n"].as_str().unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(n).unwrap();
    let document = door.jwks.to_string();
    for (what, header) in [
        ("none", r#"{"alg":"none","typ":"JWT"}"#),
        ("None", r#"{"alg":"None"}"#),
        ("no algorithm", r#"{"typ":"JWT"}"#),
        ("null", r#"{"alg":null}"#),
        ("a list", r#"{"alg":["HS256"]}"#),
        ("HS384", r#"{"alg":"HS384"}"#),
        ("HS512", r#"{"alg":"HS512"}"#),
        ("in small letters", r#"{"alg":"hs256"}"#),
        ("RS256 with the secret", r#"{"alg":"RS256"}"#),
        ("RS256 of no key", r#"{"alg":"RS256","kid":"other"}"#),
        ("twice", r#"{"alg":"HS256","alg":"none"}"#),
        ("twice, escaped", r#"{"alg":"HS256","\u0061lg":"none"}"#),
        ("HS256 for the key of RS256", r#"{"alg":"HS256","kid":"key-1"}"#),
        ("RS256 for the key, signed with the secret", RS256),
        ("crit", r#"{"alg":"HS256","crit":["exp"]}"#),
        ("crit, empty", r#"{"alg":"HS256","crit":[]}"#),
        ("b64", r#"{"alg":"HS256","b64":false}"#),
        ("another type", r#"{"alg":"HS256","typ":"JWE"}"#),
        ("a type that is no text", r#"{"alg":"HS256","typ":7}"#),
        ("a kid that is no text", r#"{"alg":"HS256","kid":7}"#),
        ("no object", r#"["HS256"]"#),
        ("no JSON", "HS256"),
        ("nothing", ""),
        ("what follows", r#"{"alg":"HS256"} x"#),
    ] {
        door.refuse(what, &secret(header, GOOD));
        let unsigned = message(header, GOOD);
        door.refuse(what, &format!("{unsigned}."));
        door.refuse(what, &unsigned);
        // The public key is public, whatever form it is taken in.
        for public in [n.as_bytes(), &modulus, document.as_bytes()] {
            door.refuse(what, &hmac(&unsigned, public));
        }
    }
    for (what, how) in
        [("PSS", &RSA_PSS_SHA256 as &'static dyn RsaEncoding), ("SHA-512", &RSA_PKCS1_SHA512)]
    {
        door.refuse(what, &door.rsa(&message(RS256, GOOD), how));
        let named = RS256.replace("RS256", "PS256");
        door.refuse(what, &door.rsa(&message(&named, GOOD), how));
    }
    for header in [
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":"KEY-1"}"#,
        r#"{"alg":"HS256","kid":"key-1"}"#,
    ] {
        let token = door.rsa(&message(header, GOOD), &RSA_PKCS1_SHA256);
        door.refuse("a good signature of a key that is not named", &token);
    }
    trust::none_accepted("insforge, headers", door.tried.get());
}

#[test]
fn a_signature_is_whole_and_of_this_message() {
    let door = Door::new();
    door.refuse("another secret", &hmac(&message(HS256, GOOD), OTHER_SECRET.as_bytes()));
    door.refuse("no secret", &hmac(&message(HS256, GOOD), b""));
    for token in [secret(HS256, GOOD), door.rsa(&message(RS256, GOOD), &RSA_PKCS1_SHA256)] {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            door.refuse("a bit", &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&bad)));
        }
        for at in 0..token.len() {
            door.refuse("cut off", &token[..at]);
        }
        let other = URL_SAFE_NO_PAD.encode(GOOD.replace("authenticated", "project_admin"));
        door.refuse("other claims", &format!("{header}.{other}.{signature}"));
        door.refuse("padded", &format!("{token}="));
        door.refuse("a blank", &format!("{token} "));
        door.refuse("a blank before", &format!(" {token}"));
        door.refuse("a line", &format!("{token}\n"));
        door.refuse("another part", &format!("{token}.x"));
        door.refuse("an empty part", &format!("{token}."));
        door.refuse("an empty part before", &format!(".{token}"));
        door.refuse("no claims", &format!("{header}..{signature}"));
        door.refuse("the other alphabet", &format!("{signed}.{}", STANDARD.encode(&bytes)));
        door.refuse("padding", &format!("{signed}.{}", URL_SAFE.encode(&bytes)));
        let parts = format!("{claims}.{header}.{signature}");
        door.refuse("parts exchanged", &parts);
    }
    let long = format!(r#"{{"sub":"a","x":"{}"}}"#, "x".repeat(4096));
    door.refuse("longer than a token may be", &secret(HS256, &long));
    door.refuse("no UTF-8", &{
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(HS256),
            URL_SAFE_NO_PAD.encode(b"{\"sub\":\"\xff\"}")
        );
        hmac(&message, SECRET.as_bytes())
    });
    trust::none_accepted("insforge, signatures", door.tried.get());
}

#[test]
fn claims_are_what_they_have_to_be() {
    let door = Door::new();
    for (what, claims) in [
        ("exp now", r#"{"sub":"a","exp":1800000000}"#),
        ("exp past", r#"{"sub":"a","exp":1500000900}"#),
        ("exp negative", r#"{"sub":"a","exp":-1}"#),
        ("exp a text", r#"{"sub":"a","exp":"4102444800"}"#),
        ("exp null", r#"{"sub":"a","exp":null}"#),
        ("exp a list", r#"{"sub":"a","exp":[4102444800]}"#),
        ("exp twice", r#"{"sub":"a","exp":1,"exp":4102444800}"#),
        ("nbf to come", r#"{"sub":"a","nbf":1800000001}"#),
        ("nbf a text", r#"{"sub":"a","nbf":"0"}"#),
        ("role unknown", r#"{"sub":"a","role":"root"}"#),
        ("role in capitals", r#"{"sub":"a","role":"Project_Admin"}"#),
        ("role a list", r#"{"sub":"a","role":["project_admin"]}"#),
        ("role twice", r#"{"sub":"a","role":"anon","role":"project_admin"}"#),
        ("role twice, escaped", r#"{"sub":"a","role":"anon","r\u006fle":"project_admin"}"#),
        ("email a number", r#"{"sub":"a","email":7}"#),
        ("for another server", r#"{"sub":"a","type":"project_authorization"}"#),
        ("a list", r#"["sub"]"#),
        ("no JSON", "sub"),
        ("nothing", ""),
        ("what follows", r#"{"sub":"a"}{}"#),
    ] {
        door.refuse(what, &secret(HS256, claims));
    }
    let long = format!(r#"{{"sub":"{}"}}"#, "x".repeat(129));
    for claims in [
        "{}",
        r#"{"sub":""}"#,
        r#"{"sub":null}"#,
        r#"{"sub":7}"#,
        r#"{"sub":["a"]}"#,
        r#"{"sub":"anonymous"}"#,
        r#"{"sub":"api-key"}"#,
        r#"{"sub":"anon\u0079mous"}"#,
        r#"{"sub":"a\u0000"}"#,
        r#"{"sub":"\ud800"}"#,
        &long,
    ] {
        let found = door.open(&secret(HS256, claims));
        assert_eq!(found, Err("Invalid token subject".to_owned()), "{claims}");
    }
    // Whoever is at fault in two ways is told of the token first.
    let both = door.open(&secret(HS256, r#"{"exp":1}"#));
    assert_eq!(both, Err("Invalid token".to_owned()));
    trust::none_accepted("insforge, claims", door.tried.get());
}
