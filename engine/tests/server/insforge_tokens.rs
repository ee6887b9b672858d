//! Users whose tokens others sign, at both wires and at the calls of administrators: keys by their name in a set, and no other way in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::auth::hmac_sha256;
use serde_json::{Value, json};

use super::admin::{CHANNELS, SECRET, introduce, start_with, stranger};
use super::node::{Node, run};
use super::raw::{frame, open};
use super::tools::curl;

/// A key pair that openssl made.
struct Rsa {
    file: PathBuf,
}

impl Rsa {
    fn new(folder: &Path, name: &str) -> Self {
        let file = folder.join(format!("{name}.pem"));
        openssl(Command::new("openssl").args(["genrsa", "-out"]).arg(&file).arg("2048"));
        Self { file }
    }

    /// The public key, as a set of keys has it.
    fn public(&self, kid: &str) -> Value {
        let arguments = ["rsa", "-noout", "-modulus", "-in"];
        let out = openssl(Command::new("openssl").args(arguments).arg(&self.file));
        let hex = out.trim().strip_prefix("Modulus=").unwrap();
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let modulus: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        let n = URL_SAFE_NO_PAD.encode(modulus);
        json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": n, "e": "AQAB"})
    }

    /// The public key as a text, which is no secret.
    fn pem(&self) -> String {
        let arguments = ["rsa", "-pubout", "-in"];
        openssl(Command::new("openssl").args(arguments).arg(&self.file))
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let (message, out) = (self.file.with_extension("message"), self.file.with_extension("out"));
        let text = unsigned(header, claims);
        fs::write(&message, &text).unwrap();
        let mut command = Command::new("openssl");
        command.args(["dgst", "-sha256", "-sign"]).arg(&self.file);
        openssl(command.arg("-out").arg(&out).arg(&message));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(fs::read(out).unwrap()))
    }
}

fn openssl(command: &mut Command) -> String {
    let (status, out, error) = run(command);
    assert!(status.success(), "{command:?}: {error}");
    out
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |it: &Value| URL_SAFE_NO_PAD.encode(it.to_string());
    format!("{}.{}", part(header), part(claims))
}

fn hmac(header: &Value, claims: &Value, secret: &str) -> String {
    let text = unsigned(header, claims);
    let signature = hmac_sha256(secret.as_bytes(), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn write_set(folder: &Path, keys: &[Value]) {
    fs::write(folder.join("jwks.json"), json!({"keys": keys}).to_string()).unwrap();
}

fn serve(folder: &Path) -> Node {
    start_with(folder, 2, "jwks_file = \"jwks.json\"\n")
}

/// Asks at every door; each has to say the same. Gives who it is.
fn who(node: &Node, token: &str) -> Option<String> {
    let mut plain = open(node, "/realtime");
    plain.send(frame(&json!({"type": "auth", "token": token}).to_string()));
    let told: Value = serde_json::from_str(&plain.read_frame()).unwrap();
    let found = told["userId"].as_str().map(str::to_owned);
    if found.is_none() {
        assert_eq!(told, json!({"type": "error", "message": "Invalid token"}), "{token}");
    }
    let answer = introduce(&mut stranger(node), &json!({"token": token}));
    if found.is_some() {
        assert!(answer.starts_with("40{\"sid\":"), "{answer}");
    } else {
        assert_eq!(answer, "44{\"message\":\"Invalid token\"}", "{token}");
    }
    let bearer = format!("Authorization: Bearer {token}");
    let status = curl(&[&node.url(CHANNELS), "-H", &bearer]).status;
    let expected = if found.is_some() { [200, 403].as_slice() } else { &[401] };
    assert!(expected.contains(&status), "{token}: {status}");
    found
}

#[test]
fn a_user_is_let_in_by_the_key_that_the_token_names_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Rsa::new(folder.path(), "one"), Rsa::new(folder.path(), "two"));
    write_set(folder.path(), &[one.public("k-1"), two.public("k-2")]);
    let node = serve(folder.path());
    let ada = json!({"sub": "ada", "role": "authenticated", "exp": 4_102_444_800_u64});
    let header = |alg: &str, kid: &str| json!({"alg": alg, "typ": "JWT", "kid": kid});
    let nameless = |alg: &str| json!({"alg": alg, "typ": "JWT"});
    for (what, token) in [
        ("the first key", one.sign(&header("RS256", "k-1"), &ada)),
        ("the second key", two.sign(&header("RS256", "k-2"), &ada)),
        ("the secret", hmac(&nameless("HS256"), &ada, SECRET)),
        ("the secret, under a name that is no key's", hmac(&header("HS256", "k-3"), &ada, SECRET)),
    ] {
        assert_eq!(who(&node, &token).as_deref(), Some("ada"), "{what}");
    }
    let good = one.sign(&header("RS256", "k-1"), &ada);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = message.split_once('.').unwrap();
    let bob = URL_SAFE_NO_PAD.encode(json!({"sub": "bob"}).to_string());
    let n = one.public("k-1")["n"].as_str().unwrap().to_owned();
    for (what, token) in [
        ("another key of the set", two.sign(&header("RS256", "k-1"), &ada)),
        ("an unknown name", one.sign(&header("RS256", "k-3"), &ada)),
        ("a name that differs in its case", one.sign(&header("RS256", "K-1"), &ada)),
        ("no name", one.sign(&nameless("RS256"), &ada)),
        ("an empty name", one.sign(&header("RS256", ""), &ada)),
        ("a path for a name", one.sign(&header("RS256", "../one.pem"), &ada)),
        ("the secret under the name of a key", hmac(&header("HS256", "k-1"), &ada, SECRET)),
        ("the secret, said to be RS256", hmac(&header("RS256", "k-1"), &ada, SECRET)),
        ("the public key as a secret", hmac(&header("HS256", "k-1"), &ada, &one.pem())),
        ("its modulus as a secret", hmac(&header("HS256", "k-1"), &ada, &n)),
        ("the public key as a secret, nameless", hmac(&nameless("HS256"), &ada, &one.pem())),
        ("an RSA signature, said to be HS256", one.sign(&header("HS256", "k-1"), &ada)),
        ("none", format!("{}.", unsigned(&nameless("none"), &ada))),
        ("none, under the name of a key", format!("{}.", unsigned(&header("none", "k-1"), &ada))),
        (
            "none, with a signature",
            format!("{}.{signature}", unsigned(&header("none", "k-1"), &ada)),
        ),
        ("no signature", format!("{message}.")),
        ("other claims", format!("{head}.{bob}.{signature}")),
        (
            "a time that is over",
            one.sign(&header("RS256", "k-1"), &json!({"sub": "ada", "exp": 1})),
        ),
        ("a time to come", {
            one.sign(&header("RS256", "k-1"), &json!({"sub": "ada", "nbf": 4_102_444_800_u64}))
        }),
    ] {
        assert_eq!(who(&node, &token), None, "{what}");
    }
    // The role is the token's, too.
    for (role, status) in [("authenticated", 403), ("project_admin", 200)] {
        let token = two.sign(&header("RS256", "k-2"), &json!({"sub": "ada", "role": role}));
        let bearer = format!("Authorization: Bearer {token}");
        assert_eq!(curl(&[&node.url(CHANNELS), "-H", &bearer]).status, status, "{role}");
    }
    node.stop();
}

#[test]
fn a_key_that_leaves_the_set_lets_nobody_in_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Rsa::new(folder.path(), "one"), Rsa::new(folder.path(), "two"));
    let token = |key: &Rsa, kid: &str| {
        key.sign(&json!({"alg": "RS256", "kid": kid}), &json!({"sub": "ada"}))
    };
    let (old, new) = (token(&one, "k-1"), token(&two, "k-2"));
    write_set(folder.path(), &[one.public("k-1")]);
    let node = serve(folder.path());
    assert_eq!((who(&node, &old).as_deref(), who(&node, &new)), (Some("ada"), None));
    node.kill();
    write_set(folder.path(), &[two.public("k-2")]);
    let node = serve(folder.path());
    assert_eq!((who(&node, &old), who(&node, &new).as_deref()), (None, Some("ada")));
    let shown = curl(&[&node.url("/.well-known/jwks.json")]).json();
    assert_eq!(
        (&shown["keys"][0]["kid"], shown["keys"].as_array().unwrap().len()),
        (&json!("k-2"), 1)
    );
    node.stop();
}
